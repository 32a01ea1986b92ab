/** Opens an image that a browser or the command line sends. */
import { checkedStream } from "./checked_stream.ts";
import { imageError } from "./image_errors.ts";
import type { ImageStream } from "./image_stream.ts";
import { IMAGE_LIMITS, type ImageLimits } from "./limits.ts";
import { nextWithin } from "./next_within.ts";
import type { Bytes } from "./unpacking/bytes.ts";

/** What is known of an upload. */
export interface ImageUpload {
  /** The name that the file has where it comes from. */
  readonly fileName: string;
  /** SHA-256 of the file as it is sent; null: none is known. */
  readonly sha256: string | null;
  /** Bytes that will be sent; null: unknown. */
  readonly lengthBytes: number | null;
  readonly signal?: AbortSignal;
  /** Default: {@link IMAGE_LIMITS}. */
  readonly limits?: Partial<ImageLimits>;
}

/**
 * Opens the image: its header has been read when this resolves.
 *
 * @throws {ImageError} when it is no image that can be used.
 */
export function openUpload(sent: ReadableStream<Uint8Array>, upload: ImageUpload): Promise<ImageStream> {
  const limits = { ...IMAGE_LIMITS, ...upload.limits };
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, ...(upload.signal === undefined ? [] : [upload.signal])]);
  const { fileName, sha256, lengthBytes } = upload;
  return checkedStream({
    bytes: sentBytes(sent, upload, { idleMs: limits.idleMs, signal }),
    signal,
    stop: (reason) => stopping.abort(reason),
    source: fileName,
    name: fileName,
    lengthBytes,
    sha256,
    limits,
  });
}

async function* sentBytes(
  sent: ReadableStream<Uint8Array>,
  { fileName, lengthBytes }: ImageUpload,
  patience: { readonly idleMs: number; readonly signal: AbortSignal },
): Bytes {
  const reader = sent.getReader();
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done: true, value: undefined } : { done: false, value };
    },
  };
  let received = 0;
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await nextWithin(iterator, patience);
      } catch (error) {
        patience.signal.throwIfAborted();
        throw incomplete(fileName, received, lengthBytes, error);
      }
      if (next.done === true) break;
      received += next.value.length;
      yield next.value;
    }
    if (lengthBytes !== null && received !== lengthBytes) throw incomplete(fileName, received, lengthBytes);
  } finally {
    // What the sender does with the rest is not waited for.
    reader.cancel().catch(() => {});
  }
}

function incomplete(fileName: string, received: number, lengthBytes: number | null, cause?: unknown) {
  const of = lengthBytes === null ? "" : ` of ${lengthBytes}`;
  const message = `The upload of ${fileName} ended after ${received}${of} bytes`;
  return imageError("incomplete", message, { advice: "Upload the file again.", cause });
}
