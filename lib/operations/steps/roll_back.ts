/**
 * The way back for a VM that could not be made: what this operation made of it is removed, and nothing else. Each
 * step of it is logged like any other, and the end tells what was read on the NAS afterwards.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { Dataset, Reading } from "../../inventory/inventory.ts";
import { zvolOfPath } from "../../inventory/names.ts";
import { clonesFirst } from "../../plan/removal.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { type DeviceRow, vmQuery, type VmRow } from "../../truenas/methods.ts";
import { fetchDatasets, fetchVm } from "../../truenas/looks.ts";
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

/** What undoing works with. */
export interface UndoContext {
  readonly caller: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
}

/** Why and what to undo. */
export interface Undo {
  readonly vm: string;
  readonly made: CreatedResources;
  /** What went wrong, in a sentence without a full stop. */
  readonly why: string;
  readonly cancelled: boolean;
  /** Its zvols as a person was shown them: snapshots that are among these go, others do not. Default: none. */
  readonly shown?: readonly PlannedZvol[];
}

/** An undoing under way. */
interface Removal extends Undo {
  /** Zvols that were removed, by the NAS's answer. */
  readonly gone: Set<string>;
}

/** Undoes a VM. It never throws: the log tells what was removed and what is left. */
export async function rollBack(context: UndoContext, given: Undo): Promise<void> {
  const { log } = context;
  const undo: Removal = { ...given, gone: new Set() };
  try {
    const removed = await removeCreated(context, undo);
    const left = await findLeft(context.caller, undo);
    if (left.names.length > 0) throw new TrueNASError("Some of it is still there");
    for (const step of undo.made.doneSteps) {
      log.append({ type: "step", vm: undo.vm, step, status: "rolled-back" });
    }
    const nothing = removed.length === 0;
    const end = left.unread === null
      ? "nothing is left of it"
      : `whether a zvol is left could not be read, because ${left.unread}`;
    const message = nothing
      ? `${undo.why}. Nothing was made of it`
      : `${undo.why}. Removed again: ${removed.join(", ")}; ${end}`;
    const outcome = undo.cancelled ? "cancelled" : nothing ? "failed" : "rolled-back";
    log.append({ type: "vm", vm: undo.vm, outcome, message });
  } catch (error) {
    const message = `${undo.why}. It could not be removed again: ${reasonOf(error)}. ${await describeLeft(
      context,
      undo,
    )}`;
    log.append({ type: "vm", vm: undo.vm, outcome: "left-behind", message, ...idOf(undo) });
  }
}

/** Leaves a VM as far as it was made, as the person asked for. */
export async function keepForInspection(context: UndoContext, undo: Undo): Promise<void> {
  const left = await describeLeft(context, { ...undo, gone: new Set() });
  const message = `${undo.why}. It is kept as it is, as asked for. ${left}`;
  const outcome = undo.cancelled ? "cancelled-kept" : "left-behind";
  context.log.append({ type: "vm", vm: undo.vm, outcome, message, ...idOf(undo) });
}

function idOf({ made: { vmId } }: Undo): { vmId?: number } {
  return vmId === null ? {} : { vmId };
}

/** What of an operation's VM is on the NAS. */
interface Left {
  /** In words. */
  readonly names: readonly string[];
  /** Why zvols could not be read; null when they could. */
  readonly unread: string | null;
}

/** Reads what is left: the VM that was made, and zvols that were made or have the name of one that may have been. */
async function findLeft(caller: Caller, undo: Removal): Promise<Left> {
  const { made } = undo;
  const row = made.uuid === null ? null : await findOurs(caller, undo);
  const { own, doubtful, unread } = await findZvols(caller, undo, row === null ? [] : attachedZvols(row));
  const names = [
    ...(row === null ? [] : [`the VM ${row.name} (id ${row.id})`]),
    ...(unread === null ? own.map((name) => `the zvol ${name}`) : []),
    ...doubtful.filter((name) => unread === null || !undo.gone.has(name)).map((name) =>
      unread === null
        ? `the zvol ${name}, which does not say that it was made here`
        : `possibly the zvol ${name}`
    ),
  ];
  return { names, unread };
}

async function describeLeft({ caller }: UndoContext, undo: Removal): Promise<string> {
  try {
    const { names, unread } = await findLeft(caller, undo);
    const zvols = unread === null ? "" : `; zvols could not be read, because ${unread}`;
    return names.length === 0
      ? `Nothing of it was found on the NAS${zvols}`
      : `Left on the NAS: ${names.join(", ")}${zvols}`;
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    const { vm, made } = undo;
    const possibly = [`the VM ${vm}`, ...made.zvols.map(({ name }) => `the zvol ${name}`)];
    return `What is left could not be read; look on the NAS for ${possibly.join(", ")}`;
  }
}

/** Removes what was made and says what that was. */
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
    throw new TrueNASError(`Cannot see whether ${doubtful.join(", ")} exist: ${unread}`);
  }
  return removed;
}

/** The zvols that none of the devices has. */
function notIn(devices: readonly DeviceRow[], zvols: readonly PlannedZvol[]): readonly PlannedZvol[] {
  const attached = devices.map(zvolOf);
  return zvols.filter(({ name }) => !attached.includes(name));
}

function shownZvol({ shown = [] }: Undo, name: string): PlannedZvol {
  const none = { name, sizeBytes: null, snapshots: [], dependants: [] };
  return shown.find((zvol) => zvol.name === name) ?? none;
}

/** The VM of this operation, whatever it is called by now: by the uuid that it was given, or by its id when it was there before. */
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

/** Zvols of this operation, as far as can be said whose they are. */
export interface FoundZvols {
  /** Made here: by what they say, or by the NAS's answer when they were made. */
  readonly own: readonly string[];
  /** Have the name of one that may have been made here, and do not say so. */
  readonly doubtful: readonly string[];
  /** Why they could not be read; null when they could. */
  readonly unread: string | null;
}

/** Of the zvols that may have been made, and of those in the VM, the ones that are there. */
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
    // The journal is the only witness: what the NAS answered to have made, or what our VM has, is this operation's.
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
 * A zvol that we would have marked and that does not say so may be somebody else's, who took the name meanwhile. Where
 * properties are not visible, the NAS's answer to our call counts.
 */
function isOwn(made: CreatedResources, { name, mark, marksVisible }: Dataset): boolean {
  if (mark !== null) return mark.operation === made.operation || mark.vm === made.uuid;
  const zvol = made.zvols.find((it) => it.name === name);
  return zvol !== undefined && (!zvol.marked || (zvol.answered && !marksVisible));
}

/** Removes the VM alone: vm.delete with its zvols is recursive, and from 26 on takes the clones of others with them. */
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

/** Removes the disks whose zvols this operation made, each with its zvol. */
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

/** Takes back the devices that were added to a VM that existed before, and the zvols that were made for them. */
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
