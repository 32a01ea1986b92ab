/**
 * Steps of one VM: each is written down before it begins and after it ended, and a call whose outcome is unknown is
 * looked after before anything else is done.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { MethodName } from "../../truenas/methods.ts";
import type { OperationLog } from "../log.ts";
import { NotSent } from "../pace.ts";
import type { Evidence, StepError } from "../types.ts";

/** How long, after a lost connection or a timeout, a call is given to show its effect on the NAS, and how often to look. */
export interface SettleTimeouts {
  /** Milliseconds. */
  readonly settleMs: number;
  /** Milliseconds between two looks. */
  readonly pollMs: number;
}

/** Up to 25.10 a call goes on at the NAS after its socket is gone; a zvol takes about a second. */
export const DEFAULT_SETTLE_TIMEOUTS: SettleTimeouts = { settleMs: 6_000, pollMs: 500 };

/** Writes a further call of a step down; it may be made once this resolves. */
export type NextCall = (method: MethodName) => Promise<void>;

/** What a step does. */
export interface StepAction<T> {
  readonly vm: string;
  readonly step: string;
  readonly method: MethodName;
  /** What it is about to make or remove, for looking after a crash. */
  readonly makes?: string;
  /** What it makes or may have made, asked before it runs and again when it fails; null: nothing. */
  readonly evidence?: () => Evidence | null;
  /** A step of several calls writes each further one down by `next` before it is made. */
  readonly run: (next: NextCall) => Promise<T>;
  /**
   * Looks on the NAS for the effect: its result, or null when there is none. For a call whose outcome is unknown;
   * null for a reading.
   */
  readonly verify: (() => Promise<T | null>) | null;
  /** What was made or found, in a few words. */
  readonly detail: (result: T) => string;
}

/** A step that was begun ahead is not gone on with, because an earlier one failed. */
export class NotReached extends Error {
  override readonly name = "NotReached";

  /** Makes the error. */
  constructor() {
    super("An earlier step failed");
  }
}

/** A step that did not succeed; the log has it already. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";
  /** The step's name. */
  readonly step: string;
  /** What was logged. */
  readonly logged: StepError;

  /** Wraps what went wrong. */
  constructor(step: string, logged: StepError, cause: unknown) {
    super(logged.message, { cause });
    this.step = step;
    this.logged = logged;
  }
}

/**
 * Runs a step and logs it.
 *
 * @throws {StepFailure} when it failed, or when nothing shows that it was done.
 * @throws {NotSent} when it was cancelled before its call had its turn.
 * @throws {NotReached} when it was begun ahead and is not gone on with.
 */
export async function runStep<T>(
  log: OperationLog,
  action: StepAction<T>,
  settle: SettleTimeouts,
): Promise<T> {
  const { vm, step } = action;
  // A step that undoes goes on without: what is half made is worse than a gap in the journal.
  const written = () => step.startsWith("undo-") ? log.written().catch(() => {}) : log.written();
  const next = async (method: MethodName) => {
    const { evidence } = announced(action);
    log.append({ type: "call", vm, step, method, ...(evidence === undefined ? {} : { evidence }) });
    await written();
  };
  log.append({ type: "step", vm, step, status: "running", method: action.method, ...announced(action) });
  try {
    await written();
    const result = await runOrVerify(() => action.run(next), action.verify, settle);
    log.append({ type: "step", vm, step, status: "done", detail: action.detail(result) });
    return result;
  } catch (error) {
    if (error instanceof NotReached || error instanceof NotSent) {
      log.append({ type: "step", vm, step, status: "skipped", ...announced(action) });
      throw error;
    }
    const logged = describeError(error);
    log.append({ type: "step", vm, step, status: "failed", error: logged, ...announced(action) });
    throw new StepFailure(step, logged, error);
  }
}

function announced<T>({ makes, evidence }: StepAction<T>): { makes?: string; evidence?: Evidence | null } {
  return {
    ...(makes === undefined ? {} : { makes }),
    ...(evidence === undefined ? {} : { evidence: evidence() }),
  };
}

/** Makes a call; when its outcome is unknown, looks for its effect, and fails only when there is none to see. */
export async function runOrVerify<T>(
  run: () => Promise<T>,
  look: (() => Promise<T | null>) | null,
  settle: SettleTimeouts,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (look === null || !(error instanceof TrueNASError) || error.outcome !== "unknown") throw error;
    // When looking fails as well, nothing is known still: its own error, of a mere reading, would say "not done".
    const seen = await pollUntil(look, settle).catch(() => null);
    if (seen !== null) return seen;
    throw error;
  }
}

/** Looks until there is something to see, or the time to settle is over: then null. */
export async function pollUntil<T>(
  look: () => Promise<T | null>,
  { settleMs, pollMs: pollMs }: SettleTimeouts,
): Promise<T | null> {
  const looks = Math.max(1, Math.ceil(settleMs / pollMs));
  for (let n = 0; n < looks; n++) {
    if (n > 0) await pause(pollMs);
    const seen = await look();
    if (seen !== null) return seen;
  }
  return null;
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** An error in words fit for a page. */
export function describeError(error: unknown): StepError {
  if (error instanceof TrueNASError) {
    const { message, method, outcome } = error;
    return method === undefined ? { message, outcome } : { message, method, outcome };
  }
  return { message: reasonOf(error), outcome: "unknown" };
}
