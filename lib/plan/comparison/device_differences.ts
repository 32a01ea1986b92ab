/** The differences of an existing VM's devices. Pure. */
import type { Disk, Vm } from "../../inventory/inventory.ts";
import type { Values } from "../changes.ts";
import { bootOrderDifference } from "./boot_order.ts";
import type { StatedSettings } from "../creation_input.ts";
import type { Difference, PlannedDevice } from "../types.ts";
import {
  BY_REPLACING,
  changedBy,
  compare,
  compareSizes,
  type Comparison,
  HARDWARE,
  type Kind,
  RESERVATION,
  SETTING,
} from "./values.ts";

/** What differs in the devices that the VM has. */
export function deviceDifferences(comparison: Comparison): Difference[] {
  return [
    ...comparison.wanted.devices.flatMap((device) => compareDevice(device, comparison)),
    ...bootOrderDifference(comparison),
  ];
}

function compareDevice(device: PlannedDevice, { found, disks, stated }: Comparison): Difference[] {
  const { step } = device;
  switch (device.dtype) {
    case "DISPLAY": {
      const display = found.displays[0];
      if (display === undefined) return [];
      const known = { step, dtype: "DISPLAY", deviceId: display.deviceId };
      return [
        ...attribute(`${step}.bind`, known, { bind: stated.bind }, { bind: display.bind }),
        ...furtherAttributes(known, stated.attributes?.DISPLAY, display.attributes),
      ];
    }
    case "CDROM": {
      const other = otherImage(found, device.path);
      const cdrom = found.cdroms[0];
      if (other === null || cdrom === undefined) return [];
      const known = { step, dtype: "CDROM", deviceId: cdrom.deviceId };
      return attribute(step, known, { path: device.path }, { path: other });
    }
    case "NIC":
      return compareNic(device, found, stated);
    case "DISK":
      return compareDisk(device, disks.get(step), stated);
  }
}

function compareNic(
  { step, attach, mac }: Extract<PlannedDevice, { dtype: "NIC" }>,
  found: Vm,
  { nicModel, attributes }: StatedSettings,
): Difference[] {
  const nic = found.nics[nicIndex(step)];
  if (nic === undefined) return [];
  const known = { step, dtype: "NIC", deviceId: nic.deviceId };
  return [
    ...attribute(step, known, { nic_attach: attach }, { nic_attach: nic.attach || null }, HARDWARE),
    ...attribute(step, known, { mac }, { mac: nic.mac || null }, HARDWARE),
    ...attribute(`${step}.model`, known, { type: nicModel }, { type: nic.model ?? null }),
    ...furtherAttributes(known, attributes?.NIC, nic.attributes),
  ];
}

function compareDisk(
  { step, sizeBytes, sparse, force }: Extract<PlannedDevice, { dtype: "DISK" }>,
  disk: Disk | undefined,
  { diskBus, attributes }: StatedSettings,
): Difference[] {
  if (disk === undefined) return [];
  const { zvol, deviceId } = disk;
  const known = { step, dtype: "DISK", deviceId };
  const bus = [
    ...attribute(`${step}.bus`, known, { type: diskBus }, { type: disk.bus }),
    ...furtherAttributes(known, attributes?.DISK, disk.attributes),
  ];
  // A disk of a file or an unknown zvol has no size here.
  if (zvol === null || disk.sizeBytes === null) return bus;
  const wasBytes = disk.sizeBytes;
  const grows = changedBy({ kind: "grow", device: step, zvol, sizeBytes, wasBytes, force });
  const size = sizeBytes < wasBytes ? BY_REPLACING : grows;
  const space = compare(step, spaceOf(sparse), spaceOf(disk.sparse), {
    ...RESERVATION,
    ...changedBy({
      kind: "reservation",
      device: step,
      zvol,
      sparse: sparse === true,
      wasSparse: disk.sparse === true,
      sizeBytes,
    }),
  });
  return [...compareSizes(step, sizeBytes, wasBytes, { ...HARDWARE, ...size }), ...space, ...bus];
}

function spaceOf(sparse: boolean | null): string | null {
  return sparse === null ? null : sparse ? "sparse" : "thick";
}

/** A device that both have. */
interface KnownDevice {
  readonly step: string;
  readonly dtype: string;
  readonly deviceId: number;
}

/** Compares one attribute. */
function attribute(
  field: string,
  { step, dtype, deviceId }: KnownDevice,
  set: Values,
  was: Values,
  kind: Kind = SETTING,
): Difference[] {
  const [[wanted], [found]] = [Object.values(set), Object.values(was)];
  return compare(field, textOf(wanted), textOf(found), {
    ...kind,
    ...changedBy({ kind: "device", device: step, deviceId, dtype, set, was }),
  });
}

function textOf(value: Values[string] | undefined): string | null {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === null || value === undefined ? null : String(value);
}

/** Attributes that the templates state, besides those that are named here. */
function furtherAttributes(known: KnownDevice, stated: Values = {}, found: Values = {}): Difference[] {
  return Object.entries(stated).flatMap(([key, wanted]) => {
    const present = found[key];
    if (present === undefined || present === wanted) return [];
    const change = {
      kind: "device",
      device: known.step,
      deviceId: known.deviceId,
      dtype: known.dtype,
    } as const;
    const way = changedBy({ ...change, set: { [key]: wanted }, was: { [key]: present } });
    return compare(`${known.step}.${key}`, textOf(wanted), textOf(present) ?? "none", { ...SETTING, ...way });
  });
}

/**
 * The image that a VM has in place of the configured one; null when it has that, or none. One that never started gets the
 * configured image as a missing device.
 */
export function otherImage({ cdroms, everStarted }: Vm, path: string): string | null {
  if (everStarted === false || cdroms.some((cdrom) => cdrom.path === path)) return null;
  return cdroms[0]?.path ?? null;
}

/** Position of a NIC among those of its VM. */
export function nicIndex(step: string): number {
  return Number(step.slice("nic".length));
}
