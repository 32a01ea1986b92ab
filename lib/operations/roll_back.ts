/**
 * The way back for a VM that could not be made: what this operation made of it is removed, and nothing else. Each
 * step of it is logged like any other, and what cannot be removed is named.
 */
import { TrueNASError } from "../errors.ts";
import type { Dataset, Reading } from "../inventory.ts";
import { zvolOfPath } from "../names.ts";
import type { Caller } from "../truenas/client.ts";
import { type DeviceRow, vmQuery, type VmRow } from "../truenas/methods.ts";
import { lookAtDatasets, lookAtVm } from "../truenas/looks.ts";
import { formatCount } from "../units.ts";
import type { Made } from "./create_vm.ts";
import { isDevice } from "./devices.ts";
import type { OperationLog } from "./log.ts";
import { runStep, type SettleTimes } from "./steps.ts";

/** What undoing works with. */
export interface UndoContext {
  readonly caller: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimes;
}

/** Why and what to undo. */
export interface Undo {
  readonly vm: string;
  readonly made: Made;
  /** What went wrong, in a sentence without a full stop. */
  readonly why: string;
  readonly cancelled: boolean;
}

/** Undoes a VM. It never throws: the log tells what was removed and what is left. */
export async function rollBack(context: UndoContext, undo: Undo): Promise<void> {
  const { log } = context;
  try {
    const removed = await removeMade(context, undo);
    for (const step of undo.made.doneSteps) {
      log.append({ type: "step", vm: undo.vm, step, status: "rolled-back" });
    }
    const nothing = removed.length === 0;
    const message = nothing
      ? `${undo.why}. Nothing was made of it`
      : `${undo.why}. Removed again: ${removed.join(", ")}; nothing is left of it`;
    const outcome = undo.cancelled ? "cancelled" : nothing ? "failed" : "rolled-back";
    log.append({ type: "vm", vm: undo.vm, outcome, message });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${undo.why}. It could not be removed again: ${reason}. Left on the NAS: ${
      describeLeft(undo)
    }`;
    log.append({ type: "vm", vm: undo.vm, outcome: "left-behind", message, ...idOf(undo) });
  }
}

/** Leaves a VM as far as it was made, as the person asked for. */
export function keepForInspection(log: OperationLog, undo: Undo): void {
  const message = `${undo.why}. It is kept as it is, as asked for: ${describeLeft(undo)}`;
  log.append({ type: "vm", vm: undo.vm, outcome: "left-behind", message, ...idOf(undo) });
}

function idOf({ made: { vmId } }: Undo): { vmId?: number } {
  return vmId === null ? {} : { vmId };
}

function describeLeft({ vm, made }: Undo): string {
  const zvols = made.zvols.map(({ name }) => `possibly the zvol ${name}`);
  const id = made.vmId === null ? `possibly the VM ${vm}` : `the VM ${vm} (id ${made.vmId})`;
  return [id, ...zvols].join(", ");
}

/** Removes what was made and says what that was. */
async function removeMade(context: UndoContext, undo: Undo): Promise<string[]> {
  const removed: string[] = [];
  const row = await findOurs(context.caller, undo);
  const attached = row === null || undo.made.uuid === null ? [] : attachedZvols(row);
  const zvols = await findZvols(context.caller, undo, attached);
  if (row !== null && undo.made.uuid !== null) {
    undo.made.vmId = row.id;
    await powerOff(context, undo, row);
    await deleteVm(context, undo, { row, zvols });
    removed.push("the VM");
  } else if (row !== null) {
    if (undo.made.started) await powerOff(context, undo, row);
    const count = await deleteDevices(context, undo);
    if (count > 0) removed.push(formatCount(count, "device"));
  }
  const gone = await deleteZvols(context, undo, { before: zvols.known ? zvols.value : attached, attached });
  if (gone > 0) removed.push(formatCount(gone, "zvol"));
  return removed;
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
    look: async () => (await lookAtVm(caller, row.id))?.state === "STOPPED" || null,
    detail: () => "STOPPED",
  }, settle);
}

/** Of the zvols that may have been made, and of those in the VM, the ones that are there and were made for it here. */
async function findZvols(
  caller: Caller,
  { made }: Undo,
  attached: readonly string[],
): Promise<Reading<readonly string[]>> {
  const names = [...new Set([...made.zvols.map(({ name }) => name), ...attached])];
  if (names.length === 0) return { known: true, value: [] };
  const found = await lookAtDatasets(caller, names);
  if (!found.known) return found;
  const own = found.value.filter((dataset) => isOwn(made, dataset)).map(({ name }) => name);
  return { known: true, value: own };
}

/** A zvol that we would have marked and that does not say so is somebody else's, who took the name meanwhile. */
function isOwn(made: Made, { name, mark }: Dataset): boolean {
  if (mark !== null) return mark.operation === made.operation || mark.vm === made.uuid;
  return made.zvols.some((zvol) => zvol.name === name && !zvol.marked);
}

interface Doomed {
  readonly row: VmRow;
  readonly zvols: Reading<readonly string[]>;
}

/** With its zvols only when this operation made each of them; otherwise they are removed by name. */
async function deleteVm(context: UndoContext, { vm, made }: Undo, { row, zvols }: Doomed): Promise<void> {
  const { caller, log, settle } = context;
  const own = zvols.known ? zvols.value : made.zvols.map(({ name }) => name);
  const all = attachedZvols(row).every((zvol) => own.includes(zvol));
  await runStep(log, {
    vm,
    step: "undo-vm",
    method: "vm.delete",
    run: () => caller.call("vm.delete", [row.id, { zvols: all, force: false }]),
    look: async () => (await caller.call("vm.query", vmQuery(["id", "=", row.id]))).length === 0 || null,
    detail: () => `id ${row.id} removed`,
  }, settle);
}

function attachedZvols(row: VmRow): string[] {
  return row.devices.flatMap(({ attributes }) => {
    const zvol = attributes.dtype === "DISK" && typeof attributes.path === "string"
      ? zvolOfPath(attributes.path)
      : null;
    return zvol === null ? [] : [zvol];
  });
}

/** Takes back the devices that were added to a VM that existed before. */
async function deleteDevices({ caller, log, settle }: UndoContext, { vm, made }: Undo): Promise<number> {
  const { vmId } = made;
  if (vmId === null || made.devices.length === 0) return 0;
  const rows: readonly DeviceRow[] = await caller.call("vm.device.query", [[["vm", "=", vmId]]]);
  const added = rows.filter((row) => made.devices.some((device) => isDevice(row, device)));
  for (const { id } of added) {
    await runStep(log, {
      vm,
      step: `undo-device-${id}`,
      method: "vm.device.delete",
      run: () => caller.call("vm.device.delete", [id, { zvol: false, raw_file: false, force: false }]),
      look: async () => (await caller.call("vm.device.query", [[["id", "=", id]]])).length === 0 || null,
      detail: () => `device ${id} removed`,
    }, settle);
  }
  return added.length;
}

/**
 * Removes zvols that outlived the VM, or never got a device; returns how many of this operation's are gone in all.
 * `before` are those that were there; where that cannot be read, those that went with the VM.
 */
async function deleteZvols(
  context: UndoContext,
  undo: Undo,
  { before, attached }: { readonly before: readonly string[]; readonly attached: readonly string[] },
): Promise<number> {
  const { caller, log, settle } = context;
  const left = await findZvols(caller, undo, attached);
  if (!left.known) {
    // What was attached went with the VM, by the NAS's own answer; of the others nothing is known.
    const unseen = undo.made.zvols.map(({ name }) => name).filter((zvol) => !before.includes(zvol));
    if (unseen.length === 0) return before.length;
    throw new TrueNASError(`Cannot see whether ${unseen.join(", ")} exist: ${left.because}`);
  }
  for (const zvol of left.value) {
    await runStep(log, {
      vm: undo.vm,
      step: "undo-zvols",
      method: "pool.dataset.delete",
      run: () => caller.call("pool.dataset.delete", [zvol, { recursive: false }]),
      look: async () => {
        const seen = await lookAtDatasets(caller, [zvol]);
        return seen.known && seen.value.length === 0 || null;
      },
      detail: () => `${zvol} removed`,
    }, settle);
  }
  return new Set([...before, ...left.value]).size;
}
