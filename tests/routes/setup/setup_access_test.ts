/**
 * Protects set-up from everybody but the person at the machine: who is let in, what is served, and what a connected
 * dashboard says about changing its connection. Over real HTTP.
 */
import assert from "node:assert/strict";
import { ATTEMPT_LIMITS } from "../../../routes/auth/attempts.ts";
import { repeatedly } from "../../support/deadline.ts";
import { post, text, withDashboard } from "../../support/pages/http.ts";
import { SetupBrowser, startSetup, toPlace } from "../../support/pages/setup.ts";

Deno.test("during set-up everything but its steps, static files and /healthz leads to its page", async () => {
  await using setup = await startSetup();
  for (const path of ["/", "/vms/1", "/create", "/operations", "/login", "/setup/nothing"]) {
    const response = await fetch(setup.url + path, { redirect: "manual" });
    await response.body?.cancel();
    assert.deepEqual([response.status, response.headers.get("location")], [303, "/setup"], path);
  }
  const healthy = await fetch(`${setup.url}/healthz`);
  assert.deepEqual([healthy.status, await healthy.text()], [200, "ok\n"]);
  const page = await fetch(`${setup.url}/setup`);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  assert.equal(page.headers.get("cache-control"), "no-store");
  await page.body?.cancel();
});

Deno.test("set-up refuses other sites' forms, foreign host names and large forms", async () => {
  await using setup = await startSetup();
  const send = (headers: Record<string, string>, body = "host=nas.lan") =>
    fetch(`${setup.url}/setup/address`, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body,
    });
  const foreign = await send({ origin: "https://elsewhere.example" });
  assert.equal(foreign.status, 403);
  assert.match(await foreign.text(), /came from another site/);
  const large = await send({ origin: setup.url }, `host=${"n".repeat(70_000)}`);
  assert.equal(large.status, 413);
  await large.body?.cancel();
  // `fetch` sets the host itself, so the request is written by hand.
  const { hostname, port } = new URL(setup.url);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  await socket.write(
    new TextEncoder().encode("GET /setup HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n"),
  );
  const answer = await new Response(socket.readable).text();
  assert.match(answer, /^HTTP\/1\.1 421/);
});

Deno.test("the set-up cookie cannot be read by scripts or sent by other sites", async () => {
  await using setup = await startSetup();
  const response = await fetch(`${setup.url}/setup/address`, {
    method: "POST",
    body: new URLSearchParams({ host: "" }),
    headers: { origin: setup.url },
  });
  await response.body?.cancel();
  assert.match(response.headers.get("set-cookie") ?? "", /HttpOnly; SameSite=Strict/);
});

Deno.test("wrong set-up codes are limited, and the code works once", async () => {
  await using setup = await startSetup({ code: "abcd-efgh" });
  const browser = new SetupBrowser(setup);
  for (let n = 0; n < 9; n++) {
    assert.equal((await browser.submit("enter", { code: `wrong${n}` })).status, 401);
  }
  assert.equal((await browser.submit("enter", { code: "ABCD EFGH" })).step, "protect");
  const other = new SetupBrowser(setup);
  assert.match((await other.open()).html, /Somebody has used the set-up code/);
  assert.equal((await other.submit("enter", { code: "abcd-efgh" })).status, 401);
  const limited = await other.submit("enter", { code: "abcd-efgh" });
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers.get("retry-after")) > 0);
});

Deno.test("set-up codes tried at once from many addresses are limited, and the code works once", async () => {
  const held = Promise.withResolvers<void>();
  const waits: number[] = [];
  await using setup = await startSetup({
    code: "abcd-efgh",
    trustedProxies: ["127.0.0.1"],
    wait: (ms) => {
      waits.push(ms);
      return held.promise;
    },
  });
  const enter = async (from: string, code: string) => {
    const answer = await fetch(`${setup.url}/setup/enter`, {
      method: "POST",
      body: new URLSearchParams({ code }),
      headers: { origin: setup.url, "x-forwarded-for": from },
      redirect: "manual",
    });
    await answer.body?.cancel();
    return answer.status;
  };
  const { total, perNetwork, perNetworkOverTotal, delayMs } = ATTEMPT_LIMITS;
  for (let n = 0; n < total; n++) {
    assert.equal(await enter(`192.0.2.${Math.floor(n / perNetwork)}`, "wrong"), 401, "the premise");
  }
  const trying = Promise.all([
    ...Array.from({ length: 20 }, () => enter("198.51.100.1", "wrong")),
    ...["203.0.113.1", "203.0.113.2"].map((from) => enter(from, "abcd-efgh")),
  ]);
  await repeatedly("all are held back", () => Promise.resolve(waits.length === 22 || null));
  assert.deepEqual(new Set(waits), new Set([delayMs]));
  held.resolve();
  const statuses = await trying;
  const guesses = statuses.slice(0, 20);
  assert.equal(guesses.filter((status) => status === 401).length, perNetworkOverTotal);
  assert.equal(guesses.filter((status) => status === 429).length, 20 - perNetworkOverTotal);
  assert.deepEqual(statuses.slice(20).toSorted(), [303, 401]);
});

Deno.test("with a dashboard password set-up asks for it, and for no code", async () => {
  await using setup = await startSetup({ password: "dashboard-secret" });
  const browser = new SetupBrowser(setup);
  assert.match((await browser.open()).html, /Dashboard password/);
  const wrong = await browser.submit("enter", { code: "wrong" });
  assert.match(wrong.errors["code"] ?? "", /Wrong password/);
  assert.equal((await browser.submit("enter", { code: "dashboard-secret" })).step, "address");
});

Deno.test("a changed connection keeps the display password and every other stored setting", async () => {
  const stored = {
    TRUENAS_HOST: "old.lan",
    API_USERNAME: "before",
    API_PASSWORD: "old-secret",
    VNC_PASSWORD: "display1",
    READ_ONLY: "1",
  };
  await using setup = await startSetup({ stored });
  const browser = new SetupBrowser(setup);
  const first = await browser.open();
  assert.match(first.html, /Change the connection/);
  assert.match(first.html, /value="old\.lan"/);
  assert.doesNotMatch(first.html, /old-secret/);
  await toPlace(browser, setup);
  await browser.submit("place", { dataset: "tank/vms", iso: "later" });
  const text = await Deno.readTextFile(`${setup.stateDir}/settings.env`);
  assert.match(text, /VNC_PASSWORD=display1\nREAD_ONLY=1/);
  assert.doesNotMatch(text, /old-secret|before|old\.lan/);
});

Deno.test("once set-up is finished, another browser sees the connected NAS, and can open or change it", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toPlace(browser, setup);
  assert.equal((await new SetupBrowser(setup).open()).step, "address", "nothing is stored yet");
  const done = await browser.submit("place", { dataset: "tank/vms", iso: "later" });
  const password = /id="display-password"[^>]*>([^<]+)</.exec(done.html)?.[1] ?? assert.fail("no password");
  const other = new SetupBrowser(setup);
  const connected = await other.open();
  assert.equal(connected.step, "connected");
  assert.match(connected.html, /Your NAS is connected/);
  assert.match(connected.html, /<b dir="auto">127\.0\.0\.1<\/b>/);
  assert.ok(!connected.html.includes(password), "the display password is shown once");
  assert.match(connected.html, /href="\/setup\?change=address"[^>]*>Change the connection/);
  const change = await other.open("/setup?change=address");
  assert.equal(change.step, "address");
  assert.ok(change.html.includes(`value="${setup.nas}"`), "the address is filled in");
  assert.match(change.html, /Keep the present connection/);
  await toPlace(other, setup);
  await other.submit("place", { dataset: "tank/vms", iso: "later" });
  const stored = await Deno.readTextFile(`${setup.stateDir}/settings.env`);
  assert.ok(stored.includes(`VNC_PASSWORD=${password}`), "a change keeps what was made up before");
  assert.equal((await new SetupBrowser(setup).submit("open")).step, "opening");
  assert.ok(setup.opened());
});

Deno.test("beyond loopback, another browser needs the dashboard's new password to see what was connected", async () => {
  await using setup = await startSetup({ code: "abcd-efgh" });
  const browser = new SetupBrowser(setup);
  await browser.submit("enter", { code: "abcd-efgh" });
  await browser.submit("protect", {
    dashboard_password: "new-password",
    dashboard_password_again: "new-password",
  });
  await toPlace(browser, setup);
  const other = new SetupBrowser(setup);
  assert.match((await other.open()).html, /Somebody has used the set-up code/);
  assert.equal((await browser.submit("place", { dataset: "tank/vms", iso: "later" })).step, "done");
  const gate = await other.open();
  assert.equal(gate.step, "gate");
  assert.match(gate.html, /Dashboard password/);
  assert.doesNotMatch(gate.html, /127\.0\.0\.1/);
  for (const step of ["open", "leave"]) assert.equal((await other.submit(step)).status, 401);
  assert.equal((await other.submit("enter", { code: "abcd-efgh" })).status, 401);
  assert.equal((await other.submit("enter", { code: "new-password" })).step, "connected");
  assert.ok(!setup.opened());
  assert.equal((await other.submit("open")).step, "opening");
});

Deno.test("the Connection page leads to set-up, which asks before it ends the dashboard", () =>
  withDashboard({}, async ({ url }) => {
    assert.match(await text(fetch(`${url}/connection`)), /href="\/setup"[^>]*>Change connection/);
    const page = await text(fetch(`${url}/setup`));
    assert.match(page, /Connected to <b dir="auto">nas\.test<\/b>, TrueNAS 25\.10/);
    assert.match(page, /href="\/">Show its VMs/);
    assert.match(page, /The present connection stays until the new one has signed in/);
    assert.match(page, /<form method="post" action="\/setup"/);
  }));

Deno.test("a connection from the environment or .env is changed there, and the page names each setting", () => {
  const outerSettings = [
    { name: "TRUENAS_HOST", where: "environment" },
    { name: "API_PASSWORD", where: "file" },
  ] as const;
  return withDashboard({ outerSettings }, async (dashboard) => {
    const page = await text(fetch(`${dashboard.url}/setup`));
    assert.match(page, /<code>TRUENAS_HOST<\/code> in the environment/);
    assert.match(page, /<code>API_PASSWORD<\/code> in <code>\.env<\/code>/);
    assert.doesNotMatch(page, /action="\/setup"/);
    const refused = await post(dashboard, "/setup", {});
    assert.equal(refused.status, 409);
    await refused.body?.cancel();
  });
});

Deno.test("viewers cannot change the connection", () =>
  withDashboard({ access: { password: "admin-pw", viewerPassword: "viewer-pw" } }, async (dashboard) => {
    const headers = { authorization: `Basic ${btoa("x:viewer-pw")}`, accept: "application/json" };
    const refused = await post(dashboard, "/setup", {}, headers);
    assert.equal(refused.status, 403);
    await refused.body?.cancel();
    assert.match(await text(fetch(`${dashboard.url}/setup`, { headers })), /Only an administrator/);
  }));
