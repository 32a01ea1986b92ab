/**
 * Protects the first run of the real program: without any setting of a NAS it serves set-up, stores what a person enters,
 * and becomes the dashboard at the same address; every other missing setting still ends it with exit code 2.
 */
import assert from "node:assert/strict";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { fingerprintOf } from "../../support/network/certificates.ts";
import { runProgram } from "../../support/program/command_line.ts";
import { repeatedly } from "../../support/deadline.ts";
import { KEEPER_PASSWORD, NAS_CERTIFICATE, startUnset, withNas } from "../../support/program/first_run.ts";
import { SetupBrowser } from "../../support/pages/setup.ts";

/** Goes through all steps; the answer shows that the dashboard opens. */
async function setUp(browser: SetupBrowser, nas: Simulator) {
  const host = new URL(nas.url.replace(/^ws/, "http")).host;
  await browser.submit("address", { host });
  await browser.submit("certificate", { fingerprint: await fingerprintOf(NAS_CERTIFICATE) });
  const place = await browser.submit("account", {
    method: "password",
    username: "keeper",
    password: KEEPER_PASSWORD,
  });
  assert.equal(place.step, "place", place.html);
  assert.equal(
    (await browser.submit("place", { dataset: "tank/vms", iso: "/mnt/tank/iso/debian.iso" })).step,
    "done",
  );
  const opening = await browser.submit("open");
  assert.match(opening.html, /http-equiv="refresh" content="3;url=\/"/);
}

async function untilOk(url: string): Promise<void> {
  await repeatedly(`${url} answers`, async () => {
    const answer = await fetch(url).catch(() => null);
    await answer?.body?.cancel();
    return answer?.ok ? answer : null;
  });
}

/** The VMs as JSON, as soon as the dashboard answers and is connected. */
async function vmsOf(url: string): Promise<{ nas: Record<string, unknown>; vms: unknown[] }> {
  await untilOk(`${url}/readyz`);
  return await (await fetch(url, { headers: { accept: "application/json" } })).json();
}

Deno.test("without settings the program serves set-up, and becomes a dashboard that starts again by itself", () =>
  withNas(async (nas, folder) => {
    const first = await startUnset(folder);
    assert.match(first.said(), /no NAS is connected yet/);
    const home = await fetch(first.url, { redirect: "manual" });
    assert.deepEqual([home.status, home.headers.get("location")], [303, "/setup"]);
    await home.body?.cancel();
    assert.equal(await fetch(`${first.url}/healthz`).then((it) => it.text()), "ok\n");
    const ready = await fetch(`${first.url}/readyz`);
    assert.deepEqual([ready.status, await ready.text()], [503, "no NAS is set up\n"]);
    await setUp(new SetupBrowser(first), nas);
    assert.deepEqual((await vmsOf(first.url)).vms, []);
    assert.match(
      first.said(),
      /connect and listen: [^;]*127\.0\.0\.1:[\d-]+[^;]*; read and write: \.\/state"/,
    );
    assert.equal(((await Deno.stat(`${folder}/state/settings.env`)).mode ?? 0) & 0o777, 0o600);
    assert.equal(await first.stop(), 0);
    assert.ok(!first.said().includes(KEEPER_PASSWORD));
    const second = await startUnset(folder);
    await vmsOf(second.url);
    const create = await (await fetch(`${second.url}/create`)).text();
    assert.match(create, /name="worker\.count"/);
    assert.equal(await second.stop(), 0);
    const listed = await runProgram(["list", "--json"], folder, {});
    assert.equal(listed.code, 0, listed.err);
  }));

Deno.test("the connection can be changed later, and is kept until the new one has signed in", () =>
  withNas(async (nas, folder) => {
    const program = await startUnset(folder);
    await setUp(new SetupBrowser(program), nas);
    await vmsOf(program.url);
    const before = await Deno.readTextFile(`${folder}/state/settings.env`);
    const browser = new SetupBrowser(program);
    const change = await browser.open("/setup");
    assert.match(change.html, /The present connection stays/);
    const opening = await fetch(`${program.url}/setup`, { method: "POST", headers: { origin: program.url } });
    assert.match(await opening.text(), /url=\/setup/);
    const again = await untilSetup(browser);
    assert.match(again.html, /Change the connection/);
    assert.match(again.html, /value="127\.0\.0\.1:\d+"/);
    await browser.submit("address", { host: "127.0.0.1:1" });
    assert.equal((await browser.submit("leave")).step, "opening");
    await vmsOf(program.url);
    assert.equal(await Deno.readTextFile(`${folder}/state/settings.env`), before);
    assert.equal(await program.stop(), 0);
  }));

function untilSetup(browser: SetupBrowser) {
  return repeatedly("set-up asks for the address", async () => {
    const answer = await browser.open().catch(() => null);
    return answer?.step === "address" ? answer : null;
  });
}

Deno.test("beyond loopback set-up asks for the code in the log, and for a password of the dashboard first", () =>
  withNas(async (nas, folder) => {
    const program = await startUnset(folder, { HOST: "0.0.0.0" });
    const browser = new SetupBrowser(program);
    const gate = await browser.open();
    assert.equal(gate.step, "gate");
    assert.equal((await browser.submit("address", { host: "nas.lan" })).status, 401);
    const wrong = await browser.submit("enter", { code: "aaaa-aaaa" });
    assert.deepEqual([wrong.status, wrong.step], [401, "gate"]);
    const code = /The code for \/setup is (\S+)\./.exec(program.said())?.[1] ?? "";
    const protect = await browser.submit("enter", { code: code.toUpperCase().replace("-", " ") });
    assert.equal(protect.step, "protect");
    const other = await new SetupBrowser(program).submit("enter", { code });
    assert.match(other.html, /Somebody has used the set-up code/);
    const short = await browser.submit("protect", { dashboard_password: "short" });
    assert.match(short.errors["dashboard_password"] ?? "", /at least 8/);
    const password = "correct horse";
    await browser.submit("protect", { dashboard_password: password, dashboard_password_again: password });
    await setUp(browser, nas);
    await untilOk(`${program.url}/login`);
    const home = await fetch(program.url, { redirect: "manual" });
    assert.equal(home.headers.get("location"), "/login?to=%2F");
    await home.body?.cancel();
    assert.match((await browser.follow("/")).html, /Sign out/, "the browser of set-up is not asked again");
    assert.match((await new SetupBrowser(program).follow("/")).html, /Dashboard password/, "others are");
    await browser.submit("", {});
    const again = await untilSetup(browser);
    assert.match(again.html, /Change the connection/, "nor when it goes back to set-up");
    assert.equal((await new SetupBrowser(program).open()).step, "gate");
    assert.equal((await browser.submit("leave")).step, "opening");
    await untilOk(`${program.url}/login`);
    assert.match((await browser.follow("/")).html, /Sign out/);
    assert.match(
      await Deno.readTextFile(`${folder}/state/settings.env`),
      /DASHBOARD_PASSWORD="correct horse"/,
    );
    assert.equal(await program.stop(), 0);
    assert.doesNotMatch(program.said(), /correct horse/);
  }));

Deno.test("every other missing or wrong setting still ends the program with exit code 2", () =>
  withNas(async (_nas, folder) => {
    const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ TRUENAS_HOST: "nas.lan" }, /Missing: API_USERNAME/],
      [{ VNC_PASSWORD: "x" }, /Missing: TRUENAS_HOST/],
      [{ PORT: "many" }, /PORT must be a whole number/],
      [{ TLS_CERT_FILE: "none.pem" }, /requires both/],
    ];
    for (const [env, message] of cases) {
      const { code, err } = await runProgram(["serve"], folder, env);
      assert.equal(code, 2, err);
      assert.match(err, message);
    }
    await Deno.writeTextFile(`${folder}/config.yaml`, "storage: 1\n");
    const served = await runProgram(["serve"], folder, { PORT: "0" });
    assert.equal(served.code, 2, served.err);
    assert.match(served.err, /config\.yaml:1:/);
    const listed = await runProgram(["list"], folder, {});
    assert.equal(listed.code, 2, listed.err);
    assert.equal(
      listed.err,
      "environment: Missing: TRUENAS_HOST, API_USERNAME, API_PASSWORD (or TRUENAS_API_KEY); " +
        "set them in the environment or in .env\n",
    );
  }));
