/**
 * Reads a form with a file as it arrives: the fields that stand before the file, then the file as a stream, which is never held
 * as a whole. RFC 7578.
 */
import { nextWithin } from "../../lib/images/source/next_within.ts";

/** A form whose file has begun to arrive. */
export interface ArrivingFile {
  /** The fields before the file. */
  readonly fields: URLSearchParams;
  /** What the file is called; empty when none was chosen. */
  readonly fileName: string;
  /** The file's content. It fails when the form breaks off. */
  readonly stream: ReadableStream<Uint8Array>;
}

/** Fields and headers are short. */
const MAX_TEXT_BYTES = 65_536;

const encoder = new TextEncoder();
const HEADER_END = encoder.encode("\r\n\r\n");

/** The form is none, or is damaged. */
export class BrokenUpload extends Error {
  override readonly name = "BrokenUpload";
}

/**
 * Reads up to the beginning of the file.
 *
 * @throws {BrokenUpload} when it is no such form, or has no file.
 */
export async function readUpload(request: Request): Promise<ArrivingFile> {
  const type = request.headers.get("content-type") ?? "";
  const boundary = /^multipart\/form-data;.*boundary="?([^";]{1,200})"?/i.exec(type)?.[1];
  if (boundary === undefined || request.body === null) {
    await request.body?.cancel();
    throw new BrokenUpload("The form has no file");
  }
  const body = new Body(request.body);
  try {
    return await readUntilFile(body, boundary);
  } catch (error) {
    await body.end();
    throw error;
  }
}

async function readUntilFile(body: Body, boundary: string): Promise<ArrivingFile> {
  const mark = encoder.encode(`\r\n--${boundary}`);
  // The first boundary has no line before it.
  body.prepend("\r\n");
  await body.textUntil(mark);
  const fields = new URLSearchParams();
  for (;;) {
    const header = new TextDecoder().decode(await body.textUntil(HEADER_END));
    if (header.startsWith("--")) throw new BrokenUpload("The form has no file");
    const name = parameter(header, "name") ?? "";
    const fileName = parameter(header, "filename");
    if (fileName !== null) return { fields, fileName, stream: fileStream(body, mark) };
    fields.append(name, new TextDecoder().decode(await body.textUntil(mark)));
  }
}

/** A parameter of a part's header, as browsers write it: quotes and line ends are escaped by percent signs. */
function parameter(header: string, name: string): string | null {
  const value = new RegExp(`[; ]${name}="([^"]*)"`, "i").exec(header)?.[1];
  if (value === undefined) return null;
  return value.replaceAll(/%(0D|0A|22)/gi, (code) => decodeURIComponent(code));
}

/** Milliseconds without a byte after which a browser counts as gone. */
const IDLE_MS = 30_000;

/** Reads the rest of a stream and forgets it, so that the browser finds somebody who listens until it has sent everything. */
export async function drain(stream: ReadableStream<Uint8Array>, idleMs: number = IDLE_MS): Promise<void> {
  await drainReader(stream.getReader(), idleMs);
}

/** The same for a stream that is being read. */
export async function drainReader(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  idleMs: number = IDLE_MS,
): Promise<void> {
  const next = { next: async () => ({ done: (await reader.read()).done === true, value: undefined }) };
  const { signal } = new AbortController();
  try {
    while ((await nextWithin<undefined>(next, { idleMs, signal })).done !== true);
  } catch {
    // It broke off or fell silent, which is an end too.
    await reader.cancel().catch(() => {});
  }
}

function fileStream(body: Body, mark: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const bytes = await body.before(mark);
        if (bytes !== null) return controller.enqueue(bytes);
        await body.end();
        controller.close();
      } catch (error) {
        controller.error(error);
      }
    },
    cancel: () => body.cancel(),
  }, { highWaterMark: 0 });
}

/** The bytes of a body, some of which were read ahead. */
class Body {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #ahead: Uint8Array = new Uint8Array();
  #isOver = false;

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
  }

  /** Puts a text before the body, of which it is no part. */
  prepend(text: string): void {
    this.#ahead = joined(encoder.encode(text), this.#ahead);
  }

  /** A short text up to a mark, which is passed over. */
  async textUntil(mark: Uint8Array): Promise<Uint8Array> {
    for (;;) {
      const at = indexOf(this.#ahead, mark);
      if (at >= 0) {
        const text = this.#ahead.subarray(0, at);
        this.#ahead = this.#ahead.subarray(at + mark.length);
        return text;
      }
      if (this.#ahead.length > MAX_TEXT_BYTES) throw new BrokenUpload("A field of the form is too long");
      await this.#more();
    }
  }

  /** The next bytes that stand before a mark; null when the mark was reached. */
  async before(mark: Uint8Array): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#isOver) return null;
      const at = indexOf(this.#ahead, mark);
      const length = at >= 0 ? at : this.#ahead.length - mark.length;
      if (at >= 0) this.#isOver = true;
      if (length > 0) {
        const bytes = this.#ahead.slice(0, length);
        this.#ahead = this.#ahead.subarray(length);
        return bytes;
      }
      if (!this.#isOver) await this.#more();
    }
  }

  /** Reads what is left of a body that is at its end. */
  async end(): Promise<void> {
    this.#isOver = true;
    let left = MAX_TEXT_BYTES;
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      left -= value.length;
      if (left < 0) return await this.#reader.cancel();
    }
  }

  /** Reads no more. */
  async cancel(): Promise<void> {
    this.#isOver = true;
    await this.#reader.cancel();
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#reader.read();
    if (done) throw new BrokenUpload("The upload broke off");
    this.#ahead = this.#ahead.length === 0 ? value : joined(this.#ahead, value);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function indexOf(bytes: Uint8Array, mark: Uint8Array): number {
  const [first = 0] = mark;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + mark.length > bytes.length) return -1;
    if (mark.every((byte, n) => bytes[at + n] === byte)) return at;
  }
  return -1;
}
