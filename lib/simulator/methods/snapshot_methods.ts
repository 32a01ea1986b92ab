/** pool.snapshot.* (zfs.snapshot.* up to 25.04), with TrueNAS's own rules, texts and paths. */
import type { Method, Nas } from "../nas.ts";
import { instance, type Options, query, type Row } from "./query.ts";
import { snapshotRow, snapshotRows } from "../zfs/snapshot_rows.ts";
import { parentOf, type Store, type StoredSnapshot } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import {
  callError,
  notFound,
  plainException,
  Validation,
  validationError,
  validationErrors,
} from "../wire/wire_errors.ts";
import {
  addClone,
  addHold,
  addSnapshot,
  clonesOf,
  HOLD_TAG,
  renameSnapshot,
  snapshotParts,
  withDescendants,
} from "../zfs/zfs.ts";
import { destroySnapshotWithClones } from "../zfs/zfs_destroy.ts";
import { rollBack } from "../zfs/zfs_rollback.ts";

interface Flags {
  readonly recursive?: boolean;
  readonly defer?: boolean;
}

function isResource(nas: Nas): boolean {
  return nas.profile.zfs === "resource";
}

/** The snapshot with this name and, if `recursive`, those with the same name below its dataset. */
export function matchingSnapshots(store: Store, name: string, recursive: boolean): StoredSnapshot[] {
  const parts = snapshotParts(name);
  if (parts === null) return [];
  const datasets = recursive ? withDescendants(store, parts.dataset) : [parts.dataset];
  return datasets.flatMap((dataset) => store.snapshots.get(`${dataset}@${parts.snapshot}`) ?? []);
}

interface NewSnapshot {
  readonly dataset: string;
  readonly name?: string;
  readonly naming_schema?: string;
  readonly recursive: boolean;
  readonly exclude: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
}

const create: Method = async (nas, [given], call) => {
  const data = given as NewSnapshot;
  const name = snapshotName(nas, data);
  const datasets = data.recursive
    ? withDescendants(nas.store, data.dataset).filter((it) => !data.exclude.includes(it))
    : [data.dataset];
  for (const dataset of datasets) checkNew(nas, dataset, name);
  await nas.sleep(nas.times.callMs, call.signal);
  const taken = datasets.map((dataset) => addSnapshot(nas.store, `${dataset}@${name}`, data.properties));
  const [first] = taken;
  if (first === undefined) throw missingDataset(nas, data.dataset, name);
  const row = createdRow(nas, first);
  emitSnapshot(nas, "added", first.name, row);
  return row;
};

/** The name of a new snapshot, which the older engine checks in the method itself. */
function snapshotName(nas: Nas, { dataset, name, naming_schema: schema }: NewSnapshot): string {
  const errors = new Validation();
  const path = "snapshot_create.naming_schema";
  if (name !== undefined && schema !== undefined) {
    errors.add(path, "You can't specify name and naming schema at the same time");
  } else if (name === undefined && schema === undefined) {
    errors.add(path, "You must specify either name or naming schema");
  } else if (name === undefined) errors.add(path, "The simulated NAS has no naming schemas");
  const given = name ?? "";
  if (/[@/]/.test(given)) {
    if (isResource(nas)) {
      throw plainException("ZFSException", `('lzc_snapshot() failed', (('${dataset}@${given}', 22),))`);
    }
    errors.add("snapshot_create.name", "Invalid snapshot name");
  }
  errors.check();
  return given;
}

function missingDataset(nas: Nas, dataset: string, name: string) {
  return isResource(nas)
    ? plainException("ZFSPathNotFoundException", `'${dataset}' not found`)
    : callError(ERRNO.EFAULT, `Failed to snapshot ${dataset}@${name}: Dataset ${dataset} not found`);
}

function checkNew(nas: Nas, dataset: string, name: string): void {
  if (!nas.store.datasets.has(dataset)) throw missingDataset(nas, dataset, name);
  if (!nas.store.snapshots.has(`${dataset}@${name}`)) return;
  throw isResource(nas)
    ? validationError("pool.snapshot.create", `${name} already exists.`, ERRNO.EEXIST)
    : callError(ERRNO.EEXIST, `Failed to snapshot ${dataset}@${name}: dataset already exists`);
}

function createdRow(nas: Nas, snapshot: StoredSnapshot): Row {
  if (!isResource(nas)) return snapshotRow(nas, snapshot);
  const { holds: _holds, ...row } = snapshotRow(nas, snapshot, { properties: ["creation", "createtxg"] });
  return row;
}

function emitSnapshot(nas: Nas, msg: "added" | "removed", id: string, fields?: Row): void {
  nas.emit({ msg, collection: `${nas.profile.snapshotNamespace}.query`, id, fields });
}

const clone: Method = async (nas, [given], call) => {
  const { snapshot, dataset_dst: target, dataset_properties: properties } = given as {
    snapshot: string;
    dataset_dst: string;
    dataset_properties: Record<string, string>;
  };
  const refused = cloneProblem(nas, snapshot, target);
  if (refused !== null) {
    throw isResource(nas)
      ? plainException("ZFSException", refused.resource)
      : callError(ERRNO.EFAULT, `Failed to clone snapshot: ${refused.classic}`);
  }
  await nas.sleep(nas.times.callMs + nas.times.zvolMs, call.signal);
  await call.pass("middle");
  const own = Object.entries(properties).filter(([key]) => key.includes(":"));
  addClone(nas.store, snapshot, target, { userProperties: Object.fromEntries(own) });
  return true;
};

/** Why a snapshot cannot be cloned to a target, in the words of each engine; null when it can. */
export function cloneProblem(
  { store }: Nas,
  snapshot: string,
  target: string,
): { readonly classic: string; readonly resource: string } | null {
  if (snapshotParts(snapshot) === null) {
    const resource = `'${snapshot}' must be a snapshot path (containing '@')`;
    return { classic: `Snapshot ${snapshot} not found`, resource };
  }
  if (!store.snapshots.has(snapshot)) {
    return { classic: `Snapshot ${snapshot} not found`, resource: `'${snapshot}' not found` };
  }
  if (store.datasets.has(target)) {
    return { classic: "dataset already exists", resource: `'${target}' already exists` };
  }
  const failed = (code: string, text: string) => ({
    classic: text,
    resource: `[${code}]: zfs_clone() failed - cannot create '${target}': ${text}`,
  });
  const parent = parentOf(target);
  if (target.split("/")[0] !== snapshot.split("/")[0]) {
    return failed("EZFS_CROSSTARGET", "source and target pools differ");
  }
  if (store.datasets.get(parent)?.type !== "FILESYSTEM") {
    return failed("EZFS_NOENT", `no such parent '${parent}'`);
  }
  return null;
}

const remove: Method = async (nas, [id, options], call) => {
  const name = String(id);
  const { recursive = false, defer = false } = options as Flags;
  if (isResource(nas) && snapshotParts(name) === null) {
    throw validationError("pool.snapshot.delete", `Invalid snapshot name: '${name}'`);
  }
  if (!nas.store.snapshots.has(name)) {
    throw notFound(isResource(nas) ? `'${name}' not found` : `Snapshot ${name} not found`);
  }
  await nas.sleep(nas.times.callMs, call.signal);
  for (const snapshot of matchingSnapshots(nas.store, name, recursive)) {
    destroySnapshot(nas, snapshot, { recursive, defer });
  }
  emitSnapshot(nas, "removed", name);
  return true;
};

/** Destroys a snapshot like the release does: refused while it is held or cloned, unless deferred until its last clone. */
export function destroySnapshot(nas: Nas, snapshot: StoredSnapshot, { recursive, defer }: Flags): void {
  const { name, holds } = snapshot;
  if (isResource(nas) && recursive === true) return destroySnapshotWithClones(nas.store, snapshot);
  const clones = clonesOf(nas.store, name);
  if (defer === true && (clones.length > 0 || holds.size > 0)) {
    snapshot.isDeferred = true;
    return;
  }
  if (isResource(nas)) {
    const refuse = (what: string, names: readonly string[]) => {
      const text = `'${name}' has the following ${what}: ${names.join(",")}`;
      return validationError("zfs.resource.snapshot.destroy", text, ERRNO.EBUSY);
    };
    if (holds.size > 0) throw refuse("holds", [...holds.keys()]);
    if (clones.length > 0) throw refuse("clones", clones);
  } else if (clones.length > 0) {
    const text = `Please set this attribute as '${name}' snapshot has dependent clones: ${clones.join(", ")}`;
    throw validationErrors([["options.defer", text, ERRNO.EINVAL]]);
  } else if (holds.size > 0) throw callError(ERRNO.EFAULT, "dataset is busy");
  nas.store.snapshots.delete(name);
}

const hold: Method = async (nas, [id, options], call) => {
  const name = String(id);
  const found = matchingSnapshots(nas.store, name, (options as Flags).recursive === true);
  if (found.length === 0) throw missing(nas, name, "hold");
  if (found.some(({ holds }) => holds.has(HOLD_TAG))) {
    throw isResource(nas)
      ? plainException("ZFSException", `('lzc_hold() failed', (('${name}', 17),))`)
      : callError(ERRNO.EFAULT, "Failed to hold snapshot: tag already exists on this dataset");
  }
  await nas.sleep(nas.times.callMs, call.signal);
  for (const snapshot of found) addHold(nas.store, snapshot.name);
  return null;
};

const release: Method = async (nas, [id, options], call) => {
  const name = String(id);
  const found = matchingSnapshots(nas.store, name, (options as Flags).recursive === true);
  if (found.length === 0) throw missing(nas, name, "release");
  await nas.sleep(nas.times.callMs, call.signal);
  for (const { holds } of found) holds.clear();
  return null;
};

function missing(nas: Nas, name: string, verb: string) {
  return isResource(nas)
    ? plainException("ZFSPathNotFoundException", `'${name}' not found`)
    : callError(ERRNO.EFAULT, `Failed to ${verb} snapshot: Snapshot ${name} not found`);
}

const rollback: Method = async (nas, [id, options], call) => {
  await nas.sleep(nas.times.callMs, call.signal);
  rollBack(nas, String(id), options as Parameters<typeof rollBack>[2]);
  return null;
};

const RISK =
  "No safety checks are performed when renaming ZFS resources; this may break existing usages. If you understand the " +
  "risks, please set force and proceed.";

const rename: Method = async (nas, [id, options], call) => {
  const name = String(id);
  const { new_name: wanted, force } = options as { new_name: string; force: boolean };
  if (!force) throw validationError("pool.snapshot.rename.force", RISK);
  if (snapshotParts(name)?.dataset !== snapshotParts(wanted)?.dataset) {
    const path = "pool.snapshot.rename.new_name";
    const message = "Old and new snapshot must be part of the same ZFS dataset";
    throw isResource(nas)
      ? validationError(path, message)
      : validationErrors([[path, message, ERRNO.EINVAL]]);
  }
  // From 26 on the method calls the one for filesystems, which refuses.
  if (isResource(nas)) {
    const text = "Use `zfs.resource.snapshot.rename` to rename snapshots.";
    throw validationError("zfs.resource.rename", text);
  }
  const snapshot = nas.store.snapshots.get(name);
  if (snapshot === undefined) throw notFound(`Snapshot ${name} not found`);
  await nas.sleep(nas.times.callMs, call.signal);
  renameSnapshot(nas.store, snapshot, wanted);
  return null;
};

const METHODS_BY_NAME: Readonly<Record<string, Method>> = {
  query: (nas, [filters, options]) => {
    const { extra, ...rest } = options as Options;
    return query(snapshotRows(nas, extra), filters as unknown[], rest);
  },
  get_instance: (nas, [id]) =>
    instance(
      snapshotRows(nas),
      id,
      {
        "pool.snapshot": "PoolSnapshot",
        "zfs.snapshot": "ZFSSnapshot",
      }[nas.profile.snapshotNamespace],
    ),
  create,
  clone,
  delete: remove,
  hold,
  release,
  rollback,
  rename,
};

function under(namespace: string): Record<string, Method> {
  return Object.fromEntries(
    Object.entries(METHODS_BY_NAME).map(([name, method]) => [`${namespace}.${name}`, method]),
  );
}

/** The methods under both names; the release's schemas contain one of them. */
export const SNAPSHOT_METHODS: Readonly<Record<string, Method>> = {
  ...under("zfs.snapshot"),
  ...under("pool.snapshot"),
};
