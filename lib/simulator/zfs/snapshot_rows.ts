/** Rows of pool.snapshot.query and zfs.resource.snapshot.query. */
import { ctime, zfsSize } from "./dataset_rows.ts";
import type { Nas } from "../nas.ts";
import type { Row } from "../methods/query.ts";
import type { StoredSnapshot } from "../store.ts";
import { clonesOf } from "./zfs.ts";

/** Referenced size of an empty dataset's snapshot. */
const EMPTY_BYTES = 57_344;

type Properties = Record<string, { value: string; rawvalue: string; source: string; parsed: unknown }>;

function property(parsed: unknown, rawvalue: string, source = "NONE", value = rawvalue) {
  return { value, rawvalue, source, parsed };
}

function size(bytes: number) {
  return property(bytes, String(bytes), "NONE", bytes === 0 ? "0B" : zfsSize(bytes));
}

/** Up to 25.10: all properties that libzfs reports, including clones and user properties. */
function classicProperties(nas: Nas, snapshot: StoredSnapshot): Properties {
  const { createdAt, createtxg, holds, userProperties, dataset, name, isDeferred } = snapshot;
  const seconds = Math.floor(createdAt / 1000);
  const clones = clonesOf(nas.store, name).join(",");
  const source = nas.store.datasets.get(dataset);
  const none = property(null, "none", "DEFAULT");
  const own = Object.entries(userProperties).map(([key, it]) => [key, property(it, it, "LOCAL")] as const);
  return {
    ...Object.fromEntries(own),
    type: property("snapshot", "snapshot"),
    creation: property({ $date: seconds * 1000 }, String(seconds), "NONE", ctime(createdAt)),
    used: size(snapshot.uniqueBytes),
    referenced: size(EMPTY_BYTES + snapshot.referencedBytes),
    compressratio: property("1.00", "1.00", "NONE", "1.00x"),
    createtxg: property(String(createtxg), String(createtxg)),
    guid: property(guidOf(snapshot), guidOf(snapshot)),
    primarycache: property("all", "all", "DEFAULT"),
    secondarycache: property("all", "all", "DEFAULT"),
    defer_destroy: property(isDeferred ? "on" : "off", isDeferred ? "on" : "off"),
    userrefs: property(String(holds.size), String(holds.size)),
    objsetid: property(String(createtxg), String(createtxg)),
    mlslabel: none,
    refcompressratio: property("1.00", "1.00", "NONE", "1.00x"),
    written: size(EMPTY_BYTES),
    logicalreferenced: size(EMPTY_BYTES / 2),
    context: none,
    fscontext: none,
    defcontext: none,
    rootcontext: none,
    encryption: property("off", "off", "DEFAULT"),
    encryptionroot: property(null, ""),
    keystatus: property(null, ""),
    clones: property(clones, clones),
    ...(source?.type === "VOLUME" ? { volsize: size(snapshot.volsizeBytes) } : {}),
  };
}

function guidOf({ createtxg }: StoredSnapshot): string {
  return String(7_000_000_000_000 + createtxg);
}

/** From 26 on: only properties that volumes and filesystems have too, so never `clones`, `userrefs` or `defer_destroy`. */
function resourceValues(nas: Nas, snapshot: StoredSnapshot): Record<string, number | string> {
  const source = nas.store.datasets.get(snapshot.dataset);
  return {
    creation: Math.floor(snapshot.createdAt / 1000),
    createtxg: snapshot.createtxg,
    guid: Number(guidOf(snapshot)),
    used: snapshot.uniqueBytes,
    referenced: EMPTY_BYTES + snapshot.referencedBytes,
    written: EMPTY_BYTES,
    logicalreferenced: EMPTY_BYTES / 2,
    ...(source?.type === "VOLUME" ? { volsize: snapshot.volsizeBytes } : {}),
  };
}

function propertiesOf(nas: Nas, snapshot: StoredSnapshot, wanted: readonly unknown[] | null): Properties {
  if (nas.profile.zfs === "classic") {
    const all = classicProperties(nas, snapshot);
    const keep = (key: string) => wanted === null || wanted.includes(key) || key in snapshot.userProperties;
    return Object.fromEntries(Object.entries(all).filter(([key]) => keep(key)));
  }
  const values = Object.entries(resourceValues(nas, snapshot)).filter(([key]) => wanted?.includes(key));
  return Object.fromEntries(values.map(([key, it]) => [key, property(it, String(it))]));
}

/** A row of pool.snapshot.query. */
export function snapshotRow(
  nas: Nas,
  snapshot: StoredSnapshot,
  extra: Readonly<Record<string, unknown>> = {},
): Row {
  const { name, dataset, snapshotName, createtxg, holds } = snapshot;
  const isResource = nas.profile.zfs === "resource";
  const held = Object.fromEntries([...holds].map(([tag, since]) => [tag, isResource ? 1 : since]));
  // From 26 on `holds` is always present, and empty unless requested.
  const shown = extra.holds === true ? { holds: held } : isResource ? { holds: {} } : {};
  return {
    id: name,
    properties: propertiesOf(nas, snapshot, Array.isArray(extra.properties) ? extra.properties : null),
    pool: dataset.split("/")[0],
    name,
    type: "SNAPSHOT",
    snapshot_name: snapshotName,
    dataset,
    createtxg: String(createtxg),
    ...shown,
  };
}

/** All snapshots, oldest first. */
export function snapshotRows(nas: Nas, extra: Readonly<Record<string, unknown>> = {}): Row[] {
  const all = [...nas.store.snapshots.values()].toSorted((a, b) => a.createtxg - b.createtxg);
  return all.map((snapshot) => snapshotRow(nas, snapshot, extra));
}

/** Options of zfs.resource.snapshot.query. */
export interface ResourceQuery {
  readonly properties?: readonly string[] | null;
  readonly get_user_properties?: boolean;
  readonly get_holds?: boolean;
}

/** A row of zfs.resource.snapshot.query. */
export function resourceSnapshotRow(nas: Nas, snapshot: StoredSnapshot, wanted: ResourceQuery): Row {
  const { name, dataset, snapshotName, createtxg, holds, userProperties } = snapshot;
  const { properties = [] } = wanted;
  const values = Object.entries(resourceValues(nas, snapshot)).filter(([key]) =>
    properties?.length === 0 || properties?.includes(key)
  );
  return {
    createtxg,
    guid: Number(guidOf(snapshot)),
    name,
    pool: dataset.split("/")[0],
    dataset,
    snapshot_name: snapshotName,
    type: "SNAPSHOT",
    holds: wanted.get_holds === true ? [...holds.keys()] : null,
    properties: wanted.properties === null ? null : Object.fromEntries(
      values.map(([key, value]) => [key, { raw: String(value), source: null, value }]),
    ),
    user_properties: wanted.get_user_properties === true ? { ...userProperties } : null,
  };
}
