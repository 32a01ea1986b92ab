/** Protects the decisions after an operation that did not succeed: only possible ones are offered. */
import assert from "node:assert/strict";
import { foldOperation } from "../../../lib/operations/record/fold.ts";
import { needsDecision, recoveryOf, remainingSettleMs } from "../../../lib/operations/recovery.ts";
import type { OperationFact, OperationView } from "../../../lib/operations/types.ts";
import { CONFIG } from "../plan/plan_samples.ts";

const STARTED: OperationFact = {
  type: "started",
  kind: "create",
  title: "Create 3 VMs",
  request: { kind: "create", configuration: CONFIG, types: [] },
  vms: ["a", "b", "c"].map((name) => ({ name, steps: ["vm"], summary: "" })),
};

function viewOf(...facts: OperationFact[]): OperationView {
  return foldOperation(
    "id",
    facts.map((fact, index) => ({ ...fact, seq: index + 1, at: 1_000 * (index + 1) })),
  );
}

function made(vm: string): OperationFact {
  return { type: "step", vm, step: "vm", status: "running", evidence: { uuid: `uuid of ${vm}` } };
}

function names({ resumable, removable }: ReturnType<typeof recoveryOf>): string[][] {
  return [resumable.map(({ name }) => name), removable.map(({ name }) => name)];
}

const MIXED: readonly OperationFact[] = [
  STARTED,
  made("a"),
  { type: "vm", vm: "a", outcome: "created" },
  made("b"),
  { type: "vm", vm: "b", outcome: "interrupted" },
  { type: "vm", vm: "c", outcome: "interrupted" },
];

Deno.test("recoveryOf() resumes unfinished VMs, and removes everything that was created", () => {
  const view = viewOf(...MIXED, { type: "finished", status: "interrupted" });
  assert.deepEqual(names(recoveryOf(view)), [["b", "c"], ["a", "b"]]);
  assert.equal(recoveryOf(view).phrase, "roll back 2 vms", "a finished VM is among them");
  assert.ok(needsDecision(view));
});

Deno.test("recoveryOf() requires no phrase if only unfinished VMs are removed", () => {
  const view = viewOf(STARTED, made("b"), { type: "vm", vm: "b", outcome: "left-behind" }, {
    type: "finished",
    status: "failed",
  });
  assert.deepEqual([names(recoveryOf(view))[1], recoveryOf(view).phrase], [["b"], null]);
});

Deno.test("recoveryOf() offers nothing for a running, successful or already decided operation", () => {
  const nothing = [[], []];
  assert.deepEqual(names(recoveryOf(viewOf(...MIXED))), nothing);
  assert.deepEqual(names(recoveryOf(viewOf(...MIXED, { type: "finished", status: "done" }))), nothing);
  const decided = viewOf(...MIXED, { type: "finished", status: "interrupted" }, {
    type: "resolved",
    how: "left",
  });
  assert.deepEqual(names(recoveryOf(decided)), nothing);
  assert.ok(!needsDecision(decided));
});

Deno.test("remainingSettleMs() waits only for calls of unknown outcome", () => {
  const unknown = { message: "lost", outcome: "unknown" } as const;
  const view = viewOf(STARTED, made("a"), {
    type: "step",
    vm: "a",
    step: "vm",
    status: "failed",
    error: unknown,
  });
  assert.equal(remainingSettleMs(view, 3_000, 6_000), 5_000, "it began at 2,000");
  assert.equal(remainingSettleMs(view, 9_000, 6_000), 0);
  const known = { message: "refused", outcome: "not-done" } as const;
  const refused = viewOf(STARTED, made("a"), {
    type: "step",
    vm: "a",
    step: "vm",
    status: "failed",
    error: known,
  });
  assert.equal(remainingSettleMs(refused, 3_000, 6_000), 0);
});
