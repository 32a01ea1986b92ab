/**
 * Changes one VM's settings, devices or disks, or clones it. One step, journalled like any other; TrueNAS's refusals are
 * returned by form field.
 */
import { type Problem, TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { explainAtField } from "../../errors/nas_errors.ts";
import { isMarked, markedDescription, ownerProperties } from "../../inventory/marks.ts";
import { zvolPath } from "../../inventory/names.ts";
import type { Caller } from "../../truenas/client.ts";
import { type MethodName, vmQuery, type VmRow } from "../../truenas/methods.ts";
import { readDatasets, readVm } from "../../truenas/read_inventory.ts";
import { toVm } from "../../truenas/rows.ts";
import { formatBytes, formatCount } from "../../units.ts";
import type { UndoContext } from "./roll_back.ts";
import { describeError, type NextCall, pollUntil, runOrVerify, runStep, StepFailure } from "./run_step.ts";

/** A change of one VM. */
export type VmChange =
  | {
    readonly kind: "settings";
    readonly name: string;
    readonly description: string;
    readonly cores: number;
    readonly threads: number;
    readonly memoryMib: number;
    readonly autostart: boolean;
  }
  | { readonly kind: "add-disk"; readonly zvol: string; readonly sizeBytes: number; readonly sparse: boolean }
  | { readonly kind: "grow-disk"; readonly zvol: string; readonly sizeBytes: number }
  | { readonly kind: "add-nic"; readonly attach: string; readonly mac: string }
  | { readonly kind: "attach-iso"; readonly path: string; readonly first: boolean }
  | { readonly kind: "boot-first"; readonly deviceId: number }
  | { readonly kind: "remove-device"; readonly deviceId: number; readonly withZvol: boolean }
  | { readonly kind: "clone"; readonly name: string };

/** The kinds of change. */
export type VmChangeKind = VmChange["kind"];

/** The VM as it was shown. */
export interface ChangedVm {
  /** Id on the NAS. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** Its uuid, which its zvols' properties contain. */
  readonly uuid: string | null;
}

/** Title, API method and, for each kind, the form field of each TrueNAS attribute. */
const CHANGES = {
  settings: { title: "Change", method: "vm.update" },
  "add-disk": { title: "Add a disk to", method: "pool.dataset.create" },
  "grow-disk": { title: "Grow a disk of", method: "pool.dataset.update" },
  "add-nic": { title: "Add a NIC to", method: "vm.device.create" },
  "attach-iso": { title: "Attach an install image to", method: "vm.device.create" },
  "boot-first": { title: "Change the boot order of", method: "vm.device.update" },
  "remove-device": { title: "Remove a device of", method: "vm.device.delete" },
  clone: { title: "Clone", method: "vm.clone" },
} as const satisfies Record<VmChangeKind, { readonly title: string; readonly method: MethodName }>;

/** Title of a change, to be followed by the VM's name. */
export function titleOf({ kind }: VmChange): string {
  return CHANGES[kind].title;
}

/** TrueNAS's attribute, without its schema's name, to the form field. */
const FIELDS: Readonly<Record<string, string>> = {
  vcpus: "cpu",
  cores: "cpu",
  path: "path",
  nic_attach: "attach",
  zvol_name: "size",
  volsize: "size",
  zvol_volsize: "size",
};

/** Makes a change; returns TrueNAS's refusals, or nothing when it succeeded. Never throws; the log contains the result. */
export async function changeVm(
  context: UndoContext,
  vm: ChangedVm,
  change: VmChange,
): Promise<readonly Problem[]> {
  const { log } = context;
  try {
    const detail = await perform(context, vm, change);
    log.append({ type: "vm", vm: vm.name, outcome: "done", vmId: vm.id, message: detail });
    return [];
  } catch (error) {
    const logged = error instanceof StepFailure ? error.logged : describeError(error);
    log.append({ type: "vm", vm: vm.name, outcome: "failed", vmId: vm.id, message: logged.message });
    return problemsOf(error instanceof StepFailure ? error.cause : error, logged.message);
  }
}

function problemsOf(error: unknown, message: string): Problem[] {
  if (!(error instanceof TrueNASCallError) || error.refusal.fields.length === 0) {
    return [{ field: "", message }];
  }
  return error.refusal.fields.map((refused) => {
    const last = refused.attribute?.split(".").at(-1) ?? "";
    return { field: FIELDS[last] ?? last, message: explainAtField(refused) };
  });
}

function perform(context: UndoContext, vm: ChangedVm, change: VmChange): Promise<string> {
  const { caller, log, settle } = context;
  const clone: MadeClone = { uuid: null };
  return runStep(log, {
    vm: vm.name,
    step: change.kind,
    method: CHANGES[change.kind].method,
    ...(change.kind === "add-disk" ? { evidence: () => ({ zvol: change.zvol }) } : {}),
    ...(change.kind === "clone" ? { evidence: () => clone.uuid === null ? null : { uuid: clone.uuid } } : {}),
    run: async (next) => {
      const found = await readVm(caller, vm.id);
      if (found === null || found.name !== vm.name) {
        throw new TrueNASError(
          `${vm.name} has changed since the page was shown. Nothing was changed; reload the page and try again`,
        );
      }
      if (change.kind === "clone") return await cloneVm(context, { vm, name: change.name, clone }, next);
      return await apply(context, vm, change, next);
    },
    verify: verifier(caller, vm, change),
    detail: (done) => done,
  }, settle);
}

/** Verifies a change; a clone verifies itself because it also has to be marked. */
function verifier(caller: Caller, vm: ChangedVm, change: VmChange): (() => Promise<string | null>) | null {
  if (change.kind === "clone") return null;
  if (change.kind !== "settings") return () => Promise.resolve(null);
  return async () => await hasSettings(caller, vm.id, change) ? SETTINGS_CHANGED : null;
}

async function apply(
  context: UndoContext,
  vm: ChangedVm,
  change: Exclude<VmChange, { kind: "clone" }>,
  next: NextCall,
): Promise<string> {
  const { caller } = context;
  switch (change.kind) {
    case "settings":
      return await changeSettings(caller, vm, change);
    case "add-disk":
      return await addDisk(context, vm, change, next);
    case "grow-disk":
      return await growDisk(caller, change);
    case "add-nic": {
      const { attach: nic_attach, mac } = change;
      await caller.call("vm.device.create", [{
        vm: vm.id,
        attributes: { dtype: "NIC", type: "VIRTIO", nic_attach, mac },
      }]);
      return `NIC added on ${nic_attach}`;
    }
    case "attach-iso": {
      const { path, first } = change;
      const order = await bootOrder(caller, vm.id, first);
      await caller.call("vm.device.create", [{ vm: vm.id, attributes: { dtype: "CDROM", path }, order }]);
      return `${path} attached`;
    }
    case "boot-first": {
      const order = await bootOrder(caller, vm.id, true);
      await caller.call("vm.device.update", [change.deviceId, { order }]);
      return "Boots from this device first after its next start";
    }
    case "remove-device": {
      const options = { zvol: change.withZvol, raw_file: false, force: false };
      await caller.call("vm.device.delete", [change.deviceId, options]);
      return change.withZvol ? "Disk removed and its zvol destroyed" : "Device removed";
    }
  }
}

/** A clone that was created. */
interface MadeClone {
  uuid: string | null;
}

/** Clones a VM and marks the clone and its zvols, because TrueNAS copies the description but no properties. */
async function cloneVm(
  context: UndoContext,
  { vm, name, clone }: { readonly vm: ChangedVm; readonly name: string; readonly clone: MadeClone },
  next: NextCall,
): Promise<string> {
  const { caller } = context;
  const before = (await caller.call("vm.query", vmQuery(["name", "=", name]))).map(({ id }) => id);
  try {
    await caller.call("vm.clone", [vm.id, name]);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    const mark = () => markClone(context, { name, clone, before }, next);
    if (error.outcome === "not-done" && !(error instanceof TrueNASCallError)) throw error;
    if (error.outcome === "not-done" || !await isSeenWhole(context, { vm, name, before })) {
      throw await withHalfMade(error, name, mark);
    }
  }
  try {
    await markClone(context, { name, clone, before }, next);
    return `Cloned as ${name}`;
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return `Cloned as ${name}, but marking it as created here failed, so destroying it requires its name: ${error.message}`;
  }
}

/** Whether the clone exists with all its devices, after a call without an answer. TrueNAS does not clone RAW devices. */
async function isSeenWhole(
  { caller, settle }: UndoContext,
  { vm, name, before }: { readonly vm: ChangedVm; readonly name: string; readonly before: readonly number[] },
): Promise<boolean> {
  const devicesOf = ({ devices }: VmRow) => devices.filter(({ attributes }) => attributes.dtype !== "RAW");
  const look = async () => {
    const rows = await caller.call("vm.query", vmQuery());
    const source = rows.find(({ id }) => id === vm.id);
    const made = rows.find((row) => row.name === name && !before.includes(row.id));
    if (source === undefined || made === undefined) return null;
    return devicesOf(made).length >= devicesOf(source).length ? made.id : null;
  };
  return await pollUntil(look, settle).catch(() => null) !== null;
}

/**
 * Up to 25.10 a failed clone leaves an incomplete VM behind. It is marked like any VM created here, so that Orphans finds
 * and removes it.
 */
async function withHalfMade(
  refusal: TrueNASError,
  name: string,
  mark: () => Promise<void>,
): Promise<TrueNASError> {
  try {
    await mark();
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    if (error instanceof NoClone) return refusal;
    const state = `Its leftovers could not be read or marked (${error.message})`;
    return new TrueNASError(`${refusal.message}. ${state}; look for ${name} in TrueNAS`, { cause: refusal });
  }
  const state = `TrueNAS left the incomplete VM ${name}; remove it on the Orphans page`;
  return new TrueNASError(`${refusal.message}. ${state}`, { method: "vm.clone", cause: refusal });
}

/** No VM was created by cloning. */
class NoClone extends TrueNASError {
  override readonly name = "NoClone";
}

interface CloneToMark {
  readonly name: string;
  readonly clone: MadeClone;
  /** Ids of VMs that already had the name. */
  readonly before: readonly number[];
}

async function markClone(
  { caller, log }: UndoContext,
  { name, clone, before }: CloneToMark,
  next: NextCall,
): Promise<void> {
  const vms = (await caller.call("vm.query", vmQuery())).map(toVm);
  const found = vms.filter((vm) => vm.name === name && !before.includes(vm.id));
  const [made] = found;
  if (made === undefined || found.length > 1) {
    throw new NoClone(`the NAS has ${formatCount(found.length, "new VM")} with that name`);
  }
  const { id, uuid, description } = made;
  clone.uuid = uuid;
  if (!isMarked(description)) {
    await next("vm.update");
    await caller.call("vm.update", [id, { description: markedDescription(description) }]);
  }
  const usedByOthers = new Set(
    vms.filter((vm) => vm.id !== id).flatMap(({ disks }) => disks.map(({ zvol }) => zvol)),
  );
  for (const { zvol } of made.disks) {
    if (zvol === null || usedByOthers.has(zvol)) continue;
    await next("pool.dataset.update");
    const properties = ownerProperties(uuid ?? "", log.id);
    await caller.call("pool.dataset.update", [zvol, { user_properties_update: properties }]);
  }
}

type Settings = Extract<VmChange, { kind: "settings" }>;

const SETTINGS_CHANGED = "Settings changed";

/**
 * TrueNAS 25.04 and 25.10 rename a UEFI VM that never started but report an error, because it has no NVRAM file yet.
 * Therefore the result is read from the NAS.
 */
async function changeSettings(
  caller: Caller,
  { id, name: before }: ChangedVm,
  change: Settings,
): Promise<string> {
  const { kind: _kind, memoryMib: memory, ...rest } = change;
  try {
    await caller.call("vm.update", [id, { ...rest, memory }]);
    return SETTINGS_CHANGED;
  } catch (error) {
    if (!(error instanceof TrueNASCallError) || error.refusal.fields.length > 0) throw error;
    if (!await hasSettings(caller, id, change)) throw error;
    const isRenamed = before !== change.name;
    return isRenamed ? `${SETTINGS_CHANGED}; renamed to ${change.name}` : SETTINGS_CHANGED;
  }
}

async function hasSettings(
  caller: Caller,
  id: number,
  { kind: _kind, ...wanted }: Settings,
): Promise<boolean> {
  const vm = await readVm(caller, id);
  if (vm === null) return false;
  const { name, description, cores, threads, memoryMib, autostart } = vm;
  const found = { name, description, cores, threads, memoryMib, autostart };
  return (Object.keys(found) as (keyof typeof found)[]).every((key) => found[key] === wanted[key]);
}

/** An order before all other bootable devices, or after them. */
async function bootOrder(caller: Caller, vmId: number, first: boolean): Promise<number> {
  const devices = await caller.call("vm.device.query", [[["vm", "=", vmId]]]);
  const orders = devices.map(({ order }) => order ?? 0);
  if (orders.length === 0) return 1_000;
  return first ? Math.min(...orders) - 1 : Math.max(...orders) + 1;
}

type AddDisk = Extract<VmChange, { kind: "add-disk" }>;

async function addDisk(
  { caller, log, settle }: UndoContext,
  vm: ChangedVm,
  { zvol, sizeBytes, sparse }: AddDisk,
  next: NextCall,
): Promise<string> {
  const spec = {
    name: zvol,
    type: "VOLUME",
    volsize: sizeBytes,
    ...(sparse ? { sparse } : {}),
    user_properties: ownerProperties(vm.uuid ?? "", log.id),
  };
  const find = async () => {
    const found = await readDatasets(caller, [zvol]);
    const dataset = found.known ? found.value[0] : undefined;
    return dataset?.mark?.operation === log.id ? { id: zvol } : null;
  };
  await runOrVerify(() => caller.call("pool.dataset.create", [spec]), find, settle);
  await next("vm.device.create");
  try {
    await caller.call("vm.device.create", [{
      vm: vm.id,
      attributes: { dtype: "DISK", type: "VIRTIO", path: zvolPath(zvol) },
    }]);
  } catch (error) {
    if (error instanceof TrueNASCallError) {
      await next("pool.dataset.delete");
      await caller.call("pool.dataset.delete", [zvol, { recursive: false }]);
    }
    throw error;
  }
  return `Disk of ${formatBytes(sizeBytes)} added, ${zvol}`;
}

/** Zvols only grow, because shrinking would cut off data. */
async function growDisk(
  caller: Caller,
  { zvol, sizeBytes }: Extract<VmChange, { kind: "grow-disk" }>,
): Promise<string> {
  const found = await readDatasets(caller, [zvol]);
  const now = found.known ? found.value[0]?.volsizeBytes ?? null : null;
  if (now !== null && sizeBytes <= now) {
    throw new TrueNASError(
      `${zvol} already has ${
        formatBytes(now)
      } and a disk can only grow. Nothing was changed; enter a larger size`,
    );
  }
  await caller.call("pool.dataset.update", [zvol, { volsize: sizeBytes }]);
  return `${zvol} now has ${formatBytes(sizeBytes)}; a running guest sees it after a restart`;
}
