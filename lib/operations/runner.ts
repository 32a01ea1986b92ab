/** Carries out one operation: writes its log, works on several VMs in parallel, and can be cancelled at any time. */
import { TrueNASError } from "../errors/errors.ts";
import type { Logger } from "../observability/logging.ts";
import type { Caller } from "../truenas/client.ts";
import { MAX_RUNNING_CALLS } from "../truenas/connection/protocol.ts";
import { ConversionQueue } from "../images/conversion_queue.ts";
import type { NasIdentity } from "../inventory/inventory.ts";
import { forEachLimited, type Limits } from "./limits/for_each_limited.ts";
import { CallLimiter } from "./limits/call_limiter.ts";
import type { OperationLog } from "./record/log.ts";
import { DEFAULT_WAIT_MS, Outages } from "./outages.ts";
import { MemoryReservation } from "./limits/memory_reservation.ts";
import { DEFAULT_SETTLE_TIMEOUTS, describeError, type SettleTimeouts } from "./steps/run_step.ts";
import type { VmContext } from "./steps/run_vm.ts";
import type { OperationStore } from "./record/store.ts";
import { type Claim, Claims, findOverlap, NO_CLAIM, type Overlap, type OwnClaim } from "./turns/claims.ts";
import { overallStatus } from "./summary.ts";
import type { Actor, OperationEvent, OperationFact, OperationView } from "./types.ts";

/** Receives every event of an operation as it happens: each step when it starts and when it ends. */
export type Observer = (event: OperationEvent) => void;

/** Options of an operation. */
export interface RunOptions {
  /** Receives every event as it happens; an error that it throws is logged and changes nothing. */
  readonly observer?: Observer;
  /** Who requested the operation, for the audit log. */
  readonly by?: Actor;
  /**
   * Cancels: running calls finish, nothing new starts, and incomplete VMs are rolled back, or kept if the signal's reason
   * is `keep`. VMs that are only waited for count as not ready, unless the reason is `roll-back`.
   */
  readonly signal?: AbortSignal;
}

/** A started operation. */
export interface RunningOperation {
  /** Its log so far, which can be followed. */
  readonly log: OperationLog;
  /** Resolves when it has finished; never rejects. */
  readonly finished: Promise<OperationView>;
}

/** What an operation does: its first event, and the work on each of its items. */
export interface OperationSpec<T> extends Omit<Extract<OperationFact, { type: "started" }>, "type" | "by"> {
  /** VMs, or whatever it works on; earlier ones start first. */
  readonly items: readonly T[];
  /** Items of one group have a limit of their own; default none. */
  readonly group?: Limits<T>["group"];
  /** Priority of its calls; default by method. */
  readonly priority?: number;
  /** What it has for itself until it ends; absent for what acts on single VMs, which checks them instead. */
  readonly claim?: Claim;
  /** Called when it has finished, before its claim ends. */
  readonly concluded?: (view: OperationView) => void;
  /** Called once, before the first item. */
  readonly work: (context: WorkContext) => OperationWork<T>;
}

/** The work of an operation. It never throws: the log contains the results. */
export interface OperationWork<T> {
  /** Works on one item; once it has called `release`, another item takes its place. */
  readonly workOn: (item: T, release: () => void) => Promise<void>;
  /** What remains to be done after all items. */
  readonly afterwards?: () => Promise<void>;
}

/** What the work on an operation's items needs. */
export interface WorkContext extends VmContext {
  readonly conversions: ConversionQueue;
  /** What the operation claimed. */
  readonly claim: OwnClaim;
  /** How many items are worked on in parallel. */
  readonly parallel: number;
}

/** What a runner needs. */
export interface RunnerOptions {
  readonly caller: Caller;
  readonly store: OperationStore;
  /** Whether the NAS deletes one VM at a time. */
  readonly serialDeletes: () => boolean;
  /** The NAS as it was known last; null before the first connection. */
  readonly nas: () => NasIdentity | null;
  /** How long operations wait while the NAS is away, in milliseconds; default {@link DEFAULT_WAIT_MS}. */
  readonly waitMs?: number;
  /** How many VMs to work on in parallel; default 20, so that the call limit is used while some VMs wait. */
  readonly parallel?: number;
  readonly settle?: SettleTimeouts;
  readonly logger: Logger;
}

interface Running extends RunningOperation {
  readonly cancel: AbortController;
  readonly outages: Outages;
}

/** What the runner made for one operation. */
interface Means {
  readonly signal: AbortSignal;
  readonly outages: Outages;
  readonly claim: OwnClaim;
}

/** Runs operations; see the file's comment. */
export class OperationRunner {
  /** Limits the calls of all operations. */
  readonly limiter: CallLimiter;
  /** What unfinished operations have for themselves. */
  readonly claims: Claims = new Claims();
  /** Unfinished operations, by id. */
  readonly running: Map<string, Running> = new Map();
  /** How long to wait for the effect of a call with an unknown outcome. */
  readonly settle: SettleTimeouts;
  readonly #options: RunnerOptions;
  readonly #memory: MemoryReservation;
  readonly #conversions = new ConversionQueue();
  #isClosed = false;

  constructor(options: RunnerOptions) {
    const { caller, serialDeletes, logger } = options;
    this.limiter = new CallLimiter(caller, { serialDeletes, logger });
    this.settle = options.settle ?? DEFAULT_SETTLE_TIMEOUTS;
    this.#options = options;
    this.#memory = new MemoryReservation(caller);
  }

  /** The running operation that has claimed a VM and has not finished with it; null when there is none. */
  claimOn(vm: string): Overlap | null {
    const isOpen = ({ operation }: Overlap) =>
      this.running.get(operation)?.log.view.vms.some(({ name, outcome }) => name === vm && outcome === null);
    const overlaps = this.claims.held().flatMap((held) => findOverlap({ vms: [vm] }, [held]) ?? []);
    return overlaps.find(isOpen) ?? null;
  }

  /** Refuses further operations. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Starts an operation.
   *
   * @throws {TrueNASError} when the program is stopping.
   */
  run<T>(spec: OperationSpec<T>, options: RunOptions = {}): RunningOperation {
    const log = this.#open(spec, options);
    const cancel = new AbortController();
    const signals = options.signal === undefined ? [] : [options.signal];
    const signal = AbortSignal.any([cancel.signal, ...signals]);
    // Starts a moment later, so that it is registered before it can finish.
    const outages = this.#outagesOf(log);
    const claim = spec.claim === undefined
      ? NO_CLAIM
      : this.claims.hold({ operation: log.id, title: spec.title }, spec.claim);
    const finished = Promise.resolve().then(() => this.#carryOut(log, spec, { signal, outages, claim }));
    this.running.set(log.id, { log, finished, cancel, outages });
    return { log, finished };
  }

  #open<T>({ kind, title, vms, request }: OperationSpec<T>, { observer, by }: RunOptions): OperationLog {
    if (this.#isClosed) {
      throw new TrueNASError("The program is stopping, so nothing was started", { outcome: "not-done" });
    }
    const log = this.#options.store.create();
    if (observer !== undefined) log.observe((event) => this.#notify(observer, event));
    log.append({
      type: "started",
      ...(by === undefined ? {} : { by }),
      kind,
      title,
      vms,
      ...(request === undefined ? {} : { request }),
    });
    return log;
  }

  #outagesOf(log: OperationLog): Outages {
    const { caller, nas, store, waitMs = DEFAULT_WAIT_MS } = this.#options;
    return new Outages({ caller, log, nas, waitMs, pollMs: this.settle.pollMs, now: store.now });
  }

  /** An observer's own error must not stop an operation half-way. */
  #notify(observer: Observer, event: OperationEvent): void {
    try {
      observer(event);
    } catch (error) {
      this.#options.logger.error("An observer of an operation failed", { error: String(error) });
    }
  }

  async #carryOut<T>(
    log: OperationLog,
    { items, group, priority, work, concluded }: OperationSpec<T>,
    { signal, outages, claim }: Means,
  ): Promise<OperationView> {
    const { parallel = 2 * MAX_RUNNING_CALLS, logger } = this.#options;
    const turn = priority === undefined ? {} : { priority };
    const context = {
      caller: outages.caller(this.limiter.caller(turn)),
      cancellable: outages.caller(this.limiter.caller({ ...turn, signal })),
      outages,
      memory: this.#memory,
      conversions: this.#conversions,
      claim,
      log,
      settle: this.settle,
      signal,
      parallel,
    };
    try {
      const limits = { concurrency: parallel, ...(group === undefined ? {} : { group }) };
      const { workOn, afterwards } = work(context);
      await forEachLimited(items, limits, workOn);
      await afterwards?.();
      log.append({ type: "finished", status: overallStatus(log.view) });
    } catch (error) {
      log.append({ type: "finished", status: "failed", message: describeError(error).message });
      logger.error("An operation failed because of an error in this program", { error: String(error) });
    } finally {
      this.running.delete(log.id);
      conclude(log, claim, concluded);
    }
    return log.view;
  }
}

/** What others plan from then on is planned with the conclusion. */
function conclude(
  log: OperationLog,
  claim: OwnClaim,
  concluded: OperationSpec<never>["concluded"],
): void {
  try {
    concluded?.(log.view);
  } finally {
    claim.release();
  }
}
