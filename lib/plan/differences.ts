/**
 * The fields in which an existing VM differs from what configuration and templates say. What neither of them states, such
 * as a port that the plan chose, is not compared. Pure.
 */
import type { Disk, Vm } from "../inventory/inventory.ts";
import { isMarked, MARK } from "../inventory/marks.ts";
import { formatBytes, MIB } from "../units.ts";
import type { StatedSettings } from "./creation_input.ts";
import type { Difference, PlannedDevice, PlannedVm } from "./types.ts";

/** A configured VM, before the NAS is checked for an existing one. */
export type WantedVm = Omit<
  PlannedVm,
  "action" | "reasons" | "differences" | "missing" | "vmId" | "vmUuid" | "steps"
>;

/** What a VM is compared with. */
export interface Comparison {
  readonly wanted: WantedVm;
  readonly found: Vm;
  /** The existing disk of each configured one, by step. */
  readonly disks: ReadonlyMap<string, Disk>;
  readonly stated: StatedSettings;
}

/** Every difference. In a VM created elsewhere, which is never changed, only the hardware is compared. */
export function differencesOf(comparison: Comparison): Difference[] {
  const { wanted, found } = comparison;
  const isOurs = isMarked(found.description);
  const differences = [
    ...compare("vcpus", wanted.vcpus, found.vcpus, HARDWARE),
    ...compare("threads", wanted.threads, found.threads, SETTING),
    ...compareSizes("memory", wanted.memoryMib * MIB, found.memoryMib * MIB, HARDWARE),
    ...compareSettings(comparison),
    ...wanted.devices.flatMap((device) => compareDevice(device, comparison)),
  ];
  if (isOurs) return differences;
  return differences.filter(({ kind }) => kind === "hardware").map((it) => ({ ...it, never: NOT_OURS }));
}

const NOT_OURS = "this program did not create the VM";
const NEVER_SMALLER = "a disk is never made smaller";

type Nature = Pick<Difference, "needsStop" | "never" | "kind">;

/** TrueNAS takes these for a running VM, whose guest has them only once the VM was stopped and started. */
const HARDWARE: Nature = { needsStop: true, never: null, kind: "hardware" };
const SETTING: Nature = { needsStop: true, never: null, kind: "setting" };
/** What only the NAS itself looks at. */
const NAS_SETTING: Nature = { needsStop: false, never: null, kind: "setting" };
/** TrueNAS's `refreservation` can be changed at any time. */
const RESERVATION: Nature = { needsStop: false, never: null, kind: "hardware" };
const SMALLER: Nature = { needsStop: false, never: NEVER_SMALLER, kind: "hardware" };

type Value = string | number | null | undefined;

/** Nothing is compared where either value is unknown. */
function compare(field: string, wanted: Value, found: Value, nature: Nature): Difference[] {
  if (wanted === null || wanted === undefined || found === null || found === undefined) return [];
  if (wanted === found) return [];
  return [{ field, wanted: String(wanted), found: String(found), ...nature }];
}

function compareSizes(field: string, wanted: number, found: number, nature: Nature): Difference[] {
  // Exact sizes, for two that round to the same text.
  const format = formatBytes(wanted) === formatBytes(found) ? formatExactBytes : formatBytes;
  return compare(field, format(wanted), format(found), nature);
}

function formatExactBytes(sizeBytes: number): string {
  return sizeBytes % MIB === 0 ? `${sizeBytes / MIB} MiB` : `${sizeBytes} B`;
}

function compareSettings({ wanted, found, stated }: Comparison): Difference[] {
  const description = wanted.description || stated.description;
  const own = found.description.replace(MARK, "").trim();
  return [
    ...compare("cpu_mode", stated.cpuMode, found.cpuMode, SETTING),
    ...compare("autostart", yesNo(wanted.autostart ?? stated.autostart), yesNo(found.autostart), NAS_SETTING),
    ...compare("description", description?.trim(), own, NAS_SETTING),
  ];
}

function yesNo(value: boolean | null): string | null {
  return value === null ? null : value ? "yes" : "no";
}

function compareDevice(device: PlannedDevice, { found, disks, stated }: Comparison): Difference[] {
  const { step } = device;
  switch (device.dtype) {
    case "DISPLAY":
      return compare(`${step}.bind`, stated.bind, found.displays[0]?.bind, SETTING);
    case "CDROM":
      return compare(step, device.path, otherImage(found, device.path), SETTING);
    case "NIC": {
      const nic = found.nics[nicIndex(step)];
      return [
        ...compare(step, device.attach, nic?.attach || null, HARDWARE),
        ...compare(step, device.mac, nic?.mac || null, HARDWARE),
        ...compare(`${step}.model`, stated.nicModel, nic?.model, SETTING),
      ];
    }
    case "DISK":
      return compareDisk(device, disks.get(step), stated);
  }
}

function compareDisk(
  { step, sizeBytes, sparse }: Extract<PlannedDevice, { dtype: "DISK" }>,
  disk: Disk | undefined,
  { diskBus }: StatedSettings,
): Difference[] {
  if (disk === undefined) return [];
  // A disk of a file or an unknown zvol has no size here.
  const found = disk.sizeBytes ?? sizeBytes;
  return [
    ...compareSizes(step, sizeBytes, found, sizeBytes < found ? SMALLER : HARDWARE),
    ...compare(step, spaceOf(sparse), spaceOf(disk.sparse), RESERVATION),
    ...compare(`${step}.bus`, diskBus, disk.bus, SETTING),
  ];
}

function spaceOf(sparse: boolean | null): string | null {
  return sparse === null ? null : sparse ? "sparse" : "thick";
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
