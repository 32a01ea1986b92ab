/** Protects the picture of an operation: bars where steps ran, estimates only from what was measured. */
import assert from "node:assert/strict";
import { foldOperation } from "../../../lib/operations/record/fold.ts";
import { timeLeftOf, timelineOf } from "../../../lib/operations/timeline.ts";
import type { OperationEvent, OperationFact } from "../../../lib/operations/types.ts";

const START = 1_000_000;

/** A log from facts, each with its time in milliseconds since the start. */
function viewOf(facts: readonly (readonly [number, OperationFact])[]) {
  const events = facts.map(([ms, fact], index): OperationEvent => ({
    ...fact,
    seq: index + 1,
    at: START + ms,
  }));
  return foldOperation("op", events);
}

const started = (names: readonly string[], steps: readonly string[]): OperationFact => ({
  type: "started",
  kind: "create",
  title: "Create VMs",
  vms: names.map((name) => ({ name, steps, summary: "" })),
});
const step = (vm: string, name: string, status: "running" | "done" | "failed"): OperationFact => ({
  type: "step",
  vm,
  step: name,
  status,
});

Deno.test("timelineOf() draws each step where it ran, and steps at the same time below each other", () => {
  const view = viewOf([
    [0, started(["a01"], ["vm", "disk0", "disk1", "start"])],
    [100, step("a01", "vm", "running")],
    [300, step("a01", "vm", "done")],
    [400, step("a01", "disk0", "running")],
    [500, step("a01", "disk1", "running")],
    [900, step("a01", "disk0", "done")],
    [1_000, step("a01", "disk1", "failed")],
  ]);
  const [lane] = timelineOf(view, START + 2_000).lanes;
  assert.deepEqual(
    lane?.bars.map(({ step, kind, fromMs, toMs, row, rows }) => [step.step, kind, fromMs, toMs, row, rows]),
    [
      ["vm", "done", 100, 300, 0, 1],
      ["disk0", "done", 400, 900, 0, 2],
      ["disk1", "failed", 500, 1_000, 1, 2],
    ],
  );
  assert.deepEqual(lane?.waits.map(({ why, fromMs, toMs }) => [why, fromMs, toMs]), [
    ["turn", 300, 400],
    ["turn", 1_000, 2_000],
  ]);
});

Deno.test("timeLeftOf() estimates what is left only from steps that were measured", () => {
  const facts: (readonly [number, OperationFact])[] = [
    [0, started(["a01", "a02"], ["vm", "start"])],
    [0, step("a01", "vm", "running")],
    [0, step("a02", "vm", "running")],
    [1_000, step("a01", "vm", "done")],
    [1_000, step("a01", "start", "running")],
  ];
  assert.equal(timeLeftOf(viewOf(facts), START + 2_000), null, "no start was measured yet");
  const later = viewOf([
    ...facts,
    [3_000, step("a01", "start", "done")],
    [3_000, { type: "vm", vm: "a01", outcome: "created" }],
  ]);
  const timeline = timelineOf(later, START + 3_000);
  assert.equal(
    timeLeftOf(later, START + 3_000),
    2_000,
    "a vm of 1 s that should be over, and a start of 2 s",
  );
  assert.equal(timeline.limitMs, 3_000, "the steps of one VM follow each other");
  assert.deepEqual(timeline.lanes[1]?.expected, { fromMs: 3_000, toMs: 5_000 });
});

Deno.test("timeLeftOf() counts down while a step runs, and says nothing once it lasts longer than the others did", () => {
  const view = viewOf([
    [0, started(["a01", "a02"], ["vm"])],
    [0, step("a01", "vm", "running")],
    [4_000, step("a01", "vm", "done")],
    [4_000, { type: "vm", vm: "a01", outcome: "created" }],
    [4_000, step("a02", "vm", "running")],
  ]);
  const left = [4_000, 5_000, 7_000, 7_500, 60_000].map((ms) => timeLeftOf(view, START + ms));
  assert.deepEqual(left, [4_000, 3_000, 1_000, null, null]);
});

Deno.test("timelineOf() ends a finished operation's axis at its end, without a present or an estimate", () => {
  const view = viewOf([
    [0, started(["a01"], ["vm"])],
    [0, step("a01", "vm", "running")],
    [5_000, step("a01", "vm", "done")],
    [5_000, { type: "vm", vm: "a01", outcome: "created" }],
    [5_000, { type: "finished", status: "done" }],
  ]);
  const { nowMs, lengthMs, ticksMs, running } = timelineOf(view, START + 60_000);
  assert.deepEqual([nowMs, timeLeftOf(view, START + 60_000), lengthMs], [null, null, 5_000]);
  assert.deepEqual(ticksMs, [0, 1_000, 2_000, 3_000, 4_000, 5_000]);
  assert.deepEqual(running, [{ atMs: 0, count: 1 }, { atMs: 5_000, count: 0 }]);
});

Deno.test("timelineOf() of an operation whose program ended stops at the last that is known", () => {
  const view = viewOf([
    [0, started(["a01"], ["vm", "start"])],
    [0, step("a01", "vm", "running")],
    [4_000, step("a01", "vm", "done")],
    [4_000, step("a01", "start", "running")],
  ]);
  const { lengthMs, nowMs } = timelineOf({ ...view, status: "interrupted" }, START + 86_400_000);
  assert.deepEqual([lengthMs, nowMs], [4_000, null]);
});

const healed = (vm: string, name: string, againInMs?: number): OperationFact => ({
  type: "healed",
  vm,
  step: name,
  tries: 1,
  message: "it was busy; it was sent again",
  ...(againInMs === undefined ? {} : { againInMs }),
});

Deno.test("timelineOf() draws a refused try, the pause after it, and the try that healed", () => {
  const view = viewOf([
    [0, started(["a01"], ["vm", "start"])],
    [0, step("a01", "vm", "running")],
    [500, step("a01", "vm", "done")],
    [500, step("a01", "start", "running")],
    [1_000, healed("a01", "start", 400)],
    [2_000, step("a01", "start", "done")],
  ]);
  const [lane] = timelineOf(view, START + 2_000).lanes;
  assert.deepEqual(lane?.bars.map(({ step, kind, fromMs, toMs }) => [step.step, kind, fromMs, toMs]), [
    ["vm", "done", 0, 500],
    ["start", "try", 500, 1_000],
    ["start", "healed", 1_400, 2_000],
  ]);
  assert.deepEqual(lane?.waits.map(({ why, fromMs, toMs }) => [why, fromMs, toMs]), [[
    "again",
    1_000,
    1_400,
  ]]);
});

Deno.test("timelineOf() draws no try for a call whose effect was found", () => {
  const view = viewOf([
    [0, started(["a01"], ["vm"])],
    [0, step("a01", "vm", "running")],
    [900, healed("a01", "vm")],
    [1_000, step("a01", "vm", "done")],
  ]);
  const [lane] = timelineOf(view, START + 1_000).lanes;
  assert.deepEqual(lane?.bars.map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs]), [["healed", 0, 1_000]]);
});

Deno.test("timelineOf() leaves a gap in each lane while the NAS was away, in the middle of a step and between two", () => {
  const view = viewOf([
    [0, started(["a01", "a02"], ["vm", "start"])],
    [0, step("a01", "vm", "running")],
    [0, step("a02", "vm", "running")],
    [1_000, step("a02", "vm", "done")],
    [2_000, { type: "waiting", message: "nothing is listening", until: START + 900_000 }],
    [8_000, { type: "back", waitedMs: 6_000 }],
    [8_300, healed("a01", "vm", 0)],
    [9_000, step("a01", "vm", "done")],
    [8_100, step("a02", "start", "running")],
    [8_500, step("a02", "start", "done")],
    [10_000, { type: "finished", status: "done" }],
  ]);
  const { lanes, outages, running } = timelineOf(view, START + 60_000);
  assert.deepEqual(outages, [{ fromMs: 2_000, toMs: 8_000 }]);
  const pieces = lanes.map(({ bars }) => bars.map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs]));
  assert.deepEqual(pieces, [
    [["try", 0, 2_000], ["healed", 8_000, 9_000]],
    [["done", 0, 1_000], ["done", 8_100, 8_500]],
  ]);
  const waits = lanes.map(({ waits }) => waits.map(({ why, fromMs, toMs }) => [why, fromMs, toMs]));
  assert.deepEqual(waits, [[["nas", 2_000, 8_000]], [["nas", 1_000, 8_100]]]);
  assert.equal(running.find(({ atMs }) => atMs === 2_000)?.count, 0, "nothing runs while the NAS is away");
});

Deno.test("timelineOf() lets the gap of a NAS that is still away last until now", () => {
  const view = viewOf([
    [0, started(["a01"], ["vm"])],
    [0, step("a01", "vm", "running")],
    [1_000, { type: "waiting", message: "nothing is listening", until: START + 900_000 }],
  ]);
  const { lanes: [lane], outages } = timelineOf(view, START + 5_000);
  assert.deepEqual(outages, [{ fromMs: 1_000, toMs: 5_000 }]);
  assert.deepEqual(lane?.bars.map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs]), [["running", 0, 1_000]]);
  assert.deepEqual(lane?.waits.map(({ why, toMs }) => [why, toMs]), [["nas", 5_000]]);
});

Deno.test("timelineOf() lets no step run on from the moment at which the NAS is away", () => {
  const view = viewOf([
    [0, started(["a01", "a02"], ["vm", "start"])],
    [0, step("a01", "vm", "running")],
    [0, step("a02", "vm", "running")],
    [500, step("a02", "vm", "done")],
    [1_000, { type: "waiting", message: "nothing is listening", until: START + 900_000 }],
  ]);
  const { lanes, isAway } = timelineOf(view, START + 1_000);
  assert.ok(isAway);
  assert.deepEqual(lanes.map(({ waits }) => waits.map(({ why, fromMs, toMs }) => [why, fromMs, toMs])), [
    [["nas", 1_000, 1_000]],
    [["nas", 500, 1_000]],
  ]);
});
