/** What a file may be, by its name. What it is, its first bytes decide. */

/** `iso`: an install image; `disk`: the image of a disk; `packed`: one that has to be unpacked before TrueNAS can read it. */
export type FileFormat = "iso" | "disk" | "packed";

const FORMATS = [
  { pattern: /\.iso$/i, format: "iso" },
  { pattern: /\.(qcow2|img|raw|vmdk|vdi|vhdx)$/i, format: "disk" },
  { pattern: /\.(qcow2|img|raw|vmdk|vdi|vhdx|iso)\.(xz|gz|zst|bz2)$/i, format: "packed" },
] as const satisfies readonly { readonly pattern: RegExp; readonly format: FileFormat }[];

/** Null for other files. */
export function formatByName(path: string): FileFormat | null {
  return FORMATS.find(({ pattern }) => pattern.test(path))?.format ?? null;
}
