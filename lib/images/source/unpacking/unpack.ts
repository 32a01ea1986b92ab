/** Unpacks a file while it arrives, if its content is packed. */

/** A file that is no longer packed. */
export interface Unpacked {
  readonly isPacked: boolean;
  /** Ends only after everything that arrives has been read. */
  readonly bytes: AsyncGenerator<Uint8Array>;
}

/** Looks at the first bytes, and unpacks. */
export function unpack(bytes: AsyncGenerator<Uint8Array>, _source: string): Promise<Unpacked> {
  return Promise.resolve({ isPacked: false, bytes });
}
