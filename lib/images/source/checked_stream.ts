/** Makes an image of bytes as they arrive: hashes them, unpacks them, reads the header first, and holds back the end. */
import { createHash } from "node:crypto";
import { ImageError } from "../../errors/errors.ts";
import { formatBytes } from "../../units.ts";
import { fileNameFor } from "./file_names.ts";
import { HEADER_BYTES, inspectHeader } from "./header/inspect_header.ts";
import { imageError } from "./image_errors.ts";
import type { ImageFormat, ImageStream } from "./image_stream.ts";
import { type ImageLimits, RATIO_FREE_BYTES } from "./limits.ts";
import type { Bytes } from "./unpacking/bytes.ts";
import { unpack } from "./unpacking/unpack.ts";

/** What arrives. */
export interface Arriving {
  readonly bytes: Bytes;
  /** Aborted by `stop`, and when the user cancels. */
  readonly signal: AbortSignal;
  /** Ends the arrival while its next bytes are waited for. */
  readonly stop: (reason: unknown) => void;
  /** As the person knows it: an address or a file's name. */
  readonly source: string;
  /** The name that the file has there. */
  readonly name: string;
  readonly lengthBytes: number | null;
  /** The digest that it should have; null: none is known. */
  readonly sha256: string | null;
  readonly limits: ImageLimits;
}

/** Bytes before and after unpacking. */
interface Progress {
  received: number;
  unpacked: number;
}

/**
 * Reads the header, and gives the image.
 *
 * @throws {ImageError} when it is none that can be used.
 */
export async function checkedStream(arriving: Arriving): Promise<ImageStream> {
  const { bytes, source, name, lengthBytes, signal, stop } = arriving;
  const progress: Progress = { received: 0, unpacked: 0 };
  const digest = Promise.withResolvers<string>();
  // Whoever reads the body learns of the failure there.
  digest.promise.catch(() => {});
  try {
    const unpacked = await unpack({ bytes: hashed(arriving, progress, digest.resolve), signal }, source);
    const limited = withinLimits(arriving, unpacked.bytes, progress);
    const { bytes: head, isWhole, failure } = await headOf(limited);
    const bodyBytes = isWhole ? head.length : unpacked.isPacked ? null : lengthBytes;
    const { format, virtualBytes } = factsOf(arriving, head, bodyBytes);
    // That it is a web page says more than that its digest is another one.
    if (failure !== null) throw failure;
    return {
      fileName: fileNameFor(name, format),
      format,
      virtualBytes,
      lengthBytes,
      bodyBytes,
      body: streamOf(endWithheld(head, limited), { stop, failed: digest.reject, source: bytes }),
      received: () => progress.received,
      digest: digest.promise,
    };
  } catch (error) {
    digest.reject(error);
    stop(error);
    await bytes.return();
    throw error;
  }
}

/** Compares the digest at the end: the last bytes before it are not passed on when it is another. */
async function* hashed(
  { bytes, sha256, source }: Arriving,
  progress: Progress,
  known: (digest: string) => void,
): Bytes {
  const hash = createHash("sha256");
  for await (const chunk of bytes) {
    progress.received += chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  // Its digest is never the expected one, and says less.
  if (progress.received === 0) {
    throw imageError("format", `${source} cannot be used as an image: it is empty`);
  }
  const digest = hash.digest("hex");
  if (sha256 !== null && digest !== sha256.toLowerCase()) {
    const message = `${source} does not have the expected SHA-256: expected ${sha256}, found ${digest}`;
    throw imageError("digest", message);
  }
  known(digest);
}

async function* withinLimits(
  { source, limits: { unpackedBytes, ratio } }: Arriving,
  bytes: Bytes,
  progress: Progress,
): Bytes {
  for await (const chunk of bytes) {
    progress.unpacked += chunk.length;
    if (progress.unpacked > unpackedBytes) {
      throw imageError("too-large", `${source} is larger than ${formatBytes(unpackedBytes)} after unpacking`);
    }
    if (progress.unpacked > RATIO_FREE_BYTES && progress.unpacked > ratio * progress.received) {
      const message = `${source} unpacks to more than ${ratio} times its size, which no disk image does`;
      throw imageError("too-large", message);
    }
    yield chunk;
  }
}

/** The beginning of a file. */
interface Head {
  readonly bytes: Uint8Array;
  /** Whether there is nothing behind it. */
  readonly isWhole: boolean;
  /** Why it has another digest; null while that is not known. */
  readonly failure: ImageError | null;
}

/** As much as the header can take, or all of a shorter file. */
async function headOf(arriving: Bytes): Promise<Head> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < HEADER_BYTES) {
      const next = await arriving.next();
      if (next.done === true) return { bytes: joined(chunks, length), isWhole: true, failure: null };
      chunks.push(next.value);
      length += next.value.length;
    }
  } catch (error) {
    if (!(error instanceof ImageError) || error.failure !== "digest") throw error;
    return { bytes: joined(chunks, length), isWhole: true, failure: error };
  }
  return { bytes: joined(chunks, length), isWhole: false, failure: null };
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** What the header says, with the size of a raw image from its length. */
function factsOf(
  { source, limits }: Arriving,
  head: Uint8Array,
  bodyBytes: number | null,
): { readonly format: ImageFormat; readonly virtualBytes: number | null } {
  const { format, virtualBytes, refusal } = inspectHeader(head);
  if (refusal !== null || format === null) {
    throw imageError("format", `${source} cannot be used as an image: ${refusal}`);
  }
  const size = virtualBytes ?? bodyBytes;
  if (size !== null && size > limits.virtualBytes) {
    const message = `${source} is an image of a disk of ${formatBytes(size)}; at most ${
      formatBytes(limits.virtualBytes)
    } are allowed`;
    throw imageError("too-large", message);
  }
  return { format, virtualBytes: size };
}

/** Passes on a chunk when the next one has arrived, and the last one when the end is known to be right. */
async function* endWithheld(head: Uint8Array, rest: Bytes): Bytes {
  let held = head;
  for await (const chunk of rest) {
    if (chunk.length === 0) continue;
    yield held;
    held = chunk;
  }
  yield held;
}

/** A stream that is read from only when it is asked, so that nothing piles up. */
function streamOf(
  chunks: Bytes,
  { stop, failed, source }: {
    readonly stop: (reason: unknown) => void;
    readonly failed: (error: unknown) => void;
    readonly source: Bytes;
  },
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const next = await chunks.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
      } catch (error) {
        failed(error);
        controller.error(error);
      }
    },
    async cancel(reason) {
      failed(reason);
      stop(reason);
      // What was waited for ends with the reason.
      await chunks.return().catch(() => {});
      // Before the first chunk is read, ending the last generator does not end the first one.
      await source.return().catch(() => {});
    },
  }, { highWaterMark: 0 });
}
