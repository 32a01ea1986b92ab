/** What a plan's rows say about a VM that exists: names of fields, when a change takes effect, and what it costs. */
import type { CreationPlan, Difference, PlannedVm } from "../../../lib/plan/types.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";

const FIELDS: Readonly<Record<string, string>> = {
  vcpus: "vCPUs",
  cores: "Cores",
  threads: "Threads per core",
  memory: "Memory",
  cpu_mode: "CPU mode",
  autostart: "Autostart",
  description: "Description",
  bootloader: "Boot",
  bootloader_ovmf: "Firmware",
  enable_secure_boot: "Secure boot",
  secure_boot: "Secure boot",
  order: "Boot order",
  cdrom: "Install image",
  display: "Display",
};

const ATTRIBUTES: Readonly<Record<string, string>> = {
  bind: "bind address",
  port: "port",
  web_port: "web port",
  model: "model",
  mac: "MAC",
  bus: "bus",
};

/** A field for people: `Memory`, `NIC 1 model`, `Disk 2`. */
export function fieldLabel(field: string): string {
  const [part = "", attribute] = field.split(".");
  const [, sort, number] = /^(disk|nic)(\d+)$/.exec(part) ?? [];
  const own = sort === undefined
    ? FIELDS[part] ?? sentence(part)
    : `${sort === "disk" ? "Disk" : "NIC"} ${Number(number) + 1}`;
  return attribute === undefined ? own : `${own} ${ATTRIBUTES[attribute] ?? attribute.replaceAll("_", " ")}`;
}

function sentence(field: string): string {
  const words = field.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Whether a VM that exists is stopped, so that everything can be changed now. */
export function isStopped({ state }: Pick<PlannedVm, "state">): boolean {
  return state === "STOPPED";
}

/** When a change takes effect; empty for one that is never made, which {@link whyNever} explains. */
export function effectOf({ needsStop, never, replaces }: Difference, vm: PlannedVm): string {
  if (never !== null) return "";
  if (replaces) return "needs a new VM";
  if (vm.action === "replace") return "comes with the new VM";
  if (isStopped(vm)) return "now";
  return needsStop ? "from its next start" : "at once";
}

/** Why some of a VM's differences stay, each reason once; null when none does. */
export function whyNever({ differences }: PlannedVm): string | null {
  const reasons = new Set(differences.flatMap(({ never }) => never ?? []));
  if (reasons.size === 0) return null;
  const fields = differences.filter(({ never }) => never !== null).map(({ field }) => fieldLabel(field));
  const what = fields.length === differences.length ? "" : ` (${fields.join(", ")})`;
  return `Not changed${what}: ${[...reasons].join("; ")}.`;
}

/** What else a person should know before they change a VM. */
export function costsOfChange(vm: PlannedVm): string {
  const { differences } = vm;
  const kinds = new Set(differences.map(({ change }) => change?.kind));
  const hasMac = differences.some(({ change }) => change?.kind === "device" && "mac" in change.set);
  return [
    isStopped(vm) ? "The VM is stopped and stays so." : whenRunning(vm),
    ...(kinds.has("grow") ? ["A disk that was made larger cannot be made smaller again."] : []),
    ...(kinds.has("reservation") ? ["The pool's free space changes."] : []),
    ...(kinds.has("remove-device") ? ["The image file stays on the NAS."] : []),
    ...(hasMac ? ["With another MAC it can get another IP address."] : []),
    "Nothing is lost.",
  ].join(" ");
}

function whenRunning({ state, differences, missing }: PlannedVm): string {
  if (state === "SUSPENDED") return "The VM is suspended: it cannot be restarted.";
  const isLater = missing.length > 0 ||
    differences.some(({ change, needsStop }) => change !== null && needsStop);
  return isLater
    ? "The VM is running: choose below whether it is restarted."
    : "The VM is running and stays so.";
}

/** What replacing a VM deletes. */
export function goesWith({ replacement }: PlannedVm): string {
  const zvols = (replacement?.zvols ?? []).map(({ name, sizeBytes, snapshots }) => {
    const details = [
      ...(sizeBytes === null ? [] : [formatBytes(sizeBytes)]),
      ...(snapshots === null || snapshots.length === 0 ? [] : [formatCount(snapshots.length, "snapshot")]),
    ];
    return details.length === 0 ? name : `${name} (${details.join(", ")})`;
  });
  return ["the VM", ...zvols].join(", ");
}

/** What a new VM gets from the one that it replaces. */
export function staysWith({ replacement }: PlannedVm): string {
  const disks = (replacement?.keeps ?? []).map(({ zvol }) => zvol);
  return [...disks, "MAC addresses", "display port"].join(", ");
}

/** How a VM comes back after it was replaced. */
export function afterReplacing({ replacement, state }: PlannedVm): string {
  if (replacement?.start !== true) return "The new VM is not started.";
  return state === "RUNNING" ? "It is shut down first, and the new VM is started." : "The new VM is started.";
}

/** Equal for VMs of which the page says the same. */
export function causeOf(vm: PlannedVm): string {
  const { action, reasons, differences, missing, replacement } = vm;
  const values = differences.map(({ field, found, wanted, never }) => [field, found, wanted, never]);
  const zvols = replacement?.zvols.map(({ name }) => name) ?? [];
  return JSON.stringify([action, isStopped(vm), vm.state === "SUSPENDED", reasons, values, missing, zvols]);
}

/** `30 to change, 18 to keep`: what a plan does with the VMs of one type. */
export function sumsOf(vms: CreationPlan["vms"]): string {
  const counts = Map.groupBy(vms, ({ action }) => action);
  return [...counts].map(([action, own]) => `${own.length} ${SUMS[action]}`).join(", ");
}

const SUMS = {
  create: "to create",
  complete: "to complete",
  change: "to change",
  replace: "to replace",
  blocked: "blocked",
  keep: "to keep",
} as const satisfies Record<PlannedVm["action"], string>;
