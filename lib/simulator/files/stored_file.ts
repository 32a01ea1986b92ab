/** A file of the simulated NAS: its size and its beginning, by which its format is known; the rest is not kept. */
import { createHash, type Hash } from "node:crypto";

/** How much of a file is kept, in bytes: the headers of all image formats, and all of a seed. */
const HEAD_BYTES = 1_048_576;

/** A stored file. */
export interface StoredFile {
  readonly sizeBytes: number;
  /** What it takes of the pool. */
  readonly allocatedBytes: number;
  readonly head: Uint8Array<ArrayBuffer>;
  /** What a conversion of it writes to a zvol, so that a test recognises it there. */
  readonly content: string;
  /** Of everything that was received; null for a file that was there from the start. */
  readonly digest: Hash | null;
}

/** Receives a file in chunks. */
export class ReceivedFile {
  #sizeBytes: number;
  #head: Uint8Array<ArrayBuffer>;
  readonly #digest: Hash;

  /** Begins a new file, or goes on with the one that it appends to. */
  constructor(before: StoredFile | null = null) {
    this.#sizeBytes = before?.sizeBytes ?? 0;
    this.#head = before?.head ?? new Uint8Array();
    this.#digest = before?.digest?.copy() ?? createHash("sha256");
  }

  /** Bytes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Appends a chunk. */
  add(chunk: Uint8Array): void {
    if (this.#head.length < HEAD_BYTES && this.#head.length === this.#sizeBytes) {
      this.#head = concatenated(this.#head, chunk.subarray(0, HEAD_BYTES - this.#head.length));
    }
    this.#digest.update(chunk);
    this.#sizeBytes += chunk.length;
  }

  /** What is there while more is received. */
  part(): StoredFile {
    const sizeBytes = this.#sizeBytes;
    return {
      sizeBytes,
      allocatedBytes: sizeBytes,
      head: this.#head,
      content: "part of a file",
      digest: null,
    };
  }

  /** The whole file. */
  end(): StoredFile {
    const digest = this.#digest.copy();
    const content = `sha256:${digest.copy().digest("hex")}`;
    const sizeBytes = this.#sizeBytes;
    return { sizeBytes, allocatedBytes: sizeBytes, head: this.#head, content, digest };
  }
}

/** Two byte arrays as one. */
export function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
