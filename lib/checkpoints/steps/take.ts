/** Takes the checkpoint of one VM: shuts it down if asked, snapshots each zvol, and starts it again. */
import { TrueNASError } from "../../errors/errors.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import { Cancelled, runStep, type Step, StepFailure } from "../../operations/steps/run_step.ts";
import {
  expectVm,
  runVm,
  type VmContext,
  type VmFailure,
  type VmResult,
} from "../../operations/steps/run_vm.ts";
import type { OperationVmView } from "../../operations/types.ts";
import { fetchOwnedSnapshots } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import { markOf, markProperties, type SnapshotMark, snapshotOf } from "../checkpoint.ts";
import type { VmToCheckpoint } from "../plan/plans.ts";
import { type CheckpointContext, expectStopped, isLeftOff, startStep, stopStep } from "./power.ts";
import { removeSnapshot } from "./remove_snapshot.ts";

/** The checkpoint that is taken. */
export interface Taking {
  readonly name: string;
  readonly note: string;
  /** How many VMs it has when it is whole. */
  readonly vms: number;
  /** Id of the operation that its snapshots name. */
  readonly operation: string;
}

/** The steps, in order. */
export function takingSteps({ stops }: VmToCheckpoint): readonly string[] {
  return [
    ...(stops ? ["stop"] : []),
    "snapshot",
    ...(stops ? ["start"] : []),
  ];
}

/** Takes it. Never throws; the log contains the result. */
export async function takeCheckpoint(context: VmContext, vm: VmToCheckpoint, taking: Taking): Promise<void> {
  const work = { ...context, vmName: vm.name, memory: context.memory.keep() };
  const asked: string[] = [];
  await runVm(work, {
    id: vm.id,
    run: async () => {
      if (context.signal.aborted) throw new Cancelled("Cancelled; nothing was done");
      if (vm.stops) await runStep(work, stopStep(work, vm));
      await runStep(work, snapshotStep(work, vm, taking, asked));
      if (vm.stops) await runStep(work, startStep(work, vm, "start"));
      return { outcome: "done", message: `${formatCount(vm.zvols.length, "disk")} in ${taking.name}` };
    },
    onFailure: (failure) => undo(work, vm, { taking, asked, failure }),
  }).finally(work.memory.end);
}

function snapshotStep(
  context: CheckpointContext,
  vm: VmToCheckpoint,
  taking: Taking,
  asked: string[],
): Step<void> {
  const { caller, cancellable } = context;
  const method = "zfs.resource.snapshot.create";
  const { name, note, operation, vms } = taking;
  const mark: SnapshotMark = {
    name,
    operation,
    note,
    vms,
    vm: { name: vm.name, uuid: vm.uuid },
    zvols: vm.zvols,
    running: vm.state !== "STOPPED" && !vm.stops,
    settings: vm.settings,
  };
  const snapshots = vm.zvols.map((zvol) => snapshotOf(zvol, name));
  return {
    step: "snapshot",
    method,
    makes: snapshots.join(", "),
    evidence: () => asked.length === 0 ? null : { snapshots: [...asked] },
    precondition: async () => {
      const found = vm.stops ? await expectStopped(context, vm, "snapshot") : await expectVm(caller, vm);
      const now = found.disks.flatMap(({ zvol }) => zvol ?? []);
      if (JSON.stringify(now) === JSON.stringify(vm.zvols)) return;
      throw new TrueNASError(
        `The disks of ${vm.name} have changed. No snapshot was taken; open the page again`,
      );
    },
    call: async (calls) => {
      for (const zvol of vm.zvols) {
        const snapshot = snapshotOf(zvol, name);
        const isOurs = async () => await operationOf(context, snapshot) === operation || null;
        const present = await operationOf(context, snapshot);
        if (present === operation) {
          asked.push(snapshot);
          continue;
        }
        if (present !== null) {
          throw new TrueNASError(
            `The snapshot ${snapshot} already exists, and is not part of this checkpoint`,
          );
        }
        asked.push(snapshot);
        await calls.next(method);
        const spec = {
          dataset: zvol,
          name: snapshot.slice(zvol.length + 1),
          user_properties: markProperties(mark),
        };
        await calls.send(() => cancellable.call(method, [spec]), isOurs);
      }
      for (const snapshot of snapshots) {
        if (await operationOf(context, snapshot) === operation) continue;
        throw new TrueNASError(`TrueNAS reported success, but ${snapshot} does not have this program's mark`);
      }
    },
    verify: null,
    detail: () => formatCount(vm.zvols.length, "snapshot"),
  };
}

/** The operation that took a snapshot; empty for one that is not of a checkpoint, null when there is none. */
async function operationOf({ caller }: CheckpointContext, snapshot: string): Promise<string | null> {
  const found = (await fetchOwnedSnapshots(caller, [sourceOf(snapshot)])).find((it) => it.name === snapshot);
  return found === undefined ? null : markOf(found)?.operation ?? "";
}

interface Undone {
  readonly taking: Pick<Taking, "operation">;
  /** Snapshots that were requested. */
  readonly asked: readonly string[];
  readonly failure: VmFailure;
}

async function undo(
  context: CheckpointContext,
  vm: VmToCheckpoint,
  { taking, asked, failure }: Undone,
): Promise<VmResult> {
  const { message, cancelled } = failure;
  const isTaken = asked.length > 0;
  let isOff = false;
  try {
    isOff = await isLeftOff(context, vm, stepsOf(context));
    await undoSteps([
      ...(isOff ? [() => runStep(context, startStep(context, vm, "undo-stop"))] : []),
      ...(isTaken ? [() => runStep(context, removeTakenStep(context, asked, taking.operation))] : []),
    ]);
  } catch (error) {
    if (!(error instanceof StepFailure || error instanceof TrueNASError)) throw error;
    return { outcome: "left-behind", message: `${message}. Undoing it failed: ${error.message}` };
  }
  const undone = [
    ...(isTaken ? ["its snapshots were removed"] : []),
    ...(isOff ? ["it was started again"] : []),
  ];
  const outcome = cancelled ? "cancelled" : isTaken || isOff ? "rolled-back" : "failed";
  return { outcome, message: undone.length === 0 ? message : `${message}. Undone: ${undone.join(" and ")}` };
}

function stepsOf({ log, vmName }: CheckpointContext): OperationVmView["steps"] {
  return log.view.vms.find(({ name }) => name === vmName)?.steps ?? [];
}

/**
 * Runs each of these steps even if an earlier one fails: a VM has to run again whether or not its snapshots can be removed.
 *
 * @throws {StepFailure} the first failure.
 */
export async function undoSteps(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  let failed: StepFailure | null = null;
  for (const run of steps) {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      failed ??= error;
    }
  }
  if (failed !== null) throw failed;
}

/** Removes the snapshots that an operation took of a VM: those that name it, whatever else was asked for. */
export function removeTakenStep(
  { caller }: CheckpointContext,
  asked: readonly string[],
  operation: string,
): Step<number> {
  return {
    step: "undo-snapshot",
    method: "pool.snapshot.delete",
    makes: asked.join(", "),
    call: async (calls) => {
      const zvols = [...new Set(asked.map(sourceOf))];
      const own = (await fetchOwnedSnapshots(caller, zvols)).filter((it) =>
        asked.includes(it.name) && markOf(it)?.operation === operation
      );
      const allows = (mark: SnapshotMark | null) => mark?.operation === operation;
      for (const snapshot of own) {
        await removeSnapshot({ caller, writer: () => caller, calls, allows }, snapshot);
      }
      return own.length;
    },
    verify: null,
    detail: (count) => formatCount(count, "snapshot"),
  };
}
