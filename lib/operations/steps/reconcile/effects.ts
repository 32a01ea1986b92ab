/**
 * The calls that carry out a planned change or take it back, and how the NAS shows which of both values it has. What has a
 * third value was changed by somebody else, and is left.
 */
import { TrueNASError } from "../../../errors/errors.ts";
import {
  argumentsOf,
  seedArgumentOf,
  withoutSeedArgument,
  withSeedArgument,
} from "../../../first_boot/command_line_args.ts";
import { zvolOfPath } from "../../../inventory/names.ts";
import type { PlannedChange, Values } from "../../../plan/changes.ts";
import { expectKnown, fetchDatasets } from "../../../truenas/batched_reads.ts";
import type { DeviceRow, VmRow } from "../../../truenas/method_types.ts";
import { formatBytes } from "../../../units.ts";
import { orderEffect } from "./boot_order.ts";
import { type ChangeContext, type Effect, type Present, readOwnVm } from "./effect.ts";

/** How a planned change is carried out. */
export function effectOf(context: ChangeContext, change: PlannedChange): Effect {
  switch (change.kind) {
    case "settings":
      return settingsEffect(context, change);
    case "device":
      return deviceEffect(context, change);
    case "remove-device":
      return removalEffect(context, change);
    case "order":
      return orderEffect(context, change);
    case "grow":
      return growthEffect(context, change);
    case "reservation":
      return reservationEffect(context, change);
  }
}

type ChangeOf<K extends PlannedChange["kind"]> = Extract<PlannedChange, { kind: K }>;

function settingsEffect(context: ChangeContext, { set, was }: ChangeOf<"settings">): Effect {
  const { caller, existing: { id } } = context;
  const update = async (values: Values) => caller.call("vm.update", [id, await keepingSeed(context, values)]);
  return {
    method: "vm.update",
    read: async () => compareValues(withoutSeed(await readOwnVm(context)), set, was),
    apply: () => update(set),
    revert: () => update(was),
  };
}

/** What tells the guest where its seed is belongs to no template, and stays. */
async function keepingSeed(context: ChangeContext, values: Values): Promise<Values> {
  const { command_line_args: args } = values;
  if (typeof args !== "string") return values;
  const seed = seedArgumentOf(argumentsOf(await readOwnVm(context)));
  return seed === null ? values : { ...values, command_line_args: withSeedArgument(args, seed.url) };
}

function withoutSeed(row: VmRow): VmRow {
  return { ...row, command_line_args: withoutSeedArgument(argumentsOf(row)) };
}

function deviceEffect(context: ChangeContext, change: ChangeOf<"device">): Effect {
  const { caller, displayPassword, deviceUpdate } = context;
  const { set, was, dtype, deviceId } = change;
  const update = async (values: Values) => {
    const attributes = deviceUpdate() === "merge"
      ? { ...values, dtype }
      : { ...writable((await readDevice(context, change)).attributes, displayPassword), ...values, dtype };
    return await caller.call("vm.device.update", [deviceId, { attributes }]);
  };
  return {
    method: "vm.device.update",
    read: async () => compareValues((await readDevice(context, change)).attributes, set, was),
    apply: () => update(set),
    revert: () => update(was),
  };
}

async function readDevice(
  context: ChangeContext,
  { deviceId, device, dtype }: Pick<ChangeOf<"device">, "deviceId" | "device" | "dtype">,
): Promise<DeviceRow> {
  const { devices } = await readOwnVm(context);
  const row = devices.find(({ id, attributes }) => id === deviceId && attributes.dtype === dtype);
  if (row !== undefined) return row;
  throw new TrueNASError(
    `${context.existing.name} no longer has its ${device}. It was not changed; plan again`,
  );
}

/** What TrueNAS shows instead of a password to those who may not read it. */
const MASKED = /^\*+$/;

/** A row's attributes as vm.device.update takes them; a password that cannot be read is the configured one. */
function writable(attributes: DeviceRow["attributes"], displayPassword: string): Record<string, unknown> {
  const { password, ...rest } = attributes;
  if (attributes.dtype !== "DISPLAY") return { ...attributes };
  const isReadable = typeof password === "string" && password !== "" && !MASKED.test(password);
  return { ...rest, password: isReadable ? password : displayPassword };
}

function compareValues(row: Readonly<Record<string, unknown>>, set: Values, was: Values): Present {
  const keys = Object.keys(set);
  const has = (values: Values) => (key: string) => isSame(row[key], values[key]);
  if (keys.every(has(set))) return "new";
  if (keys.every(has(was))) return "old";
  const third = keys.find((key) => !has(set)(key) && !has(was)(key));
  return third === undefined ? "partly" : { other: `${third} is ${String(row[third])}` };
}

/** TrueNAS writes MAC addresses in either case. */
function isSame(found: unknown, wanted: unknown): boolean {
  if (typeof found === "string" && typeof wanted === "string") {
    return found === wanted || (MAC.test(found) && found.toLowerCase() === wanted.toLowerCase());
  }
  return (found ?? null) === (wanted ?? null);
}

const MAC = /^([0-9A-F]{2}:){5}[0-9A-F]{2}$/i;

function removalEffect(context: ChangeContext, change: ChangeOf<"remove-device">): Effect {
  const { caller, existing } = context;
  const { deviceId, was, order, dtype } = change;
  const find = async () =>
    (await readOwnVm(context)).devices.find(({ attributes }) =>
      attributes.dtype === dtype && attributes.path === was.path
    );
  return {
    method: "vm.device.delete",
    read: async () => await find() === undefined ? "new" : "old",
    apply: () => caller.call("vm.device.delete", [deviceId, { zvol: false, raw_file: false, force: false }]),
    revert: () =>
      caller.call("vm.device.create", [{ vm: existing.id, attributes: { ...was, dtype }, order }]),
  };
}

function growthEffect(context: ChangeContext, change: ChangeOf<"grow">): Effect {
  const { caller } = context;
  const { zvol, sizeBytes, wasBytes, device, force } = change;
  return {
    method: "pool.dataset.update",
    read: async () => {
      const { volsizeBytes } = await readOwnZvol(context, zvol);
      if (volsizeBytes === sizeBytes) return "new";
      return volsizeBytes === wasBytes ? "old" : { other: `${zvol} has ${formatBytes(volsizeBytes ?? 0)}` };
    },
    apply: () =>
      caller.call("pool.dataset.update", [zvol, {
        volsize: sizeBytes,
        ...(force ? { force_size: true } : {}),
      }]),
    revert: null,
    stays: `${device} keeps its ${formatBytes(sizeBytes)}, because a disk cannot be made smaller`,
  };
}

function reservationEffect(context: ChangeContext, change: ChangeOf<"reservation">): Effect {
  const { caller } = context;
  const { zvol, sparse, wasSparse, sizeBytes, wasReservedBytes = wasSparse ? 0 : sizeBytes } = change;
  const reserve = (bytes: number) => caller.call("pool.dataset.update", [zvol, { refreservation: bytes }]);
  return {
    method: "pool.dataset.update",
    read: async () => (await readOwnZvol(context, zvol)).sparse === sparse ? "new" : "old",
    apply: () => reserve(sparse ? 0 : sizeBytes),
    revert: () => reserve(wasReservedBytes),
  };
}

/** Reads a zvol that still is a disk of the VM. */
async function readOwnZvol(context: ChangeContext, zvol: string) {
  const { devices } = await readOwnVm(context);
  const isAttached = devices.some(({ attributes: { path } }) =>
    typeof path === "string" && zvolOfPath(path) === zvol
  );
  const [dataset] = expectKnown(await fetchDatasets(context.caller, [zvol]));
  if (dataset !== undefined && isAttached) return dataset;
  throw new TrueNASError(
    `${zvol} is no longer a disk of ${context.existing.name}. It was not changed; plan again`,
  );
}

/** A change with what is needed to take it back, which only the NAS knows. */
export async function withFormerValues(
  context: ChangeContext,
  change: PlannedChange,
): Promise<PlannedChange> {
  if (change.kind !== "reservation") return change;
  const { reservedBytes } = await readOwnZvol(context, change.zvol);
  return typeof reservedBytes === "number" ? { ...change, wasReservedBytes: reservedBytes } : change;
}
