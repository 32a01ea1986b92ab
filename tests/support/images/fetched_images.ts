/** Images that are fetched in tests: their bytes, their digests, and what the simulated NAS has of them. */
import { createHash } from "node:crypto";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";

const GIB = 1024 ** 3;

/** An image of a disk of 2 GiB whose file is some hundred KiB, in parts of {@link PART_BYTES}. */
export const DISK_BYTES: number = 2 * GIB;
/** Small, so that a small file has several. */
export const PART_BYTES = 100_000;

/** The bytes of a qcow2 image. */
export function qcow2(sizeBytes = 350_000): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes).map((_, index) => index % 251);
  bytes.set(qcow2Head(DISK_BYTES));
  return bytes;
}

/** SHA-256 in lower-case hexadecimal digits. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Digest of a file that the simulated NAS has received; undefined when there is none. */
export function storedDigest({ store }: Simulator, path: string): string | undefined {
  return store.files.get(path)?.digest?.copy().digest("hex");
}

/** The datasets of image files on the NAS. */
export function fileDatasets({ store }: Simulator): string[] {
  return [...store.datasets.keys()].filter((name) => name.includes("/files-")).toSorted();
}
