/**
 * Protects the Connection page, and what every page shows about the connection: its state, the one-time password,
 * missing roles at the button that would fail, a warning without encryption, and the age of the list. Over real HTTP.
 */
import assert from "node:assert/strict";
import { startDashboard, type TestDashboard } from "../support/pages/dashboard.ts";
import { planned, post, text, withDashboard } from "../support/pages/http.ts";

Deno.test("GET /connection shows address, account, release, API and roles, as a page and as JSON", () =>
  withDashboard({}, async ({ url, simulator }) => {
    const html = await text(fetch(`${url}/connection`));
    assert.match(html, new RegExp(simulator.url));
    assert.match(html, /as admin, with a password/);
    assert.match(html, /The account has every role this program needs/);
    const json = await (await fetch(`${url}/connection`, { headers: { accept: "application/json" } })).json();
    assert.deepEqual([json.apiVersion, json.missing, json.wantsOtp], ["current", [], false]);
    assert.doesNotMatch(html + JSON.stringify(json), /truenas"|password":/);
  }));

Deno.test("missing roles are shown on the connection page and at the button that would fail", () => {
  const accounts = [{
    username: "vm",
    password: "vm-pw",
    roles: ["VM_WRITE", "VM_DEVICE_READ", "DATASET_READ"],
  }];
  const manager = { username: "vm", password: "vm-pw" };
  return withDashboard({ simulator: { accounts }, manager }, async (dashboard) => {
    const html = await text(fetch(`${dashboard.url}/connection`));
    assert.match(html, /data-missing-role="VM_DEVICE_WRITE"/);
    assert.match(html, /Fails/);
    const { html: plan } = await planned(dashboard);
    assert.match(plan, /data-missing-roles="VM_DEVICE_WRITE"/);
  });
});

Deno.test("the Connection page shows the NAS's ID, or what MACs depend on if it cannot be read (fault 25)", async () => {
  const accounts = [{ username: "vm", password: "vm-pw", roles: ["VM_DEVICE_WRITE"] }];
  await withDashboard({ simulator: { accounts } }, async ({ url, simulator }) => {
    const html = await text(fetch(`${url}/connection`));
    assert.match(html, new RegExp(`<code>${simulator.store.hostId.slice(0, 16)}</code>`));
  });
  const manager = { username: "vm", password: "vm-pw" };
  await withDashboard({ simulator: { accounts }, manager }, async ({ url }) => {
    const html = await text(fetch(`${url}/connection`));
    assert.match(
      html,
      /This account cannot read it \(requires READONLY_ADMIN\)\. MACs of new VMs are derived/,
    );
  });
});

Deno.test("the one-time password is requested on a page, rejected if wrong, and never stored (fault 36)", async () => {
  const accounts = [{ username: "otp", password: "otp-pw", roles: ["FULL_ADMIN"], otp: "123456" }];
  const logged: string[] = [];
  await using dashboard = await startOtp(accounts, logged);
  const { url, manager } = dashboard;
  assert.equal(manager.connection.state.kind, "otp");
  const home = await text(fetch(url));
  assert.match(home, /requires a one-time password/);
  assert.match(home, /data-connection="offline"/);
  assert.match(await text(fetch(`${url}/connection`)), /name="otp"/);
  const unread = await post(dashboard, "/connection/otp", { otp: "12 34" });
  assert.equal(unread.status, 422);
  assert.match(await unread.text(), /data-error="otp"/);
  const wrong = await post(dashboard, "/connection/otp", { otp: "000000" });
  assert.equal(wrong.status, 422);
  assert.match(await wrong.text(), /data-error="otp"[^>]*>The NAS did not accept this one-time password/);
  assert.equal(manager.connection.state.kind, "otp", "up to 25.10 the NAS asks again");
  const right = await post(dashboard, "/connection/otp", { otp: "123456" });
  await right.body?.cancel();
  assert.deepEqual([right.status, right.headers.get("location")], [303, "/connection"]);
  assert.equal(manager.connection.state.kind, "live");
  assert.match(await text(fetch(url)), /data-connection="live"/);
  const late = await post(dashboard, "/connection/otp", { otp: "123456" });
  assert.equal(late.status, 409);
  assert.match(await late.text(), /is not asking for a one-time password now/);
  assert.ok(!logged.join("\n").includes("123456"));
});

async function startOtp(
  accounts: readonly { username: string; password: string; roles: string[]; otp: string }[],
  logged: string[],
): Promise<TestDashboard> {
  const starting = startDashboard({
    simulator: { accounts },
    manager: { username: "otp", password: "otp-pw" },
    onLog: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
    untilConnected: false,
  });
  const dashboard = await starting;
  const { manager } = dashboard;
  const asked = Promise.withResolvers<void>();
  const forget = manager.connection.onState(({ kind }) => kind === "otp" && asked.resolve());
  if (manager.connection.state.kind === "otp") asked.resolve();
  await asked.promise;
  forget();
  return dashboard;
}

Deno.test("every page warns of an unencrypted connection, and none of an encrypted one", async () => {
  await using dashboard = await startDashboard({ unencrypted: true });
  for (const path of ["/", "/create", "/destroy", "/operations", "/connection", "/orphans"]) {
    assert.match(await text(fetch(dashboard.url + path)), /id="unencrypted"/, path);
  }
  await using encrypted = await startDashboard();
  assert.doesNotMatch(await text(fetch(encrypted.url)), /id="unencrypted"/);
});

Deno.test("while the NAS is unreachable, the list shows its age, and the badge its state", () =>
  withDashboard({ simulator: { foreignVms: 1 }, manager: { backoffMs: [60_000] } }, async (dashboard) => {
    const { url, simulator } = dashboard;
    await text(fetch(url));
    const stream = await fetch(`${url}/events`);
    const reader = (stream.body ?? assert.fail()).pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    const until = async (wanted: RegExp) => {
      while (!wanted.test(said)) said += (await reader.read()).value ?? assert.fail("the stream ended");
    };
    await until(/data-connection="live"/);
    simulator.cutConnections();
    await until(/data-connection="reconnecting"/);
    await until(/data-stale="true"/);
    assert.match(await text(fetch(url)), /data-stale="true">as of <time/);
    await reader.cancel();
  }));
