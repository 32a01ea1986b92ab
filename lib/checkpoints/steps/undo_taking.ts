/** Rolls an unfinished checkpoint of one VM back: starts a VM that was shut down for it, and removes its snapshots. */
import { runStep } from "../../operations/steps/run_step.ts";
import { runVm, type VmContext } from "../../operations/steps/run_vm.ts";
import type { OperationVmView } from "../../operations/types.ts";
import type { VmToCheckpoint } from "../plan/plans.ts";
import { isLeftOff, startStep } from "./power.ts";
import { removeTakenStep, undoSteps } from "./take.ts";

/** Never throws; the log contains the result. */
export async function undoTaking(
  context: VmContext,
  { view, vm, operation }: {
    /** The VM in the operation that is rolled back. */
    readonly view: OperationVmView;
    readonly vm: VmToCheckpoint | null;
    /** The operation that the snapshots name. */
    readonly operation: string;
  },
): Promise<void> {
  const work = { ...context, vmName: view.name };
  const asked = view.steps.flatMap(({ evidence }) => evidence?.snapshots ?? []);
  await runVm(work, {
    run: async () => {
      const isOff = vm !== null && await isLeftOff(work, vm, view.steps);
      await undoSteps([
        ...(isOff ? [() => runStep(work, startStep(work, vm, "undo-stop"))] : []),
        () => runStep(work, removeTakenStep(work, asked, operation)),
      ]);
      return { outcome: "rolled-back", message: "Its snapshots are gone" };
    },
    onFailure: ({ message }) => ({ outcome: "left-behind", message: `Not rolled back: ${message}` }),
  });
}
