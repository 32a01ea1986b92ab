/** Converts TrueNAS's rows into this program's types. Pure. */
import type { Cdrom, Dataset, Disk, Display, Nic, OtherDevice, Values, Vm } from "../inventory/inventory.ts";
import { seedArgumentOf, withoutSeedArgument } from "../first_boot/command_line_args.ts";
import { isSeedDataset, seedDatasetOf } from "../first_boot/iso/seed_dataset.ts";
import { zvolMarkOf } from "../inventory/marks.ts";
import { zvolOfPath } from "../inventory/names.ts";
import type { DatasetRow, DeviceRow, VmRow } from "./method_types.ts";
import { TEMPLATE_COLUMNS } from "./versions.ts";

/** A row of vm.query, without the sizes of its disks. */
export function toVm(row: VmRow): Vm {
  const of = (dtype: string) => row.devices.filter(({ attributes }) => attributes.dtype === dtype);
  const cdroms = of("CDROM").map(toCdrom);
  const seedDisk = cdroms.find(({ path }) => seedDatasetOf(path) !== null) ?? null;
  return {
    id: row.id,
    name: row.name,
    state: row.status.state,
    description: row.description ?? "",
    vcpus: row.vcpus * row.cores * row.threads,
    sockets: row.vcpus,
    cores: row.cores,
    threads: row.threads,
    memoryMib: row.memory,
    autostart: row.autostart,
    cpuMode: row.cpu_mode ?? null,
    ...withoutSeed(picked(row, TEMPLATE_COLUMNS)),
    uuid: row.uuid ?? null,
    everStarted: null,
    disks: [...of("DISK"), ...of("RAW")].map(toDisk),
    nics: of("NIC").map(toNic),
    displays: of("DISPLAY").map(toDisplay),
    cdroms: cdroms.filter(({ path }) => seedDatasetOf(path) === null),
    seedDisk,
    ...(seedDisk === null ? {} : { seeded: true }),
    others: row.devices.filter(({ attributes }) => !KNOWN_DEVICES.includes(attributes.dtype)).map(toOther),
  };
}

/** The address of a seed is a secret, and no setting that a template states. */
function withoutSeed(columns: Values): Pick<Vm, "columns" | "seeded"> {
  const { command_line_args: args } = columns;
  if (typeof args !== "string" || seedArgumentOf(args) === null) return { columns };
  return { columns: { ...columns, command_line_args: withoutSeedArgument(args) }, seeded: true };
}

function toDisk({ id, order, attributes }: DeviceRow): Disk {
  const path = text(attributes.path) ?? "";
  const bus = attributes.type === "VIRTIO" || attributes.type === "AHCI" ? attributes.type : null;
  return {
    bus,
    attributes: picked(attributes, DEVICE_ATTRIBUTES),
    deviceId: id,
    path,
    zvol: zvolOfPath(path),
    sizeBytes: null,
    takenBytes: null,
    usedBytes: null,
    sparse: null,
    mark: null,
    order: order ?? 0,
  };
}

function toNic({ id, attributes }: DeviceRow): Nic {
  return {
    deviceId: id,
    attach: text(attributes.nic_attach),
    mac: text(attributes.mac)?.toLowerCase() ?? null,
    ip: null,
    attributes: picked(attributes, DEVICE_ATTRIBUTES),
    model: text(attributes.type),
  };
}

function toDisplay({ id, attributes }: DeviceRow): Display {
  return {
    deviceId: id,
    type: text(attributes.type) ?? "SPICE",
    bind: text(attributes.bind) ?? "",
    port: number(attributes.port),
    webPort: number(attributes.web_port),
    attributes: picked(attributes, DEVICE_ATTRIBUTES),
  };
}

function toCdrom({ id, order, attributes }: DeviceRow): Cdrom {
  return { deviceId: id, path: text(attributes.path) ?? "", order: order ?? 0 };
}

/** What templates can state of devices, besides what is named above. */
const DEVICE_ATTRIBUTES: readonly string[] =
  "type resolution wait web trust_guest_rx_filters logical_sectorsize physical_sectorsize iotype".split(" ");

function picked(row: Readonly<Record<string, unknown>>, names: readonly string[]): Values {
  return Object.fromEntries(names.flatMap((name) => {
    const value = row[name];
    const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
    return isPlain ? [[name, value as Values[string]]] : [];
  }));
}

const KNOWN_DEVICES: readonly string[] = ["DISK", "RAW", "NIC", "DISPLAY", "CDROM"];

function toOther({ id, attributes }: DeviceRow): OtherDevice {
  return { deviceId: id, dtype: attributes.dtype, what: describeOther(attributes) };
}

/** Shows only attributes known to contain no secrets. */
function describeOther(
  { dtype, pptdev, device, usb, portal_address: portal }: DeviceRow["attributes"],
): string {
  if (dtype === "PCI") return text(pptdev) ?? "";
  if (dtype === "ISCSI_DISK") return text(portal) ?? "";
  if (dtype !== "USB") return "";
  const { vendor_id: vendor, product_id: product } = isRecord(usb) ? usb : {};
  const ids = [text(vendor), text(product)].filter((id) => id !== null).join(":");
  return text(device) ?? ids;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** A row of pool.dataset.query. */
export function toDataset(row: DatasetRow): Dataset {
  const reserved = bytes(row.refreservation);
  return {
    name: row.id,
    type: row.type === "VOLUME" ? "VOLUME" : "FILESYSTEM",
    availableBytes: bytes(row.available),
    volsizeBytes: bytes(row.volsize),
    takenBytes: bytes(row.used),
    usedBytes: bytes(row.usedbydataset),
    sparse: row.type === "VOLUME" && row.refreservation ? (reserved ?? 0) === 0 : null,
    reservedBytes: row.type === "VOLUME" ? reserved : null,
    // The datasets of seeds are marked like zvols; others could inherit properties.
    mark: row.type === "VOLUME" || isSeedDataset(row.id)
      ? zvolMarkOf((property) => row.user_properties?.[property]?.rawvalue)
      : null,
    marksVisible: row.user_properties != null,
    locked: row.locked ?? false,
  };
}

function bytes(property: DatasetRow["volsize"]): number | null {
  if (typeof property?.parsed === "number") return property.parsed;
  const raw = Number(property?.rawvalue ?? NaN);
  return Number.isFinite(raw) ? raw : null;
}
