/** vm.device.*: the devices of VMs. */
import type { Call, Method, Nas } from "../nas.ts";
import { checkDevice } from "../rules/device_rules.ts";
import { makeZvol } from "../rules/disk_rules.ts";
import { autoPorts } from "../rules/display_rules.ts";
import { randomMac } from "../rules/macs.ts";
import { choicesOf, instance, type Options, query, type Row } from "./query.ts";
import { checkArguments } from "../wire/schema_check.ts";
import { addFile, devicePathOf, devicesOf, type StoredDevice, zvolAt } from "../store.ts";
import { getVm } from "./vm_lifecycle.ts";
import { deviceRow } from "../vm_rows.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, notFound, Validation, withPaths } from "../wire/wire_errors.ts";
import { destroySingle } from "../zfs/zfs_destroy.ts";

type Attributes = StoredDevice["attributes"];

/** Default orders, with which the CD-ROM boots before the disk. */
const DEFAULT_ORDERS: Readonly<Record<string, number>> = {
  CDROM: 1000,
  DISK: 1001,
  RAW: 1001,
  ISCSI_DISK: 1001,
};
const OTHER_ORDER = 1002;

function rows(nas: Nas, call: Call): Row[] {
  return [...nas.store.devices.values()].map((device) => deviceRow(device, call));
}

/** Rules of TrueNAS's models that their JSON Schema does not contain. */
function checkModel(nas: Nas, attributes: Attributes, prefix: string): void {
  const errors = new Validation();
  if (attributes.dtype === "DISK" && attributes.create_zvol !== true && attributes.path === null) {
    errors.add(`${prefix}.attributes.DISK`, "Value error, Path must be specified if create_zvol is not set");
  }
  if (attributes.dtype === "NIC" && typeof attributes.mac === "string" && nas.profile.strictMac) {
    if (!/^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/.test(attributes.mac)) {
      const wanted = "MAC address must be a colon-separated hexadecimal value (e.g. 00:a0:99:7e:bb:8a).";
      errors.add(`${prefix}.attributes.NIC.mac`, `Assertion failed, ${wanted}`);
    }
    attributes.mac = attributes.mac.toLowerCase();
  }
  errors.check();
}

const create: Method = async (nas, [given], call) => {
  const { vm: vmId, attributes, order } = given as {
    vm: number;
    attributes: Attributes;
    order: number | null;
  };
  checkModel(nas, attributes, "vm_device_create");
  const vm = getVm(nas, vmId);
  checkDevice(nas, { vmId, vmName: vm.config.name, attributes, own: null });
  // TrueNAS checks without a lock, so two parallel calls can both pass.
  await nas.sleep(nas.times.callMs, call.signal);
  await makeZvol(nas, attributes, call);
  if (attributes.dtype === "RAW") addFile(nas.store, String(attributes.path));
  await call.pass("middle");
  complete(nas, attributes);
  const id = ++nas.store.lastDeviceId;
  const defaultOrder = DEFAULT_ORDERS[attributes.dtype] ?? OTHER_ORDER;
  const device: StoredDevice = { id, vm: vmId, order: order ?? defaultOrder, attributes };
  nas.store.devices.set(id, device);
  if (order !== null) renumber(nas, device);
  nas.emit({ msg: "added", collection: "vm.device.query", id, fields: deviceRow(device, null) });
  return deviceRow(device, call);
};

/** Adds what the NAS chooses itself. */
function complete(nas: Nas, attributes: Attributes): void {
  if (attributes.dtype === "DISPLAY") Object.assign(attributes, autoPorts(nas, attributes));
  if (attributes.dtype === "NIC" && attributes.mac === null && nas.profile.fillsMac) {
    attributes.mac = randomMac();
  }
  if (attributes.dtype === "DISK" || attributes.dtype === "RAW") attributes.serial ??= randomSerial();
}

const SERIAL_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function randomSerial(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) =>
    SERIAL_LETTERS[byte % SERIAL_LETTERS.length]
  ).join("");
}

/** Gives an order that is in use to the new device; the others move up. */
function renumber(nas: Nas, device: StoredDevice): void {
  const others = devicesOf(nas.store, device.vm).filter((other) => other !== device);
  const rest = others.toSorted((a, b) => a.order - b.order);
  if (!rest.some(({ order }) => order === device.order)) return;
  let taken = device.order;
  for (const other of rest.filter(({ order }) => order >= device.order)) {
    if (other.order > taken) break;
    other.order = ++taken;
  }
}

function getDevice(nas: Nas, id: unknown): StoredDevice {
  const device = nas.store.devices.get(Number(id));
  if (device === undefined) throw notFound(`VMDevice ${String(id)} does not exist`);
  return device;
}

const update: Method = async (nas, [id, change], call) => {
  const device = getDevice(nas, id);
  const { attributes: changed, order, vm: vmId = device.vm } = change as Partial<StoredDevice>;
  if (changed !== undefined && nas.profile.typedUpdates) checkModel(nas, changed, "vm_device_update");
  const { dtype } = device.attributes;
  const merged = nas.profile.topLevelDtype && changed !== undefined
    ? { ...changed, dtype }
    : { ...device.attributes, ...changed };
  const attributes = checkMerged(nas, vmId, merged);
  checkUnchanged(device, attributes);
  checkDevice(nas, { vmId, vmName: getVm(nas, vmId).config.name, attributes, own: device });
  await nas.sleep(nas.times.callMs, call.signal);
  await call.pass("middle");
  complete(nas, attributes);
  device.attributes = attributes;
  device.vm = vmId;
  if (typeof order === "number" && order !== device.order) {
    device.order = order;
    renumber(nas, device);
  }
  nas.emit({ msg: "changed", collection: "vm.device.query", id: device.id, fields: deviceRow(device, null) });
  return deviceRow(device, call);
};

/** Checks attributes with the model of a row, whose errors do not name the argument. */
function checkMerged(nas: Nas, vmId: number, merged: Readonly<Record<string, unknown>>): Attributes {
  const schema = nas.profile.schemas["vm.device.create"];
  if (schema === undefined) throw new Error("vm.device.create has no schema");
  // Up to 25.10 the row of a disk does not contain create_zvol.
  const { create_zvol: createsZvol, ...row } = merged;
  const isRow = nas.profile.zfs === "classic" && createsZvol === false;
  try {
    const [checked] = checkArguments(schema, [{ vm: vmId, attributes: isRow ? row : merged, order: null }]);
    const { attributes } = checked as { attributes: Attributes };
    checkModel(nas, attributes, "vm_device_create");
    return attributes;
  } catch (error) {
    throw withPaths(error, (path) => nas.profile.texts.updatePath(path));
  }
}

/** A device's dtype and the serial number chosen by the NAS cannot change. */
function checkUnchanged(device: StoredDevice, { dtype, serial }: Attributes): void {
  const errors = new Validation();
  if (dtype !== device.attributes.dtype) errors.add("attributes.dtype", "Device type cannot be changed");
  const { serial: own } = device.attributes;
  if (typeof own === "string" && serial !== own) errors.add("attributes.serial", "This field is read-only.");
  errors.check();
}

const remove: Method = async (nas, [id, options], call) => {
  const device = getDevice(nas, id);
  const { zvol: withZvol, raw_file: withFile, force } = options as Record<string, boolean | undefined>;
  if (getVm(nas, device.vm).state !== "STOPPED") {
    throw callError(ERRNO.EFAULT, "Please stop/resume associated VM before deleting VM device.");
  }
  await nas.sleep(nas.times.callMs, call.signal);
  if (withZvol === true) {
    await nas.sleep(nas.times.zvolMs, call.signal);
    destroyDisk(nas, device.attributes, force === true);
  }
  if (withFile === true) unlink(nas, device.attributes, force === true);
  await call.pass("middle");
  nas.store.devices.delete(device.id);
  nas.emit({ msg: "removed", collection: "vm.device.query", id: device.id });
  return true;
};

/** Not recursive in any release, so snapshots and their clones are safe; a missing zvol is ignored. */
function destroyDisk(nas: Nas, attributes: Attributes, force: boolean): void {
  const zvol = attributes.dtype === "DISK" ? zvolAt(attributes.path) : null;
  try {
    if (zvol === null) throw callError(ERRNO.EFAULT, "The device is not a disk and has no zvol to destroy.");
    if (nas.store.datasets.has(zvol)) destroySingle(nas, zvol);
  } catch (error) {
    if (!force) throw error;
  }
}

function unlink(nas: Nas, { dtype, path }: Attributes, force: boolean): void {
  if (dtype === "RAW") nas.store.files.delete(String(path));
  else if (!force) throw callError(ERRNO.EFAULT, "Device is not of RAW type.");
}

function nicAttachChoices(nas: Nas): unknown {
  const { bridges, interfaces } = nas.store;
  if (nas.profile.nicChoices === "grouped") return { BRIDGE: bridges, MACVLAN: interfaces };
  return choicesOf([...bridges, ...interfaces]);
}

function diskChoices(nas: Nas): Record<string, string> {
  const used = new Set([...nas.store.devices.values()].map(({ attributes }) => zvolAt(attributes.path)));
  const zvols = [...nas.store.datasets.values()].filter(({ type }) => type === "VOLUME");
  const free = zvols.filter(({ name }) => !used.has(name));
  return Object.fromEntries(free.map(({ name }) => [devicePathOf(name), name]));
}

/** vm.device.* */
export const DEVICE_METHODS: Readonly<Record<string, Method>> = {
  "vm.device.query": (nas, [filters, options], call) =>
    query(rows(nas, call), filters as unknown[], options as Options),
  "vm.device.get_instance": (nas, [id], call) => instance(rows(nas, call), id, "VMDevice"),
  "vm.device.create": create,
  "vm.device.update": update,
  "vm.device.delete": remove,
  "vm.device.nic_attach_choices": (nas) => nicAttachChoices(nas),
  "vm.device.bind_choices": (nas) => choicesOf(nas.store.bindAddresses),
  "vm.device.iotype_choices": () => choicesOf(["NATIVE", "THREADS", "IO_URING"]),
  "vm.device.disk_choices": (nas) => diskChoices(nas),
  "vm.device.iommu_enabled": () => true,
  "vm.device.pptdev_choices": () => ({}),
  "vm.device.passthrough_device_choices": () => ({}),
  "vm.device.usb_passthrough_choices": () => ({}),
  "vm.device.usb_controller_choices": () => choicesOf(USB_CONTROLLERS),
};

const USB_CONTROLLERS = "piix3-uhci piix4-uhci ehci ich9-ehci1 vt82c686b-uhci pci-ohci nec-xhci qemu-xhci"
  .split(" ");
