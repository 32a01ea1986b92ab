/** What has changed in a VM since its checkpoint was taken, in words. Pure. */
import type { Vm } from "../inventory/inventory.ts";
import { formatMib } from "../units.ts";
import { type RecordedSettings, settingsOf, type SnapshotMark } from "./checkpoint.ts";

/** The changes; `zvols` are those that exist, null where they could not be read. */
export function changesSince(
  { zvols: then, settings, vm: { name } }: SnapshotMark,
  vm: Vm | null,
  zvols: ReadonlySet<string>,
): readonly string[] {
  const lost = then.filter((zvol) => !zvols.has(zvol)).map((zvol) => `the disk ${zvol} no longer exists`);
  if (vm === null) return ["the VM no longer exists", ...lost];
  const now = vm.disks.flatMap(({ zvol }) => zvol ?? []);
  const detached = then.filter((zvol) => zvols.has(zvol) && !now.includes(zvol));
  const added = now.filter((zvol) => !then.includes(zvol));
  return [
    ...(vm.name === name ? [] : [`it is now called ${vm.name}`]),
    ...lost,
    ...detached.map((zvol) => `the disk ${zvol} was detached`),
    ...added.map((zvol) => `the disk ${zvol} was added`),
    ...(settings === null ? [] : settingsChanges(settings, settingsOf(vm))),
  ];
}

function settingsChanges(then: RecordedSettings, now: RecordedSettings): readonly string[] {
  const vcpus = ({ sockets, cores, threads }: RecordedSettings) => sockets * cores * threads;
  const yesNo = (value: boolean) => value ? "yes" : "no";
  const values = [
    ["memory", formatMib(then.memoryMib), formatMib(now.memoryMib)],
    ["vCPUs", String(vcpus(then)), String(vcpus(now))],
    ["starts with the NAS", yesNo(then.autostart), yesNo(now.autostart)],
    ["NICs", list(then.nics), list(now.nics)],
    ["install images", list(then.cdroms), list(now.cdroms)],
  ] as const;
  return values.filter(([, a, b]) => a !== b).map(([what, a, b]) => `${what}: then ${a}, now ${b}`);
}

function list(values: readonly string[]): string {
  return values.length === 0 ? "none" : values.join(", ");
}
