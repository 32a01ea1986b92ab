/**
 * How many writes go to the NAS at once: as many as it runs at once, fewer while its calls get slow, and for a while
 * none when it says that they are too many. Readings are not held back where somebody waits for them.
 */
import { TrueNASCallError, TrueNASError } from "../errors/errors.ts";
import type { Caller, CallOptions } from "../truenas/client.ts";
import { type MethodName, type MethodParams, type MethodResult, METHODS } from "../truenas/methods.ts";
import { MAX_RUNNING_CALLS } from "../truenas/connection/protocol.ts";

/** Slow calls alone never bring it below this: what the NAS does one after another is still kept busy. */
const MIN_WIDTH = 4;
/** Waits after calls that the NAS refused as too many, in milliseconds; each is varied by up to a third. */
const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000] as const;
/**
 * What goes before others that wait, the lowest first: what is begun is ended before more is begun, and up to 25.10,
 * where the NAS runs one vm.delete at a time, a moment in which none runs is lost; what makes a VM ready for it is next.
 */
const RANKS: Partial<Readonly<Record<MethodName, number>>> = {
  "vm.delete": 0,
  "vm.device.delete": 1,
  "vm.poweroff": 2,
};
/** Of looks that writes wait for. */
const FIRST_LOOK_RANK = 1;
/** Of a destruction. */
const ENDING_RANK = 3;
/** Of readings that no write waits for. */
const READING_RANK = 4;
const USUAL_RANK = 5;
/** What a person asked for by itself, and waits for. */
const URGENT_RANK = 0;
/** A reading that has waited so long, in milliseconds, goes before all others. */
const LATE_MS = 1_000;
/** Refused as too many, and made again. */
const AGAIN_RANK = -1;
/** A call that is refused as too many so often is given up. */
const MAX_REFUSALS = 8;
/** Calls quicker than this are no sign of anything, in milliseconds. */
const QUICK_MS = 50;
/** Calls take so many times as long as they can: fewer at once do as much. */
const SLOW = 3;
/** Calls take no longer than so many times what they can: more at once do more. */
const FAST = 1.5;

/** Between two looks that no write waits for is so many times what a reading takes, for each takes a write's place. */
const LOOKS_REST = 10;
/** And no more than so many milliseconds. */
const LONGEST_REST_MS = 2_000;

/** The pace as a page shows it. */
export interface Pace {
  /** Changes, and looks that follow them, that may be under way at once. */
  readonly width: number;
  /** The most that it may become: what the NAS runs at once. */
  readonly most: number;
  /** Under way now. */
  readonly running: number;
  /** Waiting for their turn. */
  readonly waiting: number;
  /** Why it is less than it may be; null when it is not. */
  readonly why: "slow" | "refused" | null;
}

/** How a pace is set up; tests give their own clock. */
export interface PaceOptions {
  /** Milliseconds from any beginning. */
  readonly now?: () => number;
  /** Waits after refusals, in milliseconds. */
  readonly waitsMs?: readonly number[];
  /**
   * Whether the NAS runs one vm.delete at a time, as now: then a second one waits here, and not in a place where
   * another call could run. Default never.
   */
  readonly serialDeletes?: () => boolean;
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

interface Turn {
  readonly method: MethodName;
  /** The lower goes first. */
  readonly rank: number;
  readonly waits: boolean;
  /** When it began to wait, in milliseconds. */
  readonly since: number;
  readonly begin: () => void;
}

/** What a call is begun with, beside its method and parameters. */
interface Wish {
  readonly options: CallOptions;
  readonly rank: number;
  /** It waits while the NAS says that calls are too many, and is made again when it was one of them; default yes. */
  readonly waits?: boolean;
}

function rankOf(method: MethodName, usual = USUAL_RANK): number {
  return RANKS[method] ?? usual;
}

/** A caller that keeps the pace; see the file's comment. */
export class PacedCaller implements Caller {
  readonly #caller: Caller;
  readonly #now: () => number;
  readonly #waitsMs: readonly number[];
  readonly #serialDeletes: () => boolean;
  readonly #listeners = new Set<() => void>();
  readonly #queue: Turn[] = [];
  readonly #leastMs = new Map<MethodName, number>();
  #width = MAX_RUNNING_CALLS;
  #why: Pace["why"] = null;
  #running = 0;
  /** Resolves when there is room again. */
  #room = Promise.withResolvers<void>();
  /** What the last reading took, in milliseconds. */
  #readingMs = 0;
  /** Ends a while after the last look. */
  #rest: Promise<void> = Promise.resolve();
  /** A vm.delete is under way. */
  #isDeleting = false;
  #isFilling = false;
  /** How many times as long as they can calls take, smoothed. */
  #slowness = 1;
  #answered = 0;
  #refusals = 0;
  #notBefore = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Makes its calls by `caller`. */
  constructor(
    caller: Caller,
    { now = () => performance.now(), waitsMs = WAITS_MS, serialDeletes = () => false }: PaceOptions = {},
  ) {
    this.#caller = caller;
    this.#now = now;
    this.#waitsMs = waitsMs;
    this.#serialDeletes = serialDeletes;
  }

  /** How it stands now. */
  get pace(): Pace {
    return {
      width: this.#width,
      most: MAX_RUNNING_CALLS,
      running: this.#running,
      waiting: this.#queue.length,
      why: this.#why,
    };
  }

  /** Tells of each change of the width until the returned function is called. */
  onPace(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * See {@link Caller.call}. A write waits for its turn; one that is refused as too many waits and is made again. With
   * a signal, a write that is still waiting is given up; one that was sent is waited for all the same.
   *
   * @throws {NotSent} when the signal was aborted before its turn.
   */
  async call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: CallOptions = {},
  ): Promise<MethodResult<M>> {
    return await this.#call(method, params, { options, rank: rankOf(method) });
  }

  /** The same for one thing with single VMs, which does not wait behind the many calls of a group. */
  readonly urgent: Caller = {
    call: (method, params, options = {}) => this.#call(method, params, { options, rank: URGENT_RANK }),
  };

  /** The same for destructions: what is begun is ended before more is begun. */
  readonly ending: Caller = {
    call: (method, params, options = {}) =>
      this.#call(method, params, { options, rank: rankOf(method, ENDING_RANK) }),
  };

  /**
   * For looks that can wait: in the place of a write, for one call more than the NAS runs at once makes a write wait
   * there; now and then, or when there is room. Writes wait for these.
   */
  readonly firstLooks: Caller = this.#looks(FIRST_LOOK_RANK);

  /** The same for looks that nothing waits for but a VM's own end. */
  readonly lastLooks: Caller = this.#looks(READING_RANK);

  /** For readings that pages are kept true by: the same, but the NAS's refusals are told and not waited for. */
  readonly readings: Caller = {
    call: (method, params, options = {}) =>
      this.#inTurn(method, params, { options, rank: READING_RANK, waits: false }),
  };

  #looks(rank: number): Caller {
    return {
      due: async () => {
        if (!this.#hasRoom) await Promise.race([this.#rest, this.#room.promise]);
      },
      call: (method, params, options = {}) => {
        const answer = this.#inTurn(method, params, { options, rank });
        const rest = () => this.#waitForRoom(Math.min(LOOKS_REST * this.#readingMs, LONGEST_REST_MS));
        this.#rest = answer.then(rest, rest);
        return answer;
      },
    };
  }

  async #call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    wish: Wish,
  ): Promise<MethodResult<M>> {
    if (METHODS[method].writes) return await this.#inTurn(method, params, wish);
    return await this.#caller.call(method, params, { ...wish.options, signal: undefined });
  }

  async #inTurn<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    { options: { signal, ...options }, rank, waits = true }: Wish,
  ): Promise<MethodResult<M>> {
    for (let refusals = 0;; refusals++) {
      await this.#turn({ method, rank: refusals > 0 ? AGAIN_RANK : rank, waits }, signal);
      const startedAt = this.#now();
      try {
        const result = await this.#caller.call(method, params, options);
        this.#refusals = 0;
        this.#note(method, this.#now() - startedAt);
        return result;
      } catch (error) {
        if (!isTooMany(error)) throw error;
        this.#backOff();
        if (!waits || refusals >= MAX_REFUSALS) throw error;
      } finally {
        this.#running--;
        if (method === "vm.delete") this.#isDeleting = false;
        this.#fillSoon();
      }
    }
  }

  /** Waits for a turn. */
  async #turn(
    { method, rank, waits }: Omit<Turn, "begin" | "since">,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (signal?.aborted) throw new NotSent(method);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn: Turn = { method, rank, waits, since: this.#now(), begin: resolve };
    const giveUp = () => {
      const index = this.#queue.indexOf(turn);
      if (index >= 0) this.#queue.splice(index, 1);
      reject(new NotSent(method));
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    const behind = this.#queue.findIndex((other) => other.rank > rank);
    this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, turn);
    if (!this.#isFilling) this.#next();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Once what was answered has been gone on with: what follows from it may come before what waits already. */
  #fillSoon(): void {
    if (this.#isFilling) return;
    this.#isFilling = true;
    setImmediate(() => {
      this.#isFilling = false;
      this.#next();
    });
  }

  #next(): void {
    const waitMs = this.#notBefore - this.#now();
    if (waitMs > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#next();
      }, waitMs);
    }
    for (;;) {
      const turn = this.#take(waitMs > 0);
      if (turn === undefined) break;
      // Counted here, and not when it is woken, so that no more are woken than may run.
      this.#running++;
      if (turn.method === "vm.delete") this.#isDeleting = true;
      turn.begin();
    }
    if (!this.#hasRoom) return;
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  /** Whether another call may go at once. */
  get #hasRoom(): boolean {
    return !this.#isFilling && this.#running < this.#width && this.#now() >= this.#notBefore;
  }

  /** Takes what may go next out of the queue: while calls are too many, or as many as may be, what waits for neither. */
  #take(isWaiting: boolean): Turn | undefined {
    if (this.#running >= MAX_RUNNING_CALLS) return undefined;
    const isHeld = isWaiting || this.#running >= this.#width;
    const turn = this.#nextOf(isHeld ? this.#queue.filter(({ waits }) => !waits) : this.#queue);
    if (turn !== undefined) this.#queue.splice(this.#queue.indexOf(turn), 1);
    return turn;
  }

  #nextOf(queue: readonly Turn[]): Turn | undefined {
    const late = this.#now() - LATE_MS;
    const first = queue.find(({ method, since }) => since <= late && !METHODS[method].writes) ?? queue[0];
    if (!this.#isDeleting || !this.#serialDeletes()) return first;
    return first?.method === "vm.delete" ? queue.find(({ method }) => method !== "vm.delete") : first;
  }

  /** Waits so long, or until there is room. */
  async #waitForRoom(ms: number): Promise<void> {
    if (this.#hasRoom) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, this.#room.promise]);
    clearTimeout(timer);
  }

  /** Learns from how long a call took, compared with how quick that method has been. */
  #note(method: MethodName, tookMs: number): void {
    if (!METHODS[method].writes) this.#readingMs = tookMs;
    const leastMs = Math.max(QUICK_MS, Math.min((this.#leastMs.get(method) ?? Infinity) * 1.02, tookMs));
    this.#leastMs.set(method, leastMs);
    this.#slowness = 0.8 * this.#slowness + 0.2 * Math.max(1, tookMs / leastMs);
    if (++this.#answered < this.#width) return;
    this.#answered = 0;
    if (this.#slowness > SLOW && this.#width > MIN_WIDTH) this.#setWidth(this.#width - 1, "slow");
    if (this.#slowness < FAST && this.#width < MAX_RUNNING_CALLS) this.#setWidth(this.#width + 1, this.#why);
  }

  /** The NAS refused a call as too many, before it did anything: half as many, after a while. */
  #backOff(): void {
    // Calls that were refused together say one thing.
    if (this.#now() < this.#notBefore) return;
    const waitMs = this.#waitsMs[Math.min(this.#refusals, this.#waitsMs.length - 1)] ?? 0;
    this.#refusals++;
    this.#notBefore = this.#now() + waitMs * (1 - Math.random() / 3);
    this.#setWidth(Math.max(1, Math.floor(this.#width / 2)), "refused");
  }

  #setWidth(width: number, why: Pace["why"]): void {
    this.#width = width;
    this.#why = width < MAX_RUNNING_CALLS ? why : null;
    for (const listener of this.#listeners) listener();
  }
}

/** TrueNAS's errno ETOOMANYREFS, and JSON-RPC's code for it, when more than 20 calls of a connection are unfinished. */
const TOO_MANY = { errno: 109, code: -32000 } as const;

/** Whether the NAS refused a call for its load alone, before it did anything (facts: errors, limits). */
function isTooMany(error: unknown): boolean {
  if (!(error instanceof TrueNASCallError)) return false;
  const { errno, code, reason } = error.refusal;
  return errno === TOO_MANY.errno || code === TOO_MANY.code || /Rate Limit Exceeded/.test(reason);
}

/** The caller of one piece of work that can be cancelled: its writes that still wait are given up then. */
export function untilCancelled(caller: Caller, signal: AbortSignal): Caller {
  return { call: (method, params, options) => caller.call(method, params, { signal, ...options }) };
}
