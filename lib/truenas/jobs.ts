/**
 * TrueNAS's jobs: calls that answer with a job's id at once (vm.stop, vm.restart) and end later. A job's success is
 * the NAS's word only; whoever asked looks at the effect.
 */
import { explainWords } from "../errors/nas_errors.ts";
import { TrueNASError } from "../errors/errors.ts";
import type { Caller } from "./client.ts";
import type { MethodName } from "./methods.ts";

/** How to follow a job. */
export interface JobOptions {
  /** Milliseconds between two looks. */
  readonly pollMs: number;
  /** How long it is followed at most, in milliseconds. */
  readonly timeoutMs: number;
  /** Told of its progress in per cent. */
  readonly onProgress?: (percent: number) => void;
}

/** How a job can have ended that is no success, in core.get_jobs' words. */
const FAILED: readonly string[] = ["FAILED", "ABORTED"];

/**
 * Waits for a job's end.
 *
 * @throws {TrueNASError} with the NAS's words when it failed, or when it did not end in time (`outcome` is unknown).
 */
export async function followJob(
  caller: Caller,
  method: MethodName,
  jobId: number,
  { pollMs, timeoutMs, onProgress }: JobOptions,
): Promise<void> {
  let told = -1;
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += pollMs) {
    const [job] = await caller.call("core.get_jobs", [[["id", "=", jobId]]]);
    const percent = job?.progress?.percent ?? 0;
    if (percent !== told) onProgress?.(told = percent);
    if (job?.state === "SUCCESS") return;
    if (job === undefined || FAILED.includes(job.state)) {
      const why = job?.error ? explainWords(job.error) : "the NAS does not know its job any more";
      throw new TrueNASError(`${method} failed: ${why}`, {
        method,
        outcome: job === undefined ? "unknown" : "not-done",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new TrueNASError(`${method}: its job did not end within ${timeoutMs / 1000} s`, {
    method,
    outcome: "unknown",
  });
}
