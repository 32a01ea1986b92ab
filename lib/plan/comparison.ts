/** Compares a configured VM with the existing VM of the same name. Pure. */
import type { Disk, Vm } from "../inventory/inventory.ts";
import { formatBytes, MIB } from "../units.ts";
import { isMarked } from "../inventory/marks.ts";
import type { Difference, PlannedDevice, PlannedVm } from "./types.ts";

/** A configured VM, before the NAS is checked for an existing one. */
export type WantedVm = Omit<PlannedVm, "action" | "reasons" | "differences" | "vmId" | "vmUuid" | "steps">;

/**
 * Plans what to do with an existing VM: nothing (`keep`, `differs`), create missing devices (`complete`, only if it has
 * our mark and is stopped), or refuse (`blocked`).
 */
export function compareVm(wanted: WantedVm, found: Vm): PlannedVm {
  const base = { ...wanted, vmId: found.id, vmUuid: found.uuid, steps: [], reasons: [] };
  const disks = matchDisks(wanted.devices, found);
  const differences = compareFields(wanted, found, disks);
  if (differences.length > 0) return { ...base, action: "differs", differences };
  const missing = missingDevices(wanted.devices, found, disks);
  if (missing.length === 0) {
    return neverStarted(wanted, found)
      ? { ...base, action: "complete", differences, reasons: ["it has never been started"], steps: ["start"] }
      : { ...base, action: "keep", differences };
  }
  const missingSteps = `missing: ${missing.map(({ step }) => step).join(", ")}`;
  const block = (why: string) =>
    ({ ...base, action: "blocked", differences, reasons: [`${missingSteps}. ${why}`] }) as const;
  if (!isMarked(found.description)) {
    return block("This program did not create the VM, so it is not changed; add them in TrueNAS");
  }
  if (found.state !== "STOPPED") return block(`The VM is ${found.state.toLowerCase()}; stop it first`);
  const starts = neverStarted(wanted, found);
  const steps = [...missing.map(({ step }) => step), ...(starts ? ["start"] : [])];
  const note = wanted.start && !starts ? ["it stays stopped because it may have run before"] : [];
  return { ...base, action: "complete", differences, reasons: [missingSteps, ...note], steps };
}

/** Whether a VM created here should run but never did; a VM that somebody may have stopped stays stopped. */
function neverStarted({ start }: WantedVm, { state, everStarted, description }: Vm): boolean {
  return start && state === "STOPPED" && everStarted === false && isMarked(description);
}

/**
 * Maps the step of each configured disk to the existing disk: the one with its name, or one created for this VM under
 * another name (renaming a VM keeps its zvols), or one whose origin cannot be read.
 */
function matchDisks(devices: readonly PlannedDevice[], found: Vm): ReadonlyMap<string, Disk> {
  const wanted = devices.filter((device) => device.dtype === "DISK");
  const names = new Set(wanted.map(({ zvol }) => zvol));
  const others = found.disks.filter(({ zvol, mark, sizeBytes }) =>
    zvol !== null && !names.has(zvol) && (mark === null ? sizeBytes === null : mark.vm === found.uuid)
  ).toSorted((a, b) => a.order - b.order);
  return new Map(wanted.flatMap(({ step, zvol: name }) => {
    const disk = found.disks.find(({ zvol }) => zvol === name) ?? others.shift();
    return disk === undefined ? [] : [[step, disk]];
  }));
}

function compareFields(wanted: WantedVm, found: Vm, disks: ReadonlyMap<string, Disk>): Difference[] {
  const differences: Difference[] = [];
  const compare = (field: string, wanted: string, found: string) => {
    if (wanted !== found) differences.push({ field, wanted, found });
  };
  const compareSize = (field: string, wanted: number, found: number) => {
    // Exact sizes, for two that round to the same text.
    const format = formatBytes(wanted) === formatBytes(found) ? formatExactBytes : formatBytes;
    compare(field, format(wanted), format(found));
  };
  compare("vcpus", String(wanted.vcpus), String(found.vcpus));
  compareSize("memory", wanted.memoryMib * MIB, found.memoryMib * MIB);
  for (const device of wanted.devices) {
    if (device.dtype === "DISK") {
      const disk = disks.get(device.step);
      const { sizeBytes } = disk ?? { sizeBytes: null };
      if (sizeBytes !== null) compareSize(device.step, device.sizeBytes, sizeBytes);
      const sparse = disk?.sparse ?? null;
      if (device.sparse !== null && sparse !== null) {
        compare(device.step, device.sparse ? "sparse" : "thick", sparse ? "sparse" : "thick");
      }
    }
    if (device.dtype === "NIC") {
      const nic = found.nics[nicIndex(device.step)];
      if (nic?.attach) compare(device.step, device.attach, nic.attach);
      if (nic?.mac) compare(device.step, device.mac, nic.mac);
    }
  }
  return differences;
}

function formatExactBytes(sizeBytes: number): string {
  return sizeBytes % MIB === 0 ? `${sizeBytes / MIB} MiB` : `${sizeBytes} B`;
}

function missingDevices(
  devices: readonly PlannedDevice[],
  found: Vm,
  disks: ReadonlyMap<string, Disk>,
): readonly PlannedDevice[] {
  const missing = devices.filter((device) => {
    switch (device.dtype) {
      case "DISPLAY":
        return found.displays.length === 0;
      case "CDROM":
        return !found.cdroms.some(({ path }) => path === device.path);
      case "NIC":
        return found.nics[nicIndex(device.step)] === undefined;
      case "DISK":
        return !disks.has(device.step);
    }
  });
  // A VM that only misses its CD-ROM was installed and its image removed, so it is complete.
  const isInstalled = missing.every(({ dtype }) => dtype === "CDROM") && found.everStarted !== false;
  return isInstalled ? [] : missing;
}

function nicIndex(step: string): number {
  return Number(step.slice("nic".length));
}
