/**
 * What every method of the simulated NAS works with: the store, the profile, time, events and jobs.
 */
import type { Account } from "./accounts.ts";
import { freshStore, type Store, type StoredJob } from "./store.ts";
import type { FaultMoment, SimulatedTimes, SimulatorOptions } from "./types.ts";
import { type Profile, PROFILES } from "./versions.ts";

/** One call on its way. */
export interface Call {
  readonly id: string | number | null;
  readonly method: string;
  /** As they were sent, without defaults. */
  readonly params: readonly unknown[];
  /** Ends with the connection, on releases that cancel calls then. */
  readonly signal: AbortSignal;
  readonly account: Account | null;
  readonly credentials: unknown;
  /** Lets a fault strike at this moment of the call. */
  readonly pass: (moment: FaultMoment) => Promise<void>;
  /** Of this connection: a job's reply waits for the job's end. */
  readonly awaitsJobs: boolean;
}

/** A method: it gets its arguments checked and completed. */
export type Method = (nas: Nas, args: readonly unknown[], call: Call) => unknown | Promise<unknown>;

/** A method that is a job: what it does after its id was answered. */
export interface JobMethod {
  readonly job: (nas: Nas, args: readonly unknown[], call: Call) => Promise<unknown>;
}

/** A change that subscribers are told of. */
export interface NasEvent {
  readonly msg: "added" | "changed" | "removed";
  readonly collection: string;
  readonly id: number | string;
  readonly fields?: unknown;
  readonly extra?: unknown;
}

/** Realistic times; a real NAS takes 7 s to delete a VM that runs. */
const DEFAULT_TIMES: SimulatedTimes = {
  callMs: 15,
  zvolMs: 300,
  startMs: 400,
  shutdownMs: 3_000,
  deleteRunningMs: 7_000,
};

/** The state of the simulated NAS. */
export class Nas {
  readonly store: Store;
  readonly profile: Profile;
  times: SimulatedTimes;
  readonly #listeners = new Set<(event: NasEvent) => void>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #deletions: Promise<unknown> = Promise.resolve();

  /** A fresh NAS. */
  constructor(options: SimulatorOptions) {
    this.profile = PROFILES[options.version ?? "25.10"];
    this.times = { ...DEFAULT_TIMES, ...options.times };
    this.store = freshStore({
      poolFreeBytes: options.poolFreeBytes ?? 4 * 1024 ** 4,
      freeMemoryBytes: options.freeMemoryBytes ?? 32 * 1024 ** 3,
      accounts: [
        {
          username: "admin",
          password: "truenas",
          roles: ["FULL_ADMIN"],
          apiKey: `1-${"a".repeat(64)}`,
          apiKeyRevoked: false,
          apiKeyExpired: false,
          otp: null,
        },
        ...(options.accounts ?? []).map((account) => ({
          ...account,
          apiKey: account.apiKey ?? null,
          apiKeyRevoked: false,
          apiKeyExpired: account.apiKeyExpired ?? false,
          otp: account.otp ?? null,
        })),
      ],
    });
  }

  /** Waits; rejects when the signal says so. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = () => {
      this.#timers.delete(timer);
      signal?.removeEventListener("abort", abort);
    };
    const abort = () => {
      clearTimeout(timer);
      end();
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      end();
      resolve();
    }, ms);
    this.#timers.add(timer);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    return promise;
  }

  /** Ends all waiting, for the end of the NAS itself: what waited never goes on. */
  halt(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#listeners.clear();
  }

  /** Runs one deletion after another where the release does so. */
  async deleting<T>(work: () => Promise<T>): Promise<T> {
    if (!this.profile.serialDeletes) return await work();
    const result = this.#deletions.then(work);
    this.#deletions = result.catch(() => {});
    return await result;
  }

  /** Tells subscribers. */
  emit(event: NasEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Tells subscribers after what is being done now, as libvirt's own thread does. */
  emitSoon(event: () => NasEvent): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.emit(event());
    }, 0);
    this.#timers.add(timer);
  }

  /** Listens until the returned function is called. */
  onEvent(listener: (event: NasEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A new job, told to subscribers. */
  addJob(call: Call): StoredJob {
    const job: StoredJob = {
      id: ++this.store.lastJobId,
      method: call.method,
      arguments: call.params,
      messageIds: [call.id],
      state: "WAITING",
      percent: 0,
      error: null,
      excInfo: null,
      startedAt: Date.now(),
      finishedAt: null,
      credentials: call.credentials,
    };
    this.store.jobs.set(job.id, job);
    this.emit({ msg: "added", collection: "core.get_jobs", id: job.id, fields: jobRow(job) });
    return job;
  }

  /** Tells of a change of a job. */
  updateJob(job: StoredJob, change: Partial<StoredJob>): void {
    Object.assign(job, change);
    this.emit({ msg: "changed", collection: "core.get_jobs", id: job.id, fields: jobRow(job) });
  }
}

/** A job as core.get_jobs gives it. */
export function jobRow(job: StoredJob): Record<string, unknown> {
  return {
    id: job.id,
    message_ids: job.messageIds,
    method: job.method,
    arguments: job.arguments,
    transient: false,
    description: null,
    abortable: false,
    logs_path: null,
    logs_excerpt: null,
    progress: { percent: job.percent, description: "", extra: null },
    result: null,
    result_encoding_error: null,
    error: job.error,
    exception: job.error === null ? null : "…",
    exc_info: job.excInfo,
    state: job.state,
    time_started: { $date: job.startedAt },
    time_finished: job.finishedAt === null ? null : { $date: job.finishedAt },
    credentials: job.credentials,
  };
}
