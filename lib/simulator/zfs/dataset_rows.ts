/** Rows of pool.dataset.query, with ZFS's own properties. */
import { datasetAt } from "../files/paths.ts";
import type { Nas } from "../nas.ts";
import type { Row } from "../methods/query.ts";
import { poolFreeBytes, type Store, type StoredDataset, takenBytes, VOLBLOCKSIZE_BYTES } from "../store.ts";
import { snapshotsOf } from "./zfs.ts";

/** A property in TrueNAS's format. */
export interface Property {
  readonly parsed: unknown;
  readonly rawvalue: string;
  readonly value: string;
  readonly source: string;
  readonly source_info: null;
}

type Source = "LOCAL" | "DEFAULT" | "NONE";

function property(parsed: unknown, raw: string, source: Source, value: string = raw.toUpperCase()): Property {
  return { parsed, rawvalue: raw, value, source, source_info: null };
}

function bytes(count: number, source: Source): Property {
  return property(count, String(count), source, zfsSize(count));
}

/** A limit or reservation; 0 means none. */
function limit(count: number): Property {
  return count === 0 ? property(null, "0", "DEFAULT", "0") : bytes(count, "LOCAL");
}

const UNITS = ["", "K", "M", "G", "T", "P"];

/** A size in ZFS's format: at most four digits and a unit. */
export function zfsSize(count: number): string {
  let power = 0;
  while (count / 1024 ** power >= 1024 && power < UNITS.length - 1) power++;
  const scaled = count / 1024 ** power;
  const digits = Number.isInteger(scaled) || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  const shown = Math.floor(scaled * 10 ** digits) / 10 ** digits;
  return `${shown.toFixed(digits)}${UNITS[power] ?? ""}`;
}

/** Size of an empty dataset. */
const EMPTY_BYTES = 57_344;

/** What the pool holds that is none of the datasets here: people's files and their snapshots. */
const FILES_BYTES = 2_900 * 1024 ** 3;

function spaceOf(nas: Nas, dataset: StoredDataset): Record<string, Property> {
  const { type, name, volsizeBytes, writtenBytes, sharedBytes, sparse, origin } = dataset;
  const isThick = type === "VOLUME" && !sparse && origin === null;
  const reserved = isThick ? volsizeBytes : 0;
  const own = EMPTY_BYTES + writtenBytes - sharedBytes + filesBytes(nas.store, dataset);
  const children = childrenBytes(nas, dataset);
  const snapshots = snapshotsOf(nas.store, name).reduce((sum, it) => sum + it.uniqueBytes, 0);
  return {
    used: bytes((isThick ? volsizeBytes : own) + children + snapshots, "NONE"),
    usedbychildren: bytes(children, "NONE"),
    usedbydataset: bytes(own, "NONE"),
    usedbyrefreservation: bytes(isThick ? Math.max(0, volsizeBytes - own) : 0, "NONE"),
    usedbysnapshots: bytes(snapshots, "NONE"),
    available: bytes(poolFreeBytes(nas.store) + reserved, "NONE"),
  };
}

/** What the files in a filesystem take, besides those in the datasets below it. */
function filesBytes(store: Store, dataset: StoredDataset): number {
  if (dataset.type !== "FILESYSTEM") return 0;
  const own = [...store.files].filter(([path]) => datasetAt(store, path) === dataset);
  return own.reduce((sum, [, { allocatedBytes }]) => sum + allocatedBytes, 0);
}

/** What the datasets below one take; the pool's root has people's files beside them. */
function childrenBytes({ store }: Nas, { name, type }: StoredDataset): number {
  if (type !== "FILESYSTEM") return 0;
  const below = [...store.datasets.values()].filter((it) => it.name.startsWith(`${name}/`));
  const files = name.includes("/") ? 0 : FILES_BYTES;
  return below.reduce((sum, it) => sum + takenBytes(it) + filesBytes(store, it), files);
}

function kindOf({ type, volsizeBytes, sparse, origin }: StoredDataset): Record<string, Property> {
  const common = {
    reservation: limit(0),
    refreservation: limit(type === "VOLUME" && !sparse && origin === null ? volsizeBytes : 0),
  };
  if (type === "VOLUME") {
    return {
      ...common,
      volsize: bytes(volsizeBytes, "LOCAL"),
      volblocksize: bytes(VOLBLOCKSIZE_BYTES, "LOCAL"),
    };
  }
  return {
    ...common,
    aclmode: property("discard", "discard", "LOCAL"),
    acltype: property("posix", "posix", "LOCAL"),
    xattr: property("sa", "sa", "LOCAL"),
    atime: property(false, "off", "LOCAL"),
    casesensitivity: property("sensitive", "sensitive", "NONE"),
    exec: property(true, "on", "DEFAULT"),
    quota: limit(0),
    refquota: limit(0),
    snapdir: property("hidden", "hidden", "DEFAULT"),
    recordsize: bytes(131_072, "DEFAULT"),
  };
}

function propertiesOf(nas: Nas, dataset: StoredDataset): Record<string, Property> {
  const seconds = Math.floor(dataset.createdAt / 1000);
  return {
    deduplication: property("off", "off", "DEFAULT"),
    checksum: property(true, "on", "DEFAULT"),
    sync: property("standard", "standard", "DEFAULT"),
    compression: property("lz4", "lz4", "LOCAL"),
    compressratio: property("1.00", "1.00", "NONE", "1.00x"),
    origin: property(dataset.origin ?? "", dataset.origin ?? "", "NONE", dataset.origin ?? ""),
    ...kindOf(dataset),
    copies: property(1, "1", "DEFAULT"),
    readonly: property(dataset.isReadonly, dataset.isReadonly ? "on" : "off", "DEFAULT"),
    key_format: property(null, "none", "DEFAULT", "none"),
    encryption_algorithm: property("off", "off", "DEFAULT", "off"),
    ...spaceOf(nas, dataset),
    special_small_block_size: property(0, "0", "DEFAULT"),
    pbkdf2iters: property(0, "0", "DEFAULT"),
    creation: property({ $date: seconds * 1000 }, String(seconds), "NONE", ctime(dataset.createdAt)),
    snapdev: property("hidden", "hidden", "DEFAULT"),
  };
}

/** A time in the format of C's ctime: `Thu Nov 26 13:30:05 2026`. */
export function ctime(ms: number): string {
  const [weekday = "", day, month, year, time] = new Date(ms).toUTCString().replace(",", "").split(" ");
  return `${weekday} ${month} ${day} ${time} ${year}`;
}

/** Bytes written since the newest snapshot; 0 where nothing has changed since. */
function writtenSince({ store }: Nas, { name, content, writtenBytes }: StoredDataset): number {
  const newest = snapshotsOf(store, name).at(-1);
  if (newest === undefined) return EMPTY_BYTES + writtenBytes;
  const isSame = newest.content === content && newest.referencedBytes === writtenBytes;
  return isSame ? 0 : Math.max(1, writtenBytes);
}

/** A row of pool.dataset.query; `extra.properties` selects the ZFS properties. */
export function datasetRow(
  nas: Nas,
  dataset: StoredDataset,
  extra: Readonly<Record<string, unknown>> = {},
): Row {
  const { name, type } = dataset;
  const usual = propertiesOf(nas, dataset);
  const wanted = Array.isArray(extra.properties) ? extra.properties : Object.keys(usual);
  // Only on request.
  const properties = {
    ...usual,
    referenced: bytes(EMPTY_BYTES + dataset.writtenBytes, "NONE"),
    written: bytes(writtenSince(nas, dataset), "NONE"),
  };
  return {
    id: name,
    type,
    name,
    pool: name.split("/")[0],
    encrypted: false,
    encryption_root: null,
    key_loaded: false,
    children: [],
    user_properties: Object.fromEntries(
      Object.entries(dataset.userProperties).map(([key, it]) => [key, property(it, it, "LOCAL", it)]),
    ),
    locked: dataset.isLocked,
    ...Object.fromEntries(Object.entries(properties).filter(([key]) => wanted.includes(key))),
    mountpoint: type === "FILESYSTEM" ? `/mnt/${name}` : null,
  };
}

/** All datasets. */
export function datasetRows(nas: Nas, extra?: Readonly<Record<string, unknown>>): Row[] {
  return [...nas.store.datasets.values()].map((dataset) => datasetRow(nas, dataset, extra));
}
