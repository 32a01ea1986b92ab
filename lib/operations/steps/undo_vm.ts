/**
 * Undoes what an earlier operation created for a VM, based on the journal: the VM's uuid, the added devices, and zvols
 * whose properties name the operation. A VM that was started since is left alone. What was changed is restored.
 */
import { undoAcquisition } from "../../images/acquiring/undo_acquisition.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { RollBackVm } from "../../plan/roll_back.ts";
import type { PlannedVm } from "../../plan/types.ts";
import type { OperationVmView } from "../types.ts";
import { type CreatedResources, journalledResources, wasShutDown } from "./created_resources.ts";
import { vmIdOf } from "./device_step.ts";
import type { PowerContext } from "./reconcile/power_steps.ts";
import { type ChangedResources, endUnfinished } from "./reconcile/undo_changes.ts";
import { rollBack } from "./roll_back.ts";
import { type OperationContext, runStep, type Step, type StepContext } from "./run_step.ts";
import { findVm, runVm, type VmResult } from "./run_vm.ts";

/** What undoing needs. */
export type UndoContext =
  & OperationContext
  & Pick<PowerContext, "memory" | "displayPassword" | "deviceUpdate">;

/** Undoes what the operation with this id created for one VM. Never throws; the log contains the result. */
export async function undoVm(
  context: UndoContext,
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
  const changed = replaced === null ? changedResources(vm, created) : null;
  await runVm(work, {
    run: async () => {
      if (blocked.length > 0) throw new TrueNASError(blocked.join("; "));
      await runStep(work, verifyStep(work, created, changed));
      if (changed !== null) return await restoreVm(work, vm, changed);
      const why = vm.outcome === "created" ? "Rolled back on request" : "Its creation was incomplete";
      await undoAcquisition(work, vm.steps.flatMap((step) => step.evidence ?? []), operation);
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

/** What was changed in a VM that existed before, according to the journal; null for a VM that was created. */
function changedResources({ steps }: OperationVmView, created: CreatedResources): ChangedResources | null {
  if (created.uuid !== null) return null;
  const made = new Map(
    steps.flatMap(({ step, evidence }) =>
      evidence?.changed === undefined ? [] : [[step, evidence.changed] as const]
    ),
  );
  const isDown = wasShutDown(steps);
  return made.size > 0 || isDown ? { created, made, isDown } : null;
}

async function restoreVm(
  work: UndoContext & StepContext,
  { name, outcome, steps }: OperationVmView,
  changed: ChangedResources,
): Promise<VmResult> {
  const uuid = steps.find(({ evidence }) => evidence?.ofUuid !== undefined)?.evidence?.ofUuid ?? null;
  const context = { ...work, existing: { id: vmIdOf(changed.created), name, uuid } };
  const why = outcome === "changed" ? "Rolled back on request" : "Its change was incomplete";
  return await endUnfinished(context, { changed, why, cancelled: false, keep: false, overcommit: false });
}

/** Values can be restored while a VM runs; devices and VMs cannot be removed. */
function verifyStep(
  { caller, vmName }: StepContext,
  created: CreatedResources,
  changed: ChangedResources | null,
): Step<string> {
  const mayRun = created.started || (changed !== null && created.devices.size === 0);
  return {
    step: "verify",
    method: "vm.query",
    call: async () => {
      const state = (await findVm(caller, created))?.status.state;
      if (state === undefined) return "the VM does not exist";
      if (state === "STOPPED" || mayRun) return state;
      const is = `${vmName} is ${state.toLowerCase()}`;
      throw new TrueNASError(
        changed === null
          ? `${is}; it was started after the operation. Stop it first`
          : `${is}, and what was added can be removed only from a stopped VM. Shut it down and roll back again`,
      );
    },
    verify: null,
    detail: (state) => state,
  };
}
