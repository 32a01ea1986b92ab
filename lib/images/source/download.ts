/** The bytes of a file on a web server; a connection that breaks is continued where it broke, if the server can do that. */
import { shownAddress } from "./shown_address.ts";
import { ImageError } from "../../errors/errors.ts";
import { imageError, serverError } from "./image_errors.ts";
import { nextWithin } from "./next_within.ts";
import { type Answer, type ImageRequest, request } from "./request.ts";
import type { Bytes } from "./unpacking/bytes.ts";

/** What is downloaded. */
export interface Download extends Omit<ImageRequest, "headers"> {
  readonly retries: number;
  readonly pauseMs: number;
}

/** A download that has been answered. */
export interface Downloading {
  /** Where the file was found, after redirects. */
  readonly url: URL;
  /** Its length; null when the server does not say. */
  readonly lengthBytes: number | null;
  readonly contentType: string;
  readonly bytes: Bytes;
}

const OK = 200;
const PARTIAL = 206;

const MEANINGS: Readonly<Record<number, string>> = {
  401: "the server requires a login",
  403: "the server does not allow it",
  404: "there is no such file on the server",
  410: "the file is no longer on the server",
  429: "the server has had too many requests from here; wait a while",
};

/**
 * Starts a download.
 *
 * @throws {ImageError} when the file cannot be had.
 */
export async function download(wanted: Download): Promise<Downloading> {
  const answer = await request({ ...wanted, headers: {} });
  if (answer.status !== OK) {
    answer.close();
    throw serverError(wanted.url, meaningOf(answer.status));
  }
  const lengthBytes = lengthOf(answer);
  return {
    url: answer.url,
    lengthBytes,
    contentType: answer.header("content-type") ?? "",
    bytes: allBytes(wanted, answer, lengthBytes),
  };
}

function meaningOf(status: number): string {
  const meaning = MEANINGS[status] ?? (status >= 500 ? "the server failed" : "the server sends no file");
  return `${meaning} (HTTP ${status})`;
}

function lengthOf(answer: Answer): number | null {
  const length = answer.header("content-length");
  return length !== null && /^\d+$/.test(length) ? Number(length) : null;
}

async function* allBytes(
  wanted: Download,
  first: Answer,
  lengthBytes: number | null,
): Bytes {
  let answer = first;
  let received = 0;
  let failures = 0;
  try {
    for (;;) {
      const broken = yield* receive(
        wanted,
        answer,
        lengthBytes === null ? null : lengthBytes - received,
        (n) => {
          received += n;
          failures = 0;
        },
      );
      if (broken === null) return;
      answer.close();
      for (;;) {
        if (failures++ >= wanted.retries) throw broke(wanted, broken, { received, lengthBytes });
        await pause(wanted);
        const next = await continued(wanted, first, { received, lengthBytes, broken });
        if (next === null) continue;
        answer = next;
        break;
      }
    }
  } finally {
    answer.close();
  }
}

/** Passes on what arrives; gives the reason when it ends early. */
async function* receive(
  { idleMs, signal }: Download,
  { body }: Answer,
  expected: number | null,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, unknown> {
  const iterator = body[Symbol.asyncIterator]();
  let left = expected;
  for (;;) {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await nextWithin(iterator, { idleMs, signal });
    } catch (error) {
      signal.throwIfAborted();
      return error;
    }
    if (next.done === true) {
      return left === null || left === 0 ? null : new Error("the connection was closed");
    }
    const bytes = left === null ? next.value : next.value.subarray(0, left);
    count(bytes.length);
    if (left !== null) left -= bytes.length;
    yield bytes;
    if (left === 0) return null;
  }
}

/** What a download that broke needs. */
interface Broken {
  readonly received: number;
  readonly lengthBytes: number | null;
  readonly broken: unknown;
}

/** Asks for the rest of the same file; null when the server could not be reached this time. */
async function continued(wanted: Download, first: Answer, { received, lengthBytes, broken }: Broken) {
  const etag = first.header("etag");
  const version = etag !== null && !etag.startsWith("W/") ? etag : first.header("last-modified");
  // Without a version or a digest to compare, the rest could be that of another file.
  if (lengthBytes === null || (version === null && !wanted.hasDigest)) {
    throw broke(wanted, broken, { received, lengthBytes });
  }
  // With a digest any mirror will do; mirrors of one file have versions of their own.
  const headers: Record<string, string> = { range: `bytes=${received}-` };
  if (version !== null && !wanted.hasDigest) headers["if-range"] = version;
  let answer: Answer;
  try {
    answer = await request({ ...wanted, headers });
  } catch (error) {
    if (error instanceof ImageError && error.failure === "server") return null;
    throw error;
  }
  const range = answer.header("content-range") ?? "";
  if (answer.status === PARTIAL && range === `bytes ${received}-${lengthBytes - 1}/${lengthBytes}`) {
    return answer;
  }
  answer.close();
  if (answer.status >= 500) return null;
  throw broke(wanted, broken, { received, lengthBytes });
}

function broke(
  { url }: Download,
  cause: unknown,
  { received, lengthBytes }: { readonly received: number; readonly lengthBytes: number | null },
): ImageError {
  const of = lengthBytes === null ? "" : ` of ${lengthBytes}`;
  const message = `The download of ${
    shownAddress(String(url))
  } broke off after ${received}${of} bytes, and could not be continued`;
  return imageError("incomplete", message, { cause });
}

function pause({ pauseMs, signal }: Download): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, pauseMs);
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  });
}
