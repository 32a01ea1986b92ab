/** Compares a configured VM with the existing VM of the same name. Pure. */
import type { Disk, Vm } from "../../inventory/inventory.ts";
import { isMarked } from "../../inventory/marks.ts";
import type { StatedSettings } from "../creation_input.ts";
import type { PlannedDevice, PlannedVm } from "../types.ts";
import { nicIndex, otherImage } from "./device_differences.ts";
import { differencesOf } from "./differences.ts";
import type { WantedVm } from "./values.ts";

/**
 * Plans what to do with an existing VM: nothing (`keep`), create missing devices (`complete`), change what differs
 * (`change`), make it anew (`replace`), or refuse (`blocked`). Only VMs with our mark are changed.
 */
export function compareVm(
  wanted: WantedVm,
  found: Vm,
  stated: StatedSettings,
  refused: readonly string[],
): PlannedVm {
  const disks = matchDisks(wanted.devices, found);
  const differences = differencesOf({ wanted, found, disks, stated, refused });
  const missing = missingDevices(wanted.devices, found, disks).map(({ step }) => step);
  const names = missing.length === 0 ? [] : [`missing: ${missing.join(", ")}`];
  const existing = { vmId: found.id, vmUuid: found.uuid, state: found.state, replacement: null };
  const base = { ...wanted, ...existing, differences, missing };
  if (!isMarked(found.description)) {
    if (names.length + differences.length === 0) return { ...base, action: "keep", reasons: [], steps: [] };
    const why = "This program did not create the VM, so it is not changed";
    // The differences say so themselves.
    const reason = names.length === 0
      ? "Change it in TrueNAS, or give it another name there"
      : `${names.join()}. ${why}; add them in TrueNAS`;
    return { ...base, action: "blocked", reasons: [reason], steps: [] };
  }
  if (differences.some(({ replaces }) => replaces)) {
    return { ...base, action: "replace", reasons: names, steps: [] };
  }
  const isChanged = differences.some(({ change }) => change !== null);
  const isStopped = found.state === "STOPPED";
  const starts = neverStarted(wanted, found);
  // What is missing is added without being selected, because a creation may have ended half-way.
  const isWhole = isStopped && !differences.some(({ kind }) => kind === "hardware");
  const steps = isWhole ? [...missing, ...(starts ? ["start"] : [])] : [];
  if (isChanged || (missing.length > 0 && !isStopped)) {
    return { ...base, action: "change", reasons: names, steps };
  }
  if (steps.length === 0) return { ...base, action: "keep", reasons: [], steps };
  if (missing.length === 0) {
    return { ...base, action: "complete", reasons: ["it has never been started"], steps };
  }
  const note = wanted.start && !starts ? ["it stays stopped because it may have run before"] : [];
  return { ...base, action: "complete", reasons: [...names, ...note], steps };
}

/** Whether a VM created here should run but never did; a VM that somebody may have stopped stays stopped. */
function neverStarted({ start }: WantedVm, { state, everStarted, description }: Vm): boolean {
  return start && state === "STOPPED" && everStarted === false && isMarked(description);
}

/**
 * Maps the step of each configured disk to the existing disk: the one with its name, or one created for this VM under
 * another name (renaming a VM keeps its zvols), or one whose origin cannot be read.
 */
export function matchDisks(devices: readonly PlannedDevice[], found: Vm): ReadonlyMap<string, Disk> {
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
        return !found.cdroms.some(({ path }) => path === device.path) &&
          otherImage(found, device.path) === null;
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
