/** Describes a creation plan in words, for pages and the command line. Pure. */
import { shownAddress } from "../images/source/shown_address.ts";
import type { PlannedAddress } from "../first_boot/types.ts";
import { formatBytes, formatCount, formatMib } from "../units.ts";
import type {
  CreationPlan,
  Difference,
  PlannedAction,
  PlannedDevice,
  PlannedVm,
  Replacement,
  SurplusVm,
} from "./types.ts";

/** Totals of a plan: `4 VMs, 8 vCPUs, 16 GiB of memory`, or why nothing would be created. */
export function describeTotals({ vms: all, surplus, totals }: CreationPlan): string {
  const { vms, vcpus, memoryMib, zvols, zvolBytes } = totals;
  if (vms === 0) return describeNothing(all, surplus.length);
  const parts = [formatCount(vms, "VM"), formatCount(vcpus, "vCPU"), `${formatMib(memoryMib)} of memory`];
  if (zvols > 0) parts.push(`${formatCount(zvols, "disk")} of ${formatBytes(zvolBytes)}`);
  return parts.join(", ");
}

function describeNothing(vms: readonly PlannedVm[], surplus: number): string {
  const count = (action: PlannedAction) => vms.filter((vm) => vm.action === action).length;
  const [blocked, change, replace] = [count("blocked"), count("change"), count("replace")];
  const parts = [
    ...(change > 0 ? [`${formatCount(change, "VM")} can be changed`] : []),
    ...(replace > 0 ? [`${formatCount(replace, "VM")} can be replaced`] : []),
    ...(blocked > 0 ? [`${formatCount(blocked, "VM")} blocked`] : []),
    ...(surplus > 0 ? [`${formatCount(surplus, "VM")} ${surplus === 1 ? "is" : "are"} surplus`] : []),
  ];
  if (parts.length > 0) return `nothing ${blocked > 0 ? "can be created" : "to create"}: ${parts.join(", ")}`;
  const differing = vms.filter(({ differences }) => differences.length > 0).length;
  return differing === 0
    ? "nothing to do, every VM matches the configuration"
    : `nothing to do, but ${formatCount(differing, "VM")} ${
      differing === 1 ? "differs" : "differ"
    } in what is never changed`;
}

/** Display names of configuration values, by the part of their path that the user did not name. */
const FIELD_WORDS: Readonly<Record<string, string>> = {
  memory: "memory",
  cpu: "vCPUs",
  disk: "disks",
  network: "networks",
  addresses: "addresses",
  seed: "first configuration",
  ready: "readiness",
  image: "image",
  cdrom: "install image",
  macs: "MAC addresses",
  pool_path: "dataset",
  cdrom_path: "install image",
  display: "display",
};

/** Why a VM is treated as planned. For a reason listed among the findings of all VMs, names its field instead. */
export function describeReasons(vm: PlannedVm, plan: CreationPlan): string[] {
  return [
    ...ownReasons(vm, plan),
    ...vm.differences.map(describeDifference),
    ...(vm.action === "replace" && vm.replacement !== null ? [describeReplacement(vm.replacement)] : []),
  ];
}

/** What replacing a VM costs: `replacing it removes tank/vms/worker02-disk0 (20 GiB, 1 snapshot) and keeps …`. */
function describeReplacement({ zvols, keeps }: Replacement): string {
  const removed = zvols.map(({ name, sizeBytes, snapshots }) => {
    const size = sizeBytes === null ? [] : [formatBytes(sizeBytes)];
    const count = snapshots?.length ?? 0;
    return `${name} (${[...size, ...(count === 0 ? [] : [formatCount(count, "snapshot")])].join(", ")})`;
  });
  const kept = [...keeps.map(({ zvol }) => zvol), "its MAC addresses and ports"];
  return `replacing it removes ${["the VM", ...removed].join(", ")} and keeps ${kept.join(", ")}`;
}

/** The same without what differs. */
export function ownReasons({ reasons }: PlannedVm, { findings }: CreationPlan): string[] {
  const own = reasons.map((reason) => {
    const finding = findings.find(({ message }) => message === reason);
    if (finding === undefined) return reason;
    const word = finding.field.split(".").map((part) => FIELD_WORDS[part]).find((it) => it !== undefined);
    return `see ${word ?? "name"}`;
  });
  return [...new Set(own)];
}

/** A difference in words: `memory is 4 GiB, configured 2 GiB`. */
export function describeDifference({ field, wanted, found, never, replaces }: Difference): string {
  const values = `${field} is ${shortened(found)}, configured ${shortened(wanted)}`;
  const why = never ?? (replaces ? "only a replaced VM has it" : null);
  return why === null ? values : `${values} (${why})`;
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

/** What a missing device will be, in few words: `20 GiB`. */
export function describeDevice(device: PlannedDevice): string {
  switch (device.dtype) {
    case "DISPLAY":
      return `port ${device.port}`;
    case "CDROM":
      return device.path;
    case "NIC":
      return [device.attach, ...describeAddress(device.ip)].join(" ");
    case "DISK":
      return formatBytes(device.sizeBytes);
  }
}

/** A static address: `10.0.0.21/24`; nothing for DHCP. */
export function describeAddress(ip: PlannedAddress | undefined): readonly string[] {
  return ip === undefined ? [] : [`${ip.address}/${ip.prefix}`];
}

/** How the images of a plan come to the NAS, and why that way: a sentence for each that is fetched. */
export function describeImages({ vms }: Pick<CreationPlan, "vms">): readonly string[] {
  const fetched = vms.filter(({ steps }) => steps.includes("download")).flatMap(({ devices }) =>
    devices.flatMap((device) => device.dtype === "DISK" && device.image !== undefined ? [device.image] : [])
  );
  const sentences = fetched.flatMap(({ name, source }) =>
    source === undefined || source.way === null ? [] : [
      `The image ${name} is downloaded from ${
        shownAddress(source.url)
      } by the way "${source.way}", because ${source.why}`,
    ]
  );
  return [...new Set(sentences)];
}
