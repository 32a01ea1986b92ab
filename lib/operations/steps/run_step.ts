/**
 * Runs one step of a VM. The step is journalled before it starts and after it ends. A call with an unknown outcome is
 * verified before anything else happens, and sent again when the NAS shows that it was not done.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASConnectionError, TrueNASError } from "../../errors/errors.ts";
import { isTransient } from "../../errors/refusals.ts";
import type { Caller } from "../../truenas/client.ts";
import { ForgottenJobError } from "../../truenas/jobs.ts";
import type { MethodName } from "../../truenas/method_types.ts";
import type { OperationLog } from "../record/log.ts";
import { NotSent } from "../limits/call_limiter.ts";
import type { Outages } from "../outages.ts";
import type { PlannedReady } from "../../first_boot/types.ts";
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
  /** Sends calls whether or not the user cancels, and waits while the NAS is away. */
  readonly caller: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
  readonly outages: Pick<Outages, "givenUp" | "hasRestarted">;
}

/** What every step needs. */
export interface StepContext extends OperationContext {
  /** The VM whose step it is, by its name in the log. */
  readonly vmName: string;
}

/** How a step makes its calls. */
export interface StepCalls {
  /** Journals a further call of the step; it can be sent once this resolves. */
  readonly next: (method: MethodName) => Promise<void>;
  /**
   * Sends a call until its result is certain: when the connection was lost, its effect is read from the NAS, and it is sent
   * again if there is none. Refusals that pass by themselves are repeated too. Each of these is journalled.
   *
   * @param verify Reads the effect: its result, or null when there is none.
   */
  readonly send: <T>(
    call: () => Promise<T>,
    verify: () => Promise<T | null>,
    options?: SendOptions,
  ) => Promise<T>;
}

/** How a call is repeated. */
export interface SendOptions {
  /** Whether the call is worth another try after this refusal; default {@link isTransient}. */
  readonly passes?: (error: unknown) => boolean | Promise<boolean>;
}

/** One step of a VM. A new kind of step is a function that returns this, next to the function that undoes it. */
export interface Step<T> extends SendOptions {
  readonly step: string;
  /** Its first call; null for a step that waits for something else than a call. */
  readonly method: MethodName | null;
  /** What it waits for, if it waits for the guest. */
  readonly awaits?: PlannedReady;
  /** What it creates or removes, for verification after a crash. */
  readonly makes?: string;
  /** What it created or may have created, read before it runs and again on failure; null: nothing. */
  readonly evidence?: () => Evidence | null;
  /** Checks immediately before the call that the VM is as the user saw it; throws if it is not. */
  readonly precondition?: () => Promise<void>;
  /** Sends the call; a step of several calls makes them by means of `calls`. */
  readonly call: (calls: StepCalls) => Promise<T>;
  /**
   * Reads the effect from the NAS after a call with an unknown outcome: its result, or null when there is none. null for a
   * step that only reads, or that verifies each of its calls with {@link StepCalls.send}.
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
  { vmName: vm, log, settle }: Pick<StepContext, "vmName" | "log" | "settle">,
  action: Step<T>,
): Promise<T> {
  const { step } = action;
  // Rollback steps continue without the journal, because an incomplete VM is worse than a gap in the journal.
  const written = () => step.startsWith("undo-") ? log.written().catch(() => {}) : log.written();
  const calls: StepCalls = {
    next: async (method) => {
      const { evidence } = announced(action);
      log.append({ type: "call", vm, step, method, ...(evidence === undefined ? {} : { evidence }) });
      await written();
    },
    send: (call, verify, options) =>
      sendUntilCertain({ call, verify, ...options }, settle, async (tries, message, againInMs) => {
        const again = againInMs === undefined ? {} : { againInMs };
        log.append({ type: "healed", vm, step, tries, message, ...again });
        await written();
      }),
  };
  const { method, awaits } = action;
  log.append({
    type: "step",
    vm,
    step,
    status: "running",
    ...(method === null ? {} : { method }),
    ...(awaits === undefined ? {} : { awaits }),
    ...announced(action),
  });
  try {
    await written();
    await action.precondition?.();
    const { verify, passes } = action;
    const call = () => action.call(calls);
    const options = passes === undefined ? {} : { passes };
    const result = await (verify === null ? call() : calls.send(call, verify, options));
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

/** A call is sent at most this often. */
const MAX_TRIES = 5;

interface Sending<T> extends SendOptions {
  readonly call: () => Promise<T>;
  readonly verify: () => Promise<T | null>;
}

/** See {@link StepCalls.send}; `healed` journals what was done about a failed try, before the next one. */
async function sendUntilCertain<T>(
  { call, verify, passes = isTransient }: Sending<T>,
  settle: SettleTimeouts,
  healed: (tries: number, message: string, againInMs?: number) => Promise<void>,
): Promise<T> {
  let mayHaveEffect = false;
  for (let tries = 1;; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof TrueNASError) || error instanceof NotSent) throw error;
      const isUnknown = error.outcome === "unknown";
      mayHaveEffect ||= isUnknown;
      // After a repeated call, a refusal can mean that an earlier one took effect after all.
      const polls = isUnknown ? settle : { ...settle, settleMs: 0 };
      // If verification fails too, the original error is thrown, because a read's error would claim "not done".
      const result = mayHaveEffect ? await pollUntil(verify, polls).catch(() => Promise.reject(error)) : null;
      if (result !== null) {
        await healed(tries, `${describeTry(error)}; its effect was found on the NAS`);
        return result;
      }
      if (tries >= MAX_TRIES || !(isOver(error) || await passes(error))) throw error;
      const againInMs = isUnknown ? 0 : settle.pollMs * 2 ** tries;
      await healed(tries, `${describeTry(error)}; it was sent again`, againInMs);
      if (againInMs > 0) await pause(againInMs);
    }
  }
}

/** After a timeout on a connection that still exists, the NAS may be working on the call, so it is not sent again. */
function isOver(error: TrueNASError): boolean {
  return isLost(error) || error instanceof ForgottenJobError;
}

function isLost(error: TrueNASError): boolean {
  return error instanceof TrueNASConnectionError && error.failure === "lost";
}

function describeTry(error: TrueNASError): string {
  return isLost(error) ? `${error.method ?? "A call"}: the connection was lost` : error.message;
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
