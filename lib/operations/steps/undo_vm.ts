/**
 * Undoes what an earlier operation created for a VM, based on the journal: the VM's uuid, the added devices, and zvols
 * whose properties name the operation. A VM that was started since is left alone.
 */
import { TrueNASError } from "../../errors/errors.ts";
import type { RollBackVm } from "../../plan/roll_back.ts";
import type { PlannedVm } from "../../plan/types.ts";
import type { OperationVmView } from "../types.ts";
import { type CreatedResources, journalledResources } from "./created_resources.ts";
import { rollBack } from "./roll_back.ts";
import { type OperationContext, runStep, type Step, type StepContext } from "./run_step.ts";
import { findVm, runVm } from "./run_vm.ts";

/** Undoes what the operation with this id created for one VM. Never throws; the log contains the result. */
export async function undoVm(
  context: OperationContext,
  vm: OperationVmView,
  { operation, replaced, shown }: {
    readonly operation: string;
    /** The VM that the operation replaced with this one; null when there was none. */
    readonly replaced: PlannedVm | null;
    /** What the user saw before confirming; null: nothing, so no snapshot is removed. */
    readonly shown: RollBackVm | null;
  },
): Promise<void> {
  const kept = replaced?.replacement?.keeps.map(({ zvol }) => zvol) ?? [];
  const created = journalledResources(vm, operation, kept);
  const { blocked = [], zvols = [] } = shown ?? {};
  const work = { ...context, vmName: vm.name };
  await runVm(work, {
    run: async () => {
      if (blocked.length > 0) throw new TrueNASError(blocked.join("; "));
      await runStep(work, verifyStep(work, created));
      const why = vm.outcome === "created" ? "Rolled back on request" : "Its creation was incomplete";
      const result = await rollBack(work, { created, why, cancelled: false, shown: zvols });
      return replaced === null
        ? result
        : { ...result, message: `${result.message}. ${describeLost(replaced, kept)}` };
    },
    onFailure: ({ message }) => ({ outcome: "left-behind", message: `Not rolled back: ${message}` }),
  });
}

/** What a rollback cannot bring back. */
function describeLost({ name, replacement }: PlannedVm, kept: readonly string[]): string {
  const removed = (replacement?.zvols ?? []).map((zvol) => zvol.name);
  const lost = removed.length === 0 ? "" : ` and ${removed.join(", ")}`;
  const stays = kept.length === 0 ? "" : `. Kept, and used by no VM: ${kept.join(", ")}`;
  return `The ${name} that was replaced${lost} cannot be brought back${stays}`;
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
