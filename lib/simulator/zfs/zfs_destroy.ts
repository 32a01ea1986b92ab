/**
 * How each release destroys datasets and snapshots. Up to 25.10 it refuses while anything depends on them; from 26 on a
 * recursive destroy first destroys the clones of others, and does not report failures.
 */
import type { Nas } from "../nas.ts";
import type { Store, StoredSnapshot } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, type MethodError, validationError } from "../wire/wire_errors.ts";
import { clonesOf, dropDataset, hasChildren, isBusy, snapshotsOf, withDescendants } from "./zfs.ts";

/** Destroys a dataset without children. */
export function destroySingle(nas: Nas, name: string): void {
  const { store } = nas;
  const snapshots = snapshotsOf(store, name);
  if (snapshots.length > 0) throw hasSnapshots(nas, name, snapshots);
  if (isBusy(store, name)) throw busy(name);
  dropDataset(store, name);
}

/** Destroys a dataset with everything below it, like the release does. */
export function destroyRecursively(nas: Nas, name: string): void {
  if (nas.profile.zfs === "resource") destroyWithClones(nas.store, name);
  else destroyUnlessNeeded(nas.store, name);
}

function hasSnapshots({ profile }: Nas, name: string, snapshots: readonly StoredSnapshot[]): MethodError {
  if (profile.zfs === "resource") {
    const message = `'${name}' has snapshots. Set recursive=True to remove them.`;
    return validationError("zfs.resource.destroy", message, ERRNO.ENOTEMPTY);
  }
  const names = snapshots.map((it) => it.name).join("\n");
  const text =
    `cannot destroy '${name}': volume has children\nuse '-r' to destroy the following datasets:\n${names}`;
  return callError(ERRNO.EFAULT, `Failed to delete dataset: ${text}`);
}

function busy(name: string): MethodError {
  return callError(ERRNO.EBUSY, `Failed to delete dataset: cannot destroy '${name}': dataset is busy`);
}

/** Up to 25.10, like `zfs destroy -r`: destroys nothing while a part has dependents, is held or is open. */
function destroyUnlessNeeded(store: Store, name: string): void {
  const toDestroy = withDescendants(store, name);
  const snapshots = toDestroy.flatMap((it) => snapshotsOf(store, it));
  const clones = snapshots.flatMap((it) => clonesOf(store, it.name)).filter((it) => !toDestroy.includes(it));
  if (clones.length > 0) {
    const kind = store.datasets.get(name)?.type === "VOLUME" ? "volume" : "filesystem";
    const text = `cannot destroy '${name}': ${kind} has dependent clones`;
    const hint = `use '-R' to destroy the following datasets:\n${clones.join("\n")}`;
    throw callError(ERRNO.EFAULT, `Failed to delete dataset: ${text}\n${hint}`);
  }
  if (toDestroy.some((it) => isBusy(store, it)) || snapshots.some(({ holds }) => holds.size > 0)) {
    throw busy(name);
  }
  for (const snapshot of snapshots) store.snapshots.delete(snapshot.name);
  for (const it of toDestroy) dropDataset(store, it);
}

/**
 * From 26 on: first destroys every clone of every snapshot, whoever uses it, unless it is open or has snapshots; releases
 * holds; and silently skips what cannot be destroyed.
 */
function destroyWithClones(store: Store, name: string): void {
  const deepestFirst = withDescendants(store, name).toSorted((a, b) => b.length - a.length);
  for (const dataset of deepestFirst) {
    for (const snapshot of snapshotsOf(store, dataset)) destroySnapshotWithClones(store, snapshot);
  }
  for (const dataset of deepestFirst) dropUnlessNeeded(store, dataset);
}

function dropUnlessNeeded(store: Store, dataset: string): void {
  const isNeeded = snapshotsOf(store, dataset).length > 0 || hasChildren(store, dataset);
  if (!isNeeded && !isBusy(store, dataset)) dropDataset(store, dataset);
}

/** A recursive destroy of a snapshot from 26 on: destroys its idle clones, releases its holds, and then destroys it. */
export function destroySnapshotWithClones(store: Store, snapshot: StoredSnapshot): void {
  for (const clone of clonesOf(store, snapshot.name)) dropUnlessNeeded(store, clone);
  snapshot.holds.clear();
  if (clonesOf(store, snapshot.name).length === 0) store.snapshots.delete(snapshot.name);
}
