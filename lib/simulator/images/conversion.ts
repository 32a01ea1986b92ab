/** qemu-img's work: an image onto a zvol, or a zvol into a file, with its progress and its failures. */
import { type DiskImage, probe } from "./disk_image.ts";
import type { StoredFile } from "../files/stored_file.ts";
import type { JobReport } from "../jobs/job_queue.ts";
import type { Nas } from "../nas.ts";
import { poolFreeBytes, type StoredDataset } from "../store.ts";
import { overwrite } from "../zfs/zfs.ts";

/** How many times a conversion pauses; it reports each percent. */
const PAUSES = 10;

/** What a conversion is called in its progress. */
export interface Conversion {
  readonly description: string;
  readonly report: JobReport;
}

/** qemu-img's own words. */
export class QemuImgError extends Error {
  override readonly name = "QemuImgError";
}

/** What qemu-img knows of a file on the NAS; throws its words when it cannot open it. */
export function openImage(nas: Nas, path: string): { readonly file: StoredFile; readonly image: DiskImage } {
  const file = nas.store.files.get(path);
  const image = file === undefined ? null : probe(file);
  if (file === undefined || image === null) throw new QemuImgError(`qemu-img: Could not open '${path}'`);
  const { backing } = image;
  // It reads as root, so anything outside the pools is taken to be there.
  const isMissing = backing !== null && backing.startsWith("/mnt/") && !nas.store.files.has(backing);
  if (!isMissing) return { file, image };
  const why = `Could not open backing file: Could not open '${backing}': No such file or directory`;
  throw new QemuImgError(`qemu-img: Could not open '${path}': ${why}`);
}

/**
 * Writes an image to a zvol, percent by percent. What was behind its end stays, and what is stopped in the middle leaves a
 * part. The zvol is looked up again, because nobody keeps others from destroying it.
 */
export async function writeImage(
  nas: Nas,
  source: string,
  target: string,
  { description, report }: Conversion,
): Promise<void> {
  const { file, image } = openImage(nas, source);
  const zvol = nas.store.datasets.get(target);
  if (zvol === undefined) throw new QemuImgError(`qemu-img: Could not open '/dev/zvol/${target}'`);
  report.progress(0, description);
  if (image.virtualBytes > zvol.volsizeBytes) {
    throw new QemuImgError(
      `qemu-img: /dev/zvol/${target}: error while converting raw: Cannot grow device files\n\n`,
    );
  }
  const { store } = nas;
  const bytes = Math.min(image.virtualBytes, file.sizeBytes);
  const part = `part of ${contentOf(file, image)}`;
  const remains = zvol.content === null || zvol.content.startsWith(part) ? null : zvol.content;
  for (let n = 1; n <= PAUSES; n++) {
    await nas.sleep(nas.times.convertMs / PAUSES);
    if (store.datasets.get(target) !== zvol) {
      throw new QemuImgError(noSpace(bytes * n / PAUSES, "Input/output error"));
    }
    const isAlone = n === 1 || zvol.content === part;
    overwrite(store, zvol, isAlone ? part : "two conversions at once", bytes * n / PAUSES);
    if (poolFreeBytes(store) < 0) {
      throw new QemuImgError(noSpace(bytes * n / PAUSES, "No space left on device"));
    }
    for (let percent = (n - 1) * 10 + 1; percent <= n * 10; percent++) report.progress(percent, description);
  }
  if (zvol.content !== part) return;
  const written = contentOf(file, image);
  const isWhole = remains === null || remains === written || image.virtualBytes === zvol.volsizeBytes;
  overwrite(store, zvol, isWhole ? written : `${written} before ${remains}`, bytes);
}

function contentOf({ content }: StoredFile, { backing }: DiskImage): string {
  return backing === null ? content : `${content} over ${backing}`;
}

function noSpace(atBytes: number, why: string): string {
  return `qemu-img: error while writing at byte ${Math.floor(atBytes)}: ${why}`;
}

/** Writes a zvol into a new file. */
export async function readZvol(
  nas: Nas,
  zvol: StoredDataset,
  target: string,
  { description, report }: Conversion,
): Promise<void> {
  for (let percent = 10; percent <= 100; percent += 10) {
    await nas.sleep(nas.times.convertMs / PAUSES);
    report.progress(percent, description);
  }
  const bytes = zvol.writtenBytes;
  const file = { sizeBytes: bytes, allocatedBytes: bytes, head: new Uint8Array(), digest: null };
  nas.store.files.set(target, { ...file, content: zvol.content ?? "zeros" });
}
