/** zfs.resource.*: direct access to ZFS (snapshots from 26 on), with TrueNAS's own rules, texts and paths. */
import { datasetRow, type Property } from "../zfs/dataset_rows.ts";
import type { Method, Nas } from "../nas.ts";
import { cloneProblem, destroySnapshot, matchingSnapshots } from "./snapshot_methods.ts";
import { type ResourceQuery, resourceSnapshotRow } from "../zfs/snapshot_rows.ts";
import type { StoredDataset, StoredSnapshot } from "../store.ts";
import { ERRNO } from "../../errors/errno.ts";
import { type MethodError, plainException, validationError } from "../wire/wire_errors.ts";
import { addClone, addSnapshot, snapshotParts, snapshotsOf, withDescendants } from "../zfs/zfs.ts";
import { rollBack, type RollbackFlags } from "../zfs/zfs_rollback.ts";

const PREFIX = "zfs.resource.snapshot";

function missing(verb: string, path: string): MethodError {
  return validationError(`${PREFIX}.${verb}`, `'${path}' not found`, ERRNO.ENOENT);
}

interface DatasetQuery {
  readonly paths: readonly string[];
  readonly properties: readonly string[] | null;
  readonly get_user_properties: boolean;
  readonly get_children: boolean;
}

const queryDatasets: Method = (nas, [given]) => {
  const { paths, get_children: below, ...wanted } = given as DatasetQuery;
  const all = [...nas.store.datasets.keys()];
  const names = paths.length === 0
    ? all
    : paths.flatMap((path) => below ? withDescendants(nas.store, path) : path);
  const found = names.flatMap((name) => nas.store.datasets.get(name) ?? []);
  return found.map((dataset) => resourceRow(nas, dataset, wanted));
};

function resourceRow(
  nas: Nas,
  dataset: StoredDataset,
  { properties, get_user_properties: withUser }: Pick<DatasetQuery, "properties" | "get_user_properties">,
) {
  const row = datasetRow(nas, dataset, { properties: properties?.length === 0 ? undefined : properties });
  const known = Object.entries(row).filter((entry): entry is [string, Property] =>
    typeof entry[1] === "object" && entry[1] !== null && "rawvalue" in entry[1]
  );
  const plain = known.map(([key, { parsed, rawvalue }]) => [
    key,
    { raw: rawvalue, source: null, value: parsed },
  ]);
  return {
    createtxg: 1,
    guid: 1,
    name: dataset.name,
    pool: dataset.name.split("/")[0],
    properties: properties === null ? null : Object.fromEntries(plain),
    type: dataset.type,
    user_properties: withUser ? { ...dataset.userProperties } : null,
    children: null,
    ...(nas.profile.resourceTier ? { tier: null } : {}),
  };
}

const create: Method = async (nas, [given], call) => {
  const { dataset, name, recursive, exclude, user_properties: properties } = given as {
    dataset: string;
    name: string;
    recursive: boolean;
    exclude: readonly string[];
    user_properties: Record<string, string>;
  };
  if (!nas.store.datasets.has(dataset)) throw missing("create", dataset);
  const all = recursive
    ? withDescendants(nas.store, dataset).filter((it) => !exclude.includes(it))
    : [dataset];
  const taken = all.map((it) => `${it}@${name}`).find((it) => nas.store.snapshots.has(it));
  if (taken !== undefined) {
    throw validationError(`${PREFIX}.create`, `'${taken}' already exists`, ERRNO.EEXIST);
  }
  await nas.sleep(nas.times.callMs, call.signal);
  for (const it of all) addSnapshot(nas.store, `${it}@${name}`, properties);
  const first = nas.store.snapshots.get(`${dataset}@${name}`);
  return first === undefined
    ? null
    : resourceSnapshotRow(nas, first, { properties: ["creation", "createtxg"] });
};

const clone: Method = async (nas, [given], call) => {
  const { snapshot, dataset, properties } = given as {
    snapshot: string;
    dataset: string;
    properties: Record<string, string>;
  };
  const refused = cloneProblem(nas, snapshot, dataset);
  if (refused !== null) {
    const { resource } = refused;
    if (resource.startsWith("[EZFS")) throw plainException("ZFSException", resource);
    const errno = resource.endsWith("exists")
      ? ERRNO.EEXIST
      : resource.endsWith("not found")
      ? ERRNO.ENOENT
      : ERRNO.EINVAL;
    throw validationError(`${PREFIX}.clone`, resource, errno);
  }
  await nas.sleep(nas.times.callMs + nas.times.zvolMs, call.signal);
  const own = Object.entries(properties).filter(([key]) => key.includes(":"));
  addClone(nas.store, snapshot, dataset, { userProperties: Object.fromEntries(own) });
  return null;
};

interface PathFlags {
  readonly path: string;
  readonly recursive?: boolean;
  readonly defer?: boolean;
  readonly all_snapshots?: boolean;
}

const destroy: Method = async (nas, [given], call) => {
  const { path, recursive = false, defer = false, all_snapshots: all = false } = given as PathFlags;
  const found = all ? snapshotsOf(nas.store, path) : matchingSnapshots(nas.store, path, recursive);
  if (found.length === 0) throw missing("destroy", path);
  await nas.sleep(nas.times.callMs, call.signal);
  for (const snapshot of found) destroySnapshot(nas, snapshot, { recursive, defer });
  return null;
};

const querySnapshots: Method = (nas, [given]) => {
  const { paths, recursive, ...wanted } = given as ResourceQuery & { paths: string[]; recursive: boolean };
  return snapshotsAt(nas, paths, recursive).map((it) => resourceSnapshotRow(nas, it, wanted));
};

function snapshotsAt({ store }: Nas, paths: readonly string[], recursive: boolean): StoredSnapshot[] {
  if (paths.length === 0) return [...store.snapshots.values()];
  return paths.flatMap((path) => {
    if (snapshotParts(path) !== null) return store.snapshots.get(path) ?? [];
    const datasets = recursive ? withDescendants(store, path) : [path];
    return datasets.flatMap((it) => snapshotsOf(store, it));
  });
}

const count: Method = (nas, [given]) => {
  const { paths, recursive } = given as { paths: string[]; recursive: boolean };
  const counted = paths.length === 0 ? [...nas.store.datasets.keys()] : paths;
  return Object.fromEntries(counted.map((path) => [path, snapshotsAt(nas, [path], recursive).length]));
};

/** zfs.resource.* */
export const RESOURCE_METHODS: Readonly<Record<string, Method>> = {
  "zfs.resource.query": queryDatasets,
  [`${PREFIX}.create`]: create,
  [`${PREFIX}.clone`]: clone,
  [`${PREFIX}.destroy`]: destroy,
  [`${PREFIX}.holds`]: (nas, [given]) => {
    const { path, recursive = false } = given as PathFlags;
    const found = matchingSnapshots(nas.store, path, recursive);
    if (found.length === 0) throw missing("holds", path);
    return found.flatMap(({ holds }) => [...holds.keys()]);
  },
  [`${PREFIX}.query`]: querySnapshots,
  [`${PREFIX}.count`]: count,
  [`${PREFIX}.rollback`]: (nas, [given]) => {
    const { path, ...flags } = given as RollbackFlags & { path: string };
    rollBack(nas, path, flags);
    return null;
  },
};
