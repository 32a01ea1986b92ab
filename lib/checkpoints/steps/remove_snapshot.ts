/** Removes single snapshots that were confirmed, never recursively: read again just before, and afterwards. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { sourceOf } from "../../inventory/inventory.ts";
import type { StepCalls } from "../../operations/steps/run_step.ts";
import type { Caller } from "../../truenas/client.ts";
import { expectKnown, fetchOwnedSnapshots, fetchRelations } from "../../truenas/batched_reads.ts";
import { markOf, type SnapshotMark } from "../checkpoint.ts";
import type { SnapshotToRemove } from "../plan/plans.ts";

/** What removing a snapshot needs. */
export interface SnapshotRemoval {
  readonly caller: Caller;
  /** Returns the caller for the next deletion. */
  readonly writer: () => Caller;
  readonly calls: StepCalls;
  /** Whether the snapshot's mark allows it; null for a snapshot without a mark of this program. */
  readonly allows: (mark: SnapshotMark | null) => boolean;
}

/**
 * Removes one; false when it no longer exists.
 *
 * @throws {TrueNASError} when it is another one than was confirmed, is held, or something was cloned from it.
 */
export async function removeSnapshot(
  { caller, writer, calls, allows }: SnapshotRemoval,
  { name, createtxg }: SnapshotToRemove,
): Promise<boolean> {
  const zvol = sourceOf(name);
  const read = async () => (await fetchOwnedSnapshots(caller, [zvol])).find((it) => it.name === name) ?? null;
  const found = await read();
  if (found === null) return false;
  if (found.createtxg !== createtxg || !allows(markOf(found))) {
    throw new TrueNASError(
      `${name} is no longer the snapshot that was shown. It was not removed; open the page again`,
    );
  }
  if (found.holds.length > 0) {
    throw new TrueNASError(
      `${name} has a hold (${found.holds.join(", ")}). It was not removed; release it in TrueNAS`,
    );
  }
  const { clones } = await fetchRelations(caller, [zvol]);
  const clone = expectKnown(clones).find(({ origin }) => origin === name);
  if (clone !== undefined) {
    throw new TrueNASError(
      `${clone.zvol} is a clone of ${name}. It was not removed; promote the clone in TrueNAS`,
    );
  }
  await calls.next("pool.snapshot.delete");
  const isGone = async () => await read() === null || null;
  try {
    await calls.send(
      () => writer().call("pool.snapshot.delete", [name, { defer: false, recursive: false }]),
      async () => await isGone(),
    );
  } catch (error) {
    // Somebody else may have removed it meanwhile.
    if (!(error instanceof TrueNASCallError) || await isGone().catch(() => null) === null) throw error;
  }
  return true;
}
