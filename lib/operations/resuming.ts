/** What resuming an operation starts from. Pure. */
import type { CreationRequest, OngoingReplacement, PlannedMacs } from "../plan/creation_input.ts";
import type { CreationPlan, DestructionVm } from "../plan/types.ts";
import { replacedVms, unfinishedReplacements } from "./record/history.ts";
import { recoveryOf } from "./recovery.ts";
import { hasStarted, wasShutDown } from "./steps/created_resources.ts";
import type { OperationView, OperationVmView } from "./types.ts";

/** The replacements of an operation that are to go on, by the VM's name; `views` are all operations, the newest first. */
export function replacementsOf(
  view: OperationView,
  views: readonly OperationView[],
): ReadonlyMap<string, OngoingReplacement> {
  const names = recoveryOf(view).resumable.map(({ name }) => name);
  const unfinished = unfinishedReplacements(views);
  return new Map(
    replacedVms(view).flatMap(({ confirmed: { name, vmUuid } }) => {
      const found = unfinished.find(({ confirmed }) => confirmed.vmUuid === vmUuid);
      return found === undefined || !names.includes(name) ? [] : [[name, found] as const];
    }),
  );
}

/**
 * Whether a creation ended with its program, and not because nobody waited for the NAS any longer. One that replaces a VM
 * removes disks, so a person decides about it.
 */
export function isLeftByProgram(view: OperationView): boolean {
  const { resumable } = recoveryOf(view);
  const isReplaced = ({ name }: OperationVmView) => replacedVms(view).some(({ vm }) => vm.name === name);
  return (view.kind === "create" || view.kind === "image") && view.status === "interrupted" && !view.gaveUp &&
    resumable.length > 0 && !resumable.some(isReplaced);
}

/** What a creation was to change, and which VMs it has shut down for that. */
export function resumedReconciling(
  { vms }: OperationView,
  { reconcile }: Pick<CreationRequest, "reconcile">,
): Pick<CreationRequest, "reconcile"> {
  if (reconcile === undefined) return {};
  const shutDown = vms.filter(({ steps }) => wasShutDown(steps)).map(({ name }) => name);
  return { reconcile: { ...reconcile, wereRunning: [...reconcile.wereRunning ?? [], ...shutDown] } };
}

/**
 * The uuids of the VMs that an operation has created and started, and that are to be waited for: also those of which it did not
 * see any more that they started. The plan waits only for those that run.
 */
export function awaitedVms(view: OperationView): ReadonlySet<string> {
  const isAwaited = ({ steps }: OperationVmView) =>
    // An operation that was resumed has only the wait.
    (hasStarted(steps, "start") || hasStarted(steps, "ready")) &&
    steps.some(({ step }) => step === "ready") &&
    steps.every(({ step, status }) =>
      step === "ready" ? status !== "done" : step === "start" || status === "done" || status === "skipped"
    );
  const awaited = recoveryOf(view).resumable.filter(isAwaited);
  return new Set(awaited.flatMap(({ steps }) => steps.flatMap(({ evidence }) => evidence?.uuid ?? [])));
}

/** Fills in what journals of earlier versions did not record; snapshots that were not shown are never removed. */
export function withDefaults(vm: DestructionVm): DestructionVm {
  const { blocked = [], after = [], zvols } = vm as Partial<DestructionVm> & Pick<DestructionVm, "zvols">;
  return {
    ...vm,
    blocked,
    after,
    zvols: zvols.map((zvol) => ({ ...{ snapshots: null, dependants: [] }, ...zvol })),
  };
}

/** The planned MACs, so that a resumed creation gives its NICs the same ones. */
export function macsOf({ vms }: CreationPlan): Readonly<Record<string, PlannedMacs>> {
  const active = vms.filter(({ steps }) => steps.length > 0);
  return Object.fromEntries(active.map(({ name, devices }) => {
    const nics = devices.flatMap((device) =>
      device.dtype === "NIC" ? [[device.name, device.mac] as const] : []
    );
    return [name, Object.fromEntries(nics)];
  }));
}
