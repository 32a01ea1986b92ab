/** Describes a creation plan in words, for pages and the command line. Pure. */
import { formatBytes, formatCount, formatMib } from "../units.ts";
import type { CreationPlan, Difference, PlannedAction, PlannedVm, SurplusVm } from "./types.ts";

/** Totals of a plan: `4 VMs, 8 vCPUs, 16 GiB of memory`, or why nothing would be created. */
export function describeTotals({ vms: all, surplus, totals }: CreationPlan): string {
  const { vms, vcpus, memoryMib, zvols, zvolBytes } = totals;
  if (vms === 0) return describeNothing(all, surplus.length);
  const parts = [formatCount(vms, "VM"), formatCount(vcpus, "vCPU"), `${formatMib(memoryMib)} of memory`];
  if (zvols > 0) parts.push(`${formatCount(zvols, "zvol")} of ${formatBytes(zvolBytes)}`);
  return parts.join(", ");
}

function describeNothing(vms: readonly PlannedVm[], surplus: number): string {
  const count = (action: PlannedAction) => vms.filter((vm) => vm.action === action).length;
  const [blocked, differing] = [count("blocked"), count("differs")];
  if (blocked === 0 && differing === 0) {
    if (surplus === 0) return "nothing to do, every VM matches the configuration";
    return `nothing to create, ${formatCount(surplus, "VM")} ${surplus === 1 ? "is" : "are"} surplus`;
  }
  const parts: string[] = [];
  if (blocked > 0) parts.push(`${formatCount(blocked, "VM")} blocked`);
  if (differing > 0) parts.push(`${formatCount(differing, "VM")} ${differing === 1 ? "differs" : "differ"}`);
  return `nothing can be created: ${parts.join(", ")}`;
}

/** Display names of configuration values, by the part of their path that the user did not name. */
const FIELD_WORDS: Readonly<Record<string, string>> = {
  memory: "memory",
  cpu: "vCPUs",
  disk: "disks",
  network: "networks",
  pool_path: "dataset",
  cdrom_path: "install image",
  display: "display",
};

/** Why a VM is treated as planned. For a reason listed among the findings of all VMs, names its field instead. */
export function describeReasons({ reasons, differences }: PlannedVm, { findings }: CreationPlan): string[] {
  const own = reasons.map((reason) => {
    const finding = findings.find(({ message }) => message === reason);
    if (finding === undefined) return reason;
    const word = finding.field.split(".").map((part) => FIELD_WORDS[part]).find((it) => it !== undefined);
    return `see ${word ?? "name"}`;
  });
  return [
    ...new Set(own),
    ...differences.map(describeDifference),
  ];
}

/** A difference in words: `memory is 4 GiB, configured 2 GiB`. */
export function describeDifference({ field, wanted, found, never }: Difference): string {
  const values = `${field} is ${shortened(found)}, configured ${shortened(wanted)}`;
  return never === null ? values : `${values} (${never})`;
}

/** A description can have 1,024 characters and several lines. */
const MAX_VALUE_CHARS = 80;

/** A value of a difference for a line of text. */
export function shortened(value: string): string {
  const line = value.replaceAll(/\s+/g, " ").trim();
  if (line === "") return "empty";
  return line.length > MAX_VALUE_CHARS ? `${line.slice(0, MAX_VALUE_CHARS)}…` : line;
}

/** What becomes of a VM beyond its type's count, and how to destroy it. */
export function describeSurplus({ name, type, count }: SurplusVm): string {
  return `not touched: ${type} has a count of ${count}; to destroy it, run destroy --vm ${name}`;
}
