/** Reads what the forms of VM types offer to choose from. */
import { isSeedDataset } from "../first_boot/iso/seed_dataset.ts";
import { FILE_PROPERTIES } from "../images/acquiring/image_files.ts";
import type { Reading } from "../inventory/inventory.ts";
import type { Caller } from "./client.ts";
import type { DatasetRow } from "./method_types.ts";
import {
  queryDatasets,
  reading,
  readNicChoices,
  type ReadOptions,
  SYSTEM_DATASET,
} from "./read_inventory.ts";

/** The choices a form offers besides free text. */
export interface Choices {
  /** Bridges and interfaces that a NIC can be attached to. */
  readonly nicChoices: Reading<readonly string[]>;
  /** Datasets in which zvols can be created. */
  readonly datasets: Reading<readonly string[]>;
  /** Install images in the same folder as the configured one, and those that were uploaded. */
  readonly isos: Reading<readonly string[]>;
}

/** Reads the choices of a form; `isoFolder` is the folder of the install images. */
export async function readChoices(
  caller: Caller,
  isoFolder: string | null,
  options: ReadOptions = {},
): Promise<Choices> {
  const [nicChoices, isos, filesystems] = await Promise.all([
    readNicChoices(caller, options),
    readIsos(caller, isoFolder, options),
    readFilesystems(caller, options),
  ]);
  if (!filesystems.known) return { nicChoices, isos, datasets: filesystems };
  const uploaded = filesystems.value.flatMap((row) =>
    propertyOf(row, "format") === "iso" ? propertyOf(row, "path") ?? [] : []
  );
  return {
    nicChoices,
    isos: uploaded.length === 0
      ? isos
      : { known: true, value: sortedOnce([...(isos.known ? isos.value : []), ...uploaded]) },
    datasets: {
      known: true,
      value: sortedOnce(filesystems.value.filter((row) => !isForOneFile(row)).map(({ id }) => id)),
    },
  };
}

function sortedOnce(names: readonly string[]): string[] {
  return [...new Set(names)].toSorted();
}

/** A longer list would not help anyone choose. */
const MAX_DATASETS = 500;

async function readFilesystems(
  caller: Caller,
  options: ReadOptions,
): Promise<Reading<readonly DatasetRow[]>> {
  return await reading(async () => {
    const rows = await queryDatasets(caller, ["type", "=", "FILESYSTEM"], {
      ...options,
      limit: MAX_DATASETS,
    });
    return rows.filter(({ id }) => !SYSTEM_DATASET.test(id));
  });
}

/** Whether a dataset is there for the file of one image, or for one VM's seed, with which it is removed again. */
export function isForOneFile(row: DatasetRow): boolean {
  return isSeedDataset(row.id) || propertyOf(row, "path") !== null || propertyOf(row, "operation") !== null;
}

function propertyOf(row: DatasetRow, name: keyof typeof FILE_PROPERTIES): string | null {
  return row.user_properties?.[FILE_PROPERTIES[name]]?.rawvalue || null;
}

async function readIsos(
  caller: Caller,
  folder: string | null,
  options: ReadOptions,
): Promise<Reading<readonly string[]>> {
  if (folder === null) return { known: false, because: "no folder is configured" };
  return await reading(async () => {
    const filters = [["type", "=", "FILE"]] as const;
    const entries = await caller.call("filesystem.listdir", [folder, filters, { limit: 1_000 }], options);
    return entries.map(({ path }) => path).filter((path) => /\.(iso|img)$/i.test(path)).toSorted();
  });
}
