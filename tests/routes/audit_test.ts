/**
 * Protects accountability: who signed in, did, cancelled or saw what stands in the page, the exports and the journal;
 * and a display password is shown to whoever may act, once asked for, and to nobody else. Real HTTP.
 */
import assert from "node:assert/strict";
import { startDashboard, type TestDashboard } from "../support/dashboard.ts";
import {
  finishedOperation,
  FORM,
  planned,
  post,
  send,
  signIn,
  text,
  withDashboard,
} from "../support/http.ts";

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

Deno.test("a creation stands in the audit log with who, which VMs and the outcome, to be filtered and exported", () =>
  withDashboard({}, async (dashboard) => {
    dashboard.simulator.addFault({
      method: "vm.device.create",
      matches: (params) => JSON.stringify(params).includes("worker02-disk0"),
      action: "fail",
    });
    const { token, plan } = await planned(dashboard);
    const begun = await post(dashboard, "/create", { ...FORM, token, plan });
    await begun.body?.cancel();
    await finishedOperation(dashboard, begun.headers.get("location") ?? "");
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
    assert.match(await text(fetch(`${dashboard.url}/operations/audit?q=nobody-did`)), /Nothing matches/);
    const csv = await fetch(`${dashboard.url}/operations/audit?format=csv&download=1`);
    assert.equal(csv.headers.get("content-disposition"), 'attachment; filename="audit.csv"');
    const lines = (await csv.text()).split("\r\n");
    assert.equal(lines[0], "seq,at,who,from,what,vms,outcome,operation");
    assert.match(
      lines[1] ?? "",
      /^2,\d{4}-.*Z,admin,127\.0\.0\.1,Create 2 VMs,worker01 worker02,"partly-done: 1 of 2, not worker02",[0-9a-f]{8}$/,
    );
    assert.equal((await send(dashboard, "/operations/audit?format=xml", {})).status, 422);
    assert.match(
      await text(fetch(`${dashboard.url}/operations`)),
      /data-label="Who">admin <span class="quiet">127\.0\.0\.1</,
    );
  }));

Deno.test("signing in and out stand there by role; wrong passwords cannot push everything else out", async () => {
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

Deno.test("a display password is shown on a click and recorded; a viewer gets none, nor is it on any page before", async () => {
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
    what === "Show the display password"
  );
  assert.deepEqual(entries.map(({ who, vms, outcome }) => [who, vms.length, outcome]), [[
    "admin",
    1,
    "shown",
  ]]);
  assert.equal((await send(dashboard, "/vms/999/password", { fields: {}, cookie })).status, 404);
});

Deno.test("what cannot be recorded is not shown", async () => {
  let full = false;
  const journal = {
    append: () => {},
    written: () => Promise.resolve(),
    load: () => [],
    read: () => [],
    forget: () => {},
    loadAudit: () => [],
    appendAudit: () => {
      if (full) throw new Error("database or disk is full");
    },
  };
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 }, manager: { journal } });
  const [id] = [...dashboard.simulator.store.vms.keys()];
  full = true;
  const answer = await send(dashboard, `/vms/${id}/password`, { fields: {} });
  assert.equal(answer.status, 500);
  assert.ok(!answer.body.includes("someone-elses"));
});

Deno.test("a request, the operation that it began and its steps are found in the log by their ids", async () => {
  const lines: { message: string; fields: Record<string, unknown> }[] = [];
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 2 },
    onLog: (message, fields) => lines.push({ message, fields }),
  });
  const stopped = [...dashboard.simulator.store.vms.values()].find(({ state }) => state === "STOPPED");
  dashboard.simulator.addFault({ method: "vm.start", action: "fail", moment: "before" });
  const forged = { "x-request-id": "forged" };
  const begun = await post(dashboard, `/vms/${stopped?.id}/start`, { state: "STOPPED" }, forged);
  await begun.body?.cancel();
  const request = begun.headers.get("x-request-id");
  assert.match(request ?? "", /^[0-9a-f]{8}$/);
  const path = begun.headers.get("location") ?? "";
  const operation = path.split("/").at(-1);
  await finishedOperation(dashboard, path);
  const told = lines.filter(({ fields }) => fields.request === request).map(({ message, fields }) => ({
    message,
    operation: fields.operation,
  }));
  assert.deepEqual(told.toSorted((a, b) => a.message.localeCompare(b.message)), [
    { message: "A step failed", operation },
    { message: "Answered", operation: undefined },
    { message: "Operation begun", operation },
    { message: "Operation ended", operation },
  ]);
});
