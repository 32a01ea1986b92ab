/** vm.clone: a copy of a VM on clones of its disks, and what each release leaves behind when that fails half-way. */
import { autoPorts } from "../rules/display_rules.ts";
import { randomMac } from "../rules/macs.ts";
import type { Call, Method, Nas } from "../nas.ts";
import { devicesOf, type StoredDevice, type StoredVm, zvolAt } from "../store.ts";
import { emitCrud } from "../vm_rows.ts";
import { validate } from "../rules/vm_rules.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, notFound } from "../wire/wire_errors.ts";
import { addClone, addSnapshot, dropDataset } from "../zfs/zfs.ts";

/** What a clone has made so far. */
interface ClonedResources {
  readonly snapshots: string[];
  readonly zvols: string[];
}

/** vm.clone */
export const cloneVm: Method = async (nas, [id, wanted], call) => {
  const source = nas.store.vms.get(Number(id));
  if (source === undefined) throw notFound(`VM ${String(id)} does not exist`);
  const name = typeof wanted === "string" ? wanted : nextName(nas, source.config.name);
  const config = { ...source.config, name, uuid: crypto.randomUUID() };
  validate(nas, config, "vm_create", null);
  await nas.sleep(nas.times.callMs, call.signal);
  const copy: StoredVm = { id: ++nas.store.lastVmId, config, state: "STOPPED", everStarted: false };
  nas.store.vms.set(copy.id, copy);
  const made: ClonedResources = { snapshots: [], zvols: [] };
  try {
    for (const device of devicesOf(nas.store, source.id)) {
      await cloneDevice(nas, device, { copy, made, call });
    }
    await call.pass("middle");
  } catch (error) {
    // Up to 25.10 the half-made VM and its snapshots stay.
    if (nas.profile.zfs === "resource") undo(nas, copy, made);
    else emitCrud(nas, "added", copy);
    throw error;
  }
  emitCrud(nas, "added", copy);
  return true;
};

function nextName({ store }: Nas, name: string): string {
  const names = new Set([...store.vms.values()].map(({ config }) => config.name));
  let n = 0;
  while (names.has(`${name}_clone${n}`)) n++;
  return `${name}_clone${n}`;
}

interface Copying {
  readonly copy: StoredVm;
  readonly made: ClonedResources;
  readonly call: Call;
}

async function cloneDevice(nas: Nas, device: StoredDevice, { copy, made, call }: Copying): Promise<void> {
  const attributes = structuredClone(device.attributes);
  // Files of raw disks are for the user to copy.
  if (attributes.dtype === "RAW") return;
  if (attributes.dtype === "DISK") {
    const zvol = zvolAt(attributes.path) ?? "";
    if (!nas.store.datasets.has(zvol)) throw callError(ERRNO.ENOENT, `zvol ${zvol} does not exist.`);
    await nas.sleep(nas.times.zvolMs, call.signal);
    const clone = cloneZvol(nas, zvol, copy.config.name, made);
    attributes.path = `/dev/zvol/${clone.replaceAll(" ", "+")}`;
  }
  if (attributes.dtype === "DISPLAY") Object.assign(attributes, autoPorts(nas));
  if (attributes.dtype === "NIC") attributes.mac = nas.profile.fillsMac ? randomMac() : null;
  const id = ++nas.store.lastDeviceId;
  nas.store.devices.set(id, { id, vm: copy.id, order: device.order, attributes });
}

/** `<zvol>@<new name>` and `<zvol>_<new name>`; `_cloneN` is added where either exists. */
function cloneZvol({ store }: Nas, zvol: string, name: string, made: ClonedResources): string {
  const free = (taken: (name: string) => boolean) => {
    if (!taken(name)) return name;
    let n = 0;
    while (taken(`${name}_clone${n}`)) n++;
    return `${name}_clone${n}`;
  };
  const snapshot = `${zvol}@${free((it) => store.snapshots.has(`${zvol}@${it}`))}`;
  const clone = `${zvol}_${free((it) => store.datasets.has(`${zvol}_${it}`))}`;
  addSnapshot(store, snapshot);
  made.snapshots.push(snapshot);
  addClone(store, snapshot, clone);
  made.zvols.push(clone);
  return clone;
}

function undo({ store }: Nas, copy: StoredVm, { snapshots, zvols }: ClonedResources): void {
  for (const zvol of zvols) dropDataset(store, zvol);
  for (const snapshot of snapshots) store.snapshots.delete(snapshot);
  for (const { id } of devicesOf(store, copy.id)) store.devices.delete(id);
  store.vms.delete(copy.id);
}
