/** Describes planned VMs and the results of operations. */
import { describeDifference } from "../plan/description.ts";
import type { DestructionVm, PlannedVm } from "../plan/types.ts";
import { formatBytes, formatCount, formatMib } from "../units.ts";
import type { OperationLog } from "./record/log.ts";
import type { FinalStatus, OperationKind, OperationView, OperationVmView, VmOutcome } from "./types.ts";

/** Reports why nothing is done with a VM. */
export function reportUntouched(log: OperationLog, vm: PlannedVm): void {
  const id = vm.vmId === null ? {} : { vmId: vm.vmId };
  const report = (outcome: "kept" | "failed", message: string) => {
    log.append({ type: "vm", vm: vm.name, outcome, message, ...id });
  };
  const reasons = [...vm.reasons, ...vm.differences.map(describeDifference)].join("; ");
  switch (vm.action) {
    case "keep":
      return report(
        "kept",
        reasons === "" ? "Already exists as configured" : `Already exists, left as it is: ${reasons}`,
      );
    case "change":
    case "replace":
      // What it lacks was asked for and cannot be added while it runs or has other hardware.
      if (vm.missing.length > 0) return report("failed", `Nothing was changed: ${reasons}`);
      return report("kept", `Already exists, not selected to be ${vm.action}d: ${reasons}`);
    default:
      return report("failed", `Nothing was changed: ${reasons}`);
  }
}

/** The size of a VM to create, in one line. */
export function describeVm({ vcpus, memoryMib, devices }: PlannedVm): string {
  const sizes = devices.flatMap((device) => device.dtype === "DISK" ? [device.sizeBytes] : []);
  const parts = [formatCount(vcpus, "vCPU"), formatMib(memoryMib)];
  if (sizes.length > 0) parts.push(`${formatCount(sizes.length, "disk")} of ${formatBytes(sum(sizes))}`);
  return parts.join(", ");
}

/** The zvols that are removed with a VM, in one line. */
export function describeVmToDestroy({ zvols }: DestructionVm): string {
  const size = sum(zvols.map(({ sizeBytes }) => sizeBytes ?? 0));
  return zvols.length === 0 ? "no disks" : `${formatCount(zvols.length, "disk")}, ${formatBytes(size)}`;
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

/** Outcomes that are as requested. */
const GOOD: Readonly<Record<OperationKind, readonly (VmOutcome | null)[]>> = {
  create: ["created", "kept", "changed", "replaced"],
  destroy: ["destroyed", "already-gone"],
  // A rollback reports a VM without anything to remove as "failed", because its creation had failed.
  undo: ["rolled-back", "failed"],
  clean: ["destroyed", "already-gone"],
  act: ["done"],
  "remove-image": ["destroyed", "already-gone"],
  change: ["done"],
  image: ["done", "kept"],
  checkpoint: ["done"],
  rollback: ["done"],
  "remove-checkpoint": ["destroyed", "already-gone"],
};

/** The result in a few words: `done`, or `partly-done: 2 of 3, not worker02`. */
export function describeEnd({ kind, status, vms }: OperationView): string {
  const bad = vms.filter(({ outcome }) => !isGood(kind, outcome)).map(({ name }) => name);
  if (status === "done" || bad.length === 0) return status;
  return `${status}: ${vms.length - bad.length} of ${vms.length}, not ${bad.join(", ")}`;
}

/** Whether an outcome is as requested. */
export function isGood(kind: OperationKind, outcome: VmOutcome | null): boolean {
  return GOOD[kind].includes(outcome);
}

/** Whether a VM was not finished because the user cancelled. */
export function isCancelled(outcome: VmOutcome | null): boolean {
  return outcome === "cancelled" || outcome === "cancelled-kept";
}

/** The result of an operation, from the outcomes of its VMs. */
export function overallStatus({ kind, vms }: OperationView): FinalStatus {
  const good = vms.filter(({ outcome }) => isGood(kind, outcome)).length;
  if (vms.some(({ outcome }) => outcome === "interrupted")) return "interrupted";
  if (vms.some(({ outcome }) => isCancelled(outcome))) return "cancelled";
  if (good === vms.length) return "done";
  // A VM that was created and does not answer is not nothing.
  const isPart = good > 0 || vms.some(({ outcome }) => outcome === "not-ready");
  return isPart ? "partly-done" : "failed";
}

/** The result for one VM. */
export interface VmResult extends Pick<OperationVmView, "name" | "vmId" | "message"> {
  /** What happened to it. */
  readonly outcome: VmOutcome;
}

/** The result of an operation. */
export interface RunResult {
  /** `done` when every VM is as requested, `partly-done` when some are, `failed` when none is, `cancelled`. */
  readonly status: OperationView["status"];
  /** Every VM, in the order of the plan. */
  readonly vms: readonly VmResult[];
  /** The operation with all its steps. */
  readonly operation: OperationView;
}

/** The result of a finished operation. */
export function toResult(operation: OperationView): RunResult {
  const vms = operation.vms.map(({ name, outcome, vmId, message }) => ({
    name,
    outcome: outcome ?? "failed",
    vmId,
    message,
  }));
  return { status: operation.status, vms, operation };
}
