/** A transfer of an image to the NAS: its bytes, its progress, and what ends it. */
import type { ImageStream } from "../source/image_stream.ts";
import { Cancelled, type StepCalls, type StepContext } from "../../operations/steps/run_step.ts";
import type { Evidence, Transfer } from "../../operations/types.ts";
import type { Caller } from "../../truenas/client.ts";

/** The step that acquires an image. */
export interface AcquireWork {
  readonly context: Pick<StepContext, "log" | "settle" | "vmName">;
  /** Goes on when the user cancels. */
  readonly caller: Caller;
  /** Cancels. */
  readonly signal: AbortSignal;
  readonly step: string;
  readonly calls: StepCalls;
  /** What it makes, so that it is found after a crash; noted before the next call is journalled. */
  readonly made: Made;
}

/** What an acquisition makes besides the file. */
export interface Made {
  /** The file's dataset; null: none, or it is whole. */
  dataset: string | null;
  /** The name of the credentials with which the NAS fetches from this program; null: none. */
  credentials: string | null;
}

/** What an acquisition has made, for the journal; null: nothing. */
export function evidenceOf({ dataset, credentials }: Made): Evidence | null {
  if (dataset === null && credentials === null) return null;
  return {
    ...(dataset === null ? {} : { dataset }),
    ...(credentials === null ? {} : { credentials }),
  };
}

/** A file to write. */
export interface TransferredFile {
  /** The image's name. */
  readonly name: string;
  /** On the NAS. */
  readonly path: string;
  readonly stream: Pick<ImageStream, "body" | "lengthBytes" | "received">;
}

/** Milliseconds between two reports of the progress. */
const REPORT_MS = 1_000;
/** Milliseconds until the first one: people wait for it to see that something arrives. */
const FIRST_REPORT_MS = 250;

/** Reports the progress of a transfer from time to time. */
export function reportProgress(
  { context: { log, vmName: vm }, step }: AcquireWork,
  stream: Pick<ImageStream, "lengthBytes" | "received">,
  clock: () => number = () => performance.now(),
): () => void {
  let [lastAt, lastBytes, waitMs] = [clock(), 0, FIRST_REPORT_MS];
  return () => {
    const now = clock();
    const [bytes, { lengthBytes: totalBytes }] = [stream.received(), stream];
    if (now - lastAt < waitMs || bytes === 0) return;
    const bytesPerSecond = Math.round((bytes - lastBytes) / (now - lastAt) * 1_000);
    [lastAt, lastBytes, waitMs] = [now, bytes, REPORT_MS];
    const transfer: Transfer = { bytes, totalBytes, bytesPerSecond };
    const percent = totalBytes === null || totalBytes === 0 ? 0 : Math.min(100, bytes / totalBytes * 100);
    log.append({ type: "progress", vm, step, percent, transfer });
  };
}

/** The chunks of an image; ends with {@link Cancelled} when the user cancels. */
export async function* chunksOf(
  { signal }: Pick<AcquireWork, "signal">,
  { body }: Pick<ImageStream, "body">,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const stop = () => void reader.cancel(new Cancelled()).catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      if (signal.aborted) throw new Cancelled();
      const { done, value } = await reader.read();
      if (signal.aborted) throw new Cancelled();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // Ends the download when the file could not be written.
    await reader.cancel().catch(() => {});
  }
}
