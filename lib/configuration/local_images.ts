/**
 * Finds which folders of images a program on the NAS itself needs, before it starts with permission for exactly these. The
 * configuration is not interpreted: a folder that is not found here is one that may not be written. Pure.
 */

/** Files to read, and folders to write. */
export interface LocalImages {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** A dataset's name, without anything that leads elsewhere. */
const DATASET = String.raw`["']?([A-Za-z0-9][\w.:-]*(?:\/[A-Za-z0-9][\w.:-]*)*)`;
/** The value ends there, so that no other dataset is meant. */
const END = String.raw`["']?\s*(?=[,}#\r\n]|$)`;
const IMAGE_PATH = new RegExp(String.raw`\bimage_path["']?\s*:\s*${DATASET}${END}`);
const POOL_PATH = new RegExp(String.raw`\bpool_path["']?\s*:\s*${DATASET}${END}`);
/** A file below a dataset. */
const FILES = /\/mnt(?:\/[A-Za-z0-9][\w.:+@ -]*)+/g;

/** The folder of the dataset of images, and the files that the configuration names. */
export function localImagesIn(text: string): LocalImages {
  const named = IMAGE_PATH.exec(text)?.[1];
  const pool = POOL_PATH.exec(text)?.[1]?.split("/") ?? [];
  const usual = pool.length === 0 ? [] : [...(pool.length > 1 ? pool.slice(0, -1) : pool), "images"];
  // Only without a dataset of its own is it the usual one.
  const dataset = named ?? (text.includes("image_path") ? "" : usual.join("/"));
  return {
    files: [...new Set([...text.matchAll(FILES)].map(([path]) => path.trim()))],
    folders: dataset === "" ? [] : [`/mnt/${dataset}`],
  };
}
