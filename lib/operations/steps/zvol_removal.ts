/**
 * Removes zvols one by one and never recursively, because from TrueNAS 26 on a recursive destroy takes the idle clones
 * of others with it: first their snapshots, of which each was shown, is not held and has no clone.
 */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { fetchDatasets, lookAtRelations } from "../../truenas/looks.ts";
import { formatCount } from "../../units.ts";
import type { OperationLog } from "../log.ts";
import { runOrVerify, runStep, type SettleTimeouts } from "./run_step.ts";

/** What zvols are removed with. */
export interface ZvolRemovalContext {
  /** For readings. */
  readonly caller: Caller;
  /** Gives the caller of the next write: one that a person may still cancel, or one that they may not any more. */
  readonly writer: () => Caller;
  /** Called when something was removed. */
  readonly onRemoved: () => void;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
}

/**
 * Whether no more depends on the zvols than was shown.
 *
 * @throws {TrueNASError} naming a snapshot that was not shown or is held, or a clone; nothing was done.
 */
export async function expectAsShown(
  caller: Caller,
  zvols: readonly PlannedZvol[],
  whose: string,
): Promise<void> {
  const names = zvols.map(({ name }) => name);
  const problem = describeProblem(zvols, await lookAtRelations(caller, names));
  if (problem !== null) throw new TrueNASError(`${problem}; nothing was done to ${whose}`);
}

function describeProblem(
  zvols: readonly PlannedZvol[],
  { snapshots, clones }: Awaited<ReturnType<typeof lookAtRelations>>,
): string | null {
  const names = new Set(zvols.map(({ name }) => name));
  const clone = clones.known ? clones.value.find(({ zvol }) => !names.has(zvol)) : undefined;
  if (clone !== undefined) {
    const { zvol, origin } = clone;
    return `${zvol} is a clone of ${
      sourceOf(origin)
    } and depends on it: promote it in TrueNAS, or keep the disk`;
  }
  if (!snapshots.known) return null;
  for (const { name } of snapshots.value) {
    const { snapshots: shown } = zvols.find((zvol) => zvol.name === sourceOf(name)) ?? { snapshots: [] };
    const again = "so it is not removed: list again to see what would go now";
    if (shown === null) {
      return `The snapshot ${name} was not on the list, because none could be read then, ${again}`;
    }
    if (shown.every((it) => it.name !== name)) {
      return `The snapshot ${name} appeared after the list was shown, ${again}`;
    }
  }
  const held = snapshots.value.find(({ holds }) => holds.length > 0);
  return held === undefined
    ? null
    : `The snapshot ${held.name} is held (${held.holds.join(", ")}): release it in TrueNAS, or keep the disk`;
}

/** Whether any of the zvols has a snapshot that goes first. */
export function hasSnapshots(zvols: readonly PlannedZvol[]): boolean {
  return zvols.some(({ snapshots }) => (snapshots ?? []).length > 0);
}

/** Removes the snapshots that were shown, in a step of their own; one that is gone already is passed over. */
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
    const { snapshots } = await lookAtRelations(caller, [sourceOf(name)]);
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

/** Removes one zvol that is in no VM. */
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

/** A refusal is no failure when the zvol was gone already; otherwise it says why the zvol is left. */
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
    const problem = describeProblem([{ ...zvol, snapshots: [] }], await lookAtRelations(caller, [zvol.name]));
    const why = problem === null ? `the NAS answered ${message}` : problem;
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
