/** Reads what a plan has to know about images: their files, their golden zvols, and the disks that they are for. */
import type { Configuration } from "../configuration/configuration.ts";
import type { Caller } from "../truenas/client.ts";
import { isFileMissing } from "../errors/refusals.ts";
import type { DatasetRow } from "../truenas/methods.ts";
import { queryDatasets, reading, type ReadOptions } from "../truenas/read_inventory.ts";
import type { VersionRules } from "../truenas/versions.ts";
import { IMAGE_PROPERTY } from "./image_property.ts";
import { goldenName, type ImageDisk, type ImageFacts, type ImagesRead, READY } from "./planned_image.ts";

/** What is read. */
export interface ImagesRequest {
  readonly configuration: Configuration;
  /** Names of the images. */
  readonly images: readonly string[];
  /** The zvols that they are for. */
  readonly zvols: readonly string[];
  readonly rules: Pick<VersionRules, "imageMethod">;
}

/** Reads them all; nothing is read for a plan without images. */
export async function readImages(
  caller: Caller,
  { configuration, images, zvols, rules }: ImagesRequest,
  options: ReadOptions = {},
): Promise<ImagesRead> {
  if (images.length === 0) return { images: new Map(), disks: new Map() };
  const facts = await Promise.all(images.map(async (name) => {
    const path = configuration.images?.[name]?.path ?? "";
    return [name, await readImage(caller, { name, path, configuration, rules }, options)] as const;
  }));
  return { images: new Map(facts), disks: await readDisks(caller, zvols, options) };
}

async function readImage(
  caller: Caller,
  { name, path, configuration, rules }: {
    readonly name: string;
    readonly path: string;
    readonly configuration: Configuration;
    readonly rules: Pick<VersionRules, "imageMethod">;
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
  return {
    golden,
    exists: file.known ? file.value !== null : null,
    because: file.known ? null : file.because,
    virtualBytes,
    found,
  };
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
