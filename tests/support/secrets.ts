/** Searches every byte that a program under test emits for planted secrets. */
import assert from "node:assert/strict";

/** Remembers where a secret was seen. */
export class SecretScan {
  readonly #secrets: readonly string[];
  readonly #seen: string[] = [];
  readonly #longest: number;
  /** Bytes that were looked through. */
  scanned = 0;

  /** Secrets are words that nothing else contains. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    this.#longest = Math.max(0, ...secrets.map(({ length }) => length));
  }

  /** Looks through a text at once. */
  text(text: string, where: string): void {
    this.scanned += text.length;
    for (const secret of this.#secrets) if (text.includes(secret)) this.#seen.push(`${secret} in ${where}`);
  }

  /** The same answer; its headers, and its body as it passes, are looked through. */
  response(response: Response, where: string): Response {
    this.text(JSON.stringify([...response.headers]), `the headers of ${where}`);
    if (response.body === null || response.status === 101) return response;
    let tail = "";
    const decoder = new TextDecoder("latin1");
    const look = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        const text = tail + decoder.decode(chunk, { stream: true });
        this.text(text, where);
        // A secret may begin in one chunk and end in the next.
        tail = text.slice(-this.#longest);
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(look), response);
  }

  /** Fails when a secret was seen. */
  expectNone(): void {
    assert.deepEqual(this.#seen, []);
  }
}
