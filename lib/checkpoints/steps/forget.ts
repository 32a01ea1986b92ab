/** Removes one VM's snapshots of a checkpoint. */
import { TrueNASError } from "../../errors/errors.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import { Cancelled, runStep, type Step } from "../../operations/steps/run_step.ts";
import { runVm, type VmContext } from "../../operations/steps/run_vm.ts";
import { type RemovalContext, removalContext } from "../../operations/steps/zvol_removal.ts";
import { fetchOwnedSnapshots } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import type { SnapshotMark } from "../checkpoint.ts";
import type { VmToForget } from "../plan/plans.ts";
import { removeSnapshot } from "./remove_snapshot.ts";

/** The steps, in order. */
export const FORGETTING_STEPS: readonly string[] = ["delete", "check"];

/** Removes them. Never throws; the log contains the result. */
export async function forgetVm(
  context: VmContext,
  vm: VmToForget,
  checkpoint: string,
): Promise<void> {
  const work = removalContext({ ...context, vmName: vm.name }, context.cancellable);
  const allows = (mark: SnapshotMark | null) => mark?.name === checkpoint;
  await runVm(work, {
    run: async () => {
      if (context.signal.aborted) throw new Cancelled("Cancelled; nothing was removed");
      const removed = await runStep(work, deleteStep(work, vm, allows));
      await runStep(work, checkStep(work, vm));
      return removed === 0
        ? { outcome: "already-gone", message: "Already gone" }
        : { outcome: "destroyed", message: `${formatCount(removed, "snapshot")} removed` };
    },
    onFailure: ({ message, cancelled }) => ({ outcome: cancelled ? "cancelled" : "failed", message }),
  });
}

function deleteStep(
  { caller, writer, progress }: RemovalContext,
  { snapshots }: VmToForget,
  allows: (mark: SnapshotMark | null) => boolean,
): Step<number> {
  return {
    step: "delete",
    method: "pool.snapshot.delete",
    makes: snapshots.map(({ name }) => name).join(", "),
    call: async (calls) => {
      let removed = 0;
      for (const snapshot of snapshots) {
        if (!await removeSnapshot({ caller, writer, calls, allows }, snapshot)) continue;
        progress.removed = true;
        removed++;
      }
      return removed;
    },
    verify: null,
    detail: (removed) => formatCount(removed, "snapshot"),
  };
}

function checkStep({ caller }: RemovalContext, { snapshots }: VmToForget): Step<void> {
  return {
    step: "check",
    method: "zfs.resource.snapshot.query",
    call: async () => {
      const names = snapshots.map(({ name }) => name);
      const found = await fetchOwnedSnapshots(caller, [...new Set(names.map(sourceOf))]);
      const left = found.filter(({ name }) => names.includes(name));
      if (left.length > 0) throw new TrueNASError(`Not removed: ${left.map(({ name }) => name).join(", ")}`);
    },
    verify: null,
    detail: () => "nothing is left",
  };
}
