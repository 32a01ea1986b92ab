/**
 * Removes zvols one by one, never recursively, because from TrueNAS 26 on a recursive destroy deletes idle clones of other
 * VMs. Snapshots are removed first, if each was shown, has no hold and has no clone.
 */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { isTransient } from "../../errors/refusals.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { expectKnown, fetchDatasets, fetchRelations, fetchVm } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import { runStep, type Step, type StepCalls, type StepContext } from "./run_step.ts";

/** What removing zvols needs. */
export interface RemovalContext extends StepContext {
  /** Returns the caller for the next write. */
  readonly writer: () => Caller;
  readonly progress: RemovalProgress;
  /** Whether a removal is worth another try after this refusal. */
  readonly passes: (error: unknown) => boolean | Promise<boolean>;
}

/** Progress of a removal. */
export interface RemovalProgress {
  /** A change was requested. */
  sent: boolean;
  /** A snapshot or zvol was removed. */
  removed: boolean;
}

/** Removals that the user can cancel until the first has succeeded; from then on all are sent. */
export function removalContext(
  { vmName, caller, log, settle, outages }: StepContext,
  cancellable: Caller = caller,
  passes: RemovalContext["passes"] = isTransient,
): RemovalContext {
  const progress = { sent: false, removed: false };
  const writer = () => {
    progress.sent = true;
    return progress.removed ? caller : cancellable;
  };
  return { vmName, caller, log, settle, outages, writer, progress, passes };
}

/**
 * Checks that the zvols have no dependents besides those that were shown.
 *
 * @throws {TrueNASError} naming a snapshot that was not shown or has a hold, or a clone; nothing was done.
 */
export async function expectAsShown(
  caller: Caller,
  zvols: readonly PlannedZvol[],
  whose: string,
): Promise<void> {
  const names = zvols.map(({ name }) => name);
  const problem = describeProblem(zvols, await fetchRelations(caller, names));
  if (problem !== null) throw new TrueNASError(`${problem}. ${whose} was not changed`);
}

function describeProblem(
  zvols: readonly PlannedZvol[],
  { snapshots, clones }: Awaited<ReturnType<typeof fetchRelations>>,
): string | null {
  const names = new Set(zvols.map(({ name }) => name));
  const clone = clones.known ? clones.value.find(({ zvol }) => !names.has(zvol)) : undefined;
  if (clone !== undefined) {
    const { zvol, origin } = clone;
    return `${zvol} is a clone that depends on ${sourceOf(origin)}; promote it in TrueNAS, or keep the disk`;
  }
  if (!snapshots.known) return null;
  for (const { name } of snapshots.value) {
    const { snapshots: shown } = zvols.find((zvol) => zvol.name === sourceOf(name)) ?? { snapshots: [] };
    const again = "so it was not removed; open the list again";
    if (shown === null) {
      return `The snapshot ${name} was not on the list because snapshots could not be read, ${again}`;
    }
    if (shown.every((it) => it.name !== name)) {
      return `The snapshot ${name} appeared after the list was shown, ${again}`;
    }
  }
  const held = snapshots.value.find(({ holds }) => holds.length > 0);
  return held === undefined
    ? null
    : `The snapshot ${held.name} has a hold (${
      held.holds.join(", ")
    }); release it in TrueNAS, or keep the disk`;
}

/** Whether any of the zvols has snapshots to remove first. */
export function hasSnapshots(zvols: readonly PlannedZvol[]): boolean {
  return zvols.some(({ snapshots }) => (snapshots ?? []).length > 0);
}

/** Removes the snapshots that were shown; snapshots that no longer exist are skipped. Nothing to do without snapshots. */
export async function removeSnapshots(
  context: RemovalContext,
  zvols: readonly PlannedZvol[],
  step = "snapshots",
): Promise<void> {
  const shown = zvols.flatMap(({ snapshots }) => (snapshots ?? []).map(({ name }) => name));
  if (shown.length === 0) return;
  const method = "pool.snapshot.delete";
  await runStep(context, {
    step,
    method,
    makes: `${formatCount(shown.length, "snapshot")} of ${zvols.map(({ name }) => name).join(", ")}`,
    call: async (calls) => {
      for (const [n, name] of shown.entries()) {
        if (n > 0) await calls.next(method);
        await removeSnapshot(context, calls, name);
      }
    },
    verify: null,
    detail: () => formatCount(shown.length, "snapshot"),
  });
}

async function removeSnapshot(
  context: RemovalContext,
  { send }: StepCalls,
  name: string,
): Promise<void> {
  const { caller, writer, progress } = context;
  const isRemoved = async () => {
    const { snapshots } = await fetchRelations(caller, [sourceOf(name)]);
    return !expectKnown(snapshots).some((snapshot) => snapshot.name === name) || null;
  };
  const remove = () => writer().call("pool.snapshot.delete", [name, { defer: false, recursive: false }]);
  try {
    await send(remove, isRemoved);
  } catch (error) {
    if (!(error instanceof TrueNASCallError) || await isRemoved().catch(() => null) === null) {
      throw error;
    }
  }
  progress.removed = true;
}

/** Removes zvols that no VM uses, in one step. */
export function zvolsStep(
  context: RemovalContext,
  { step, zvols }: { readonly step: string; readonly zvols: readonly PlannedZvol[] },
): Step<void> {
  const method = "pool.dataset.delete";
  return {
    step,
    method,
    makes: zvols.map(({ name }) => name).join(", "),
    call: async (calls) => {
      for (const [n, zvol] of zvols.entries()) {
        if (n > 0) await calls.next(method);
        await removeZvol(context, calls, zvol, {
          remove: () => context.writer().call(method, [zvol.name, { recursive: false }]),
          verify: async () =>
            expectKnown(await fetchDatasets(context.caller, [zvol.name])).length === 0 || null,
        });
      }
    },
    verify: null,
    detail: () => formatCount(zvols.length, "disk"),
  };
}

/** Removes a disk of a VM together with its zvol. */
export async function removeDisk(
  context: RemovalContext,
  calls: StepCalls,
  zvol: PlannedZvol,
  { vmId, deviceId }: { readonly vmId: number; readonly deviceId: number },
): Promise<void> {
  const { caller, writer } = context;
  await removeZvol(context, calls, zvol, {
    remove: () =>
      writer().call("vm.device.delete", [deviceId, { zvol: true, raw_file: false, force: false }]),
    verify: async () =>
      !(await fetchVm(caller, vmId))?.disks.some((disk) => disk.deviceId === deviceId) || null,
  });
}

/** Ignores a refusal when the zvol no longer exists; otherwise explains why the zvol is left. */
async function removeZvol(
  { caller, progress, passes }: RemovalContext,
  { send }: StepCalls,
  zvol: PlannedZvol,
  { remove, verify }: {
    readonly remove: () => Promise<unknown>;
    readonly verify: () => Promise<true | null>;
  },
): Promise<void> {
  try {
    await send(remove, verify, { passes });
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    if (await isZvolRemoved(caller, zvol.name)) return;
    const { method, message } = error;
    const problem = describeProblem([{ ...zvol, snapshots: [] }], await fetchRelations(caller, [zvol.name]));
    throw new TrueNASError(`The zvol ${zvol.name} was not removed: ${problem ?? message}`, {
      ...(method === undefined ? {} : { method }),
      cause: error,
    });
  }
  progress.removed = true;
}

async function isZvolRemoved(caller: Caller, name: string): Promise<boolean> {
  const found = await fetchDatasets(caller, [name]);
  return found.known && found.value.length === 0;
}
