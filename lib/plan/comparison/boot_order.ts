/** Compares the sequence in which a VM's disks and CD-ROM boot. Pure. */
import type { PlannedChange } from "../changes.ts";
import type { Difference } from "../types.ts";
import { changedBy, compare, type Comparison, SETTING } from "./values.ts";

/** A device that boots, as configured and as it is. */
interface Bootable {
  readonly step: string;
  readonly wanted: number;
  readonly found: number;
  readonly deviceId: number;
}

/** Only the sequence matters: TrueNAS moves orders when a device is added. */
export function bootOrderDifference(comparison: Comparison): Difference[] {
  if (comparison.stated.bootOrder !== true) return [];
  const bootables = bootablesOf(comparison);
  const wanted = bootables.toSorted((a, b) => a.wanted - b.wanted);
  const found = bootables.toSorted((a, b) => a.found - b.found || a.deviceId - b.deviceId);
  return compare("boot order", namesOf(wanted), namesOf(found), {
    ...SETTING,
    ...changedBy(changeOf(wanted, found)),
  });
}

function bootablesOf({ wanted, found, disks }: Comparison): readonly Bootable[] {
  return wanted.devices.flatMap((device): Bootable[] => {
    if (device.dtype !== "DISK" && device.dtype !== "CDROM") return [];
    const existing = device.dtype === "DISK"
      ? disks.get(device.step)
      : found.cdroms.find(({ path }) => path === device.path);
    if (existing === undefined) return [];
    return [{ step: device.step, wanted: device.order, found: existing.order, deviceId: existing.deviceId }];
  });
}

function namesOf(bootables: readonly Bootable[]): string {
  return bootables.map(({ step }) => step).join(", ");
}

/** The devices exchange the orders that they have, so that what is not configured keeps its place among them. */
function changeOf(wanted: readonly Bootable[], found: readonly Bootable[]): PlannedChange {
  let last = -Infinity;
  const devices = wanted.map(({ deviceId, found: was }, n) => {
    last = Math.max(found[n]?.found ?? 0, last + 1);
    return { deviceId, order: last, was };
  });
  return { kind: "order", devices: devices.filter(({ order, was }) => order !== was) };
}
