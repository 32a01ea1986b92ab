/** A sector of a CD image, and how numbers and texts are written into it. Pure. */

/** Bytes of a sector. */
export const SECTOR_BYTES = 2_048;

/** A sector of zeros that is written to. ISO 9660 has most numbers in both byte orders, one after the other. */
export class Sector {
  /** Its bytes. */
  readonly content: Uint8Array<ArrayBuffer> = new Uint8Array(SECTOR_BYTES);
  readonly #view = new DataView(this.content.buffer);

  bytes(at: number, values: readonly number[] | Uint8Array): this {
    this.content.set(values, at);
    return this;
  }

  /** ASCII. */
  text(at: number, text: string): this {
    return this.bytes(at, new TextEncoder().encode(text));
  }

  /** Big-endian UCS-2, filled up with spaces to so many bytes. */
  wide(at: number, text: string, length: number): this {
    const padded = text.padEnd(Math.floor(length / 2));
    for (let n = 0; n < padded.length; n++) this.#view.setUint16(at + 2 * n, padded.charCodeAt(n));
    return this;
  }

  both16(at: number, value: number): this {
    this.#view.setUint16(at, value, true);
    this.#view.setUint16(at + 2, value);
    return this;
  }

  both32(at: number, value: number): this {
    return this.little32(at, value).big32(at + 4, value);
  }

  little32(at: number, value: number): this {
    this.#view.setUint32(at, value, true);
    return this;
  }

  big32(at: number, value: number): this {
    this.#view.setUint32(at, value);
    return this;
  }
}
