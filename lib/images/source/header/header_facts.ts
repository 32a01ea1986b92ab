/** What the beginning of an image says. */
import type { ImageFormat } from "../image_stream.ts";

/** See the file's comment. */
export interface HeaderFacts {
  /** null only together with a refusal. */
  readonly format: ImageFormat | null;
  /** Size of the disk in bytes; null for raw images and ISOs, whose size is that of their file. */
  readonly virtualBytes: number | null;
  /** Why it cannot be used, as the end of a sentence that names the image; null when it can. */
  readonly refusal: string | null;
}

/** An image that can be used. */
export function accepted(format: ImageFormat, virtualBytes: number | null): HeaderFacts {
  return { format, virtualBytes, refusal: null };
}

/** An image that cannot be used. */
export function refused(refusal: string, format: ImageFormat | null = null): HeaderFacts {
  return { format, virtualBytes: null, refusal };
}

/** Characters of the Latin alphabet, one a byte. */
export function latin1(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}

/** A number of eight bytes. */
export function uint64(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return Number(viewOf(bytes).getBigUint64(at, littleEndian));
}

/** A number of four bytes. */
export function uint32(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return viewOf(bytes).getUint32(at, littleEndian);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
