/** The words and sums of operations: what is planned for a VM, why one is left alone, how the whole ended. */
import type { DestructionVm, PlannedVm } from "../plan/types.ts";
import { formatBytes, formatCount, formatMib } from "../units.ts";
import type { OperationLog } from "./log.ts";
import type { OperationKind, OperationView, VmOutcome } from "./types.ts";

/** Says of a VM that a plan leaves alone why. */
export function reportUntouched(log: OperationLog, vm: PlannedVm): void {
  const id = vm.vmId === null ? {} : { vmId: vm.vmId };
  if (vm.action === "keep") {
    log.append({ type: "vm", vm: vm.name, outcome: "kept", message: "It is there as wanted", ...id });
    return;
  }
  const why = vm.action === "differs"
    ? vm.differences.map(({ field, wanted, found }) => `${field} is ${found}, wanted ${wanted}`)
    : vm.reasons;
  log.append({
    type: "vm",
    vm: vm.name,
    outcome: "failed",
    message: `Nothing was done: ${why.join("; ")}`,
    ...id,
  });
}

/** What is made of a VM, in one line. */
export function describeVm(vm: PlannedVm): string {
  const disks = vm.devices.filter((device) => device.dtype === "DISK");
  const size = disks.reduce((total, disk) => total + disk.sizeBytes, 0);
  const parts = [formatCount(vm.vcpus, "vCPU"), formatMib(vm.memoryMib)];
  if (disks.length > 0) parts.push(`${formatCount(disks.length, "disk")} of ${formatBytes(size)}`);
  return parts.join(", ");
}

/** What goes with a VM, in one line. */
export function describeVmToDestroy(vm: DestructionVm): string {
  const size = vm.zvols.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0);
  return vm.zvols.length === 0 ? "no zvols" : `${formatCount(vm.zvols.length, "zvol")}, ${formatBytes(size)}`;
}

/** Outcomes that are what was asked for. */
const GOOD: Readonly<Record<OperationKind, readonly (VmOutcome | null)[]>> = {
  create: ["created", "kept"],
  destroy: ["destroyed", "already-gone"],
  // "failed" is rollBack's word for a VM of which nothing was there to remove.
  undo: ["rolled-back", "failed"],
  clean: ["destroyed", "already-gone"],
  act: ["done"],
  change: ["done"],
};

/** How an operation ended, in a few words: `done`, or `partly-done: 2 of 3, not worker02`. */
export function describeEnd({ kind, status, vms }: OperationView): string {
  const bad = vms.filter(({ outcome }) => !isGood(kind, outcome)).map(({ name }) => name);
  if (status === "done" || bad.length === 0) return status;
  return `${status}: ${vms.length - bad.length} of ${vms.length}, not ${bad.join(", ")}`;
}

/** Whether a VM became what its operation was for. */
export function isGood(kind: OperationKind, outcome: VmOutcome | null): boolean {
  return GOOD[kind].includes(outcome);
}

/** Whether a VM is as it is because the person cancelled. */
export function isCancelled(outcome: VmOutcome | null): boolean {
  return outcome === "cancelled" || outcome === "cancelled-kept";
}

/** How an operation ended, from what became of its VMs. */
export function overallStatus({ kind, vms }: OperationView): Exclude<OperationView["status"], "running"> {
  const good = vms.filter(({ outcome }) => isGood(kind, outcome)).length;
  if (vms.some(({ outcome }) => isCancelled(outcome))) return "cancelled";
  if (good === vms.length) return "done";
  return good === 0 ? "failed" : "partly-done";
}
