/** Names of image files on the NAS. Pure. */
import type { ImageFormat } from "./image_stream.ts";

/** Endings that say how a file is packed, or which format it has; the content knows better. */
const ENDINGS = /\.(gz|xz|zst|zstd|bz2|img|image|qcow2|qcow|raw|vmdk|vdi|vhdx|vhd|iso|bin|dd|disk)$/i;
/** Leaves room for the ending in the 255 bytes that file systems allow, and stays readable. */
const MAX_LENGTH = 100;

/**
 * A plain name with the format as its ending, by which TrueNAS tells images from zvols, in lower case. Other characters than
 * letters, digits, dots, hyphens and underscores become hyphens: TrueNAS accepts no braces in paths, and decodes `+`.
 */
export function fileNameFor(name: string, format: ImageFormat): string {
  let stem = name;
  while (ENDINGS.test(stem)) stem = stem.replace(ENDINGS, "");
  stem = stem.normalize("NFKD").replaceAll(/[^A-Za-z0-9._-]+/g, "-").replaceAll(/^[.-]+|[.-]+$/g, "");
  stem = stem.slice(0, MAX_LENGTH).replace(/[.-]+$/, "");
  return `${stem === "" ? "image" : stem}.${format}`;
}

/** The last part of a URL's path. */
export function nameInUrl({ pathname }: URL): string {
  const last = pathname.split("/").findLast((part) => part !== "") ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}
