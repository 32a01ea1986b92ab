/**
 * Protects the pages of operations: their list, what one tells while it goes on and after it failed, its stream, and its
 * cancellation. Real HTTP.
 */
import assert from "node:assert/strict";
import { repeatedly } from "../support/deadline.ts";
import { powerOff } from "../support/pages/dashboard.ts";
import {
  create,
  finishedOperation,
  FORM,
  planned,
  post,
  text,
  withDashboard,
} from "../support/pages/http.ts";

Deno.test("GET /operations/:id/events resumes after Last-Event-ID without a gap or a repeat", () =>
  withDashboard({}, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    const path = created.headers.get("location") ?? "";
    const events = `${dashboard.url}${path}/events`;
    const idsOf = (stream: string) => [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    const whole = idsOf(await text(fetch(events)));
    assert.deepEqual(whole, whole.map((_, index) => index + 1));
    assert.ok(whole.length > 20, "every step starts and ends in it");
    const later = idsOf(await text(fetch(`${events}?after=3`, { headers: { "last-event-id": "7" } })));
    assert.deepEqual(later, whole.slice(7));
    assert.deepEqual(idsOf(await text(fetch(`${events}?after=3`))), whole.slice(3));
  }));

Deno.test("a failed VM is rolled back and shown with the NAS's error, and the others are created", () =>
  withDashboard({}, async (dashboard) => {
    dashboard.simulator.addFault({
      method: "vm.device.create",
      matches: (params) => JSON.stringify(params).includes("worker02-disk0"),
      action: "fail",
      error: { errno: 28, errname: "ENOSPC", reason: "[ENOSPC] out of space" },
    });
    const { token, plan } = await planned(dashboard);
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    const path = created.headers.get("location") ?? "";
    const operation = await finishedOperation(dashboard, path);
    assert.equal(operation.status, "partly-done");
    const html = await text(fetch(dashboard.url + path));
    assert.match(html, /worker02 was not created/);
    assert.match(html, /out of space/);
    assert.match(html, /data-vm="worker02" data-step="vm" data-status="rolled-back"/);
    assert.deepEqual([...dashboard.simulator.store.vms.values()].map(({ config }) => config.name), [
      "worker01",
    ]);
  }));

Deno.test("POST /operations/:id/cancel rolls back unfinished VMs, keeps finished ones, and counts none as failed (fault 36)", () =>
  withDashboard({ manager: { parallel: 1 } }, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    dashboard.simulator.addFault({ method: "vm.device.create", skip: 4, moment: "before", action: "stall" });
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    const path = created.headers.get("location") ?? "";
    assert.match(await text(fetch(dashboard.url + path)), /id="cancel-operation"/);
    assert.match(
      await text(fetch(dashboard.url)),
      new RegExp(`id="op-strip"[\\s\\S]*href="${path}"`),
      "the list leads to it",
    );
    // The call that stalls is under way by now.
    const made = () => dashboard.simulator.calls.filter(({ method }) => method === "vm.device.create").length;
    await repeatedly("the call is under way", () => Promise.resolve(made() >= 5 || null));
    const cancelled = await post(dashboard, `${path}/cancel`, {});
    await cancelled.body?.cancel();
    assert.deepEqual([cancelled.status, cancelled.headers.get("location")], [303, path]);
    // The stalled call ends with its connection; its outcome is unknown, so it is looked for and then undone.
    dashboard.simulator.cutConnections();
    const operation = await finishedOperation(dashboard, path);
    assert.equal(operation.status, "cancelled");
    assert.match(await text(fetch(dashboard.url + path)), /1 done, 1 cancelled · /, "and none failed");
    assert.doesNotMatch(await text(fetch(dashboard.url + path)), /id="cancel-operation"/);
    const missing = await post(dashboard, "/operations/nope/cancel", {});
    await missing.body?.cancel();
    assert.equal(missing.status, 404);
    const volumes = [...dashboard.simulator.store.datasets.values()].filter(({ type }) => type === "VOLUME");
    assert.equal(volumes.length, dashboard.simulator.store.vms.size, "no zvol without its VM");
  }));

Deno.test("GET /operations filters by state, counts each, and follows what goes on", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    const { url } = dashboard;
    assert.match(await text(fetch(`${url}/operations`)), /No operations yet/);
    const { log, finished } = powerOff(dashboard);
    await finished;
    const all = await text(fetch(`${url}/operations`));
    assert.match(all, new RegExp(`data-operation="${log.id}" data-status="done"`));
    assert.match(all, /href="\/operations\?state=done"[^>]*>.*?Done <b>1<\/b>/);
    assert.match(all, /data-stream="\/events\?only=operations"/);
    const failed = await text(fetch(`${url}/operations?state=failed`));
    assert.match(failed, /No operation is in this state/);
    const unknown = await fetch(`${url}/operations?state=lost`, { redirect: "manual" });
    assert.equal(unknown.headers.get("location"), "/operations");
    await unknown.body?.cancel();
  }));

Deno.test("each chip of /operations counts only what is in the state that it names", () =>
  withDashboard({}, async (dashboard) => {
    dashboard.simulator.addFault({
      method: "vm.device.create",
      action: "fail",
      matches: (params) => JSON.stringify(params).includes("worker01-disk0"),
    });
    const path = await create(dashboard, { ...FORM, "worker.on_failure": "keep" });
    assert.equal((await finishedOperation(dashboard, path)).status, "partly-done", "the premise");
    const all = await text(fetch(`${dashboard.url}/operations`));
    assert.match(all, /href="\/operations\?state=partly-done"[^>]*>.*?Partly done <b>1<\/b>/);
    assert.doesNotMatch(all, /Failed <b>/);
    assert.match(await text(fetch(`${dashboard.url}/operations?state=partly-done`)), /data-operation=/);
    assert.match(
      await text(fetch(`${dashboard.url}/operations?state=failed`)),
      /No operation is in this state/,
    );
  }));

Deno.test("a device that was rolled back is named as the step that created it", () =>
  withDashboard({}, async (dashboard) => {
    dashboard.simulator.addFault({ method: "vm.start", action: "fail" });
    const path = await create(dashboard, FORM);
    await finishedOperation(dashboard, path);
    const page = await text(fetch(dashboard.url + path));
    assert.match(page, /data-step="undo-disk0"/);
    assert.doesNotMatch(page, /undo-device|Device \d/);
  }));

Deno.test("the log names a VM's state as the list does, not as TrueNAS's API does", () =>
  withDashboard({}, async (dashboard) => {
    const path = await create(dashboard, FORM);
    assert.equal((await finishedOperation(dashboard, path)).status, "done");
    const page = await text(fetch(dashboard.url + path));
    assert.ok(page.includes("worker01 Start: done, running<"));
    assert.doesNotMatch(page, /done, RUNNING/);
  }));
