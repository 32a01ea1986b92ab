/**
 * Removes zvols one by one, never recursively, because from TrueNAS 26 on a recursive destroy deletes idle clones of other
 * VMs. Snapshots are removed first, if each was shown, has no hold and has no clone.
 */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { fetchDatasets, fetchRelations } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import type { OperationLog } from "../log.ts";
import { runOrVerify, runStep, type SettleTimeouts } from "./run_step.ts";

/** What removing zvols needs. */
export interface ZvolRemovalContext {
  /** For reads. */
  readonly caller: Caller;
  /** Returns the caller for the next write: one that the user can still cancel, or one that always sends. */
  readonly writer: () => Caller;
  /** Called when something was removed. */
  readonly onRemoved: () => void;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
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

/** Removes the snapshots that were shown, in their own step; snapshots that no longer exist are skipped. */
export async function removeSnapshots(
  context: ZvolRemovalContext,
  vm: string,
  zvols: readonly PlannedZvol[],
  step = "snapshots",
): Promise<void> {
  const shown = zvols.flatMap(({ snapshots }) => (snapshots ?? []).map(({ name }) => name));
  if (shown.length === 0) return;
  await runStep(context.log, {
    vm,
    step,
    method: "pool.snapshot.delete",
    makes: `${formatCount(shown.length, "snapshot")} of ${zvols.map(({ name }) => name).join(", ")}`,
    run: async (next) => {
      for (const [n, name] of shown.entries()) {
        if (n > 0) await next("pool.snapshot.delete");
        await removeSnapshot(context, name);
      }
      return shown.length;
    },
    verify: null,
    detail: (count) => formatCount(count, "snapshot"),
  }, context.settle);
}

async function removeSnapshot(
  { caller, writer, onRemoved, settle }: ZvolRemovalContext,
  name: string,
): Promise<void> {
  const isGone = async () => {
    const { snapshots } = await fetchRelations(caller, [sourceOf(name)]);
    return snapshots.known && !snapshots.value.some((snapshot) => snapshot.name === name) || null;
  };
  const remove = () => writer().call("pool.snapshot.delete", [name, { defer: false, recursive: false }]);
  try {
    await runOrVerify(remove, isGone, settle);
  } catch (error) {
    if (!(error instanceof TrueNASCallError) || await isGone() === null) throw error;
  }
  onRemoved();
}

/** Removes one zvol that no VM uses. */
export async function removeLoneZvol(
  context: ZvolRemovalContext,
  zvol: PlannedZvol,
): Promise<void> {
  const { caller, writer, settle } = context;
  const isGone = async () => await isZvolGone(caller, zvol.name) || null;
  const remove = () => writer().call("pool.dataset.delete", [zvol.name, { recursive: false }]);
  await unlessGone(context, zvol, () => runOrVerify(remove, isGone, settle));
}

/** Removes a disk of a VM together with its zvol. */
export async function removeDisk(
  context: ZvolRemovalContext,
  zvol: PlannedZvol,
  { deviceId, isDeviceGone }: {
    readonly deviceId: number;
    readonly isDeviceGone: () => Promise<true | null>;
  },
): Promise<void> {
  const { writer, settle } = context;
  const options = { zvol: true, raw_file: false, force: false };
  const remove = () => writer().call("vm.device.delete", [deviceId, options]);
  await unlessGone(context, zvol, () => runOrVerify(remove, isDeviceGone, settle));
}

/** Ignores a refusal when the zvol no longer exists; otherwise explains why the zvol is left. */
async function unlessGone(
  { caller, onRemoved }: ZvolRemovalContext,
  zvol: PlannedZvol,
  remove: () => Promise<unknown>,
): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    if (await isZvolGone(caller, zvol.name)) return;
    const { method, message } = error;
    const problem = describeProblem([{ ...zvol, snapshots: [] }], await fetchRelations(caller, [zvol.name]));
    const why = problem === null ? `${message}` : problem;
    throw new TrueNASError(`The zvol ${zvol.name} was not removed: ${why}`, {
      ...(method === undefined ? {} : { method }),
      cause: error,
    });
  }
  onRemoved();
}

async function isZvolGone(caller: Caller, name: string): Promise<boolean> {
  const seen = await fetchDatasets(caller, [name]);
  return seen.known && seen.value.length === 0;
}
