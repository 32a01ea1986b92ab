/**
 * Writes a file through `/_upload`, in parts that are appended. The NAS takes the end of a connection for the end of a part,
 * and answers well before its job has ended, so after each doubt the size of the file says what has arrived; only what is
 * missing is sent again.
 */
import { TrueNASConnectionError, TrueNASError } from "../../errors/errors.ts";
import { REMEDIES } from "../../truenas/connection/failures.ts";
import type { NasFiles } from "../../truenas/connection/nas_files.ts";
import type { Caller } from "../../truenas/client.ts";
import { explainWords } from "../../errors/nas_errors.ts";
import { Cancelled, pause, pollUntil } from "../../operations/steps/run_step.ts";
import { MIB } from "../../units.ts";
import { statOf } from "./file_dataset.ts";
import { type AcquireWork, chunksOf, reportProgress, type TransferredFile } from "./transfer.ts";

/** Bytes of a part: it is kept in memory until it has arrived. */
export const PART_BYTES: number = 16 * MIB;
/** The job of a part ends a moment after the answer. */
const FIRST_POLL_MS = 20;
const METHOD = "filesystem.put";
const ACTIVE = ["WAITING", "RUNNING"];

/**
 * Sends the file.
 *
 * @returns its size in bytes.
 * @throws {ImageError} when the image's source fails or has other bytes than expected: the file is not whole then.
 * @throws {TrueNASError} when the NAS does not take it.
 */
export async function uploadFile(
  work: AcquireWork,
  files: NasFiles,
  { path, stream }: TransferredFile,
  partBytes: number = PART_BYTES,
): Promise<number> {
  const report = reportProgress(work, stream);
  await work.calls.next(METHOD);
  let sent = 0;
  for await (const bytes of partsOf(work, { stream, partBytes, report })) {
    await sendPart(work, files, { path, at: sent, bytes });
    sent += bytes.length;
  }
  return sent;
}

/** The image in parts of this size; the last one is shorter. */
async function* partsOf(
  work: AcquireWork,
  { stream, partBytes, report }: {
    readonly stream: TransferredFile["stream"];
    readonly partBytes: number;
    readonly report: () => void;
  },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let part = new Uint8Array(partBytes);
  let filled = 0;
  for await (const chunk of chunksOf(work, stream)) {
    // A part takes long where the image comes slowly.
    report();
    for (let at = 0; at < chunk.length;) {
      const taken = chunk.subarray(at, at + partBytes - filled);
      part.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < partBytes) continue;
      yield part;
      [part, filled] = [new Uint8Array(partBytes), 0];
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

interface Part {
  readonly path: string;
  /** Where it begins in the file. */
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function sendPart(work: AcquireWork, files: NasFiles, { path, at, bytes }: Part): Promise<void> {
  const { caller, calls, signal, context: { settle } } = work;
  const end = at + bytes.length;
  let there = at;
  const send = async () => {
    const rest = { path, append: there > 0, bytes: bytes.subarray(there - at) };
    const job = await files.upload(caller, rest, signal);
    await endOf(caller, job, settle.pollMs);
    return true;
  };
  const verify = async () => {
    await untilQuiet(caller, path, settle.pollMs);
    const size = (await statOf(caller, path))?.size ?? 0;
    if (size === end) return true;
    if (size < at || size > end) {
      throw new TrueNASError(
        `${path} has ${size} bytes, which is not what was sent; something else is writing to it`,
      );
    }
    there = size;
    return null;
  };
  try {
    await calls.send(send, verify);
  } catch (error) {
    if (!signal.aborted) throw error;
    // The NAS makes the folder of a file that it still writes anew, so the dataset is removed after that.
    await pollUntil(async () => await isQuiet(caller, path) || null, settle).catch(() => null);
    throw new Cancelled();
  }
}

/** Waits for the job that writes a part. */
async function endOf(caller: Caller, id: number, pollMs: number): Promise<void> {
  for (let waitMs = FIRST_POLL_MS;; waitMs = Math.min(2 * waitMs, pollMs)) {
    const [job] = await caller.call("core.get_jobs", [[["id", "=", id]]]);
    if (job === undefined || (job.method ?? METHOD) !== METHOD) {
      // As after a restart; how much it wrote is seen by the size.
      throw new TrueNASConnectionError(`${METHOD}: the NAS no longer knows the job, as after a restart`, {
        failure: "lost",
        remedy: REMEDIES.lost,
        outcome: "unknown",
        method: METHOD,
      });
    }
    if (job.state === "SUCCESS") return;
    if (!ACTIVE.includes(job.state)) {
      const why = job.error ? explainWords(job.error) : `the job was ${job.state.toLowerCase()}`;
      throw new TrueNASError(`The NAS could not write the file: ${why}`, {
        method: METHOD,
        outcome: "not-done",
      });
    }
    await pause(waitMs);
  }
}

/** A part whose connection broke may still be written. */
async function untilQuiet(caller: Caller, path: string, pollMs: number): Promise<void> {
  while (!await isQuiet(caller, path)) await pause(pollMs);
}

async function isQuiet(caller: Caller, path: string): Promise<boolean> {
  const filters = [["method", "=", METHOD], ["state", "in", ACTIVE]] as const;
  const jobs = await caller.call("core.get_jobs", [filters]);
  return !jobs.some(({ arguments: given }) => given?.[0] === path);
}
