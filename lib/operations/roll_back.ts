/**
 * The way back for a VM that could not be made: what this run made of it is removed, and nothing else. Each step of
 * it is logged like any other, and what cannot be removed is named.
 */
import { TrueNASError } from "../errors.ts";
import type { Reading } from "../inventory.ts";
import { zvolOfPath } from "../names.ts";
import type { Caller } from "../truenas/client.ts";
import type { VmRow } from "../truenas/methods.ts";
import { readDatasets } from "../truenas/read_inventory.ts";
import { formatCount } from "../units.ts";
import type { Made } from "./create_vm.ts";
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
    const id = undo.made.vmId === null ? {} : { vmId: undo.made.vmId };
    log.append({ type: "vm", vm: undo.vm, outcome: "left-behind", message, ...id });
  }
}

function describeLeft({ vm, made }: Undo): string {
  const zvols = made.zvols.map((zvol) => `possibly the zvol ${zvol}`);
  const id = made.vmId === null ? `possibly the VM ${vm}` : `the VM ${vm} (id ${made.vmId})`;
  return [id, ...zvols].join(", ");
}

/** Removes what was made and says what that was. */
async function removeMade(context: UndoContext, undo: Undo): Promise<string[]> {
  const removed: string[] = [];
  const row = await findOurs(context.caller, undo);
  if (row !== null && undo.made.uuid !== null) {
    undo.made.vmId = row.id;
    await powerOff(context, undo, row);
    await deleteVm(context, undo, row);
    removed.push("the VM");
  } else if (row !== null) {
    const count = await deleteDevices(context, undo);
    if (count > 0) removed.push(formatCount(count, "device"));
  }
  const zvols = await deleteZvols(context, undo, row);
  if (zvols > 0) removed.push(formatCount(zvols, "zvol"));
  return removed;
}

/** The VM of this run: by the uuid that it was given, or by its id when it was there before. */
async function findOurs(caller: Caller, { made, vm }: Undo): Promise<VmRow | null> {
  if (made.uuid !== null) return (await caller.call("vm.query", [[["uuid", "=", made.uuid]]]))[0] ?? null;
  if (made.vmId === null) return null;
  return (await caller.call("vm.query", [[["id", "=", made.vmId], ["name", "=", vm]]]))[0] ?? null;
}

async function powerOff({ caller, log, settle }: UndoContext, { vm }: Undo, row: VmRow): Promise<void> {
  if (row.status.state === "STOPPED") return;
  await runStep(log, {
    vm,
    step: "undo-poweroff",
    method: "vm.poweroff",
    run: () => caller.call("vm.poweroff", [row.id]),
    look: async () => (await caller.call("vm.get_instance", [row.id])).status.state === "STOPPED" || null,
    detail: () => "STOPPED",
  }, settle);
}

/** With its zvols only when this run made each of them. */
async function deleteVm(
  { caller, log, settle }: UndoContext,
  { vm, made }: Undo,
  row: VmRow,
): Promise<void> {
  const zvols = attachedZvols(row).every((zvol) => made.zvols.includes(zvol));
  await runStep(log, {
    vm,
    step: "undo-vm",
    method: "vm.delete",
    run: () => caller.call("vm.delete", [row.id, { zvols, force: false }]),
    look: async () => (await caller.call("vm.query", [[["id", "=", row.id]]])).length === 0 || null,
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
  for (const id of made.deviceIds) {
    await runStep(log, {
      vm,
      step: `undo-device-${id}`,
      method: "vm.device.delete",
      run: () => caller.call("vm.device.delete", [id, { zvol: false, raw_file: false, force: false }]),
      look: async () => (await caller.call("vm.device.query", [[["id", "=", id]]])).length === 0 || null,
      detail: () => `device ${id} removed`,
    }, settle);
  }
  return made.deviceIds.length;
}

/** Removes zvols that outlived the VM, or never got a device; returns how many of this run's are gone in all. */
async function deleteZvols({ caller, log, settle }: UndoContext, { vm, made }: Undo, row: VmRow | null) {
  if (made.zvols.length === 0) return 0;
  const wereAttached = row === null || made.uuid === null ? [] : attachedZvols(row);
  const left = await existing(caller, made.zvols);
  if (!left.known) {
    // Those that were attached went with the VM, by the NAS's own answer; of the others nothing is known.
    const unseen = made.zvols.filter((zvol) => !wereAttached.includes(zvol));
    if (unseen.length === 0) return made.zvols.length;
    throw new TrueNASError(`Cannot see whether ${unseen.join(", ")} exist: ${left.because}`);
  }
  for (const zvol of left.value) {
    await runStep(log, {
      vm,
      step: "undo-zvols",
      method: "pool.dataset.delete",
      run: () => caller.call("pool.dataset.delete", [zvol, { recursive: false }]),
      look: async () => {
        const seen = await existing(caller, [zvol]);
        return seen.known && seen.value.length === 0 || null;
      },
      detail: () => `${zvol} removed`,
    }, settle);
  }
  return made.zvols.filter((zvol) => wereAttached.includes(zvol) || left.value.includes(zvol)).length;
}

async function existing(caller: Caller, zvols: readonly string[]): Promise<Reading<readonly string[]>> {
  const datasets = await readDatasets(caller, zvols);
  return datasets.known ? { known: true, value: datasets.value.map(({ name }) => name) } : datasets;
}
