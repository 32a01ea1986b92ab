/** Changes one VM's settings, devices or disks, or clones it, in one step. TrueNAS's refusals are returned by form field. */
import { type Problem, TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { explainAtField } from "../../errors/nas_errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { zvolPath } from "../../inventory/names.ts";
import { expectKnown, fetchDatasets, fetchVm } from "../../truenas/batched_reads.ts";
import type { Caller } from "../../truenas/client.ts";
import type { DeviceRow, MethodName } from "../../truenas/method_types.ts";
import { formatBytes, formatMib } from "../../units.ts";
import { cloneStep } from "./clone_vm.ts";
import { type OperationContext, runStep, type Step, type StepCalls, type StepContext } from "./run_step.ts";
import { expectVm, runVm } from "./run_vm.ts";
import { createZvol } from "./zvol_creation.ts";

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
  context: OperationContext,
  vm: ChangedVm,
  change: VmChange,
): Promise<readonly Problem[]> {
  let problems: readonly Problem[] = [];
  const work = { ...context, vmName: vm.name };
  await runVm(work, {
    id: vm.id,
    run: async () => {
      const step = change.kind === "clone" ? cloneStep(work, vm, change) : changeStep(work, vm, change);
      return { outcome: "done", message: await runStep(work, step) };
    },
    onFailure: ({ message, cause }) => {
      problems = problemsOf(cause, message);
      return { outcome: "failed", message };
    },
  });
  return problems;
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

type ChangeInPlace = Exclude<VmChange, { kind: "clone" }>;

function changeStep(context: StepContext, vm: ChangedVm, change: ChangeInPlace): Step<string> {
  const { caller } = context;
  let before: Vm | null = null;
  const done = (detail: string) =>
    change.kind === "settings" && before !== null ? describeSettings(before, change) : detail;
  return {
    step: change.kind,
    method: CHANGES[change.kind].method,
    ...(change.kind === "add-disk" ? { evidence: () => ({ zvol: change.zvol }) } : {}),
    precondition: async () => {
      before = await expectVm(caller, vm);
    },
    call: async (calls) => done(await apply(context, vm, change, calls)),
    verify: change.kind === "add-disk" ? null : async () => {
      const text = await readEffect(caller, vm.id, change);
      return text === null ? null : done(text);
    },
    detail: (text) => text,
  };
}

/** What a change has done, read from the NAS, or null when it was not done. */
async function readEffect(
  caller: Caller,
  vmId: number,
  change: Exclude<ChangeInPlace, { kind: "add-disk" }>,
): Promise<string | null> {
  switch (change.kind) {
    case "settings":
      return await hasSettings(caller, vmId, change) ? SETTINGS_CHANGED : null;
    case "grow-disk": {
      const [dataset] = expectKnown(await fetchDatasets(caller, [change.zvol]));
      return dataset?.volsizeBytes === change.sizeBytes ? describeGrown(change) : null;
    }
    case "add-nic":
      return await hasDevice(caller, vmId, ({ mac }) => mac === change.mac) ? describeNic(change) : null;
    case "attach-iso":
      return await hasDevice(caller, vmId, ({ path }) => path === change.path) ? describeIso(change) : null;
    case "boot-first": {
      const devices = await devicesOf(caller, vmId);
      const order = devices.find(({ id }) => id === change.deviceId)?.order ?? null;
      const others = devices.filter(({ id }) => id !== change.deviceId).map((other) => other.order ?? 0);
      return order !== null && others.every((other) => order < other) ? BOOTS_FIRST : null;
    }
    case "remove-device":
      return (await devicesOf(caller, vmId)).some(({ id }) => id === change.deviceId)
        ? null
        : describeRemoved(change);
  }
}

async function hasDevice(
  caller: Caller,
  vmId: number,
  is: (attributes: DeviceRow["attributes"]) => boolean,
): Promise<boolean> {
  return (await devicesOf(caller, vmId)).some(({ attributes }) => is(attributes));
}

async function devicesOf(caller: Caller, vmId: number): Promise<readonly DeviceRow[]> {
  return await caller.call("vm.device.query", [[["vm", "=", vmId]]]);
}

const BOOTS_FIRST = "Boots from this device first after its next start";

function describeGrown({ zvol, sizeBytes }: Extract<VmChange, { kind: "grow-disk" }>): string {
  return `${zvol} now has ${formatBytes(sizeBytes)}; a running guest sees it after a restart`;
}

function describeNic({ attach }: Extract<VmChange, { kind: "add-nic" }>): string {
  return `NIC added on ${attach}`;
}

function describeIso({ path }: Extract<VmChange, { kind: "attach-iso" }>): string {
  return `${path} attached`;
}

function describeRemoved({ withZvol }: Extract<VmChange, { kind: "remove-device" }>): string {
  return withZvol ? "Disk removed and its zvol destroyed" : "Device removed";
}

async function apply(
  context: StepContext,
  vm: ChangedVm,
  change: ChangeInPlace,
  calls: StepCalls,
): Promise<string> {
  const { caller } = context;
  switch (change.kind) {
    case "settings":
      return await changeSettings(caller, vm, change);
    case "add-disk":
      return await addDisk(context, vm, change, calls);
    case "grow-disk":
      return await growDisk(caller, change);
    case "add-nic": {
      const attributes = { dtype: "NIC", type: "VIRTIO", nic_attach: change.attach, mac: change.mac };
      await caller.call("vm.device.create", [{ vm: vm.id, attributes }]);
      return describeNic(change);
    }
    case "attach-iso": {
      const order = await bootOrder(caller, vm.id, change.first);
      const attributes = { dtype: "CDROM", path: change.path };
      await caller.call("vm.device.create", [{ vm: vm.id, attributes, order }]);
      return describeIso(change);
    }
    case "boot-first": {
      const order = await bootOrder(caller, vm.id, true);
      await caller.call("vm.device.update", [change.deviceId, { order }]);
      return BOOTS_FIRST;
    }
    case "remove-device": {
      const options = { zvol: change.withZvol, raw_file: false, force: false };
      await caller.call("vm.device.delete", [change.deviceId, options]);
      return describeRemoved(change);
    }
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
  { id }: ChangedVm,
  change: Settings,
): Promise<string> {
  const { kind: _kind, memoryMib: memory, ...rest } = change;
  try {
    await caller.call("vm.update", [id, { ...rest, memory }]);
    return SETTINGS_CHANGED;
  } catch (error) {
    if (!(error instanceof TrueNASCallError) || error.refusal.fields.length > 0) throw error;
    if (!await hasSettings(caller, id, change)) throw error;
    return SETTINGS_CHANGED;
  }
}

/** What was changed, from what to what: `Settings changed: memory 2 GiB → 3 GiB`. */
function describeSettings(before: Vm, change: Settings): string {
  const size = sizeChanges(before, change);
  const yesNo = (value: boolean) => value ? "yes" : "no";
  const changes = [
    ...(before.name === change.name ? [] : [`name ${before.name} → ${change.name}`]),
    ...size,
    ...(before.autostart === change.autostart
      ? []
      : [`starts with the NAS: ${yesNo(before.autostart)} → ${yesNo(change.autostart)}`]),
    ...(before.description === change.description ? [] : ["description"]),
  ];
  if (changes.length === 0) return "Settings saved; none was different";
  const waits = size.length > 0 && before.state !== "STOPPED" ? " (takes effect at its next start)" : "";
  return `${SETTINGS_CHANGED}: ${changes.join(", ")}${waits}`;
}

function sizeChanges(before: Vm, { cores, threads, memoryMib }: Settings): readonly string[] {
  const vcpus = before.sockets * cores * threads;
  // Exact sizes, for two that round to the same text.
  const isExact = formatMib(before.memoryMib) === formatMib(memoryMib);
  const format = (mib: number) => isExact ? `${mib} MiB` : formatMib(mib);
  return [
    ...(before.vcpus === vcpus ? [] : [`vCPUs ${before.vcpus} → ${vcpus}`]),
    ...(before.memoryMib === memoryMib ? [] : [`memory ${format(before.memoryMib)} → ${format(memoryMib)}`]),
  ];
}

async function hasSettings(
  caller: Caller,
  id: number,
  { kind: _kind, ...wanted }: Settings,
): Promise<boolean> {
  const vm = await fetchVm(caller, id);
  if (vm === null) return false;
  const { name, description, cores, threads, memoryMib, autostart } = vm;
  const found = { name, description, cores, threads, memoryMib, autostart };
  return (Object.keys(found) as (keyof typeof found)[]).every((key) => found[key] === wanted[key]);
}

/** An order before all other bootable devices, or after them. */
async function bootOrder(caller: Caller, vmId: number, first: boolean): Promise<number> {
  const devices = await devicesOf(caller, vmId);
  const orders = devices.map(({ order }) => order ?? 0);
  if (orders.length === 0) return 1_000;
  return first ? Math.min(...orders) - 1 : Math.max(...orders) + 1;
}

async function addDisk(
  context: StepContext,
  vm: ChangedVm,
  change: Extract<VmChange, { kind: "add-disk" }>,
  { next, send }: StepCalls,
): Promise<string> {
  const { caller } = context;
  const { zvol, sizeBytes } = change;
  await createZvol(context, { send }, change, vm.uuid ?? "");
  await next("vm.device.create");
  try {
    const path = zvolPath(zvol);
    const attributes = { dtype: "DISK", type: "VIRTIO", path };
    await send(
      () => caller.call("vm.device.create", [{ vm: vm.id, attributes }]),
      async () => (await devicesOf(caller, vm.id)).find((device) => device.attributes.path === path) ?? null,
    );
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
  change: Extract<VmChange, { kind: "grow-disk" }>,
): Promise<string> {
  const { zvol, sizeBytes } = change;
  const found = await fetchDatasets(caller, [zvol]);
  const now = found.known ? found.value[0]?.volsizeBytes ?? null : null;
  if (now !== null && sizeBytes <= now) {
    const size = `${zvol} already has ${formatBytes(now)} and a disk can only grow`;
    throw new TrueNASError(`${size}. Nothing was changed; enter a larger size`);
  }
  await caller.call("pool.dataset.update", [zvol, { volsize: sizeBytes }]);
  return describeGrown(change);
}
