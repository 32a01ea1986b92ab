/**
 * Limits the calls of operations, in three rules. At most ten are with the NAS at once, TrueNAS's limit for a connection,
 * and the others wait by priority: what a person asked of a single VM, then what finishes what was started (vm.delete,
 * then other deletions), then new work and readings. Up to 25.10, which deletes one VM at a time, a second vm.delete
 * waits in a queue of its own, and not in the place of another call. A call that the NAS refuses as too many, before it
 * does anything, is made again after a pause that doubles each time; half as many then run at once, and one more after
 * every ten answers.
 */
import PQueue from "npm:p-queue@10.0.0";
import { TrueNASCallError, TrueNASError } from "../errors/errors.ts";
import { notifyEach, runDetached } from "../errors/unhandled_errors.ts";
import { type Logger, silentLogger } from "../observability/logging.ts";
import type { Caller, CallOptions } from "../truenas/client.ts";
import { type MethodName, type MethodParams, type MethodResult, METHODS } from "../truenas/methods.ts";
import { MAX_RUNNING_CALLS } from "../truenas/connection/protocol.ts";

/** The higher goes first. */
const PRIORITIES = { singleVm: 3, lastCall: 2, deletion: 1, usual: 0 } as const;
/** For what a person asked of a single VM. */
export const SINGLE_VM_PRIORITY = PRIORITIES.singleVm;

/** The pause after a refusal, in milliseconds; it is varied by up to a third, so that clients do not come back together. */
const BACKOFF = { firstMs: 500, mostMs: 15_000 } as const;
/** A call that is refused as too many so often fails. */
const MAX_REFUSALS = 8;
/** After so many answers one more call may run at once. */
const ANSWERS_PER_RISE = 10;

/** How many calls of operations run at once, as a page shows it. */
export interface Concurrency {
  /** How many may run at once now. */
  readonly limit: number;
  /** TrueNAS's own limit for a connection. */
  readonly max: number;
  /** Calls that run now. */
  readonly running: number;
  /** Calls that wait for their turn. */
  readonly waiting: number;
  /** The limit is lower than the NAS's own, because the NAS refused calls. */
  readonly reduced: boolean;
}

/** For whom a caller calls. */
export interface LimitedCallerOptions {
  /** Changes that still wait are given up when it is aborted; those that were sent are waited for. */
  readonly signal?: AbortSignal;
  /** Default: by the method. */
  readonly priority?: number;
}

/** How a limiter is set up. */
export interface LimiterOptions {
  /** Whether the NAS runs one vm.delete at a time, as now; default never. */
  readonly serialDeletes?: () => boolean;
  /** Resolves after so many milliseconds; tests give their own. */
  readonly wait?: (ms: number) => Promise<void>;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

/** Refuses a call that was still waiting when the person cancelled: it was never sent. */
export class NotSent extends TrueNASError {
  /** The class's name. */
  override readonly name = "NotSent";

  /** Makes the error of a method. */
  constructor(method: string) {
    super(`${method} was not sent, because it was cancelled before its turn`, {
      method,
      outcome: "not-done",
    });
  }
}

/** Limits the calls of one connection; see the file's comment. */
export class CallLimiter {
  readonly #caller: Caller;
  readonly #serialDeletes: () => boolean;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #logger: Logger;
  readonly #calls = new PQueue({ concurrency: MAX_RUNNING_CALLS });
  readonly #deletes = new PQueue({ concurrency: 1 });
  readonly #listeners = new Set<() => void>();
  /** Pauses since the last answer. */
  #pauses = 0;
  /** Answers since the limit last changed. */
  #answers = 0;

  /** Makes its calls by `caller`. */
  constructor(
    caller: Caller,
    { serialDeletes = () => false, wait = defaultWait, logger = silentLogger }: LimiterOptions = {},
  ) {
    this.#caller = caller;
    this.#serialDeletes = serialDeletes;
    this.#wait = wait;
    this.#logger = logger;
  }

  /** How it stands now. */
  get concurrency(): Concurrency {
    const { concurrency: limit, pending, size } = this.#calls;
    return {
      limit,
      max: MAX_RUNNING_CALLS,
      running: pending,
      waiting: size + this.#deletes.size,
      reduced: limit < MAX_RUNNING_CALLS,
    };
  }

  /** Calls the listener with each change of the limit, until the returned function is called. */
  onConcurrency(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A caller within the limit; what it changes fails with {@link NotSent} when the signal was aborted before its turn. */
  caller(options: LimitedCallerOptions = {}): Caller {
    return { call: (method, params, callOptions) => this.#call(method, params, callOptions, options) };
  }

  async #call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    callOptions: CallOptions | undefined,
    { signal, priority = priorityOf(method) }: LimitedCallerOptions,
  ): Promise<MethodResult<M>> {
    const send = () => this.#caller.call(method, params, callOptions);
    const turn = METHODS[method].writes ? { method, priority, signal } : { method, priority };
    for (let refusals = 0;; refusals++) {
      try {
        return await this.#inTurn(turn, send);
      } catch (error) {
        if (!isTooMany(error)) throw error;
        this.#backOff();
        if (refusals >= MAX_REFUSALS) throw error;
      }
    }
  }

  async #inTurn<T>(turn: Turn, send: () => Promise<T>): Promise<T> {
    const inTurn = () => this.#queued(turn, send);
    const isSerial = turn.method === "vm.delete" && this.#serialDeletes();
    return await (isSerial ? addToQueue(this.#deletes, turn, inTurn) : inTurn());
  }

  async #queued<T>(turn: Turn, send: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = async () => {
      await this.#counted(send).then(resolve, reject);
      // The next call of the same VM is among those that wait before the place is given away.
      await new Promise<void>((resolve) => setImmediate(resolve));
    };
    addToQueue(this.#calls, turn, run).catch(reject);
    return await promise;
  }

  /** Counts the answer, a refusal of another kind too: the NAS had room for the call. */
  async #counted<T>(send: () => Promise<T>): Promise<T> {
    try {
      const result = await send();
      this.#countAnswer();
      return result;
    } catch (error) {
      if (!isTooMany(error)) this.#countAnswer();
      throw error;
    }
  }

  #countAnswer(): void {
    this.#pauses = 0;
    if (this.#calls.concurrency === MAX_RUNNING_CALLS || ++this.#answers < ANSWERS_PER_RISE) return;
    this.#setLimit(this.#calls.concurrency + 1);
  }

  #backOff(): void {
    // Calls that were refused together say one thing.
    if (this.#calls.isPaused) return;
    this.#calls.pause();
    const ms = Math.min(BACKOFF.firstMs * 2 ** this.#pauses++, BACKOFF.mostMs);
    const paused = this.#wait(ms * (1 - Math.random() / 3)).finally(() => this.#calls.start());
    runDetached(paused, "pausing calls to the NAS", this.#logger);
    this.#setLimit(Math.ceil(this.#calls.concurrency / 2));
  }

  #setLimit(limit: number): void {
    this.#answers = 0;
    this.#calls.concurrency = limit;
    notifyEach(this.#listeners, (listener) => listener(), this.#logger);
  }
}

/** vm.delete ends the work on a VM. Whatever only reads is in no hurry: no other VM waits for it. */
function priorityOf(method: MethodName): number {
  if (method === "vm.delete") return PRIORITIES.lastCall;
  return METHODS[method].destroys ? PRIORITIES.deletion : PRIORITIES.usual;
}

function defaultWait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Turn {
  readonly method: MethodName;
  readonly priority: number;
  readonly signal?: AbortSignal | undefined;
}

/** p-queue would also let go of a call that was sent when its signal is aborted; this one is waited for. */
async function addToQueue<T>(
  queue: PQueue,
  { method, priority, signal }: Turn,
  run: () => Promise<T>,
): Promise<T> {
  const waiting = new AbortController();
  const giveUp = () => waiting.abort(new NotSent(method));
  if (signal?.aborted) giveUp();
  signal?.addEventListener("abort", giveUp, { once: true });
  const forget = () => signal?.removeEventListener("abort", giveUp);
  const start = () => {
    forget();
    return run();
  };
  return await queue.add(start, { priority, signal: waiting.signal }).finally(forget);
}

/** TrueNAS's errno ETOOMANYREFS, and JSON-RPC's code for it, when more than 20 calls of a connection are unfinished. */
const TOO_MANY = { errno: 109, code: -32000 } as const;

/** Whether the NAS refused a call for its load alone, before it did anything. */
function isTooMany(error: unknown): boolean {
  if (!(error instanceof TrueNASCallError)) return false;
  const { errno, code, reason } = error.refusal;
  return errno === TOO_MANY.errno || code === TOO_MANY.code || /Rate Limit Exceeded/.test(reason);
}
