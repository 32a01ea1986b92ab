/** Reads a multipart/form-data body part by part, as it comes. */
import { concatenated } from "../files/stored_file.ts";

/** One part; its content has to be read before the next one. */
export interface Part {
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
}

const CRLF = new Uint8Array([13, 10]);
const HEADER_END = new Uint8Array([13, 10, 13, 10]);
/** A part's header is short. */
const MAX_HEADER_BYTES = 8_192;

/** The parts of a body. */
export class Multipart {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #boundary: Uint8Array;
  #buffer: Uint8Array = CRLF;
  #isFirst = true;

  /** Of a request with this content type; null when it is no multipart. */
  static of({ headers, body }: Request): Multipart | null {
    const boundary = /boundary="?([^";]+)"?/.exec(headers.get("content-type") ?? "")?.[1];
    return boundary === undefined || body === null ? null : new Multipart(body, boundary);
  }

  private constructor(body: ReadableStream<Uint8Array>, boundary: string) {
    this.#chunks = body[Symbol.asyncIterator]();
    this.#boundary = new TextEncoder().encode(`\r\n--${boundary}`);
  }

  /** The next part; null after the last one. */
  async next(): Promise<Part | null> {
    if (this.#isFirst) {
      this.#isFirst = false;
      await this.#until(this.#boundary, () => {});
    }
    const lines: Uint8Array[] = [];
    let length = 0;
    const found = await this.#until(HEADER_END, (bytes) => {
      lines.push(bytes);
      length += bytes.length;
      if (length > MAX_HEADER_BYTES) throw new Error("the header of a part is too long");
    });
    if (!found) return null;
    const header = new TextDecoder().decode(lines.reduce(concatenated, new Uint8Array()));
    return { name: /name="([^"]*)"/.exec(header)?.[1] ?? "", content: this.#content() };
  }

  /** Reads and forgets the rest. */
  async drain(): Promise<void> {
    this.#buffer = new Uint8Array();
    while (!(await this.#chunks.next()).done);
  }

  async *#content(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = indexOf(this.#buffer, this.#boundary);
      const safe = at < 0 ? Math.max(0, this.#buffer.length - this.#boundary.length) : at;
      if (safe > 0) yield this.#buffer.subarray(0, safe);
      this.#buffer = this.#buffer.subarray(at < 0 ? safe : at + this.#boundary.length);
      if (at >= 0) return;
      if (!await this.#more()) throw new Error("the body ends early");
    }
  }

  /** Reads up to and with a mark; false when the body ends before it. */
  async #until(mark: Uint8Array, take: (bytes: Uint8Array) => void): Promise<boolean> {
    for (;;) {
      const at = indexOf(this.#buffer, mark);
      if (at >= 0) {
        take(this.#buffer.subarray(0, at));
        this.#buffer = this.#buffer.subarray(at + mark.length);
        return true;
      }
      if (!await this.#more()) return false;
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    this.#buffer = this.#buffer.length === 0 ? value : concatenated(this.#buffer, value);
    return true;
  }
}

function indexOf(bytes: Uint8Array, mark: Uint8Array): number {
  const [first = 0] = mark;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + mark.length > bytes.length) return -1;
    if (mark.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
