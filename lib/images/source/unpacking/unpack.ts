/** Unpacks a file while it arrives, if its content is packed; its name does not count. */
import { ImageError } from "../../../errors/errors.ts";
import { imageError } from "../image_errors.ts";
import type { Bytes, Packed } from "./bytes.ts";
import { unxz } from "./xz.ts";
import { gunzip, unzstd } from "./zlib.ts";

/** A file that is no longer packed. */
export interface Unpacked {
  readonly isPacked: boolean;
  /** Ends only after everything that arrives has been read. */
  readonly bytes: Bytes;
}

/** How each packing begins, and its decoder. */
const PACKINGS: readonly (readonly [start: readonly number[], unpack: (packed: Packed) => Bytes])[] = [
  [[0x1f, 0x8b], gunzip],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], unxz],
  [[0x28, 0xb5, 0x2f, 0xfd], unzstd],
];
const START_BYTES = 6;

/** Looks at the first bytes, and unpacks. `source` is what messages call the file. */
export async function unpack({ bytes, signal }: Packed, source: string): Promise<Unpacked> {
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < START_BYTES) {
    const next = await bytes.next();
    if (next.done === true) break;
    first.push(next.value);
    length += next.value.length;
  }
  const all = following(first, bytes);
  const start = first.flatMap((chunk) => [...chunk.subarray(0, START_BYTES)]);
  const packing = PACKINGS.find(([magic]) => magic.every((byte, index) => start[index] === byte));
  if (packing === undefined) return { isPacked: false, bytes: all };
  return { isPacked: true, bytes: explaining(packing[1]({ bytes: all, signal }), source, signal) };
}

async function* following(first: readonly Uint8Array[], rest: Bytes): Bytes {
  try {
    yield* first;
    yield* rest;
  } finally {
    await rest.return();
  }
}

/** A failure of the decoder is one of the file; others have their words already. */
async function* explaining(bytes: Bytes, source: string, signal: AbortSignal): Bytes {
  try {
    yield* bytes;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ImageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw imageError("damaged", `${source} could not be unpacked: ${reason}`, { cause: error });
  }
}
