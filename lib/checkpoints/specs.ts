/** The operations on checkpoints: what each announces, and its work on one VM. */
import type { OperationSpec, WorkContext } from "../operations/runner.ts";
import { recoveryOf } from "../operations/recovery.ts";
import { runStep, StepFailure } from "../operations/steps/run_step.ts";
import type { OperationView, OperationVmView } from "../operations/types.ts";
import { sourceOf } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import type { PlannedCheckpointVm, VmToCheckpoint, VmToForget, VmToRollBack } from "./plan/plans.ts";
import type { CheckpointOperation } from "./requests.ts";
import { FORGETTING_STEPS, forgetVm } from "./steps/forget.ts";
import { expire } from "./steps/expire.ts";
import { startStep, wasStartedAgain } from "./steps/power.ts";
import { rollbackSteps, rollBackVm } from "./steps/roll_back.ts";
import { takeCheckpoint, takingSteps } from "./steps/take.ts";
import { undoTaking } from "./steps/undo_taking.ts";

type Request<Kind extends CheckpointOperation["kind"]> = Extract<
  CheckpointOperation,
  { readonly kind: Kind }
>;

/** Takes a checkpoint of the VMs that are not blocked; `only`: of those with these names, as when it is resumed. */
export function taking(
  request: Request<"checkpoint">,
  only: readonly string[] | null = null,
): OperationSpec<VmToCheckpoint> {
  const { plan: { name, note, vms: all } } = request;
  const able = all.filter(isAble);
  const vms = able.filter((vm) => only?.includes(vm.name) ?? true);
  return {
    kind: "checkpoint",
    title: `Checkpoint ${name} of ${formatCount(vms.length, "VM")}`,
    vms: vms.map((vm) => ({
      name: vm.name,
      steps: takingSteps(vm),
      summary: formatCount(vm.zvols.length, "disk"),
    })),
    request,
    items: vms,
    claim: { vms: vms.map((vm) => vm.name), zvols: vms.flatMap(({ zvols }) => zvols) },
    work: (context) => ({
      workOn: (vm) =>
        takeCheckpoint(context, vm, {
          name,
          note,
          vms: able.length,
          operation: request.operation ?? context.log.id,
        }),
      afterwards: async () => {
        await startAgain(context, vms);
        await expireEarlier(context, vms);
      },
    }),
  };
}

/** Rolls VMs back to a checkpoint; `earlier` is the operation that is resumed. */
export function rollingBack(
  request: Request<"rollback">,
  only: readonly string[] | null = null,
  earlier: OperationView | null = null,
): OperationSpec<VmToRollBack> {
  const { plan: { checkpoint, vms: all } } = request;
  const vms = all.filter((vm) => isAble(vm) && (only?.includes(vm.name) ?? true));
  // Its guest may have written since, which a second rollback would lose.
  const isRolledBack = (vm: VmToRollBack) => wasRolledBack(earlier?.vms.find(({ name }) => name === vm.name));
  return {
    kind: "rollback",
    title: `Roll ${formatCount(vms.length, "VM")} back to ${checkpoint}`,
    vms: vms.map((vm) => ({
      name: vm.name,
      steps: rollbackSteps(vm, isRolledBack(vm)),
      summary: formatCount(vm.zvols.length, "disk"),
    })),
    request,
    items: vms,
    claim: {
      vms: vms.map(({ name }) => name),
      zvols: vms.flatMap(({ zvols }) => zvols.map(({ zvol }) => zvol)),
    },
    work: (context) => ({
      workOn: (vm) => rollBackVm(context, vm, { checkpoint, isRolledBack: isRolledBack(vm) }),
      afterwards: () => startAgain(context, vms),
    }),
  };
}

function wasRolledBack(vm: OperationVmView | undefined): boolean {
  return vm?.steps.some(({ step, status }) => step === "check" && status === "done") ?? false;
}

/** Removes a checkpoint. */
export function forgetting(
  request: Request<"remove-checkpoint">,
  only: readonly string[] | null = null,
): OperationSpec<VmToForget> {
  const { plan: { checkpoint, vms: all } } = request;
  const vms = all.filter((vm) => isAble(vm) && (only?.includes(vm.name) ?? true));
  return {
    kind: "remove-checkpoint",
    title: `Remove the checkpoint ${checkpoint}`,
    vms: vms.map(({ name, snapshots }) => ({
      name,
      steps: FORGETTING_STEPS,
      summary: formatCount(snapshots.length, "snapshot"),
    })),
    request,
    items: vms,
    claim: { zvols: vms.flatMap(({ snapshots }) => snapshots.map(({ name }) => sourceOf(name))) },
    work: (context) => ({ workOn: (vm) => forgetVm(context, vm, checkpoint) }),
  };
}

function isAble({ blocked }: { readonly blocked: readonly string[] }): boolean {
  return blocked.length === 0;
}

/** Goes on with an operation on a checkpoint; `names` are the VMs that are left to do. */
export function resumedCheckpoint<R>(
  { request, view, names }: {
    readonly request: CheckpointOperation;
    readonly view: OperationView;
    readonly names: readonly string[];
  },
  start: <T>(spec: OperationSpec<T>) => R,
): R {
  switch (request.kind) {
    case "checkpoint":
      return start(taking({ ...request, operation: request.operation ?? view.id }, names));
    case "rollback":
      return start(rollingBack(request, names, view));
    case "remove-checkpoint":
      return start(forgetting(request, names));
  }
}

/** Removes what an operation that took a checkpoint has taken. */
export function undoingCheckpoint(
  view: OperationView,
  request: Request<"checkpoint">,
): OperationSpec<OperationVmView> {
  const { removable } = recoveryOf(view);
  return {
    kind: "undo",
    title: `Roll back: ${view.title}`,
    vms: removable.map(({ name, summary }) => ({ name, steps: [], summary })),
    items: removable,
    claim: {
      vms: removable.map(({ name }) => name),
      zvols: request.plan.vms.flatMap(({ zvols }) => zvols),
    },
    work: (context) => ({
      workOn: (vm) =>
        undoTaking(context, {
          view: vm,
          vm: request.plan.vms.find(({ name }) => name === vm.name) ?? null,
          operation: request.operation ?? view.id,
        }),
    }),
  };
}

/** Earlier checkpoints are all there is to go back to until the new one is whole. */
async function expireEarlier(context: WorkContext, vms: readonly VmToCheckpoint[]): Promise<void> {
  const isWhole = context.log.view.vms.every(({ outcome }) => outcome === "done");
  if (!isWhole || context.signal.aborted) return;
  await Promise.all(vms.filter(({ expired }) => expired.length > 0).map((vm) => expire(context, vm)));
}

/** A NAS that restarted afterwards has stopped VMs that were started again. */
async function startAgain(
  context: WorkContext,
  vms: readonly (PlannedCheckpointVm & { readonly stops: boolean })[],
) {
  if (!context.outages.hasRestarted) return;
  await Promise.all(vms.map(async (vm) => {
    const { steps = [] } = context.log.view.vms.find(({ name }) => name === vm.name) ?? {};
    if (!vm.stops || !wasStartedAgain(steps)) return;
    try {
      await runStep(
        { ...context, vmName: vm.name },
        startStep({ ...context, vmName: vm.name }, vm, "start-again"),
      );
    } catch (error) {
      // The step says so itself.
      if (!(error instanceof StepFailure)) throw error;
    }
  }));
}
