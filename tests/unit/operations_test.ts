/** Protects the log of an operation and its fold: whoever watches, from wherever, sees the same. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { applyEvent, emptyView, foldOperation } from "../../lib/operations/fold.ts";
import { OperationLog } from "../../lib/operations/log.ts";
import { eachLimited } from "../../lib/operations/pool.ts";
import { OperationStore } from "../../lib/operations/store.ts";
import type { OperationEvent, OperationFact, StepStatus } from "../../lib/operations/types.ts";

const STARTED: OperationFact = {
  type: "started",
  kind: "create",
  title: "Create 2 VMs",
  vms: ["a", "b"].map((name) => ({ name, steps: ["vm", "start"], summary: "small" })),
};

const fact: fc.Arbitrary<OperationFact> = fc.oneof(
  fc.record({
    type: fc.constant("step" as const),
    vm: fc.constantFrom("a", "b", "unknown"),
    step: fc.constantFrom("vm", "start", "undo-vm"),
    status: fc.constantFrom<StepStatus>("running", "done", "failed", "skipped", "rolled-back"),
  }),
  fc.record({
    type: fc.constant("vm" as const),
    vm: fc.constantFrom("a", "b"),
    outcome: fc.constantFrom("created" as const, "failed" as const),
  }),
);

function logOf(facts: readonly OperationFact[]): OperationLog {
  let now = 1_000;
  const log = new OperationLog("op", () => now++);
  for (const it of [STARTED, ...facts]) log.append(it);
  return log;
}

Deno.test("folding in portions, or with repeats, gives what folding at once gives", () => {
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

Deno.test("a step keeps its times, its error, and what it took when it is rolled back", () => {
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

Deno.test("follow() gives what was and what comes, from any place, and ends with the operation", async () => {
  const log = logOf([]);
  const seen: number[] = [];
  const watching = (async () => {
    for await (const { seq } of log.follow(0, AbortSignal.timeout(5_000))) seen.push(seq);
  })();
  await Promise.resolve();
  log.append({ type: "vm", vm: "a", outcome: "created" });
  await Promise.resolve();
  log.append({ type: "vm", vm: "b", outcome: "created" });
  log.append({ type: "finished", status: "done" });
  await watching;
  assert.deepEqual(seen, [1, 2, 3, 4]);
  const later: OperationEvent[] = [];
  for await (const event of log.follow(2, AbortSignal.timeout(5_000))) later.push(event);
  assert.deepEqual(later.map(({ seq }) => seq), [3, 4]);
});

Deno.test("follow() ends when its reader goes", async () => {
  const log = logOf([]);
  const reader = new AbortController();
  const watching = (async () => {
    for await (const _event of log.follow(0, reader.signal)) reader.abort();
  })();
  await watching;
  for await (const _event of log.follow(0, AbortSignal.abort())) assert.fail("nothing comes after the end");
});

Deno.test("OperationStore keeps the newest and never forgets what runs", () => {
  const store = new OperationStore(() => 0);
  const running = store.create();
  for (let n = 0; n < 300; n++) store.create().append({ type: "finished", status: "done" });
  assert.equal(store.list().length, 200);
  assert.equal(store.get(running.id), running);
  assert.equal(store.list().at(-1)?.id, running.id);
});

Deno.test("eachLimited() works at everything, never at more than its width at once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), fc.integer({ min: 1, max: 5 }), async (items, width) => {
      let running = 0;
      let most = 0;
      const done: number[] = [];
      await eachLimited(items, width, async (item) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        done.push(item);
      });
      assert.deepEqual(done.toSorted(), items.toSorted());
      assert.ok(most <= width);
    }),
  );
});
