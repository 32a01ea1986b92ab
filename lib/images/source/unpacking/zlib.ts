/** Unpacks .gz and .zst files with the runtime's own decoders, which hold the sender back while their output waits. */
import zlib from "node:zlib";
import type { Bytes, Packed } from "./bytes.ts";
import { ZstdEnd } from "./zstd_end.ts";

type Decoder = zlib.Gunzip | zlib.ZstdDecompress;

const OUTPUT_BYTES = 256 * 1024;
/** Window of the decoder of Zstandard in bits: 128 MiB, its own default and the limit of its command line. */
const ZSTD_WINDOW_BITS = 27;

const ENDS_EARLY = "it ends early";

/** What the decoders say, for people. */
const REASONS: readonly (readonly [says: RegExp, reason: string])[] = [
  [/unexpected end of file/, ENDS_EARLY],
  [/too much memory/, "it was packed with “zstd --long” or “--ultra”, which takes too much memory"],
];

/** Unpacks gzip, of one or more members; the message of the error says what is wrong with the file. */
export function gunzip(packed: Packed): Bytes {
  return through(packed, zlib.createGunzip({ chunkSize: OUTPUT_BYTES }));
}

/** Unpacks Zstandard, of one or more frames; the message of the error says what is wrong with the file. */
export async function* unzstd({ bytes, signal }: Packed): Bytes {
  const end = new ZstdEnd();
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_BITS };
  const decoder = zlib.createZstdDecompress({ chunkSize: OUTPUT_BYTES, params });
  yield* through({ bytes: followed(bytes, end), signal }, decoder);
  if (!end.isWhole) throw new Error(ENDS_EARLY);
}

async function* followed(bytes: Bytes, end: ZstdEnd): Bytes {
  for await (const piece of bytes) {
    end.push(piece);
    yield piece;
  }
}

async function* through({ bytes, signal }: Packed, decoder: Decoder): Bytes {
  const arriving: { failure: unknown } = { failure: null };
  const feeding = feed(bytes, decoder, arriving);
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
    await feeding;
  } catch (error) {
    signal.throwIfAborted();
    throw arriving.failure ?? explained(error);
  } finally {
    decoder.destroy();
    await bytes.return();
  }
  if (arriving.failure !== null) throw arriving.failure;
}

/** Never throws: a failure of what arrives ends the decoder. */
async function feed(bytes: Bytes, decoder: Decoder, arriving: { failure: unknown }): Promise<void> {
  try {
    for await (const chunk of bytes) {
      // What follows the packed data is read, because the digest is that of the whole file.
      if (!decoder.destroyed) await written(decoder, chunk);
    }
    decoder.end();
  } catch (error) {
    arriving.failure = error;
    decoder.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Resolves when the decoder has taken the bytes, or has ended. */
function written(decoder: Decoder, chunk: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  decoder.once("close", done);
  decoder.write(chunk, done);
  return promise.finally(() => decoder.off("close", done));
}

function explained(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const reason = REASONS.find(([says]) => says.test(error.message))?.[1];
  return new Error(reason ?? "its content is damaged", { cause: error });
}
