/** Opens an image at a URL. */
import { shownAddress } from "./shown_address.ts";
import { checkedStream } from "./checked_stream.ts";
import { download } from "./download.ts";
import { nameInUrl } from "./file_names.ts";
import type { ImageStream } from "./image_stream.ts";
import { IMAGE_LIMITS, type ImageLimits } from "./limits.ts";

/** Where an image is. */
export interface ImageUrl {
  /** An http or https address. */
  readonly url: string;
  /** SHA-256 of the file as it is downloaded, as publishers give it; null: none is known. */
  readonly sha256: string | null;
  /** Whether the address may be one of a private network or of this machine: a person wrote it in the configuration. */
  readonly allowPrivate: boolean;
  /** Ends the download. */
  readonly signal?: AbortSignal;
  /** Default: {@link IMAGE_LIMITS}. */
  readonly limits?: Partial<ImageLimits>;
  /** Addresses of a host name; default: the system's. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/**
 * Opens the image: its header has been read when this resolves. Read or cancel the body; either ends the connection.
 *
 * @throws {ImageError} when the file cannot be had, or is no image that can be used.
 */
export async function openUrl(image: ImageUrl): Promise<ImageStream> {
  const limits = { ...IMAGE_LIMITS, ...image.limits };
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, ...(image.signal === undefined ? [] : [image.signal])]);
  const { url, sha256, allowPrivate, resolve } = image;
  const { retries, pauseMs, idleMs } = limits;
  const hasDigest = sha256 !== null;
  const found = await download({ url, allowPrivate, hasDigest, signal, retries, pauseMs, idleMs, resolve });
  return await checkedStream({
    bytes: found.bytes,
    signal,
    stop: (reason) => stopping.abort(reason),
    source: shownAddress(url),
    name: nameInUrl(new URL(url)),
    lengthBytes: found.lengthBytes,
    sha256,
    limits,
  });
}
