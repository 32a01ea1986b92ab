/** Pieces of a file, in order. */
export type Bytes = AsyncGenerator<Uint8Array, void, void>;

/** What unpacking needs. */
export interface Packed {
  readonly bytes: Bytes;
  /** Ends a decoder that waits. */
  readonly signal: AbortSignal;
}
