/**
 * The load of the NAS itself over the last minutes: CPU, memory, network and disks. The NAS sends it only while somebody
 * watches. TrueNAS has no such figures of single VMs.
 */
import { TrueNASCallError, TrueNASError } from "../errors/errors.ts";
import { notifyEach, runDetached } from "../errors/unhandled_errors.ts";
import type { HostSample } from "./inventory.ts";
import type { Logger } from "../observability/logging.ts";
import type { Caller } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import { hostSampleOf } from "../truenas/host_sample.ts";
import { hasRole } from "../truenas/roles.ts";

/** The NAS measures once for all subscribers with the same text; this is the one of its own pages. */
export const LOAD_EVENTS = 'reporting.realtime:{"interval":2}';

/** How long readings are kept, in milliseconds. */
export const LOAD_KEPT_MS = 180_000;
/** Far more than the NAS sends in that time. */
const MAX_SAMPLES = 200;
/** Without a reading for this long after subscribing, the NAS has none: its statistics are down. */
const ABSENT_MS = 10_000;

/** The part of a session that this uses. */
export type LoadSource = Caller & Pick<Session, "state" | "onState" | "onEvent" | "onUnsubscribed">;

/** Options of {@link HostLoad}. */
export interface HostLoadOptions {
  /** Milliseconds since 1970 (UTC); default the real clock. */
  readonly now?: () => number;
  /** Milliseconds without a reading after which the NAS counts as having none; default 10 s. */
  readonly absentMs?: number;
}

/** Keeps the load; see the comment at the top of this file. */
export class HostLoad {
  readonly #session: LoadSource;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #absentMs: number;
  readonly #watchers = new Set<() => void>();
  readonly #forget: (() => void)[];
  #samples: HostSample[] = [];
  /** The id of the subscription; null while there is none. */
  #subscription: string | null = null;
  #isSettling = false;
  #isRefused = false;
  #isClosed = false;
  #isAbsent = false;
  #absence: ReturnType<typeof setTimeout> | undefined;

  /** Subscribes to nothing until {@link watch}. */
  constructor(session: LoadSource, logger: Logger, options: HostLoadOptions = {}) {
    const { now = Date.now, absentMs = ABSENT_MS } = options;
    this.#session = session;
    this.#logger = logger;
    this.#now = now;
    this.#absentMs = absentMs;
    this.#forget = [
      session.onState(({ kind }) => {
        // A subscription ends with its connection.
        this.#subscription = null;
        if (kind !== "live") return;
        this.#isRefused = false;
        this.#settle();
      }),
      session.onEvent(({ collection, fields }) => {
        if (collection === LOAD_EVENTS) this.#add(hostSampleOf(fields, this.#now()));
      }),
      session.onUnsubscribed((collection) => {
        if (collection !== LOAD_EVENTS || this.#subscription === null) return;
        this.#subscription = null;
        this.#setAbsent();
      }),
    ];
  }

  /** The readings of the last minutes, oldest first. */
  get samples(): readonly HostSample[] {
    return this.#samples;
  }

  /** False where the account may not read the load, or the NAS does not send it. */
  get isAvailable(): boolean {
    return !this.#isAbsent && this.#mayRead;
  }

  /** Has the NAS send its load, and calls `onChange` with each reading, until the returned function is called. */
  watch(onChange: () => void): () => void {
    const watcher = () => onChange();
    this.#watchers.add(watcher);
    this.#settle();
    return () => {
      if (this.#watchers.delete(watcher)) this.#settle();
    };
  }

  /** Stops listening. */
  close(): void {
    this.#isClosed = true;
    for (const forget of this.#forget) forget();
    clearTimeout(this.#absence);
    this.#watchers.clear();
  }

  get #mayRead(): boolean {
    const { state } = this.#session;
    if (this.#isRefused) return false;
    return state.kind !== "live" || hasRole(state.nas.roles, "REPORTING_READ") !== false;
  }

  #settle(): void {
    if (this.#isSettling) return;
    runDetached(this.#subscribeAsWatched(), "following the load of the NAS", this.#logger);
  }

  /** Subscribes or unsubscribes until it is as the watchers want it, who can change meanwhile. */
  async #subscribeAsWatched(): Promise<void> {
    this.#isSettling = true;
    try {
      while (this.#session.state.kind === "live") {
        const isWanted = this.#watchers.size > 0 && this.#mayRead;
        const subscription = this.#subscription;
        if (isWanted === (subscription !== null)) return;
        await (subscription === null ? this.#subscribe() : this.#unsubscribe(subscription));
      }
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      this.#logger.debug("The NAS does not send its load", { error: error.message });
      this.#isRefused = error instanceof TrueNASCallError;
      this.#notify();
    } finally {
      // In the same moment as the last check, so that no change of the watchers is missed.
      this.#isSettling = false;
    }
  }

  async #subscribe(): Promise<void> {
    this.#subscription = await this.#session.call("core.subscribe", [LOAD_EVENTS]);
    clearTimeout(this.#absence);
    // It was closed while the NAS was asked.
    if (this.#isClosed) return;
    this.#absence = setTimeout(() => this.#setAbsent(), this.#absentMs);
  }

  async #unsubscribe(subscription: string): Promise<void> {
    this.#subscription = null;
    clearTimeout(this.#absence);
    await this.#session.call("core.unsubscribe", [subscription]);
  }

  #setAbsent(): void {
    clearTimeout(this.#absence);
    this.#isAbsent = true;
    this.#notify();
  }

  #add(sample: HostSample | null): void {
    if (sample === null || this.#watchers.size === 0) return;
    clearTimeout(this.#absence);
    this.#isAbsent = false;
    const oldest = sample.at - LOAD_KEPT_MS;
    this.#samples = [...this.#samples, sample].filter(({ at }) => at >= oldest).slice(-MAX_SAMPLES);
    this.#notify();
  }

  #notify(): void {
    notifyEach(this.#watchers, (watcher) => watcher(), this.#logger);
  }
}
