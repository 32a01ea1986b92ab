/**
 * Limits the calls of operations:
 * 1. At most ten calls run at once, TrueNAS's limit for a connection. The others wait by priority: single VMs first, then
 *    deletions (vm.delete before others), then everything else.
 * 2. Up to 25.10 TrueNAS deletes one VM at a time, so a second vm.delete waits without taking one of the ten places.
 * 3. A call that TrueNAS refuses because too many are running is repeated after a pause, which doubles each time. The limit
 *    is halved, and rises by one after every ten answers.
 */
import { setTimeout as sleep } from "node:timers/promises";
import PQueue from "npm:p-queue@10.0.0";
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { isRefusedWith } from "../../errors/refusals.ts";
import { notifyEach, runDetached } from "../../errors/unhandled_errors.ts";
import { type Logger, silentLogger } from "../../observability/logging.ts";
import type { Caller, CallOptions } from "../../truenas/client.ts";
import { MAX_RUNNING_CALLS } from "../../truenas/connection/protocol.ts";
import type { MethodName, MethodParams, MethodResult } from "../../truenas/method_types.ts";
import { METHODS } from "../../truenas/methods.ts";

/** Higher ones first. A vm.delete completes the work on its VM. */
const PRIORITIES = { singleVm: 3, vmDeletion: 2, deletion: 1, default: 0 } as const;
/** For an action on a single VM. */
export const SINGLE_VM_PRIORITY = PRIORITIES.singleVm;

/** Pause after a refusal, in milliseconds; up to a third shorter at random, so that clients do not return together. */
const BACKOFF = { firstMs: 500, maxMs: 15_000 } as const;
/** A call fails when it was refused more often than this. */
const MAX_REFUSALS = 8;
/** The limit rises by one after this many answers. */
const ANSWERS_PER_RISE = 10;

/** How many calls of operations run at once. */
export interface Concurrency {
  /** How many may run at once now. */
  readonly limit: number;
  /** TrueNAS's limit for a connection. */
  readonly max: number;
  /** Calls that are running. */
  readonly running: number;
  /** Calls that are queued. */
  readonly waiting: number;
  /** Whether the limit is lower than TrueNAS's own because TrueNAS refused calls. */
  readonly reduced: boolean;
}

/** Options of a limited caller. */
export interface LimitedCallerOptions {
  /** When it aborts, queued writes are dropped; running calls are awaited. */
  readonly signal?: AbortSignal;
  /** Default: by method. */
  readonly priority?: number;
}

/** Options of a limiter. */
export interface LimiterOptions {
  /** Whether the NAS deletes one VM at a time; default never. */
  readonly serialDeletes?: () => boolean;
  /** Waits for some milliseconds; for tests. */
  readonly wait?: (ms: number) => Promise<void>;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

/** The user cancelled while this call was queued; it was never sent. */
export class NotSent extends TrueNASError {
  /** The class's name. */
  override readonly name = "NotSent";

  /** Creates the error of a method. */
  constructor(method: string) {
    super(`${method} was not sent because the operation was cancelled`, { method, outcome: "not-done" });
  }
}

interface QueuedCall {
  readonly method: MethodName;
  readonly priority: number;
  readonly signal: AbortSignal | undefined;
}

/** Limits the calls of one connection; see the file's comment. */
export class CallLimiter {
  readonly #caller: Caller;
  readonly #serialDeletes: () => boolean;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #logger: Logger;
  readonly #calls = new PQueue({ concurrency: MAX_RUNNING_CALLS });
  readonly #vmDeletions = new PQueue({ concurrency: 1 });
  readonly #listeners = new Set<() => void>();
  #pausesSinceAnswer = 0;
  #answersSinceChange = 0;

  constructor(
    caller: Caller,
    { serialDeletes = () => false, wait = sleep, logger = silentLogger }: LimiterOptions = {},
  ) {
    this.#caller = caller;
    this.#serialDeletes = serialDeletes;
    this.#wait = wait;
    this.#logger = logger;
  }

  /** The present limit and load. */
  get concurrency(): Concurrency {
    const { concurrency: limit, pending, size } = this.#calls;
    return {
      limit,
      max: MAX_RUNNING_CALLS,
      running: pending,
      waiting: size + this.#vmDeletions.size,
      reduced: limit < MAX_RUNNING_CALLS,
    };
  }

  /** Calls the listener whenever the limit changes, until the returned function is called. */
  onConcurrency(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A caller within the limit; its writes fail with {@link NotSent} if the signal aborts while they are queued. */
  caller(options: LimitedCallerOptions = {}): Caller {
    return { call: (method, params, callOptions) => this.#call(method, params, callOptions, options) };
  }

  async #call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    callOptions: CallOptions | undefined,
    { signal, priority = priorityOf(method) }: LimitedCallerOptions,
  ): Promise<MethodResult<M>> {
    const queued = { method, priority, signal: METHODS[method].writes ? signal : undefined };
    const send = () => this.#send(queued, () => this.#caller.call(method, params, callOptions));
    for (let refusals = 0;; refusals++) {
      try {
        const isSerial = method === "vm.delete" && this.#serialDeletes();
        return await (isSerial ? enqueue(this.#vmDeletions, queued, send) : send());
      } catch (error) {
        if (!isTooMany(error)) throw error;
        this.#backOff();
        if (refusals >= MAX_REFUSALS) throw error;
      }
    }
  }

  async #send<T>(queued: QueuedCall, call: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const run = async () => {
      await call().then((result) => {
        this.#countAnswer();
        resolve(result);
      }, (error) => {
        // Other refusals are answers too: the NAS had room for the call.
        if (!isTooMany(error)) this.#countAnswer();
        reject(error);
      });
      // Keeps its place for a moment, so that the VM's next call is queued before another one takes it.
      await new Promise<void>((resolve) => setImmediate(resolve));
    };
    enqueue(this.#calls, queued, run).catch(reject);
    return await promise;
  }

  #countAnswer(): void {
    this.#pausesSinceAnswer = 0;
    const { concurrency } = this.#calls;
    if (concurrency === MAX_RUNNING_CALLS || ++this.#answersSinceChange < ANSWERS_PER_RISE) return;
    this.#setLimit(concurrency + 1);
  }

  #backOff(): void {
    // Calls that were refused together count once.
    if (this.#calls.isPaused) return;
    this.#calls.pause();
    const ms = Math.min(BACKOFF.firstMs * 2 ** this.#pausesSinceAnswer++, BACKOFF.maxMs);
    const paused = this.#wait(ms * (1 - Math.random() / 3)).finally(() => this.#calls.start());
    runDetached(paused, "pausing calls to the NAS", this.#logger);
    this.#setLimit(Math.ceil(this.#calls.concurrency / 2));
  }

  #setLimit(limit: number): void {
    this.#answersSinceChange = 0;
    this.#calls.concurrency = limit;
    notifyEach(this.#listeners, (listener) => listener(), this.#logger);
  }
}

function priorityOf(method: MethodName): number {
  if (method === "vm.delete") return PRIORITIES.vmDeletion;
  return METHODS[method].destroys ? PRIORITIES.deletion : PRIORITIES.default;
}

/** Ends the signal's effect when the call starts; p-queue would otherwise give away the place of a running call. */
async function enqueue<T>(
  queue: PQueue,
  { method, priority, signal }: QueuedCall,
  run: () => Promise<T>,
): Promise<T> {
  const waiting = new AbortController();
  const drop = () => waiting.abort(new NotSent(method));
  if (signal?.aborted) drop();
  signal?.addEventListener("abort", drop, { once: true });
  const start = () => {
    signal?.removeEventListener("abort", drop);
    return run();
  };
  return await queue.add(start, { priority, signal: waiting.signal });
}

/** JSON-RPC's code for a connection with more than 20 unfinished calls. */
const TOO_MANY_CALLS = -32000;

/** Whether the NAS refused a call because of its load, before it did anything. */
function isTooMany(error: unknown): boolean {
  if (isRefusedWith(error, "ETOOMANYREFS")) return true;
  if (!(error instanceof TrueNASCallError)) return false;
  return error.refusal.code === TOO_MANY_CALLS || /Rate Limit Exceeded/.test(error.refusal.reason);
}
