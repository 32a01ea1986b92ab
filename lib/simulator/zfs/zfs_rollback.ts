/** Rolling a dataset back to a snapshot; no release checks whether a VM uses it. */
import type { Nas } from "../nas.ts";
import type { Store, StoredSnapshot } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, type MethodError, plainException } from "../wire/wire_errors.ts";
import { clonesOf, dropDataset, snapshotParts, snapshotsOf, withDescendants } from "./zfs.ts";

/** What a rollback is allowed to destroy. */
export interface RollbackFlags {
  readonly recursive?: boolean;
  readonly recursive_clones?: boolean;
  readonly recursive_rollback?: boolean;
}

/** Rolls back, or refuses in the release's words. */
export function rollBack(nas: Nas, name: string, flags: RollbackFlags): void {
  const parts = snapshotParts(name);
  if (parts === null || !nas.store.snapshots.has(name)) throw missing(nas, name, parts === null);
  const datasets = flags.recursive_rollback === true
    ? withDescendants(nas.store, parts.dataset)
    : [parts.dataset];
  for (const dataset of datasets) {
    const snapshot = nas.store.snapshots.get(`${dataset}@${parts.snapshot}`);
    if (snapshot !== undefined) rollBackOne(nas, snapshot, flags);
  }
}

function rollBackOne(nas: Nas, snapshot: StoredSnapshot, flags: RollbackFlags): void {
  const { store } = nas;
  const newer = newerThan(store, snapshot);
  const mayDelete = flags.recursive === true || flags.recursive_clones === true ||
    flags.recursive_rollback === true;
  if (newer.length > 0 && !mayDelete) throw newerExist(nas, snapshot, newer.toReversed());
  const cloned = newer.filter(({ name }) => clonesOf(store, name).length > 0);
  const [first] = cloned;
  if (first !== undefined && flags.recursive_clones !== true) throw clonesExist(nas, snapshot, first);
  for (const { name } of newer) {
    for (const clone of clonesOf(store, name)) dropDataset(store, clone);
    store.snapshots.delete(name);
  }
  restore(store, snapshot);
}

/** The dataset becomes what it was, its size included. */
function restore(store: Store, snapshot: StoredSnapshot): void {
  const dataset = store.datasets.get(snapshot.dataset);
  if (dataset === undefined) return;
  dataset.volsizeBytes = snapshot.volsizeBytes;
  dataset.content = snapshot.content;
  dataset.writtenBytes = snapshot.referencedBytes;
  dataset.sharedBytes = Math.min(dataset.sharedBytes, dataset.writtenBytes);
  snapshot.uniqueBytes = 0;
}

/** The later snapshots of the same dataset, newest first. */
function newerThan(store: Store, { dataset, createtxg }: StoredSnapshot): StoredSnapshot[] {
  return snapshotsOf(store, dataset).filter((it) => it.createtxg > createtxg).toReversed();
}

function missing({ profile }: Nas, name: string, isDataset: boolean): MethodError {
  if (profile.zfs === "resource") {
    const text = isDataset ? `'${name}' must be a snapshot path (containing '@')` : `'${name}' not found`;
    return plainException("ZFSException", text);
  }
  const text = `cannot open '${name}': dataset does not exist`;
  return callError(ERRNO.EFAULT, `Failed to rollback snapshot: ${text}`);
}

function newerExist({ profile }: Nas, { name }: StoredSnapshot, newer: readonly StoredSnapshot[]) {
  const names = newer.map((it) => it.name);
  if (profile.zfs === "resource") {
    const text =
      "Cannot rollback: more recent snapshots or bookmarks exist. Please pass `recursive: true` to " +
      "delete the following snapshots and bookmarks recursively:";
    return plainException("ZFSException", [text, ...names.map((it) => `  ${it}`)].join("\n"));
  }
  const text = `cannot rollback to '${name}': more recent snapshots or bookmarks exist`;
  const hint = "use '-r' to force deletion of the following snapshots and bookmarks:";
  return callError(ERRNO.EFAULT, ["Failed to rollback snapshot: " + text, hint, ...names].join("\n"));
}

/** From 26 on the raw tuple of ZFS's library, after snapshots newer than the cloned one were already destroyed. */
function clonesExist(nas: Nas, { name }: StoredSnapshot, cloned: StoredSnapshot): MethodError {
  if (nas.profile.zfs === "resource") {
    for (const it of newerThan(nas.store, cloned)) nas.store.snapshots.delete(it.name);
    return plainException("ZFSException", `('lzc_destroy_snaps() failed', (('${cloned.name}', 17),))`);
  }
  const text = `cannot rollback to '${name}': clones of previous snapshots exist`;
  const hint = "use '-R' to force deletion of the following clones and dependents:";
  const clones = clonesOf(nas.store, cloned.name);
  return callError(ERRNO.EFAULT, [`Failed to rollback snapshot: ${text}`, hint, ...clones].join("\n"));
}
