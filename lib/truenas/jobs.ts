/**
 * TrueNAS jobs: methods that return a job id immediately (vm.stop, vm.restart) and finish later. A successful job is only
 * TrueNAS's claim; the caller verifies the effect.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { explainWords } from "../errors/nas_errors.ts";
import { TrueNASError } from "../errors/errors.ts";
import type { Caller } from "./client.ts";
import type { MethodName } from "./method_types.ts";

/** Options for following a job. */
export interface JobOptions {
  /** Milliseconds between two polls. */
  readonly pollMs: number;
  /** Timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Called with the progress in percent. */
  readonly onProgress?: (percent: number) => void;
}

/** The NAS has forgotten a job, as it does when it restarts: whatever it did, it does no more. */
export class ForgottenJobError extends TrueNASError {
  override readonly name = "ForgottenJobError";
}

/** Unsuccessful final states in core.get_jobs. */
const FAILED: readonly string[] = ["FAILED", "ABORTED"];

/**
 * Waits until a job finishes.
 *
 * @throws {TrueNASError} with TrueNAS's message when the job failed, or when it timed out (`outcome` is unknown).
 * @throws {ForgottenJobError} when the NAS no longer knows the job.
 */
export async function followJob(
  caller: Caller,
  method: MethodName,
  jobId: number,
  { pollMs, timeoutMs, onProgress }: JobOptions,
): Promise<void> {
  let reported = -1;
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += pollMs) {
    const [job] = await caller.call("core.get_jobs", [[["id", "=", jobId]]]);
    const percent = job?.progress?.percent ?? 0;
    if (percent !== reported) onProgress?.(reported = percent);
    if (job?.state === "SUCCESS") return;
    if (job === undefined) {
      const message = `${method}: the NAS no longer knows the job, as after a restart`;
      throw new ForgottenJobError(message, { method, outcome: "unknown" });
    }
    if (FAILED.includes(job.state)) {
      const why = job.error ? explainWords(job.error) : `the job was ${job.state.toLowerCase()}`;
      throw new TrueNASError(`${method} failed: ${why}`, { method, outcome: "not-done" });
    }
    await sleep(pollMs);
  }
  throw new TrueNASError(`${method}: the job did not finish within ${timeoutMs / 1000} s`, {
    method,
    outcome: "unknown",
  });
}
