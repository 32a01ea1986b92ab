/**
 * Undoes what an earlier operation created for a VM, based on the journal: the VM's uuid, the added devices, and zvols
 * whose properties name the operation. A VM that was started since is left alone.
 */
import { TrueNASError } from "../../errors/errors.ts";
import type { RollBackVm } from "../../plan/roll_back.ts";
import type { OperationVmView } from "../types.ts";
import { type CreatedResources, journalledResources } from "./created_resources.ts";
import { rollBack } from "./roll_back.ts";
import { type OperationContext, runStep, type Step, type StepContext } from "./run_step.ts";
import { findVm, runVm } from "./run_vm.ts";

/** Undoes what the operation with this id created for one VM. Never throws; the log contains the result. */
export async function undoVm(
  context: OperationContext,
  vm: OperationVmView,
  { operation, shown }: {
    readonly operation: string;
    /** What the user saw before confirming; null: nothing, so no snapshot is removed. */
    readonly shown: RollBackVm | null;
  },
): Promise<void> {
  const created = journalledResources(vm, operation);
  const { blocked = [], zvols = [] } = shown ?? {};
  const work = { ...context, vmName: vm.name };
  await runVm(work, {
    run: async () => {
      if (blocked.length > 0) throw new TrueNASError(blocked.join("; "));
      await runStep(work, verifyStep(work, created));
      const why = vm.outcome === "created" ? "Rolled back on request" : "Its creation was incomplete";
      return await rollBack(work, { created, why, cancelled: false, shown: zvols });
    },
    onFailure: ({ message }) => ({ outcome: "left-behind", message: `Not rolled back: ${message}` }),
  });
}

function verifyStep({ caller, vmName }: StepContext, created: CreatedResources): Step<string> {
  return {
    step: "verify",
    method: "vm.query",
    call: async () => {
      const state = (await findVm(caller, created))?.status.state;
      if (state === undefined) return "the VM does not exist";
      if (state === "STOPPED" || created.started) return state;
      throw new TrueNASError(
        `${vmName} is ${state.toLowerCase()}; it was started after the operation. Stop it first`,
      );
    },
    verify: null,
    detail: (state) => state,
  };
}
