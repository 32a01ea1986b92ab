/**
 * Snapshots, holds and clones in ZFS, without TrueNAS's rules: what depends on what, and what is in use. Tests add them with
 * {@link addSnapshot}, {@link addHold} and {@link addClone}.
 */
import { addDataset, type Store, type StoredDataset, type StoredSnapshot, zvolAt } from "../store.ts";

/** The tag of TrueNAS's holds. */
export const HOLD_TAG = "truenas";

/** The parts of a snapshot's name; null without an @. */
export function snapshotParts(name: string): { readonly dataset: string; readonly snapshot: string } | null {
  const at = name.indexOf("@");
  return at < 0 ? null : { dataset: name.slice(0, at), snapshot: name.slice(at + 1) };
}

/** The names of a dataset and everything below it. */
export function withDescendants(store: Store, name: string): string[] {
  return [...store.datasets.keys()].filter((it) => it === name || it.startsWith(`${name}/`));
}

/** Whether a dataset contains filesystems or zvols. */
export function hasChildren(store: Store, name: string): boolean {
  return withDescendants(store, name).length > 1;
}

/** The snapshots of a dataset itself, oldest first. */
export function snapshotsOf(store: Store, dataset: string): StoredSnapshot[] {
  const snapshots = [...store.snapshots.values()].filter((it) => it.dataset === dataset);
  return snapshots.toSorted((a, b) => a.createtxg - b.createtxg);
}

/** The clones of a snapshot, by name. */
export function clonesOf(store: Store, snapshot: string): string[] {
  return [...store.datasets.values()].filter(({ origin }) => origin === snapshot).map(({ name }) => name);
}

/** Whether a zvol is open: in a VM that is not stopped, or as set by a test. */
export function isBusy(store: Store, name: string): boolean {
  if (store.datasets.get(name)?.isOpen === true) return true;
  return [...store.devices.values()].some(({ vm, attributes }) =>
    attributes.dtype === "DISK" && zvolAt(attributes.path) === name && store.vms.get(vm)?.state !== "STOPPED"
  );
}

/** Adds a snapshot without checks. */
export function addSnapshot(
  store: Store,
  name: string,
  userProperties: Readonly<Record<string, string>> = {},
): StoredSnapshot {
  const { dataset, snapshot } = snapshotParts(name) ?? { dataset: name, snapshot: "" };
  const { volsizeBytes = 0, writtenBytes = 0, content = null } = store.datasets.get(dataset) ?? {};
  const stored: StoredSnapshot = {
    name,
    dataset,
    volsizeBytes,
    referencedBytes: writtenBytes,
    content,
    uniqueBytes: 0,
    snapshotName: snapshot,
    createtxg: ++store.lastTxg,
    createdAt: Date.now(),
    holds: new Map(),
    userProperties: { ...userProperties },
    isDeferred: false,
  };
  store.snapshots.set(name, stored);
  return stored;
}

/** Holds a snapshot, so that it cannot be destroyed. */
export function addHold(store: Store, snapshot: string, tag: string = HOLD_TAG): void {
  store.snapshots.get(snapshot)?.holds.set(tag, Math.floor(Date.now() / 1000));
}

/** Clones a snapshot: the clone has the same size, uses no space of its own, and inherits no user properties. */
export function addClone(
  store: Store,
  snapshot: string,
  target: string,
  rest: Partial<Pick<StoredDataset, "userProperties" | "isOpen">> = {},
): StoredDataset {
  const taken = store.snapshots.get(snapshot);
  const { type = "VOLUME" } = store.datasets.get(taken?.dataset ?? "") ?? {};
  const { volsizeBytes = 0, referencedBytes = 0, content = null } = taken ?? {};
  const data = { volsizeBytes, writtenBytes: referencedBytes, sharedBytes: referencedBytes, content };
  return addDataset(store, { name: target, type, ...data, sparse: true, origin: snapshot, ...rest });
}

/** Writes to a zvol; the newest snapshot keeps what was there. */
export function overwrite(store: Store, dataset: StoredDataset, content: string, bytes: number): void {
  const newest = snapshotsOf(store, dataset.name).at(-1);
  if (newest !== undefined) newest.uniqueBytes = Math.max(newest.uniqueBytes, newest.referencedBytes);
  dataset.sharedBytes = 0;
  dataset.writtenBytes = bytes;
  dataset.content = content;
}

/** Promotes a clone: it takes over the snapshots up to its origin, and the former parent becomes its clone. */
export function promote(store: Store, clone: StoredDataset): void {
  const origin = store.snapshots.get(clone.origin ?? "");
  const parent = origin === undefined ? undefined : store.datasets.get(origin.dataset);
  if (origin === undefined || parent === undefined) return;
  const moving = snapshotsOf(store, parent.name).filter(({ createtxg }) => createtxg <= origin.createtxg);
  const grandparent = parent.origin;
  for (const snapshot of moving) renameSnapshot(store, snapshot, `${clone.name}@${snapshot.snapshotName}`);
  clone.origin = grandparent;
  parent.origin = origin.name;
  parent.sharedBytes = Math.min(parent.writtenBytes, clone.sharedBytes);
  clone.sharedBytes = 0;
}

/** Renames a snapshot; its clones and holds stay. */
export function renameSnapshot(store: Store, snapshot: StoredSnapshot, name: string): void {
  const clones = clonesOf(store, snapshot.name);
  store.snapshots.delete(snapshot.name);
  const parts = snapshotParts(name);
  snapshot.name = name;
  snapshot.dataset = parts?.dataset ?? snapshot.dataset;
  snapshot.snapshotName = parts?.snapshot ?? snapshot.snapshotName;
  store.snapshots.set(name, snapshot);
  for (const clone of clones) {
    const dataset = store.datasets.get(clone);
    if (dataset !== undefined) dataset.origin = name;
  }
}

/** A filesystem's files go with it. */
function dropFiles({ files, folders }: Store, below: string): void {
  for (const path of files.keys()) if (path.startsWith(below)) files.delete(path);
  for (const path of folders) if (path.startsWith(below)) folders.delete(path);
}

/** Removes a dataset, and its origin if its deferred destruction waited for this last clone. */
export function dropDataset(store: Store, name: string): void {
  const { origin = null, type } = store.datasets.get(name) ?? {};
  store.datasets.delete(name);
  if (type === "FILESYSTEM") dropFiles(store, `/mnt/${name}/`);
  const snapshot = origin === null ? undefined : store.snapshots.get(origin);
  if (snapshot?.isDeferred === true && clonesOf(store, snapshot.name).length === 0) {
    store.snapshots.delete(snapshot.name);
  }
}
