/**
 * Protects the first run: each step of set-up and what can go wrong in it, as a browser without JavaScript sees it. No
 * secret is sent before the certificate is accepted, and none appears on a page or in the log. Over real HTTP.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { readEnvFile } from "../../../lib/configuration/environment/env_file.ts";
import { FILE_PROPERTIES } from "../../../lib/images/acquiring/image_files.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { soon } from "../../support/deadline.ts";
import {
  API_KEY,
  KEEPER_PASSWORD,
  OTP_PASSWORD,
  SetupBrowser,
  startSetup,
  toAccount,
  toPlace,
} from "../../support/pages/setup.ts";

const PLACE = { dataset: "tank/vms", iso: "/mnt/tank/iso/debian.iso" };

Deno.test("set-up finds the NAS, shows its certificate, signs in, offers places, and stores what was chosen", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  assert.equal((await browser.open()).step, "address");
  const certificate = await browser.submit("address", { host: setup.nas });
  assert.equal(certificate.step, "certificate");
  for (const pair of setup.fingerprint.split(":")) assert.match(certificate.html, new RegExp(`>${pair}<`));
  assert.match(certificate.html, /CN=truenas/);
  assert.match(certificate.html, /Valid/);
  const account = await browser.submit("certificate", { fingerprint: setup.fingerprint });
  assert.equal(account.step, "account");
  assert.ok(!setup.simulator.calls.some(({ method }) => method.startsWith("auth.")), "nobody has signed in");
  const userProperties = { [FILE_PROPERTIES.path]: "/mnt/tank/images/files-debian/debian.qcow2" };
  for (const [name, own] of [["files-debian", userProperties], ["seed-web01-0123abcd", {}]] as const) {
    addDataset(setup.simulator.store, { name: `tank/${name}`, type: "FILESYSTEM", userProperties: own });
  }
  const place = await browser.submit("account", { method: "key", username: "keeper", key: API_KEY });
  assert.equal(place.step, "place", place.html);
  assert.doesNotMatch(
    place.html,
    /files-debian|seed-web01/,
    "no disks go where an image's file or a seed is",
  );
  assert.match(place.html, /keeper, API key, all rights it needs/);
  assert.match(place.html, /value="tank\/vms" checked/);
  assert.match(place.html, /TiB free/);
  assert.match(place.html, /value="\/mnt\/tank\/iso\/debian\.iso" checked/);
  assert.doesNotMatch(place.html, /atroot/, "TrueNAS refuses images in a pool's root");
  const done = await browser.submit("place", PLACE);
  assert.equal(done.step, "done", done.html);

  const path = `${setup.stateDir}/settings.env`;
  const stored = await readEnvFile(path);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const { VNC_PASSWORD: displayPassword = "", ...connection } = stored;
  assert.deepEqual(connection, {
    TRUENAS_HOST: setup.nas,
    API_USERNAME: "keeper",
    TRUENAS_API_KEY: API_KEY,
    TRUENAS_CERT_FINGERPRINT: setup.fingerprint,
  });
  assert.match(displayPassword, /^[a-z2-9]{8}$/);
  assert.match(done.html, new RegExp(`id="display-password"[^>]*>${displayPassword}<`));
  assert.match(done.html, /TRUENAS_API_KEY/);
  const again = await browser.open();
  assert.equal(again.step, "done");
  assert.doesNotMatch(again.html, new RegExp(displayPassword), "it is shown once");
  const text = await Deno.readTextFile(`${setup.stateDir}/config.yaml`);
  const { configuration } = parseConfigurationFile({ text, source: "config.yaml" });
  assert.deepEqual(configuration.storage, { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" });
  assert.deepEqual(Object.keys(configuration.types), ["worker"]);
  assert.equal((await browser.submit("open")).step, "opening");
  assert.ok(setup.opened());
});

Deno.test("a certificate that an authority has signed needs no comparison, and is not pinned", async () => {
  await using setup = await startSetup({ certificate: "good", trustsCa: true });
  const browser = new SetupBrowser(setup);
  const account = await browser.submit("address", { host: setup.nas });
  assert.equal(account.step, "account");
  assert.match(account.html, /Signed by a trusted authority/);
  await browser.submit("account", { method: "password", username: "keeper", password: KEEPER_PASSWORD });
  assert.equal((await browser.submit("place", PLACE)).step, "done");
  const stored = await readEnvFile(`${setup.stateDir}/settings.env`);
  assert.equal(stored["TRUENAS_CERT_FINGERPRINT"], undefined);
  assert.equal(stored["API_PASSWORD"], KEEPER_PASSWORD);
});

Deno.test("addresses that are no NAS are explained at their field, and what was typed is kept", async () => {
  await using setup = await startSetup();
  await using web = await startSetup({ simulator: { answerInstead: () => new Response("<h1>Hello</h1>") } });
  const browser = new SetupBrowser(setup);
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /is empty/],
    ["127.0.0.1:1", /Nothing answers at 127\.0\.0\.1, port 1\./],
    ["127.0.0.1", /Nothing answers at 127\.0\.0\.1, port 443\./],
    ["ws://127.0.0.1", /Nothing answers at 127\.0\.0\.1, port 80\./],
    ["no-such-host.invalid", /has no address in DNS/],
    [web.nas, /answers at port \d+, but it is not TrueNAS/],
    ["ftp://nas.lan", /starts with ftp/],
    ["nas.lan/ui/sharing", /has a path/],
    ["unix:/etc/passwd", /not the NAS's own/],
    ["أهلا", /has no address in DNS|is not an address/],
  ];
  for (const [host, message] of cases) {
    const answer = await browser.submit("address", { host });
    assert.equal(answer.status, 422, host);
    assert.match(answer.errors["host"] ?? "", message, host);
    assert.equal(answer.step, "address");
    if (host !== "") assert.ok(answer.html.includes(`value="${host}"`), `${host} is kept`);
  }
  const long = await browser.submit("address", { host: "n".repeat(10_000) });
  assert.match(long.errors["host"] ?? "", /too long \(10000 characters\)/);
  assert.ok(long.html.length < 20_000);
});

Deno.test("an address copied from the browser's address bar is understood", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  assert.equal(
    (await browser.submit("address", { host: `https://${setup.nas}/ui/dashboard` })).step,
    "certificate",
  );
});

Deno.test("another fingerprint than the shown one is not accepted, and 'They differ' says what to do", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await browser.submit("address", { host: setup.nas });
  const differs = await browser.open("/setup?differs=yes");
  assert.match(differs.html, /Do not go on/);
  assert.match(differs.html, /Nothing secret was sent/);
  const other = await browser.submit("certificate", { fingerprint: "00:11" });
  assert.deepEqual([other.status, other.step], [409, "certificate"]);
  const early = await browser.submit("account", { method: "key", username: "keeper", key: API_KEY });
  assert.equal(early.step, "certificate");
  assert.ok(!setup.simulator.calls.some(({ method }) => method.startsWith("auth.")), "nothing was sent");
});

Deno.test("wrong secrets are refused with the reason, and the name is kept but not the secret", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  const wrong = await browser.submit("account", {
    method: "password",
    username: "keeper",
    password: "mistyped",
  });
  assert.deepEqual([wrong.status, wrong.step], [422, "account"]);
  assert.match(wrong.errors["password"] ?? "", /does not accept this user name and password\. Check both$/);
  const revoked = await browser.submit("account", {
    method: "key",
    username: "keeper",
    key: `9-${"z".repeat(64)}`,
  });
  assert.match(revoked.errors["key"] ?? "", /does not accept this API key .* not been revoked$/);
  assert.match(wrong.html, /value="keeper"/);
  assert.doesNotMatch(wrong.html, /mistyped/);
  const empty = await browser.submit("account", { method: "key" });
  assert.deepEqual(Object.keys(empty.errors), ["username", "key"]);
  const long = await browser.submit("account", { method: "key", username: "n".repeat(10_000), key: "1-x" });
  assert.match(long.errors["username"] ?? "", /at most 255/);
});

Deno.test("an account that may not list VMs is told which roles it needs", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  const answer = await browser.submit("account", {
    method: "password",
    username: "nobody",
    password: "nobody-secret",
  });
  assert.equal(answer.status, 422);
  assert.match(answer.errors["password"] ?? "", /VM_WRITE and VM_DEVICE_WRITE/);
});

Deno.test("missing roles are listed with what each costs, can be checked again, and can be left", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  const rights = await browser.submit("account", {
    method: "password",
    username: "some",
    password: "some-secret",
  });
  assert.equal(rights.step, "account");
  assert.match(rights.html, /data-missing-role="DATASET_WRITE"/);
  assert.match(rights.html, /Disks take all their space at once/);
  assert.match(rights.html, /7 rights are missing/);
  assert.equal((await browser.submit("check")).step, "account");
  const place = await browser.submit("rights");
  assert.equal(place.step, "place");
  assert.match(place.html, /This account cannot list install images, so type it/);
  const done = await browser.submit("place", { dataset: "tank/vms", iso_typed: "/mnt/tank/iso/debian.iso" });
  assert.equal(done.step, "done", done.html);
});

Deno.test("two-factor accounts are asked for their one-time password, and again after a wrong one", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  const asked = await browser.submit("account", {
    method: "password",
    username: "otp",
    password: OTP_PASSWORD,
  });
  assert.equal(asked.step, "account");
  assert.match(asked.html, /name="otp"/);
  assert.match((await browser.submit("otp", { otp: "12" })).errors["otp"] ?? "", /6 to 8 digits/);
  assert.match(
    (await browser.submit("otp", { otp: "654321" })).errors["otp"] ?? "",
    /did not accept this code/,
  );
  assert.equal((await browser.submit("otp", { otp: "123 456" })).step, "place");
});

Deno.test("API keys are refused without encryption, before anything is sent", async () => {
  await using setup = await startSetup({ isPlain: true, simulator: { hostname: "0.0.0.0" } });
  const lan = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  assert.ok(lan !== undefined, "this machine has an address that is not loopback");
  const browser = new SetupBrowser(setup);
  const host = `ws://${lan.address}:${setup.nas.split(":")[1]}`;
  const clear = await browser.submit("address", { host });
  assert.equal(clear.step, "certificate");
  assert.match(clear.html, /not encrypted/);
  await browser.submit("certificate", { clear: "yes" });
  const refused = await browser.submit("account", { method: "key", username: "keeper", key: API_KEY });
  assert.match(refused.html, /API keys are not sent without encryption/);
  assert.ok(!setup.simulator.calls.some(({ method }) => method.startsWith("auth.")), "nothing was sent");
});

Deno.test("another address asks for certificate and secret again", async () => {
  await using setup = await startSetup();
  await using other = await startSetup({ certificate: "good" });
  const browser = new SetupBrowser(setup);
  await toPlace(browser, setup);
  assert.equal((await browser.open("/setup?change=address")).step, "address");
  assert.equal((await browser.submit("address", { host: setup.nas })).step, "place", "the same address");
  assert.equal((await browser.submit("address", { host: other.nas })).step, "certificate");
  assert.equal((await browser.submit("certificate", { fingerprint: other.fingerprint })).step, "account");
  assert.ok(!other.simulator.calls.some(({ method }) => method.startsWith("auth.")), "nothing was sent");
});

Deno.test("a NAS that is lost between two steps is explained, and the step can be repeated", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  await setup.simulator.stop();
  const lost = await browser.submit("account", { method: "key", username: "keeper", key: API_KEY });
  assert.deepEqual([lost.status, lost.step], [422, "account"]);
  assert.match(lost.html, /Nothing answers at 127\.0\.0\.1/);
});

Deno.test("places that cannot be are explained at their fields", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toPlace(browser, setup);
  const answer = await browser.submit("place", {
    dataset: "other",
    dataset_typed: "/mnt/tank/vms",
    iso: "other",
    iso_typed: "debian.iso",
  });
  assert.equal(answer.status, 422);
  assert.match(answer.errors["dataset"] ?? "", /without \/mnt\//);
  assert.match(answer.errors["iso"] ?? "", /full path under \/mnt\//);
  assert.match(answer.html, /value="debian\.iso"/);
  await assert.rejects(Deno.stat(`${setup.stateDir}/settings.env`), Deno.errors.NotFound);
  assert.equal((await browser.submit("place", { dataset: "tank/vms", iso: "later" })).step, "done");
  assert.match(
    await Deno.readTextFile(`${setup.stateDir}/config.yaml`),
    /cdrom_path: \/mnt\/tank\/vms\/install\.iso/,
  );
});

Deno.test("a state folder that cannot be written keeps what was entered", async () => {
  const folder = await Deno.makeTempDir();
  const stateDir = `${folder}/file/state`;
  await Deno.writeTextFile(`${folder}/file`, "");
  await using setup = await startSetup({ stateDir });
  const browser = new SetupBrowser(setup);
  await toPlace(browser, setup);
  const failed = await browser.submit("place", PLACE);
  assert.deepEqual([failed.status, failed.step], [503, "place"]);
  assert.match(failed.html, /Set-up is not finished/);
  await Deno.remove(`${folder}/file`);
  assert.equal((await browser.submit("place", PLACE)).step, "done");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("an existing configuration is left as it is, and the page says which lines to change", async () => {
  const config = "storage: { pool_path: tank/VMs, cdrom_path: /mnt/tank/iso/talos.iso }\n" +
    "worker: { count: 1, memory: 1024, cpu: 1 }\n";
  await using setup = await startSetup({ config });
  const browser = new SetupBrowser(setup);
  const place = await toPlace(browser, setup);
  assert.match(place.html, /value="tank\/VMs" checked/);
  const done = await browser.submit("place", PLACE);
  assert.match(done.html, /was left as it is/);
  assert.match(done.html, /pool_path: tank\/vms/);
  await assert.rejects(Deno.stat(`${setup.stateDir}/config.yaml`), Deno.errors.NotFound);
});

Deno.test("an account is not given to a NAS that was chosen while signing in to another one", async () => {
  await using setup = await startSetup();
  await using other = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  setup.simulator.setTimes({ callMs: 300 });
  const signingIn = browser.submit("account", { method: "key", username: "keeper", key: API_KEY });
  const hasBegun = async () => {
    while (!setup.simulator.calls.some(({ method }) => method.startsWith("auth."))) await browser.open();
  };
  await soon(hasBegun(), "the sign-in has begun");
  await browser.submit("address", { host: other.nas });
  await signingIn;
  for (const step of ["check", "otp", "place"]) {
    await browser.submit(step, { ...PLACE, otp: "123456" });
    assert.equal((await browser.open()).step, "certificate", step);
  }
  assert.deepEqual(other.simulator.calls.filter(({ method }) => method.startsWith("auth.")), []);
  await assert.rejects(Deno.stat(`${setup.stateDir}/settings.env`), Deno.errors.NotFound);
});

Deno.test("the last step stores nothing while an earlier one is not finished", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toAccount(browser, setup);
  const account = { method: "password", username: "some", password: "some-secret" };
  assert.equal((await browser.submit("account", account)).step, "account", "rights are missing");
  const places = { dataset: "tank/vms", iso_typed: "/mnt/tank/iso/debian.iso" };
  assert.equal((await browser.submit("place", places)).step, "account");
  await assert.rejects(Deno.stat(`${setup.stateDir}/settings.env`), Deno.errors.NotFound);
});

Deno.test("a fingerprint in the environment is the only one to trust, also if an authority signed another", async () => {
  await using setup = await startSetup({
    certificate: "good",
    trustsCa: true,
    certFingerprint: Array(32).fill("AB").join(":"),
  });
  const browser = new SetupBrowser(setup);
  await browser.submit("address", { host: setup.nas });
  const refused = await browser.submit("account", {
    method: "password",
    username: "keeper",
    password: KEEPER_PASSWORD,
  });
  assert.notEqual(refused.step, "place");
  assert.deepEqual(setup.simulator.calls.filter(({ method }) => method.startsWith("auth.")), []);
});
