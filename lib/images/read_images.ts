/** Reads what a plan has to know about images: their files, their golden zvols, and the disks that they are for. */
import type { Configuration } from "../configuration/configuration.ts";
import { ZVOL_PROPERTIES } from "../inventory/marks.ts";
import type { Caller } from "../truenas/client.ts";
import { isFileMissing } from "../errors/refusals.ts";
import type { DatasetRow } from "../truenas/method_types.ts";
import { queryDatasets, reading, type ReadOptions } from "../truenas/read_inventory.ts";
import type { VersionRules } from "../truenas/versions.ts";
import { IMAGE_PROPERTY } from "./image_property.ts";
import type { HeaderChecks } from "./acquiring/header_checks.ts";
import { fileDataset, readImageFile } from "./acquiring/image_files.ts";
import type { ImageWays } from "./acquiring/ways.ts";
import {
  fetchedGoldenName,
  goldenName,
  imageDataset,
  type ImageDisk,
  type ImageFacts,
  type ImagesRead,
  READY,
} from "./planned_image.ts";

/** What is read. */
export interface ImagesRequest {
  readonly configuration: Configuration;
  /** Names of the images. */
  readonly images: readonly string[];
  /** The zvols that they are for. */
  readonly zvols: readonly string[];
  readonly rules: Pick<VersionRules, "imageMethod">;
  /** Reads the headers of files that people put there. */
  readonly headers: Pick<HeaderChecks, "check">;
  /** By which ways a file can come into a dataset. */
  readonly ways: (dataset: string) => Promise<ImageWays>;
}

/** Reads them all; nothing is read for a plan without images. */
export async function readImages(
  caller: Caller,
  request: ImagesRequest,
  options: ReadOptions = {},
): Promise<ImagesRead> {
  const { configuration, images, zvols } = request;
  if (images.length === 0) return { images: new Map(), disks: new Map() };
  const facts = await Promise.all(images.map(async (name) => {
    const { path = "", url, sha256 = "" } = configuration.images?.[name] ?? {};
    const read = url === undefined
      ? readImage(caller, { name, path, ...request }, options)
      : readFetched(caller, { name, url, sha256: sha256.toLowerCase(), ...request }, options);
    return [name, await read] as const;
  }));
  return { images: new Map(facts), disks: await readDisks(caller, zvols, options) };
}

async function readImage(
  caller: Caller,
  { name, path, configuration, rules, headers }: ImagesRequest & {
    readonly name: string;
    readonly path: string;
  },
  options: ReadOptions,
): Promise<ImageFacts> {
  const file = await reading(() => fileAt(caller, path, options));
  const value = file.known ? file.value : null;
  const version = value === null ? "" : `${value.size ?? 0} ${value.mtime ?? 0}`;
  const golden = goldenName(configuration.storage, { name, path, version });
  const [virtualBytes, found] = await Promise.all([
    value === null || rules.imageMethod !== "vm.device.convert" ? null : readSize(caller, path, options),
    readGolden(caller, golden, options),
  ]);
  // A zvol that is ready was made from a header that was read.
  const header = value === null || found?.isReady === true
    ? null
    : await headers.check(caller, { path, version });
  return {
    golden,
    exists: file.known ? file.value !== null : null,
    because: file.known ? null : file.because,
    virtualBytes,
    path,
    source: null,
    otherDigest: null,
    header,
    found,
  };
}

/** An image with an address: its file is there, or will be fetched. */
async function readFetched(
  caller: Caller,
  { name, url, sha256, configuration, ways }: ImagesRequest & {
    readonly name: string;
    readonly url: string;
    readonly sha256: string;
  },
  options: ReadOptions,
): Promise<ImageFacts> {
  const dataset = imageDataset(configuration.storage);
  const golden = fetchedGoldenName(configuration.storage, { name, sha256 });
  const [read, found, { chosen, choices }] = await Promise.all([
    reading(() => readImageFile(caller, dataset, name, options)),
    readGolden(caller, golden, options),
    ways(dataset),
  ]);
  const file = read.known ? read.value : null;
  const there = file !== null && file.path !== null && file.digest === sha256 ? file : null;
  const way = there === null
    ? { way: chosen?.way ?? null, why: chosen?.why ?? choices.map(({ why }) => why).join("; ") }
    : { way: "there" as const, why: "its file is on the NAS" };
  return {
    golden,
    exists: true,
    because: null,
    virtualBytes: there?.virtualBytes ?? null,
    path: there?.path ?? `/mnt/${fileDataset(dataset, name)}/${name}.${endingOf(url)}`,
    source: { url, sha256, dataset, ...way },
    otherDigest: there === null && file !== null && file.path !== null ? file.digest : null,
    header: null,
    found,
  };
}

/** What the file will most likely end in; its content decides. */
function endingOf(url: string): string {
  const [, ending = "qcow2"] = /\.(qcow2|raw|vmdk|vdi|vhdx|iso)(?:\.(?:gz|xz|zst))?$/i.exec(url) ?? [];
  return ending.toLowerCase();
}

async function fileAt(caller: Caller, path: string, options: ReadOptions) {
  try {
    const file = await caller.call("filesystem.stat", [path], options);
    return file.type === "DIRECTORY" ? null : file;
  } catch (error) {
    if (isFileMissing(error)) return null;
    throw error;
  }
}

/** Unknown in 25.10.0, and where the file is no image; the conversion finds that out. */
async function readSize(caller: Caller, path: string, options: ReadOptions): Promise<number | null> {
  const size = await reading(() => caller.call("vm.device.virtual_size", [{ path }], options));
  return size.known ? size.value : null;
}

/** What is known of a golden zvol; null when it does not exist or cannot be read. */
export async function readGolden(
  caller: Caller,
  golden: string,
  options: ReadOptions = {},
): Promise<ImageFacts["found"]> {
  const rows = await reading(() =>
    queryDatasets(caller, ["id", "=", golden], { ...options, properties: ["volsize"] })
  );
  const row = rows.known ? rows.value[0] : undefined;
  if (row === undefined) return null;
  const isFilled = imageOf(row) !== null;
  return {
    volsizeBytes: Number(row.volsize?.parsed ?? row.volsize?.rawvalue ?? 0),
    isOurs: isFilled || hasMark(row),
    operation: row.user_properties?.[ZVOL_PROPERTIES.operation]?.rawvalue || null,
    isReady: isFilled && await hasSnapshot(caller, `${golden}@${READY}`, options),
  };
}

function hasMark({ user_properties: properties }: DatasetRow): boolean {
  return Object.keys(properties ?? {}).some((key) => key.startsWith("truenas-vm-manager:"));
}

/** Whether a snapshot exists. */
export async function hasSnapshot(
  caller: Caller,
  name: string,
  options: ReadOptions = {},
): Promise<boolean> {
  const query = [[["id", "=", name] as const], { select: ["name"] }] as const;
  return (await caller.call("pool.snapshot.query", [...query], options)).length > 0;
}

/** The origins and images of these zvols, as far as they exist. */
export async function readDisks(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions = {},
): Promise<ReadonlyMap<string, ImageDisk>> {
  if (zvols.length === 0) return new Map();
  const rows = await reading(() =>
    queryDatasets(caller, ["id", "in", zvols], { ...options, properties: ["origin"] })
  );
  return new Map(
    (rows.known ? rows.value : []).map((row) => [
      row.id,
      { origin: row.origin?.rawvalue || null, image: imageOf(row) },
    ]),
  );
}

function imageOf({ user_properties: properties }: DatasetRow): string | null {
  return properties?.[IMAGE_PROPERTY]?.rawvalue || null;
}
