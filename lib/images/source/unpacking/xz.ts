/**
 * Unpacks .xz files, of one or more streams. The runtime has no decoder for them; the library is XZ Embedded as WebAssembly,
 * whose dictionary has at most the 64 MiB of `xz -9`, whatever a file asks for.
 */
import type { Bytes, Packed } from "./bytes.ts";

/** What XZ Embedded answers, for people. */
const REASONS: Readonly<Record<string, string>> = {
  4: "it was packed with a larger dictionary than “xz -9” uses",
  6: "it was packed with a filter or a checksum that is not known here; use “xz” without options",
  8: "it ends early, or something else follows it",
};

/** The library decodes one file at a time, because all decoders share the memory of one module. */
let turn: Promise<void> = Promise.resolve();

/** Unpacks; the message of the error says what is wrong with the file. */
export async function* unxz({ bytes, signal }: Packed): Bytes {
  const ended = Promise.withResolvers<void>();
  const before = turn;
  turn = before.then(() => ended.promise);
  try {
    await orAborted(before, signal);
    // Loaded only when a file needs it.
    const { default: { XzReadableStream } } = await import("npm:xz-decompress@0.2.3");
    for await (const chunk of new XzReadableStream(streamOf(bytes))) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error);
  } finally {
    ended.resolve();
    await bytes.return();
  }
}

function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<void>();
  const stop = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener("abort", stop));
}

function streamOf(bytes: Bytes): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const next = await bytes.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
  }, { highWaterMark: 0 });
}

function explained(error: unknown): unknown {
  const [, code] = error instanceof Error
    ? /get_next_output failed with error code (\d+)/.exec(error.message) ?? []
    : [];
  return code === undefined ? error : new Error(REASONS[code] ?? "its content is damaged", { cause: error });
}
