/**
 * Rolls back a VM that could not be created: removes exactly what this operation created. Each step is logged like any
 * other, and the result reports what was read from the NAS afterwards.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { Dataset, Reading } from "../../inventory/inventory.ts";
import { zvolOfPath } from "../../inventory/names.ts";
import { clonesFirst } from "../../plan/removal.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { type DeviceRow, vmQuery, type VmRow } from "../../truenas/methods.ts";
import { fetchDatasets, fetchVm } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import { isDevice } from "./devices.ts";
import type { OperationLog } from "../log.ts";
import { runStep, type SettleTimeouts } from "./run_step.ts";
import {
  expectAsShown,
  removeDisk,
  removeLoneZvol,
  removeSnapshots,
  type ZvolRemovalContext,
} from "./zvol_removal.ts";
import type { CreatedResources } from "./created_resources.ts";

/** What a rollback needs. */
export interface UndoContext {
  readonly caller: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
}

/** What to roll back, and why. */
export interface Undo {
  readonly vm: string;
  readonly made: CreatedResources;
  /** The reason, as a sentence without a period. */
  readonly why: string;
  readonly cancelled: boolean;
  /** Its zvols as shown to the user: only the snapshots listed here are removed. Default: none. */
  readonly shown?: readonly PlannedZvol[];
}

/** A rollback in progress. */
interface Removal extends Undo {
  /** Zvols whose removal the NAS confirmed. */
  readonly gone: Set<string>;
}

/** Rolls back a VM. Never throws; the log contains what was removed and what is left. */
export async function rollBack(context: UndoContext, given: Undo): Promise<void> {
  const { log } = context;
  const undo: Removal = { ...given, gone: new Set() };
  try {
    const removed = await removeCreated(context, undo);
    const left = await findLeft(context.caller, undo);
    if (left.names.length > 0) throw new TrueNASError("Some parts still exist");
    for (const step of undo.made.doneSteps) {
      log.append({ type: "step", vm: undo.vm, step, status: "rolled-back" });
    }
    const nothing = removed.length === 0;
    const end = left.unread === null
      ? "nothing is left"
      : `whether a zvol is left could not be checked because ${left.unread}`;
    const message = nothing
      ? `${undo.why}. Nothing was created`
      : `${undo.why}. Removed again: ${removed.join(", ")}; ${end}`;
    const outcome = undo.cancelled ? "cancelled" : nothing ? "failed" : "rolled-back";
    log.append({ type: "vm", vm: undo.vm, outcome, message });
  } catch (error) {
    const message = `${undo.why}. Rolling back failed: ${reasonOf(error)}. ${await describeLeft(
      context,
      undo,
    )}`;
    log.append({ type: "vm", vm: undo.vm, outcome: "left-behind", message, ...idOf(undo) });
  }
}

/** Keeps an incomplete VM, as the user asked. */
export async function keepForInspection(context: UndoContext, undo: Undo): Promise<void> {
  const left = await describeLeft(context, { ...undo, gone: new Set() });
  const message = `${undo.why}. Its parts were kept as requested. ${left}`;
  const outcome = undo.cancelled ? "cancelled-kept" : "left-behind";
  context.log.append({ type: "vm", vm: undo.vm, outcome, message, ...idOf(undo) });
}

function idOf({ made: { vmId } }: Undo): { vmId?: number } {
  return vmId === null ? {} : { vmId };
}

/** What an operation's VM left on the NAS. */
interface Left {
  /** In words. */
  readonly names: readonly string[];
  /** Why zvols could not be read; null when they could. */
  readonly unread: string | null;
}

/** Reads the leftovers: the created VM, created zvols, and zvols with the name of one that may have been created. */
async function findLeft(caller: Caller, undo: Removal): Promise<Left> {
  const { made } = undo;
  const row = made.uuid === null ? null : await findOurs(caller, undo);
  const { own, doubtful, unread } = await findZvols(caller, undo, row === null ? [] : attachedZvols(row));
  const names = [
    ...(row === null ? [] : [`the VM ${row.name} (id ${row.id})`]),
    ...(unread === null ? own.map((name) => `the zvol ${name}`) : []),
    ...doubtful.filter((name) => unread === null || !undo.gone.has(name)).map((name) =>
      unread === null ? `the zvol ${name}, which is not marked as created here` : `possibly the zvol ${name}`
    ),
  ];
  return { names, unread };
}

async function describeLeft({ caller }: UndoContext, undo: Removal): Promise<string> {
  try {
    const { names, unread } = await findLeft(caller, undo);
    const zvols = unread === null ? "" : `; zvols could not be read because ${unread}`;
    return names.length === 0
      ? `Nothing is left on the NAS${zvols}`
      : `Left on the NAS: ${names.join(", ")}${zvols}`;
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    const { vm, made } = undo;
    const possibly = [`the VM ${vm}`, ...made.zvols.map(({ name }) => `the zvol ${name}`)];
    return `The NAS could not be read to see what is left; look in TrueNAS for ${possibly.join(", ")}`;
  }
}

/** Removes what was created, and returns descriptions of it. */
async function removeCreated(context: UndoContext, undo: Removal): Promise<string[]> {
  const { caller } = context;
  const { made } = undo;
  const row = await findOurs(caller, undo);
  const isNew = made.uuid !== null;
  const { own, doubtful, unread } = await findZvols(
    caller,
    undo,
    row === null || !isNew ? [] : attachedZvols(row),
  );
  const zvols = clonesFirst(own.map((name) => shownZvol(undo, name)));
  await expectAsShown(caller, zvols, undo.vm);
  const removal: ZvolRemovalContext = { ...context, writer: () => caller, onRemoved: () => {} };
  const removed: string[] = [];
  if (row !== null && isNew) {
    made.vmId = row.id;
    await powerOff(context, undo, row);
    await removeSnapshots(removal, undo.vm, zvols, "undo-snapshots");
    await deleteDisks(context, removal, { undo, row, zvols });
    await deleteVm(context, undo, row);
    removed.push("the VM");
    await deleteZvols(context, removal, { undo, zvols: notIn(row.devices, zvols) });
  } else {
    if (row !== null && made.started) await powerOff(context, undo, row);
    await removeSnapshots(removal, undo.vm, zvols, "undo-snapshots");
    const devices = await deleteDevices(context, removal, { undo, zvols });
    if (devices.length > 0) removed.push(formatCount(devices.length, "device"));
    await deleteZvols(context, removal, { undo, zvols: notIn(devices, zvols) });
  }
  if (zvols.length > 0) removed.push(formatCount(zvols.length, "zvol"));
  if (unread !== null && doubtful.length > 0) {
    throw new TrueNASError(`Cannot check whether ${doubtful.join(", ")} exist: ${unread}`);
  }
  return removed;
}

/** The zvols that no device uses. */
function notIn(devices: readonly DeviceRow[], zvols: readonly PlannedZvol[]): readonly PlannedZvol[] {
  const attached = devices.map(zvolOf);
  return zvols.filter(({ name }) => !attached.includes(name));
}

function shownZvol({ shown = [] }: Undo, name: string): PlannedZvol {
  const none = { name, sizeBytes: null, snapshots: [], dependants: [] };
  return shown.find((zvol) => zvol.name === name) ?? none;
}

/** This operation's VM, whatever its current name: by its given uuid, or by id when it already existed. */
async function findOurs(caller: Caller, { made }: Undo): Promise<VmRow | null> {
  if (made.uuid !== null) {
    return (await caller.call("vm.query", vmQuery(["uuid", "=", made.uuid])))[0] ?? null;
  }
  if (made.vmId === null) return null;
  return (await caller.call("vm.query", vmQuery(["id", "=", made.vmId])))[0] ?? null;
}

async function powerOff({ caller, log, settle }: UndoContext, { vm }: Undo, row: VmRow): Promise<void> {
  if (row.status.state === "STOPPED") return;
  await runStep(log, {
    vm,
    step: "undo-poweroff",
    method: "vm.poweroff",
    run: () => caller.call("vm.poweroff", [row.id]),
    verify: async () => (await fetchVm(caller, row.id))?.state === "STOPPED" || null,
    detail: () => "STOPPED",
  }, settle);
}

/** Zvols of this operation, by certainty. */
export interface FoundZvols {
  /** Created here, according to their properties or the NAS's confirmation. */
  readonly own: readonly string[];
  /** Have the name of one that may have been created here, without its mark. */
  readonly doubtful: readonly string[];
  /** Why they could not be read; null when they could. */
  readonly unread: string | null;
}

/** The existing ones of the possibly created zvols and of the VM's zvols. */
export async function findZvols(
  caller: Caller,
  { made }: Pick<Undo, "made">,
  attached: readonly string[],
): Promise<FoundZvols> {
  const asked = made.zvols.map(({ name }) => name);
  const found: Reading<readonly Dataset[]> = await fetchDatasets(caller, [
    ...new Set([...asked, ...attached]),
  ]);
  if (!found.known) {
    // The journal is the only evidence: zvols that the NAS confirmed or that our VM uses belong to this operation.
    const answered = made.zvols.filter(({ name, answered }) => answered || attached.includes(name))
      .map(({ name }) => name);
    return {
      own: answered,
      doubtful: asked.filter((name) => !answered.includes(name)),
      unread: found.because,
    };
  }
  const own = found.value.filter((dataset) => isOwn(made, dataset)).map(({ name }) => name);
  const isDoubtful = ({ name, mark }: Dataset) =>
    mark === null && asked.includes(name) && !own.includes(name);
  return { own, doubtful: found.value.filter(isDoubtful).map(({ name }) => name), unread: null };
}

/**
 * An unmarked zvol that we would have marked may be somebody else's who took the name. Where properties cannot be read, the
 * NAS's confirmation counts.
 */
function isOwn(made: CreatedResources, { name, mark, marksVisible }: Dataset): boolean {
  if (mark !== null) return mark.operation === made.operation || mark.vm === made.uuid;
  const zvol = made.zvols.find((it) => it.name === name);
  return zvol !== undefined && (!zvol.marked || (zvol.answered && !marksVisible));
}

/** Removes the VM without its zvols, because vm.delete is recursive and from 26 on deletes foreign clones too. */
async function deleteVm({ caller, log, settle }: UndoContext, { vm }: Undo, row: VmRow): Promise<void> {
  await runStep(log, {
    vm,
    step: "undo-vm",
    method: "vm.delete",
    run: () => caller.call("vm.delete", [row.id, { zvols: false, force: false }]),
    verify: async () => (await caller.call("vm.query", vmQuery(["id", "=", row.id]))).length === 0 || null,
    detail: () => `id ${row.id} removed`,
  }, settle);
}

function zvolOf({ attributes }: DeviceRow): string | null {
  return attributes.dtype === "DISK" && typeof attributes.path === "string"
    ? zvolOfPath(attributes.path)
    : null;
}

function attachedZvols({ devices }: VmRow): string[] {
  return devices.flatMap((device) => zvolOf(device) ?? []);
}

interface Disks {
  readonly undo: Removal;
  readonly row: VmRow;
  readonly zvols: readonly PlannedZvol[];
}

/** Removes the disks whose zvols this operation created, each with its zvol. */
async function deleteDisks(
  context: UndoContext,
  removal: ZvolRemovalContext,
  { undo, row, zvols }: Disks,
): Promise<void> {
  for (const zvol of zvols) {
    const device = row.devices.find((it) => zvolOf(it) === zvol.name);
    if (device !== undefined) await deleteDisk(context, removal, { undo, zvol, deviceId: device.id });
  }
}

async function deleteDisk(
  { caller, log, settle }: UndoContext,
  removal: ZvolRemovalContext,
  { undo, zvol, deviceId }: { readonly undo: Removal; readonly zvol: PlannedZvol; readonly deviceId: number },
): Promise<void> {
  await runStep(log, {
    vm: undo.vm,
    step: `undo-device-${deviceId}`,
    method: "vm.device.delete",
    makes: zvol.name,
    run: () => removeDisk(removal, zvol, { deviceId, isDeviceGone: () => isDeviceGone(caller, deviceId) }),
    verify: null,
    detail: () => `${zvol.name} removed`,
  }, settle);
  undo.gone.add(zvol.name);
}

async function isDeviceGone(caller: Caller, id: number): Promise<true | null> {
  return (await caller.call("vm.device.query", [[["id", "=", id]]])).length === 0 || null;
}

interface OwnZvols {
  readonly undo: Removal;
  readonly zvols: readonly PlannedZvol[];
}

/** Removes devices that were added to an existing VM, and the zvols created for them. */
async function deleteDevices(
  context: UndoContext,
  removal: ZvolRemovalContext,
  { undo, zvols }: OwnZvols,
): Promise<readonly DeviceRow[]> {
  const { caller, log, settle } = context;
  const { vm, made } = undo;
  const { vmId } = made;
  if (vmId === null || made.devices.length === 0) return [];
  const rows: readonly DeviceRow[] = await caller.call("vm.device.query", [[["vm", "=", vmId]]]);
  const added = rows.filter((row) => made.devices.some((device) => isDevice(row, device)));
  for (const device of added) {
    const { id } = device;
    const zvol = zvols.find(({ name }) => name === zvolOf(device));
    if (zvol !== undefined) {
      await deleteDisk(context, removal, { undo, zvol, deviceId: id });
      continue;
    }
    await runStep(log, {
      vm,
      step: `undo-device-${id}`,
      method: "vm.device.delete",
      run: () => caller.call("vm.device.delete", [id, { zvol: false, raw_file: false, force: false }]),
      verify: () => isDeviceGone(caller, id),
      detail: () => `device ${id} removed`,
    }, settle);
  }
  return added;
}

/** Removes zvols that never got a device. */
async function deleteZvols(
  { log, settle }: UndoContext,
  removal: ZvolRemovalContext,
  { undo, zvols }: OwnZvols,
): Promise<void> {
  for (const zvol of zvols) {
    await runStep(log, {
      vm: undo.vm,
      step: "undo-zvols",
      method: "pool.dataset.delete",
      run: () => removeLoneZvol(removal, zvol),
      verify: null,
      detail: () => `${zvol.name} removed`,
    }, settle);
    undo.gone.add(zvol.name);
  }
}
