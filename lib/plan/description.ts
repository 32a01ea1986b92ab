/** A creation plan in words, the same on the page and on the command line. Pure. */
import { formatBytes, formatCount, formatMib } from "../units.ts";
import type { CreationPlan, PlannedAction, PlannedVm } from "./types.ts";

/** What applying the plan comes to: `4 VMs, 8 vCPUs, 16 GiB of memory`, or why nothing would be made. */
export function describeTotals({ vms: all, totals }: CreationPlan): string {
  const { vms, vcpus, memoryMib, zvols, zvolBytes } = totals;
  if (vms === 0) return describeNothing(all);
  const parts = [formatCount(vms, "VM"), formatCount(vcpus, "vCPU"), `${formatMib(memoryMib)} of memory`];
  if (zvols > 0) parts.push(`${formatCount(zvols, "zvol")} of ${formatBytes(zvolBytes)}`);
  return parts.join(", ");
}

function describeNothing(vms: readonly PlannedVm[]): string {
  const count = (action: PlannedAction) => vms.filter((vm) => vm.action === action).length;
  const [blocked, differing] = [count("blocked"), count("differs")];
  if (blocked === 0 && differing === 0) return "nothing to do, every VM is as wanted";
  const parts = [
    ...(blocked === 0 ? [] : [`${formatCount(blocked, "VM")} blocked`]),
    ...(differing === 0
      ? []
      : [`${formatCount(differing, "VM")} that ${differing === 1 ? "differs" : "differ"}`]),
  ];
  return `nothing can be created: ${parts.join(", ")}`;
}

/** What a person calls a value of the configuration, by the last part of its path that is not a name of theirs. */
const FIELD_WORDS: Readonly<Record<string, string>> = {
  memory: "memory",
  cpu: "vCPUs",
  disk: "disks",
  network: "networks",
  pool_path: "dataset",
  cdrom_path: "install image",
  display: "display",
};

/**
 * Why a VM is treated as it is. What stands among the plan's findings, once for all VMs, is not repeated: its field
 * is named.
 */
export function describeReasons({ reasons, differences }: PlannedVm, { findings }: CreationPlan): string[] {
  const own = reasons.map((reason) => {
    const finding = findings.find(({ message }) => message === reason);
    if (finding === undefined) return reason;
    const word = finding.field.split(".").map((part) => FIELD_WORDS[part]).find((it) => it !== undefined);
    return `see ${word ?? "name"}`;
  });
  return [
    ...new Set(own),
    ...differences.map(({ field, wanted, found }) => `${field} is ${found}, wanted ${wanted}`),
  ];
}
