/**
 * Tells whether a Zstandard file is whole (RFC 8878, section 3.1): the runtime's decoder does not mind when one ends early. Only
 * the headers of frames and blocks are read. Pure.
 */

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const MAGIC_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const RLE = 1;

/** Bytes that are wanted next. */
interface Wanted {
  readonly count: number;
  /** Whether they are passed over. */
  readonly isSkipped: boolean;
  /** Whether the file may end instead. */
  readonly mayEnd: boolean;
}

const read = (count: number): Wanted => ({ count, isSkipped: false, mayEnd: false });
const skip = (count: number): Wanted => ({ count, isSkipped: true, mayEnd: false });

/** Walks through one frame after the other. */
function* frames(): Generator<Wanted, never, Uint8Array> {
  for (;;) {
    const magic = littleEndian(yield { ...read(MAGIC_BYTES), mayEnd: true });
    if (magic === FRAME) yield* frame();
    else if (magic - magic % 16 === SKIPPABLE) yield skip(littleEndian(yield read(4)));
    // The decoder ends with what it knows, and so does the image.
    else yield { ...skip(Infinity), mayEnd: true };
  }
}

function* frame(): Generator<Wanted, void, Uint8Array> {
  const [descriptor = 0] = yield read(1);
  const isSingle = (descriptor & 0x20) !== 0;
  const windowBytes = isSingle ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  yield skip(windowBytes + dictionaryBytes + sizeBytes);
  for (let isLast = false; !isLast;) {
    const block = littleEndian(yield read(BLOCK_HEADER_BYTES));
    yield skip(((block >> 1) & 3) === RLE ? 1 : block >> 3);
    isLast = (block & 1) === 1;
  }
  yield skip((descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES);
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((number, byte) => number * 256 + byte, 0);
}

/** Follows a file. */
export class ZstdEnd {
  readonly #frames = frames();
  #wanted = this.#frames.next().value;
  #count = 0;
  #read: number[] = [];

  /** Whether the file is whole if it ends here. */
  get isWhole(): boolean {
    return this.#wanted.mayEnd && (this.#count === 0 || this.#wanted.isSkipped);
  }

  /** Follows the next piece. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      const { count, isSkipped } = this.#wanted;
      const taken = Math.min(count - this.#count, piece.length - at);
      if (!isSkipped) this.#read.push(...piece.subarray(at, at + taken));
      this.#count += taken;
      at += taken;
      while (this.#count === this.#wanted.count) this.#advance();
    }
  }

  #advance(): void {
    this.#wanted = this.#frames.next(Uint8Array.from(this.#read)).value;
    this.#read = [];
    this.#count = 0;
  }
}
