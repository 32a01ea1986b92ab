/** Fetches a short text, such as a list of keys, under the same rules of addresses as images. */
import { request } from "./request.ts";
import { serverError } from "./image_errors.ts";

/** What is asked for. */
export interface TextRequest {
  readonly url: string;
  /** Whether the address may be one of a private network or of this machine. */
  readonly allowPrivate: boolean;
  /** A longer answer is an error. */
  readonly maxBytes: number;
  /** For the whole answer. */
  readonly timeoutMs: number;
}

/** An answer of a server. */
export interface FetchedText {
  /** 200 where all is well. */
  readonly status: number;
  readonly text: string;
}

/** Fetches a text. */
export type FetchText = (wanted: TextRequest) => Promise<FetchedText>;

/**
 * Fetches a text.
 *
 * @throws {ImageError} when it cannot be had in time, or is too long.
 */
export async function fetchText(
  { url, allowPrivate, maxBytes, timeoutMs }: TextRequest,
): Promise<FetchedText> {
  const late = serverError(url, `it did not answer within ${Math.round(timeoutMs / 1_000)} s`);
  const stopping = new AbortController();
  const timer = setTimeout(() => stopping.abort(late), timeoutMs);
  try {
    const answer = await request({
      url,
      allowPrivate,
      hasDigest: false,
      headers: { accept: "text/plain" },
      signal: stopping.signal,
      idleMs: timeoutMs,
    });
    stopping.signal.addEventListener("abort", () => answer.close(), { once: true });
    try {
      return { status: answer.status, text: await textOf(answer.body, { url, maxBytes }) };
    } catch (error) {
      throw stopping.signal.aborted ? late : error;
    } finally {
      answer.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(
  body: AsyncIterable<Uint8Array>,
  { url, maxBytes }: Pick<TextRequest, "url" | "maxBytes">,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > maxBytes) throw serverError(url, `it sends more than ${maxBytes} bytes`);
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}
