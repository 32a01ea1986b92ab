/** vm.clone: copies a VM with clones of its disks; each release leaves other resources behind when that fails halfway. */
import { autoPorts } from "../rules/display_rules.ts";
import { randomMac } from "../rules/macs.ts";
import type { Call, Method, Nas } from "../nas.ts";
import { devicePathOf, devicesOf, type StoredDevice, type StoredVm, zvolAt } from "../store.ts";
import { getVm } from "./vm_lifecycle.ts";
import { emitCrud } from "../vm_rows.ts";
import { validate } from "../rules/vm_rules.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError } from "../wire/wire_errors.ts";
import { addClone, addSnapshot, dropDataset } from "../zfs/zfs.ts";

/** The resources that a clone has created so far. */
interface ClonedResources {
  readonly snapshots: string[];
  readonly zvols: string[];
}

/** vm.clone */
export const cloneVm: Method = async (nas, [id, wanted], call) => {
  const source = getVm(nas, id);
  const names = new Set([...nas.store.vms.values()].map(({ config }) => config.name));
  const name = typeof wanted === "string" ? wanted : freeName(source.config.name, (it) => names.has(it));
  const config = { ...source.config, name, uuid: crypto.randomUUID() };
  validate(nas, config, "vm_create", null);
  await nas.sleep(nas.times.callMs, call.signal);
  const copy: StoredVm = { id: ++nas.store.lastVmId, config, state: "STOPPED", everStarted: false };
  nas.store.vms.set(copy.id, copy);
  const created: ClonedResources = { snapshots: [], zvols: [] };
  try {
    for (const device of devicesOf(nas.store, source.id)) {
      await cloneDevice(nas, device, { copy, created, call });
    }
    await call.pass("middle");
  } catch (error) {
    // Up to 25.10 the incomplete VM and its snapshots stay.
    if (nas.profile.zfs === "resource") undo(nas, copy, created);
    else emitCrud(nas, "added", copy);
    throw error;
  }
  emitCrud(nas, "added", copy);
  return true;
};

/** A name with the first free `_cloneN`. */
function freeName(name: string, isTaken: (name: string) => boolean): string {
  let n = 0;
  while (isTaken(`${name}_clone${n}`)) n++;
  return `${name}_clone${n}`;
}

interface Copying {
  readonly copy: StoredVm;
  readonly created: ClonedResources;
  readonly call: Call;
}

async function cloneDevice(nas: Nas, device: StoredDevice, { copy, created, call }: Copying): Promise<void> {
  const attributes = structuredClone(device.attributes);
  // TrueNAS does not copy the files of raw disks.
  if (attributes.dtype === "RAW") return;
  if (attributes.dtype === "DISK") {
    const zvol = zvolAt(attributes.path) ?? "";
    if (!nas.store.datasets.has(zvol)) throw callError(ERRNO.ENOENT, `zvol ${zvol} does not exist.`);
    await nas.sleep(nas.times.zvolMs, call.signal);
    attributes.path = devicePathOf(cloneZvol(nas, zvol, copy.config.name, created));
  }
  if (attributes.dtype === "DISPLAY") Object.assign(attributes, autoPorts(nas));
  if (attributes.dtype === "NIC") attributes.mac = nas.profile.fillsMac ? randomMac() : null;
  const id = ++nas.store.lastDeviceId;
  nas.store.devices.set(id, { id, vm: copy.id, order: device.order, attributes });
}

/** `<zvol>@<new name>` and `<zvol>_<new name>`; `_cloneN` is added where either exists. */
function cloneZvol({ store }: Nas, zvol: string, name: string, created: ClonedResources): string {
  const free = (isTaken: (name: string) => boolean) => isTaken(name) ? freeName(name, isTaken) : name;
  const snapshot = `${zvol}@${free((it) => store.snapshots.has(`${zvol}@${it}`))}`;
  const clone = `${zvol}_${free((it) => store.datasets.has(`${zvol}_${it}`))}`;
  addSnapshot(store, snapshot);
  created.snapshots.push(snapshot);
  addClone(store, snapshot, clone);
  created.zvols.push(clone);
  return clone;
}

function undo({ store }: Nas, copy: StoredVm, { snapshots, zvols }: ClonedResources): void {
  for (const zvol of zvols) dropDataset(store, zvol);
  for (const snapshot of snapshots) store.snapshots.delete(snapshot);
  for (const { id } of devicesOf(store, copy.id)) store.devices.delete(id);
  store.vms.delete(copy.id);
}
