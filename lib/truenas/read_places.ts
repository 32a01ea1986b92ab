/** Reads what set-up offers to choose from: datasets with their free space, install images, and bridges. */
import { isSeedDataset } from "../first_boot/iso/seed_dataset.ts";
import type { Reading } from "../inventory/inventory.ts";
import { TrueNASCallError } from "../errors/errors.ts";
import type { Caller } from "./client.ts";
import { isForOneFile } from "./read_choices.ts";
import { queryDatasets, reading, type ReadOptions, SYSTEM_DATASET } from "./read_inventory.ts";
import { toDataset } from "./rows.ts";
import { nicNames } from "./versions.ts";

/** A dataset in which disks can be created. */
export interface DatasetPlace {
  readonly name: string;
  readonly freeBytes: number | null;
}

/** An install image. */
export interface IsoPlace {
  readonly path: string;
  readonly sizeBytes: number | null;
}

/** What can be chosen; unknown where the account cannot read it. */
export interface Places {
  readonly datasets: Reading<readonly DatasetPlace[]>;
  readonly isos: Reading<readonly IsoPlace[]>;
  readonly bridges: Reading<readonly string[]>;
}

/** Longer lists help nobody choose. */
const MAX_DATASETS = 200;
/** Each is one call; images rarely lie in more datasets. */
const MAX_ISO_FOLDERS = 40;
const MAX_ISOS_PER_FOLDER = 200;

/** Reads the places; each is unknown where the account may not read it. */
export async function readPlaces(caller: Caller, options: ReadOptions = {}): Promise<Places> {
  const [datasets, bridges] = await Promise.all([
    readDatasets(caller, options),
    reading(async () => nicNames(await caller.call("vm.device.nic_attach_choices", [], options))),
  ]);
  if (!datasets.known) return { datasets, isos: datasets, bridges };
  const isos = await readIsos(caller, datasets.value, options);
  const forDisks = datasets.value.filter(({ isFile }) => !isFile).map(({ name, freeBytes }) => ({
    name,
    freeBytes,
  }));
  return { datasets: { known: true, value: forDisks }, isos, bridges };
}

async function readDatasets(
  caller: Caller,
  options: ReadOptions,
): Promise<Reading<readonly (DatasetPlace & { readonly isFile: boolean })[]>> {
  return await reading(async () => {
    const rows = await queryDatasets(caller, ["type", "=", "FILESYSTEM"], {
      ...options,
      properties: ["available"],
      limit: MAX_DATASETS,
    });
    return rows.filter(({ id, locked }) => locked !== true && !SYSTEM_DATASET.test(id) && !isSeedDataset(id))
      .map((row) => ({
        name: row.id,
        freeBytes: toDataset(row).availableBytes,
        isFile: isForOneFile(row),
      }))
      .toSorted((a, b) => a.name.localeCompare(b.name, "en"));
  });
}

/** Datasets that people keep images in. */
const IMAGE_FOLDER = /iso|image|install|media/i;

/** Install images in the datasets' own folders. TrueNAS refuses those in a pool's root. */
async function readIsos(
  caller: Caller,
  datasets: readonly DatasetPlace[],
  options: ReadOptions,
): Promise<Reading<readonly IsoPlace[]>> {
  const names = datasets.map(({ name }) => name).filter((name) => name.includes("/"));
  const likely = names.filter((name) => IMAGE_FOLDER.test(name));
  const folders = [...likely, ...names.filter((name) => !likely.includes(name))].slice(0, MAX_ISO_FOLDERS);
  const found = await Promise.all(folders.map((name) => isosIn(caller, `/mnt/${name}`, options)));
  const readable = found.filter((it) => it !== null);
  if (folders.length > 0 && readable.length === 0) {
    return { known: false, because: "the account cannot list files" };
  }
  return { known: true, value: readable.flat().toSorted((a, b) => a.path < b.path ? -1 : 1) };
}

/** The images in a folder; null when it cannot be listed, such as one of a dataset that is mounted elsewhere. */
async function isosIn(caller: Caller, folder: string, options: ReadOptions): Promise<IsoPlace[] | null> {
  try {
    const entries = await caller.call(
      "filesystem.listdir",
      [folder, [["type", "=", "FILE"]], { limit: MAX_ISOS_PER_FOLDER }],
      options,
    );
    return entries.filter(({ path }) => /\.iso$/i.test(path)).map(({ path, size }) => ({
      path,
      sizeBytes: size ?? null,
    }));
  } catch (error) {
    if (error instanceof TrueNASCallError) return null;
    throw error;
  }
}
