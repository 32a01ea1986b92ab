/**
 * Protects accountability: the page, the downloads and the journal record who signed in, changed, cancelled or viewed
 * something; and a display password is shown only to administrators, on request. Real HTTP.
 */
import assert from "node:assert/strict";
import { AUDIT_SHARES, AuditLog, MAX_AUDIT_ENTRIES } from "../../lib/observability/audit.ts";
import { OperationStore } from "../../lib/operations/record/store.ts";
import { journalOn, startDashboard, type TestDashboard } from "../support/pages/dashboard.ts";
import {
  finishedOperation,
  FORM,
  planned,
  post,
  send,
  signIn,
  text,
  withDashboard,
} from "../support/pages/http.ts";
import type { AuditEntry } from "../../lib/observability/audit_entry.ts";

const ACCESS = { password: "open sesame", viewerPassword: "just looking" };

/** What the log says, oldest first, without times. */
async function audited(
  { url }: TestDashboard,
  headers: Record<string, string> = {},
): Promise<{ seq: number; who: string; from: string; what: string; vms: string[]; outcome: string }[]> {
  const answer = await fetch(`${url}/operations/audit`, {
    headers: { accept: "application/json", ...headers },
  });
  return (await answer.json()).entries.toReversed();
}

Deno.test("the audit log records who created which VMs with what outcome, and can be filtered and exported", () =>
  withDashboard({}, async (dashboard) => {
    dashboard.simulator.addFault({
      method: "vm.device.create",
      matches: (params) => JSON.stringify(params).includes("worker02-disk0"),
      action: "fail",
    });
    const { token, plan } = await planned(dashboard);
    const started = await post(dashboard, "/create", { ...FORM, token, plan });
    await started.body?.cancel();
    await finishedOperation(dashboard, started.headers.get("location") ?? "");
    const entries = await audited(dashboard);
    assert.deepEqual(
      entries.map(({ who, from, what, vms, outcome }) => [who, from, what, vms.join(" "), outcome]),
      [
        ["admin", "127.0.0.1", "Create 2 VMs", "worker01 worker02", "begun"],
        ["admin", "127.0.0.1", "Create 2 VMs", "worker01 worker02", "partly-done: 1 of 2, not worker02"],
      ],
    );
    const page = await text(fetch(`${dashboard.url}/operations/audit?q=WORKER02`));
    assert.match(page, /2 entries/);
    assert.match(await text(fetch(`${dashboard.url}/operations/audit?q=nobody-did`)), /No matching entries/);
    const csv = await fetch(`${dashboard.url}/operations/audit?format=csv&download=1`);
    assert.equal(csv.headers.get("content-disposition"), 'attachment; filename="audit.csv"');
    const lines = (await csv.text()).split("\r\n");
    assert.equal(lines[0], "seq,at,who,from,what,vms,outcome,operation,times,last_at");
    assert.match(
      lines[1] ?? "",
      /^2,\d{4}-.*Z,admin,127\.0\.0\.1,Create 2 VMs,worker01 worker02,"partly-done: 1 of 2, not worker02",[0-9a-f]{8},1,\d{4}-.*Z$/,
    );
    assert.equal((await send(dashboard, "/operations/audit?format=xml", {})).status, 422);
    assert.match(
      await text(fetch(`${dashboard.url}/operations`)),
      /data-label="Who">admin <small class="soft">127\.0\.0\.1</,
    );
  }));

Deno.test("the audit log records sign-ins and sign-outs by role, and wrong passwords cannot displace other entries", async () => {
  await using dashboard = await startDashboard({ access: ACCESS });
  for (let attempt = 0; attempt < 5; attempt++) await signIn(dashboard, "guess");
  const viewer = await signIn(dashboard, ACCESS.viewerPassword);
  await send(dashboard, "/logout", { fields: {}, cookie: viewer.cookie });
  const { cookie } = await signIn(dashboard, ACCESS.password);
  const told = (await audited(dashboard, { cookie })).map(({ who, what, outcome }) =>
    `${who}: ${what}, ${outcome}`
  );
  assert.deepEqual(told, [
    "nobody: Sign in, wrong password",
    "viewer: Sign in, done",
    "viewer: Sign out, done",
    "admin: Sign in, done",
  ]);
});

Deno.test("viewers and strangers cannot displace an administrator's entries in the audit log (fault 12)", () => {
  const clock = { now: Date.UTC(2026, 10, 23) };
  const kept = new Map<number, AuditEntry>();
  const journal = {
    writeAudit: (entry: AuditEntry) => void kept.set(entry.seq, entry),
    removeAudit: (seqs: readonly number[]) => seqs.forEach((seq) => kept.delete(seq)),
    loadAudit: () => [...kept.values()],
  };
  const audit = new AuditLog(new OperationStore(() => clock.now), journal);
  const admin = { who: "admin", from: "192.0.2.1" };
  const ours = ["Create 3 VMs", "Show display password"];
  for (const what of ours) audit.record({ by: admin, what, outcome: "done" });
  audit.record({ by: { who: "command line" }, what: "Create 1 VM", outcome: "done" });
  audit.record({ what: "Found by itself", outcome: "done" });
  for (const who of ["viewer", "nobody"]) {
    for (let n = 0; n < 12_000; n++) {
      clock.now += 1;
      audit.record({ by: { who, from: `192.0.${n % 250}.${n}` }, what: "Sign in", outcome: "done" });
    }
  }
  const count = (entries: readonly AuditEntry[], who: string) =>
    entries.filter(({ by }) => by?.who === who).length;
  const after = (log: AuditLog) => {
    const entries = log.list();
    assert.deepEqual(entries.slice(-4).map(({ what }) => what), [
      "Found by itself",
      "Create 1 VM",
      ...ours.toReversed(),
    ]);
    assert.equal(count(entries, "viewer"), AUDIT_SHARES.viewers);
    assert.equal(count(entries, "nobody"), AUDIT_SHARES.strangers);
  };
  after(audit);
  assert.ok(kept.size < MAX_AUDIT_ENTRIES, "the journal forgets as well");
  after(new AuditLog(new OperationStore(() => clock.now), journal));
});

Deno.test("repeated actions of a viewer are one audit entry with a count (fault 12)", async () => {
  await using dashboard = await startDashboard({ access: ACCESS });
  for (let time = 0; time < 30; time++) {
    const { cookie } = await signIn(dashboard, ACCESS.viewerPassword);
    await send(dashboard, "/logout", { fields: {}, cookie });
  }
  for (let time = 0; time < 2; time++) await signIn(dashboard, ACCESS.password);
  const { cookie } = await signIn(dashboard, ACCESS.password);
  const answer = await send(dashboard, "/operations/audit", { cookie, accept: "application/json" });
  const entries: { who: string; what: string; times: number }[] = JSON.parse(answer.body).entries;
  assert.deepEqual(entries.toReversed().map(({ who, what, times }) => [who, what, times]), [
    ["viewer", "Sign in", 30],
    ["viewer", "Sign out", 30],
    ["admin", "Sign in", 1],
    ["admin", "Sign in", 1],
    ["admin", "Sign in", 1],
  ]);
  assert.match((await send(dashboard, "/operations/audit", { cookie })).body, /30 times, last /);
});

Deno.test("a display password is shown only on a click, which is recorded, and never to viewers", async () => {
  await using dashboard = await startDashboard({ access: ACCESS, simulator: { foreignVms: 1 } });
  const [id] = [...dashboard.simulator.store.vms.keys()];
  const { cookie } = await signIn(dashboard, ACCESS.password);
  const before = await send(dashboard, `/vms/${id}`, { cookie });
  assert.ok(before.body.includes(`action="/vms/${id}/password"`) && !before.body.includes("someone-elses"));
  const shown = await send(dashboard, `/vms/${id}/password`, { fields: {}, cookie });
  assert.match(shown.body, /<output id="password-0" class="secret">someone-elses<\/output>/);
  assert.equal(shown.headers.get("cache-control"), "no-store");
  const viewer = await signIn(dashboard, ACCESS.viewerPassword);
  const refused = await send(dashboard, `/vms/${id}/password`, { fields: {}, cookie: viewer.cookie });
  assert.equal(refused.status, 403);
  assert.ok(!refused.body.includes("someone-elses"));
  assert.ok(!(await send(dashboard, `/vms/${id}`, { cookie: viewer.cookie })).body.includes("/password"));
  const entries = (await audited(dashboard, { cookie })).filter(({ what }) =>
    what === "Show display password"
  );
  assert.deepEqual(entries.map(({ who, vms, outcome }) => [who, vms.length, outcome]), [[
    "admin",
    1,
    "shown",
  ]]);
  assert.equal((await send(dashboard, "/vms/999/password", { fields: {}, cookie })).status, 404);
});

Deno.test("a password whose viewing cannot be recorded is not shown", async () => {
  const disk = { isFull: false };
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    manager: { journal: journalOn(disk) },
  });
  const [id] = [...dashboard.simulator.store.vms.keys()];
  disk.isFull = true;
  const answer = await send(dashboard, `/vms/${id}/password`, { fields: {} });
  assert.equal(answer.status, 503);
  assert.ok(!answer.body.includes("someone-elses"));
});

Deno.test("a request, its operation and its steps are linked in the log by their IDs", async () => {
  const lines: { message: string; fields: Record<string, unknown> }[] = [];
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 2 },
    onLog: (message, fields) => lines.push({ message, fields }),
  });
  const stopped = [...dashboard.simulator.store.vms.values()].find(({ state }) => state === "STOPPED");
  dashboard.simulator.addFault({ method: "vm.start", action: "fail", moment: "before" });
  const forged = { "x-request-id": "forged" };
  const started = await post(dashboard, `/vms/${stopped?.id}/start`, { state: "STOPPED" }, forged);
  await started.body?.cancel();
  const request = started.headers.get("x-request-id");
  assert.match(request ?? "", /^[0-9a-f]{8}$/);
  const path = started.headers.get("location") ?? "";
  const operation = path.split("/").at(-1);
  await finishedOperation(dashboard, path);
  const told = lines.filter(({ fields }) => fields.request === request).map(({ message, fields }) => ({
    message,
    operation: fields.operation,
  }));
  assert.deepEqual(told.toSorted((a, b) => a.message.localeCompare(b.message)), [
    { message: "A step failed", operation },
    { message: "Operation finished", operation },
    { message: "Operation started", operation },
    { message: "Request", operation: undefined },
  ]);
});
