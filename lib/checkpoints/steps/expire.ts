/** Removes a VM's snapshots of earlier checkpoints that have expired, once the new checkpoint is whole. */
import { NotSent } from "../../operations/limits/call_limiter.ts";
import { Cancelled, runStep, type Step, StepFailure } from "../../operations/steps/run_step.ts";
import type { VmContext } from "../../operations/steps/run_vm.ts";
import { formatCount } from "../../units.ts";
import type { SnapshotMark } from "../checkpoint.ts";
import type { VmToCheckpoint } from "../plan/plans.ts";
import { removeSnapshot } from "./remove_snapshot.ts";

/** Removes them. Never throws: the new checkpoint is there, so what fails is only said by the step. */
export async function expire(context: VmContext, vm: VmToCheckpoint): Promise<void> {
  const { caller, cancellable } = context;
  const step: Step<number> = {
    step: "expire",
    method: "pool.snapshot.delete",
    makes: vm.expired.map(({ name }) => name).join(", "),
    call: async (calls) => {
      let removed = 0;
      const removal = { caller, writer: () => cancellable, calls, allows: isCheckpoint };
      for (const snapshot of vm.expired) if (await removeSnapshot(removal, snapshot)) removed++;
      return removed;
    },
    verify: null,
    detail: (removed) => formatCount(removed, "snapshot"),
  };
  try {
    await runStep({ ...context, vmName: vm.name }, step);
  } catch (error) {
    if (!(error instanceof StepFailure || error instanceof Cancelled || error instanceof NotSent)) {
      throw error;
    }
  }
}

function isCheckpoint(mark: SnapshotMark | null): boolean {
  return mark !== null;
}
