/** The files of images on the NAS: each in a dataset of its own, because no API deletes a file. */
import type { Reading } from "../../inventory/inventory.ts";
import type { Caller } from "../../truenas/client.ts";
import type { DatasetRow } from "../../truenas/method_types.ts";
import { queryDatasets, reading, type ReadOptions } from "../../truenas/read_inventory.ts";

/** What the dataset of an image's file says about it, in user properties. */
export const FILE_PROPERTIES = {
  /** The whole file's path; missing while it is being fetched. */
  path: "truenas-vm-manager:image-file",
  /** SHA-256 of what was downloaded or uploaded, before it was unpacked. */
  digest: "truenas-vm-manager:image-digest",
  /** By the content: `qcow2`. Its header was checked before it was written. */
  format: "truenas-vm-manager:image-format",
  /** Size of the disk in it, in bytes. */
  size: "truenas-vm-manager:image-size",
  /** Size and time of the file, by which a change is noticed. */
  version: "truenas-vm-manager:image-version",
  /** Where it came from: an address, or `upload`. */
  from: "truenas-vm-manager:image-from",
  /** Id of the operation that fetches it; removed when it is whole. */
  operation: "truenas-vm-manager:image-operation",
} as const;

/** An image's file that this program has put on the NAS, or is putting there. */
export interface ImageFile {
  /** `debian12` */
  readonly name: string;
  /** `tank/images/files-debian12` */
  readonly dataset: string;
  /** `/mnt/tank/images/files-debian12/debian12.qcow2`; null while it is not whole. */
  readonly path: string | null;
  /** By the content, such as `qcow2` or `iso`; null while it is not whole. */
  readonly format: string | null;
  /** SHA-256 of what was downloaded or uploaded, in lower case; null while it is not whole. */
  readonly digest: string | null;
  /** Size of the disk in it, in bytes; null when unknown. */
  readonly virtualBytes: number | null;
  /** Size and time that the file had when it was whole. */
  readonly version: string | null;
  /** What its dataset takes, in bytes; null when unknown. */
  readonly usedBytes: number | null;
  /** An address, or `upload`; null when unknown. */
  readonly from: string | null;
  /** Id of the operation that fetches it; null when it is whole. */
  readonly operation: string | null;
}

const PREFIX = "files-";

/** The dataset of an image's file, within the dataset of the images. */
export function fileDataset(dataset: string, name: string): string {
  return `${dataset}/${PREFIX}${name}`;
}

/** The image whose own dataset a path is in; null for files elsewhere. */
export function placeOfFile(path: string): { readonly dataset: string; readonly name: string } | null {
  const [, dataset, name] = /^\/mnt\/(.+)\/files-([^/]+)\/[^/]+$/.exec(path) ?? [];
  return dataset === undefined || name === undefined ? null : { dataset, name };
}

/** Every image file in the dataset of the images; other datasets are none of this program's. */
export async function readImageFiles(
  caller: Caller,
  dataset: string,
  options: ReadOptions = {},
): Promise<Reading<readonly ImageFile[]>> {
  return await reading(async () => {
    const filter = ["id", "^", fileDataset(dataset, "")] as const;
    const rows = await queryDatasets(caller, filter, { ...options, properties: ["used"] });
    return rows.flatMap((row) => imageFileOf(row, dataset) ?? []);
  });
}

/** One image's file; null when there is none that is this program's. */
export async function readImageFile(
  caller: Caller,
  dataset: string,
  name: string,
  options: ReadOptions = {},
): Promise<ImageFile | null> {
  const filter = ["id", "=", fileDataset(dataset, name)] as const;
  const [row] = await queryDatasets(caller, filter, { ...options, properties: ["used"] });
  return row === undefined ? null : imageFileOf(row, dataset);
}

function imageFileOf(row: DatasetRow, dataset: string): ImageFile | null {
  const value = (key: keyof typeof FILE_PROPERTIES) =>
    row.user_properties?.[FILE_PROPERTIES[key]]?.rawvalue || null;
  const [path, operation, size] = [value("path"), value("operation"), value("size")];
  const name = row.id.slice(fileDataset(dataset, "").length);
  if ((path === null && operation === null) || name.includes("/") || row.type !== "FILESYSTEM") return null;
  const used = row.used?.parsed ?? row.used?.rawvalue;
  return {
    name,
    dataset: row.id,
    path,
    format: value("format"),
    digest: value("digest"),
    version: value("version"),
    virtualBytes: size === null ? null : Number(size),
    usedBytes: used === undefined ? null : Number(used),
    from: value("from"),
    operation,
  };
}
