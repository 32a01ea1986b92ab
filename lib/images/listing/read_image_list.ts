/** Reads from the NAS what the list of images shows. */
import type { Configuration } from "../../configuration/configuration.ts";
import { NO_CDROM } from "../../configuration/sections.ts";
import { isFileMissing } from "../../errors/refusals.ts";
import { TrueNASCallError } from "../../errors/errors.ts";
import type { Reading, Vm } from "../../inventory/inventory.ts";
import { zvolMarkOf } from "../../inventory/marks.ts";
import type { Caller } from "../../truenas/client.ts";
import type { DatasetRow } from "../../truenas/method_types.ts";
import { inChunks, queryDatasets, reading, type ReadOptions } from "../../truenas/read_inventory.ts";
import { FILE_PROPERTIES, fileDataset } from "../acquiring/image_files.ts";
import { IMAGE_PROPERTY } from "../image_property.ts";
import { imageDataset } from "../planned_image.ts";
import { type ImageFacts, type ImageRow, isGolden } from "./image_list.ts";

/** What is read for. */
export interface ImageListRequest {
  /** Null when the configuration cannot be used. */
  readonly configuration: Configuration | null;
  readonly vms: readonly Vm[];
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** The properties that the list shows. */
const PROPERTIES = ["volsize", "used", "origin", "creation"] as const;
/** A longer list of datasets has no images of ours at its end. */
const MAX_FILESYSTEMS = 1_000;
/** Each is one call. */
const MAX_FOLDERS = 40;
const MAX_FILES_PER_FOLDER = 500;
const MAX_DECLARED = 100;

/**
 * Reads it.
 *
 * @throws {TrueNASError} when the zvols cannot be read.
 */
export async function readImageFacts(
  caller: Caller,
  { configuration, vms, now }: ImageListRequest,
  options: ReadOptions = {},
): Promise<ImageFacts> {
  const query = (type: ImageRow["type"], limit?: number) =>
    queryDatasets(caller, ["type", "=", type], {
      ...options,
      properties: PROPERTIES,
      ...(limit === undefined ? {} : { limit }),
    });
  const [zvols, filesystems, declaredFiles] = await Promise.all([
    query("VOLUME"),
    reading(() => query("FILESYSTEM", MAX_FILESYSTEMS)),
    readDeclared(caller, configuration, options),
  ]);
  const rows = [...zvols, ...(filesystems.known ? filesystems.value : [])].map(toRow);
  const dataset = configuration === null ? null : imageDataset(configuration.storage);
  const golden = rows.filter((row) => isGolden(row, dataset)).map(({ name }) => name);
  const datasets = rows.filter(({ type, fileOf }) => type === "FILESYSTEM" && fileOf !== null);
  const [snapshots, files] = await Promise.all([
    readSnapshots(caller, golden, options),
    readFolders(caller, foldersOf(configuration, datasets.map(({ name }) => name)), options),
  ]);
  return { configuration, rows, snapshots, files, declaredFiles, vms, readAt: now() };
}

/** One zvol or filesystem, read now; null when it does not exist. */
export async function readImageRow(caller: Caller, name: string): Promise<ImageRow | null> {
  const [row] = await queryDatasets(caller, ["id", "=", name], { properties: PROPERTIES });
  return row === undefined ? null : toRow(row);
}

/** Every zvol and filesystem, with what images are known by. */
export async function readImageRows(caller: Caller, options: ReadOptions = {}): Promise<readonly ImageRow[]> {
  const rows = await Promise.all(
    (["VOLUME", "FILESYSTEM"] as const).map((type) =>
      queryDatasets(caller, ["type", "=", type], { ...options, properties: PROPERTIES })
    ),
  );
  return rows.flat().map(toRow);
}

function toRow(row: DatasetRow): ImageRow {
  const valueOf = (property: string) => row.user_properties?.[property]?.rawvalue;
  const image = valueOf(IMAGE_PROPERTY) || null;
  const isVolume = row.type === "VOLUME";
  const seconds = numberIn(row.creation);
  return {
    name: row.id,
    type: isVolume ? "VOLUME" : "FILESYSTEM",
    sizeBytes: isVolume ? numberIn(row.volsize) : null,
    usedBytes: numberIn(row.used),
    createdAt: seconds === null ? null : seconds * 1_000,
    origin: row.origin?.rawvalue || null,
    image: isVolume ? image : null,
    fileOf: isVolume ? null : fileOf(row.id, valueOf),
    filePath: isVolume ? null : valueOf(FILE_PROPERTIES.path) || null,
    diskBytes: isVolume ? null : Number(valueOf(FILE_PROPERTIES.size) || NaN) || null,
    isIso: !isVolume && valueOf(FILE_PROPERTIES.format) === "iso",
    mark: zvolMarkOf((property) => valueOf(property)),
  };
}

/** The image whose file a filesystem of ours holds: whole, or still being fetched. */
function fileOf(
  dataset: string,
  valueOf: (property: string) => string | null | undefined,
): string | null {
  const isOurs = Boolean(valueOf(FILE_PROPERTIES.path) || valueOf(FILE_PROPERTIES.operation));
  const last = dataset.split("/").at(-1) ?? "";
  const prefix = fileDataset("", "").slice(1);
  return isOurs && last.startsWith(prefix) ? last.slice(prefix.length) : null;
}

function numberIn(property: DatasetRow["used"]): number | null {
  const value = Number(property?.rawvalue ?? NaN);
  return Number.isFinite(value) ? value : null;
}

async function readSnapshots(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions,
): Promise<readonly string[] | null> {
  if (zvols.length === 0) return [];
  const select = { select: ["name"] };
  const rows = await reading(() =>
    inChunks(
      zvols,
      (some) => caller.call("pool.snapshot.query", [[["dataset", "in", some]], select], options),
    )
  );
  return rows.known ? rows.value.map(({ name }) => name) : null;
}

/** The folders of images and of install images, each once. */
function foldersOf(configuration: Configuration | null, datasets: readonly string[]): readonly string[] {
  const { storage, images = {}, types = {} } = configuration ?? {};
  const cdroms = Object.values(types).flatMap(({ cdrom }) => cdrom === NO_CDROM ? [] : cdrom ?? []);
  const files = [
    storage?.cdrom_path ?? "",
    ...Object.values(images).map(({ path }) => path ?? ""),
    ...cdroms,
  ];
  const folders = files.map((path) => path.slice(0, path.lastIndexOf("/"))).filter((path) => path !== "");
  const own = storage === undefined ? [] : [`/mnt/${imageDataset(storage)}`];
  return [...new Set([...own, ...datasets.map((name) => `/mnt/${name}`), ...folders])].slice(0, MAX_FOLDERS);
}

/** The files in all of them; unknown only when none can be listed. */
async function readFolders(
  caller: Caller,
  folders: readonly string[],
  options: ReadOptions,
): Promise<ImageFacts["files"]> {
  const found = await Promise.all(folders.map((folder) => filesIn(caller, folder, options)));
  const readable = found.flatMap((it) => it.known ? [it.value] : []);
  const [first] = found;
  if (first !== undefined && readable.length === 0) return first;
  const files = readable.flat().toSorted((a, b) => a.path < b.path ? -1 : 1);
  return { known: true, value: files };
}

type Files = readonly { readonly path: string; readonly sizeBytes: number | null }[];

async function filesIn(caller: Caller, folder: string, options: ReadOptions): Promise<Reading<Files>> {
  return await reading(async () => {
    try {
      const entries = await caller.call(
        "filesystem.listdir",
        [folder, [["type", "=", "FILE"]], { limit: MAX_FILES_PER_FOLDER }],
        options,
      );
      return entries.map(({ path, size }) => ({ path, sizeBytes: size ?? null }));
    } catch (error) {
      // A folder that does not exist yet has no files.
      if (isFileMissing(error) || isMissingFolder(error)) return [];
      throw error;
    }
  });
}

function isMissingFolder(error: unknown): boolean {
  return error instanceof TrueNASCallError && /does not exist/i.test(error.refusal.reason);
}

async function readDeclared(
  caller: Caller,
  configuration: Configuration | null,
  options: ReadOptions,
): Promise<ImageFacts["declaredFiles"]> {
  const paths = Object.values(configuration?.images ?? {}).flatMap(({ path }) => path ?? []);
  const files = await Promise.all(
    [...new Set(paths)].slice(0, MAX_DECLARED).map(async (path) => {
      const file = await reading(() => statOf(caller, path, options));
      return file.known ? [[path, file.value] as const] : [];
    }),
  );
  return new Map(files.flat());
}

async function statOf(caller: Caller, path: string, options: ReadOptions) {
  try {
    const { type, size, mtime } = await caller.call("filesystem.stat", [path], options);
    if (type === "DIRECTORY") return null;
    const changedAt = typeof mtime === "number" && mtime > 0 ? Math.round(mtime * 1_000) : null;
    return { path, sizeBytes: size ?? null, changedAt, version: `${size ?? 0} ${mtime ?? 0}` };
  } catch (error) {
    if (isFileMissing(error)) return null;
    throw error;
  }
}
