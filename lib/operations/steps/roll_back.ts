/**
 * Rolls back a VM that could not be created: removes exactly what this operation created. Each step is logged like any
 * other, and the result reports what was read from the NAS afterwards.
 */
import { isSeedDataset } from "../../first_boot/iso/seed_dataset.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { Dataset } from "../../inventory/inventory.ts";
import { zvolOfPath } from "../../inventory/names.ts";
import { clonesFirst } from "../../plan/removal.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import type { DeviceRow, VmRow } from "../../truenas/method_types.ts";
import { fetchDatasets } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import type { CreatedResources } from "./created_resources.ts";
import { isDevice } from "./device_step.ts";
import { runStep, type StepContext } from "./run_step.ts";
import { describeLeft, findVm, type VmResult } from "./run_vm.ts";
import { deleteVmStep, powerOffStep } from "./vm_steps.ts";
import {
  expectAsShown,
  type RemovalContext,
  removalContext,
  removeDisk,
  removeSnapshots,
  zvolsStep,
} from "./zvol_removal.ts";

/** What to roll back, and why. */
export interface Undo {
  readonly created: CreatedResources;
  /** The reason, as a sentence without a period. */
  readonly why: string;
  readonly cancelled: boolean;
  /** Its zvols as shown to the user: only the snapshots listed here are removed. Default: none. */
  readonly shown?: readonly PlannedZvol[];
}

/** A rollback in progress. */
interface Rollback extends Undo, RemovalContext {
  /** Zvols whose removal the NAS confirmed. */
  readonly removed: Set<string>;
}

function rollbackOf(context: StepContext, undo: Undo): Rollback {
  return { ...undo, ...removalContext(context), removed: new Set() };
}

/** Rolls back a VM. Never throws; the result describes what was removed and what is left. */
export async function rollBack(context: StepContext, undo: Undo): Promise<VmResult> {
  const work = rollbackOf(context, undo);
  const { vmName: vm } = context;
  const { created, why, cancelled } = undo;
  try {
    const removed = await removeCreated(work);
    const { names, unread } = await readLeft(work);
    if (names.length > 0) throw new TrueNASError("Some parts still exist");
    for (const step of created.doneSteps) {
      context.log.append({ type: "step", vm, step, status: "rolled-back" });
    }
    if (removed.length === 0) {
      return { outcome: cancelled ? "cancelled" : "failed", message: `${why}. Nothing was created` };
    }
    const state = unread === null
      ? nothingLeft(created)
      : `whether a zvol is left could not be checked because ${unread}`;
    const message = `${why}. Removed again: ${removed.join(", ")}; ${state}`;
    return { outcome: cancelled ? "cancelled" : "rolled-back", message };
  } catch (error) {
    const message = `${why}. Rolling back failed: ${reasonOf(error)}. ${await describeState(work)}`;
    return { outcome: "left-behind", message, ...idOf(created) };
  }
}

/** What is prepared of an image serves other VMs too, so it stays. */
function nothingLeft({ doneSteps }: CreatedResources): string {
  if (doneSteps.includes("download")) {
    return "nothing of the VM is left; the image's file stays on the NAS for the next attempt";
  }
  const hasImage = doneSteps.includes("image") || doneSteps.includes("clone");
  return hasImage ? "nothing of the VM is left" : "nothing is left";
}

/** Keeps an incomplete VM, as the user asked. */
export async function keepForInspection(context: StepContext, undo: Undo): Promise<VmResult> {
  const left = await describeState(rollbackOf(context, undo));
  const message = `${undo.why}. Its parts were kept as requested. ${left}`;
  return { outcome: undo.cancelled ? "cancelled-kept" : "left-behind", message, ...idOf(undo.created) };
}

function idOf({ vmId }: CreatedResources): { vmId?: number } {
  return vmId === null ? {} : { vmId };
}

async function describeState(work: Rollback): Promise<string> {
  try {
    const { names, unread } = await readLeft(work);
    return describeLeft(names, unread);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    const possibly = [
      `the VM ${work.vmName}`,
      ...[...work.created.zvols.keys()].map((name) => `the zvol ${name}`),
    ];
    return `The NAS could not be read to see what is left; check TrueNAS for ${possibly.join(", ")}`;
  }
}

/** Reads what is left: the created VM, created zvols, and zvols with the name of one that may have been created. */
async function readLeft({ caller, created, removed }: Rollback) {
  const row = created.uuid === null ? null : await findVm(caller, created);
  const { own, doubtful, unread } = await findZvols(caller, created, row);
  const vms = row === null ? [] : [`the VM ${row.name} (id ${row.id})`];
  const names = unread === null
    ? [
      ...own.map((name) => `the ${isSeedDataset(name) ? "dataset" : "zvol"} ${name}`),
      ...doubtful.map((name) => `the zvol ${name}, which is not marked as created here`),
    ]
    : doubtful.filter((name) => !removed.has(name)).map((name) => `possibly the zvol ${name}`);
  return { names: [...vms, ...names], unread };
}

/** Removes what was created, and returns descriptions of it. */
async function removeCreated(work: Rollback): Promise<string[]> {
  const { caller, created, vmName } = work;
  const row = await findVm(caller, created);
  const isNew = row !== null && created.uuid !== null;
  const { own, doubtful, unread } = await findZvols(caller, created, isNew ? row : null);
  const zvols = clonesFirst(own.map((name) => shownZvol(work, name)));
  await expectAsShown(caller, zvols, vmName);
  if (row !== null && (isNew || created.started)) await powerOff(work, row);
  await removeSnapshots(work, zvols, "undo-snapshots");
  const removed = isNew ? await removeVm(work, row, zvols) : await removeDevices(work, zvols);
  for (const zvol of zvols.filter(({ name }) => !work.removed.has(name))) {
    await runStep(work, zvolsStep(work, { step: "undo-zvols", zvols: [zvol] }));
    work.removed.add(zvol.name);
  }
  const seeds = zvols.filter(({ name }) => isSeedDataset(name));
  const disks = zvols.filter((zvol) => !seeds.includes(zvol));
  if (disks.length > 0) removed.push(formatCount(disks.length, "disk"));
  if (seeds.length > 0) removed.push("its first configuration (seed)");
  if (unread !== null && doubtful.length > 0) {
    throw new TrueNASError(`Cannot check whether ${doubtful.join(", ")} exist: ${unread}`);
  }
  return removed;
}

function shownZvol({ shown = [] }: Undo, name: string): PlannedZvol {
  const none = { name, sizeBytes: null, snapshots: [], dependants: [] };
  return shown.find((zvol) => zvol.name === name) ?? none;
}

async function powerOff(work: Rollback, { id, status }: VmRow): Promise<void> {
  if (status.state === "STOPPED") return;
  await runStep(work, powerOffStep(work, { id, step: "undo-poweroff" }));
}

/** Removes the VM this operation created, with the disks whose zvols it created. */
async function removeVm(work: Rollback, row: VmRow, zvols: readonly PlannedZvol[]): Promise<string[]> {
  const { id } = row;
  work.created.vmId = id;
  for (const zvol of zvols) {
    const device = row.devices.find((it) => zvolOf(it) === zvol.name);
    if (device !== undefined) await removeDevice(work, device, { name: diskStep(zvol), zvol });
  }
  await runStep(work, deleteVmStep(work, { id, step: "undo-vm", force: false }));
  return ["the VM"];
}

/** Removes devices that were added to an existing VM, and the zvols created for them. */
async function removeDevices(work: Rollback, zvols: readonly PlannedZvol[]): Promise<string[]> {
  const { vmId, devices } = work.created;
  if (vmId === null || devices.size === 0) return [];
  const rows = await work.caller.call("vm.device.query", [[["vm", "=", vmId]]]);
  const added = rows.flatMap((row) => {
    const planned = [...devices].find((device) => isDevice(row, device));
    return planned === undefined ? [] : [{ row, name: planned.step }];
  });
  for (const { row, name } of added) {
    await removeDevice(work, row, { name, zvol: zvols.find((zvol) => zvol.name === zvolOf(row)) });
  }
  return added.length === 0 ? [] : [formatCount(added.length, "device")];
}

/** The step that created a disk: `disk0`. */
function diskStep({ name }: PlannedZvol): string {
  return /-(disk\d+)$/.exec(name)?.[1] ?? "disk";
}

/** Removes a device; `name` is that of the step that created it. */
async function removeDevice(
  work: Rollback,
  { id, vm }: DeviceRow,
  { name, zvol }: { readonly name: string; readonly zvol: PlannedZvol | undefined },
): Promise<void> {
  const { caller } = work;
  const step = { step: `undo-${name}`, method: "vm.device.delete" } as const;
  if (zvol === undefined) {
    return void await runStep(work, {
      ...step,
      call: () => caller.call("vm.device.delete", [id, { zvol: false, raw_file: false, force: false }]),
      verify: async () => (await caller.call("vm.device.query", [[["id", "=", id]]])).length === 0 || null,
      detail: () => `device ${id} removed`,
    });
  }
  await runStep(work, {
    ...step,
    makes: zvol.name,
    call: (calls) => removeDisk(work, calls, zvol, { vmId: vm, deviceId: id }),
    verify: null,
    detail: () => `${zvol.name} removed`,
  });
  work.removed.add(zvol.name);
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
  created: CreatedResources,
  row: VmRow | null,
): Promise<FoundZvols> {
  const requested = [...created.zvols.keys()];
  const attached = (row?.devices ?? []).flatMap((device) => zvolOf(device) ?? [])
    .filter((name) => !created.kept.has(name));
  const found = await fetchDatasets(caller, [...new Set([...requested, ...attached])]);
  if (!found.known) {
    // The journal is the only evidence: zvols that the NAS confirmed or that our VM uses belong to this operation.
    const isOurs = (name: string) => created.zvols.get(name)?.answered === true || attached.includes(name);
    return {
      own: requested.filter(isOurs),
      doubtful: requested.filter((name) => !isOurs(name)),
      unread: found.because,
    };
  }
  const own = found.value.filter((dataset) => isOwn(created, dataset)).map(({ name }) => name);
  const doubtful = found.value.filter(({ name, mark }) =>
    mark === null && requested.includes(name) && !own.includes(name) &&
    created.zvols.get(name)?.isImage !== true
  );
  return { own, doubtful: doubtful.map(({ name }) => name), unread: null };
}

/**
 * An unmarked zvol that we would have marked may be somebody else's who took the name. Where properties cannot be read, the
 * NAS's confirmation counts.
 */
function isOwn(created: CreatedResources, { name, mark, marksVisible }: Dataset): boolean {
  if (mark !== null) return mark.operation === created.operation || mark.vm === created.uuid;
  const zvol = created.zvols.get(name);
  return zvol !== undefined && zvol.isImage !== true && (!zvol.marked || (zvol.answered && !marksVisible));
}

function zvolOf({ attributes }: DeviceRow): string | null {
  return attributes.dtype === "DISK" && typeof attributes.path === "string"
    ? zvolOfPath(attributes.path)
    : null;
}
