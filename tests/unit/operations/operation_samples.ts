/** The log of a small operation, and facts that could follow in it, for the tests of operations. */
import fc from "../../support/packages/fast_check.ts";
import { OperationLog } from "../../../lib/operations/record/log.ts";
import type { OperationFact, StepStatus } from "../../../lib/operations/types.ts";

/** How the operation begins: two VMs of two steps each. */
export const STARTED: OperationFact = {
  type: "started",
  kind: "create",
  title: "Create 2 VMs",
  vms: ["a", "b"].map((name) => ({ name, steps: ["vm", "start"], summary: "small" })),
};

/** Any fact that may follow. */
export const fact: fc.Arbitrary<OperationFact> = fc.oneof(
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

/** A log of these facts, each a millisecond after the one before, from 1000. */
export function logOf(facts: readonly OperationFact[]): OperationLog {
  let now = 1_000;
  const log = new OperationLog("op", () => now++);
  for (const it of [STARTED, ...facts]) log.append(it);
  return log;
}
