/**
 * What happens to an operation while the NAS is away: its calls wait until the NAS answers again, or until nobody wants to
 * wait any longer. A NAS that comes back as another one gets no call.
 */
import {
  AnotherNasError,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../errors/errors.ts";
import type { NasIdentity } from "../inventory/inventory.ts";
import type { Caller } from "../truenas/client.ts";
import { sleepUntilAborted } from "../truenas/connection/logins.ts";
import { formatDuration } from "../units.ts";
import type { OperationLog } from "./record/log.ts";

/** How long an operation waits for the NAS, in milliseconds: longer than a restart or an upgrade takes. */
export const DEFAULT_WAIT_MS = 15 * 60_000;
/** A call waits for a lost connection as long as so many polls before the operation says that it is waiting. */
const UNNOTICED_POLLS = 4;

/** What waiting needs. */
export interface OutageOptions {
  /** Sends calls without a limit, to find out whether the NAS answers. */
  readonly caller: Caller;
  readonly log: OperationLog;
  /** The NAS as it was known last; null before the first connection. */
  readonly nas: () => NasIdentity | null;
  /** How long to wait for the NAS, in milliseconds. */
  readonly waitMs: number;
  /** Milliseconds between two attempts to reach a NAS that is connected but does not answer. */
  readonly pollMs: number;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** The outages of one operation; see the file's comment. */
export class Outages {
  readonly #options: OutageOptions;
  readonly #nas: NasIdentity | null;
  readonly #giveUp = new AbortController();
  /** Shared by all calls that wait. */
  #current: Promise<void> | null = null;
  #givenUp: string | null = null;
  #interrupted = false;

  constructor(options: OutageOptions) {
    this.#options = options;
    this.#nas = options.nas();
  }

  /** Why the operation no longer waits, as a sentence without a period; null while it would. */
  get givenUp(): string | null {
    return this.#givenUp;
  }

  /** Whether the NAS has restarted since the operation began. */
  get hasRestarted(): boolean {
    const [before, now] = [this.#nas?.bootId ?? null, this.#options.nas()?.bootId ?? null];
    return before !== null && now !== null && before !== now;
  }

  /** Waits no longer: the calls that wait now and later ones fail. Returns false when none was waiting. */
  stopWaiting(): boolean {
    if (this.#current === null) return false;
    this.#end("Waiting for the NAS was stopped");
    return true;
  }

  /** Ends the operation as it is, because the program ends; calls that wait fail. */
  interrupt(why: string): void {
    this.#interrupted = true;
    this.#end(why);
  }

  /** A caller whose calls wait while the NAS is away. */
  caller(inner: Caller): Caller {
    return {
      call: async (method, params, options) => {
        for (;;) {
          this.#expectNotGivenUp(method);
          try {
            return await inner.call(method, params, {
              connectionWaitMs: UNNOTICED_POLLS * this.#options.pollMs,
              ...options,
              nasId: this.#nas?.id ?? null,
            });
          } catch (error) {
            if (error instanceof AnotherNasError) this.#end(error.message);
            if (!isAway(error)) throw error;
            this.#expectNotGivenUp(method);
            await (this.#current ??= this.#wait(error).finally(() => this.#current = null));
          }
        }
      },
    };
  }

  #end(why: string): void {
    this.#givenUp ??= why;
    this.#giveUp.abort();
  }

  #expectNotGivenUp(method: string): void {
    if (this.#givenUp === null) return;
    throw new TrueNASError(`${method} was not sent: ${this.#givenUp}`, { method });
  }

  /** Resolves when the NAS answers again, or when nobody waits any longer. */
  async #wait(error: TrueNASError): Promise<void> {
    const { log, now, waitMs } = this.#options;
    const since = now();
    const until = since + waitMs;
    log.append({ type: "waiting", message: describeAbsence(error), until });
    const failure = await this.#untilAnswer(error, until);
    if (failure !== null) {
      this.#end(`The NAS did not answer for ${formatDuration(waitMs)} (${describeAbsence(failure)})`);
    }
    const waitedMs = now() - since;
    if (this.#interrupted) return;
    const end = this.#givenUp === null ? { restarted: this.hasRestarted } : { gaveUp: this.#givenUp };
    log.append({ type: "back", waitedMs, ...end });
  }

  /** The last failure when the time is over; null when the NAS answered or nobody waits any longer. */
  async #untilAnswer(failure: TrueNASError, until: number): Promise<TrueNASError | null> {
    const { caller, now, pollMs } = this.#options;
    const { signal } = this.#giveUp;
    for (let last = failure;;) {
      const connectionWaitMs = until - now();
      if (connectionWaitMs <= 0) return last;
      try {
        await caller.call("core.ping", [], { connectionWaitMs, signal, urgent: true });
        return null;
      } catch (error) {
        if (signal.aborted) return null;
        if (!isAway(error)) throw error;
        last = error;
        await sleepUntilAborted(Math.min(pollMs, connectionWaitMs), signal);
      }
    }
  }
}

/** Whether a call was not done because the NAS could not be reached or did not answer. */
function isAway(error: unknown): error is TrueNASError {
  if (!(error instanceof TrueNASError) || error.outcome === "unknown") return false;
  if (error instanceof TrueNASTimeoutError) return true;
  return error instanceof TrueNASConnectionError && error.failure !== "closed";
}

/** The connection's own failure, without the call that it stopped. */
function describeAbsence(error: TrueNASError): string {
  return error.cause instanceof TrueNASConnectionError ? error.cause.message : error.message;
}
