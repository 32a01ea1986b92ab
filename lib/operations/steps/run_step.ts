/**
 * Runs one step of a VM. The step is journalled before it starts and after it ends, and a call with an unknown outcome is
 * verified before anything else happens.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { Caller } from "../../truenas/client.ts";
import type { MethodName } from "../../truenas/methods.ts";
import type { OperationLog } from "../record/log.ts";
import { NotSent } from "../call_limiter.ts";
import type { Evidence, StepError } from "../types.ts";

/** How long to wait for the effect of a call after a lost connection or timeout, and how often to poll. */
export interface SettleTimeouts {
  /** Milliseconds. */
  readonly settleMs: number;
  /** Milliseconds between two polls. */
  readonly pollMs: number;
}

/** Up to 25.10 TrueNAS continues a call after its socket closed; creating a zvol takes about a second. */
export const DEFAULT_SETTLE_TIMEOUTS: SettleTimeouts = { settleMs: 6_000, pollMs: 500 };

/** What every operation needs. */
export interface OperationContext {
  /** Sends calls whether or not the user cancels. */
  readonly caller: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
}

/** What every step needs. */
export interface StepContext extends OperationContext {
  /** The VM whose step it is, by its name in the log. */
  readonly vmName: string;
}

/** Journals a further call of a step; it can be sent once this resolves. */
export type NextCall = (method: MethodName) => Promise<void>;

/** One step of a VM. A new kind of step is a function that returns this, next to the function that undoes it. */
export interface Step<T> {
  readonly step: string;
  readonly method: MethodName;
  /** What it creates or removes, for verification after a crash. */
  readonly makes?: string;
  /** What it created or may have created, read before it runs and again on failure; null: nothing. */
  readonly evidence?: () => Evidence | null;
  /** Checks immediately before the call that the VM is as the user saw it; throws if it is not. */
  readonly precondition?: () => Promise<void>;
  /** Sends the call; before each further call it awaits `next`, which journals that call. */
  readonly call: (next: NextCall) => Promise<T>;
  /**
   * Reads the effect from the NAS after a call with an unknown outcome: its result, or null when there is none. null for a
   * step that only reads, or that verifies each of its calls.
   */
  readonly verify: (() => Promise<T | null>) | null;
  /** A short description of the result. */
  readonly detail: (result: T) => string;
}

/** The work on a VM stops before its next call, because the user cancelled or an earlier step failed. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";

  /** Creates the error. */
  constructor(message = "Cancelled") {
    super(message);
  }
}

/** A failed step that has already been logged. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";
}

/**
 * Runs a step and logs it.
 *
 * @throws {StepFailure} when it failed, or when its effect cannot be verified; its cause is the error.
 * @throws {NotSent} when it was cancelled while its call was queued.
 * @throws {Cancelled} when it was started early and an earlier step failed.
 */
export async function runStep<T>(
  { vmName: vm, log, settle }: Omit<StepContext, "caller">,
  action: Step<T>,
): Promise<T> {
  const { step } = action;
  // Rollback steps continue without the journal, because an incomplete VM is worse than a gap in the journal.
  const written = () => step.startsWith("undo-") ? log.written().catch(() => {}) : log.written();
  const next = async (method: MethodName) => {
    const { evidence } = announced(action);
    log.append({ type: "call", vm, step, method, ...(evidence === undefined ? {} : { evidence }) });
    await written();
  };
  log.append({ type: "step", vm, step, status: "running", method: action.method, ...announced(action) });
  try {
    await written();
    await action.precondition?.();
    const result = await callAndVerify(() => action.call(next), action.verify, settle);
    log.append({ type: "step", vm, step, status: "done", detail: action.detail(result) });
    return result;
  } catch (error) {
    if (error instanceof Cancelled || error instanceof NotSent) {
      log.append({ type: "step", vm, step, status: "skipped", ...announced(action) });
      throw error;
    }
    const logged = describeError(error);
    log.append({ type: "step", vm, step, status: "failed", error: logged, ...announced(action) });
    throw new StepFailure(logged.message, { cause: error });
  }
}

/** Logs that a step is not run; `detail` says why. */
export function skipStep(
  { log, vmName: vm }: Pick<StepContext, "log" | "vmName">,
  step: { readonly step: string; readonly detail?: string },
): void {
  log.append({ type: "step", vm, ...step, status: "skipped" });
}

function announced<T>({ makes, evidence }: Step<T>): { makes?: string; evidence?: Evidence | null } {
  return {
    ...(makes === undefined ? {} : { makes }),
    ...(evidence === undefined ? {} : { evidence: evidence() }),
  };
}

/** Sends a call; if its outcome is unknown, verifies the effect and fails only when there is none. */
export async function callAndVerify<T>(
  call: () => Promise<T>,
  verify: (() => Promise<T | null>) | null,
  settle: SettleTimeouts,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (verify === null || !(error instanceof TrueNASError) || error.outcome !== "unknown") throw error;
    // If verification fails too, the original error is thrown, because a read's error would claim "not done".
    const result = await pollUntil(verify, settle).catch(() => null);
    if (result !== null) return result;
    throw error;
  }
}

/** Polls until there is a result; null when the time is over. */
export async function pollUntil<T>(
  poll: () => Promise<T | null>,
  { settleMs, pollMs }: SettleTimeouts,
): Promise<T | null> {
  const polls = Math.max(1, Math.ceil(settleMs / pollMs));
  for (let n = 0; n < polls; n++) {
    if (n > 0) await pause(pollMs);
    const result = await poll();
    if (result !== null) return result;
  }
  return null;
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Describes an error for a page. */
export function describeError(error: unknown): StepError {
  if (error instanceof TrueNASError) {
    const { message, method, outcome } = error;
    return method === undefined ? { message, outcome } : { message, method, outcome };
  }
  return { message: reasonOf(error), outcome: "unknown" };
}
