/** Protects the view of an operation: every watcher sees the same, wherever it starts. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { applyEvent, emptyView, foldOperation } from "../../../lib/operations/record/fold.ts";
import { fact, logOf } from "./operation_samples.ts";

Deno.test("folding in parts or with repeats equals folding at once", () => {
  fc.assert(fc.property(fc.array(fact), fc.nat(), (facts, cut) => {
    const log = logOf(facts);
    const events = log.since(0);
    const at = cut % (events.length + 1);
    const first = foldOperation("op", events.slice(0, at));
    const repeated = [...events.slice(0, at), ...events.slice(at)].reduce(applyEvent, first);
    assert.deepEqual(repeated, foldOperation("op", events));
    assert.deepEqual(log.view, foldOperation("op", events));
    assert.deepEqual(emptyView("op").vms, []);
  }));
});

Deno.test("a step keeps its times, error and duration when it is rolled back", () => {
  const log = logOf([
    { type: "step", vm: "a", step: "vm", status: "running", method: "vm.create" },
    { type: "step", vm: "a", step: "vm", status: "done", detail: "id 1" },
    { type: "step", vm: "a", step: "vm", status: "rolled-back" },
    {
      type: "step",
      vm: "a",
      step: "undo-vm",
      status: "failed",
      error: { message: "busy", outcome: "not-done" },
    },
    { type: "vm", vm: "a", outcome: "left-behind", vmId: 1, message: "left" },
    { type: "finished", status: "failed" },
  ]);
  const [vm] = log.view.vms;
  assert.deepEqual(vm?.steps.map(({ step, status }) => [step, status]), [["vm", "rolled-back"], [
    "start",
    "pending",
  ], ["undo-vm", "failed"]]);
  assert.deepEqual([vm?.steps[0]?.startedAt, vm?.steps[0]?.finishedAt, vm?.steps[0]?.detail], [
    1_001,
    1_002,
    "id 1",
  ]);
  assert.equal(vm?.steps[2]?.error?.message, "busy");
  assert.deepEqual([vm?.outcome, vm?.vmId, vm?.message], ["left-behind", 1, "left"]);
  assert.deepEqual([log.view.status, log.view.finishedAt, log.view.lastSeq], ["failed", 1_006, 7]);
});

Deno.test("folding a log twice changes nothing", () => {
  fc.assert(fc.property(fc.array(fact), (facts) => {
    const { view, ...log } = { view: logOf(facts).view, events: logOf(facts).since(0) };
    for (const event of log.events) assert.equal(applyEvent(view, event), view, "not even a copy is made");
  }));
});

Deno.test("folding does not change the given view", () => {
  fc.assert(fc.property(fc.array(fact), (facts) => {
    let view = emptyView("op");
    for (const event of logOf(facts).since(0)) {
      const before = structuredClone(view);
      const after = applyEvent(view, event);
      assert.deepEqual(view, before);
      view = after;
    }
  }));
});

Deno.test("a new view is running, with every step pending and no times", () => {
  const view = logOf([]).view;
  assert.deepEqual([view.status, view.startedAt, view.finishedAt, view.kind], [
    "running",
    1_000,
    null,
    "create",
  ]);
  const steps = view.vms.flatMap(({ steps }) => steps);
  assert.equal(steps.length, 4);
  assert.ok(
    steps.every(({ status, seq, startedAt }) => status === "pending" && seq === 0 && startedAt === null),
  );
});

Deno.test("an event about an unknown VM changes no VM", () => {
  const known = logOf([]).view.vms;
  const log = logOf([{ type: "step", vm: "nobody", step: "vm", status: "running" }]);
  assert.deepEqual([log.view.vms, log.view.lastSeq], [known, 2]);
});

Deno.test("a step that runs again has no end time, and a skipped step no start time", () => {
  const log = logOf([
    { type: "step", vm: "a", step: "vm", status: "running" },
    { type: "step", vm: "a", step: "vm", status: "failed" },
    { type: "step", vm: "a", step: "vm", status: "running" },
    { type: "step", vm: "a", step: "start", status: "skipped" },
  ]);
  const times = log.view.vms[0]?.steps.map(({ startedAt, finishedAt }) => [startedAt, finishedAt]);
  assert.deepEqual(times, [[1_003, null], [null, 1_004]]);
});
