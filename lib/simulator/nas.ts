/** The state that all methods of the simulated NAS share: its contents, release, time, events and jobs. */
import type { Account } from "./accounts.ts";
import { type JobOptions, JobQueue, type JobReport } from "./jobs/job_queue.ts";
import { freshStore, type Store } from "./store.ts";
import { SerialConsoles } from "./guests/serial_consoles.ts";
import type { FaultMoment, SimulatedTimes, SimulatorOptions } from "./types.ts";
import { type Profile, PROFILES } from "./versions.ts";

/** A call in progress. */
export interface Call {
  readonly id: string | number | null;
  readonly method: string;
  /** As sent, without defaults. */
  readonly params: readonly unknown[];
  /** Aborted with the connection, on releases that cancel its calls. */
  readonly signal: AbortSignal;
  readonly account: Account | null;
  readonly credentials: unknown;
  /** Lets a fault occur at this moment of the call. */
  readonly pass: (moment: FaultMoment) => Promise<void>;
  /** Whether a job's answer on this connection waits until the job has finished. */
  readonly awaitsJobs: boolean;
}

/** A method; its arguments are checked and have their defaults. */
export type Method = (nas: Nas, args: readonly unknown[], call: Call) => unknown | Promise<unknown>;

/** A method that runs as a job after its id was answered; its arguments are checked in the job. */
export interface JobMethod extends JobOptions {
  readonly job: (nas: Nas, args: readonly unknown[], call: Call, report: JobReport) => Promise<unknown>;
  /** Reads what `/_upload` sends, so it cannot be called over the socket. */
  readonly hasInput?: boolean;
}

/** A change event for subscribers. */
export interface NasEvent {
  readonly msg: "added" | "changed" | "removed";
  readonly collection: string;
  /** Measurements have none. */
  readonly id?: number | string;
  readonly fields?: unknown;
  readonly extra?: unknown;
}

/** Realistic durations; a real NAS takes 7 s to delete a running VM. */
const DEFAULT_TIMES: SimulatedTimes = {
  callMs: 15,
  zvolMs: 300,
  startMs: 400,
  shutdownMs: 3_000,
  deleteRunningMs: 7_000,
  convertMs: 6_000,
  deviceMs: 150,
  measuringSecondMs: 1_000,
  pingSecondMs: 1_000,
};

const ADMIN: NonNullable<SimulatorOptions["accounts"]>[number] = {
  username: "admin",
  password: "truenas",
  roles: ["FULL_ADMIN"],
  apiKey: `1-${"a".repeat(64)}`,
};

/** The state of the simulated NAS. */
export class Nas {
  readonly store: Store;
  readonly profile: Profile;
  times: SimulatedTimes;
  readonly jobs: JobQueue = new JobQueue(this);
  readonly consoles: SerialConsoles = new SerialConsoles();
  /** What jobs give to be downloaded, by the job's id; each once. */
  readonly downloads: Map<number, ReadableStream<Uint8Array>> = new Map();
  /** Size from which cloudsync fetches a file in parts. */
  readonly multipartBytes: number;
  readonly #halted = new AbortController();
  readonly #listeners = new Set<(event: NasEvent) => void>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #deletions: Promise<unknown> = Promise.resolve();

  /** Creates a new NAS. */
  constructor(options: SimulatorOptions) {
    this.profile = PROFILES[options.version ?? "25.10"];
    this.multipartBytes = options.multipartBytes ?? 250 * 1024 ** 2;
    this.times = { ...DEFAULT_TIMES, ...options.times };
    this.store = freshStore({
      poolFreeBytes: options.poolFreeBytes ?? 4 * 1024 ** 4,
      freeMemoryBytes: options.freeMemoryBytes ?? 32 * 1024 ** 3,
      accounts: [ADMIN, ...options.accounts ?? []].map((account) => ({
        ...account,
        apiKey: account.apiKey ?? null,
        apiKeyRevoked: false,
        apiKeyExpired: account.apiKeyExpired ?? false,
        otp: account.otp ?? null,
      })),
    });
  }

  /** Waits; rejects when the signal is aborted, and never ends once the NAS has stopped. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.halted.aborted) return promise;
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

  /** Restarts: calls and jobs in progress end and are forgotten, and only VMs with `autostart` run afterwards. */
  restart(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.jobs.reset();
    this.downloads.clear();
    this.store.bootId = crypto.randomUUID();
    for (const vm of this.store.vms.values()) {
      vm.state = vm.config.autostart ? "RUNNING" : "STOPPED";
      if (vm.config.autostart) vm.starts = (vm.starts ?? 0) + 1;
      delete vm.runsWithMib;
    }
  }

  /** Aborted when the NAS stops, for requests that would never end. */
  get halted(): AbortSignal {
    return this.#halted.signal;
  }

  /** Stops all timers when the NAS stops; calls that wait never continue. */
  halt(): void {
    this.#halted.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#listeners.clear();
  }

  /** Runs deletions one after another where the release does so. */
  async deleting<T>(work: () => Promise<T>): Promise<T> {
    if (!this.profile.serialDeletes) return await work();
    const result = this.#deletions.then(work);
    this.#deletions = result.catch(() => {});
    return await result;
  }

  /** Notifies subscribers. */
  emit(event: NasEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Notifies subscribers after the current work, as libvirt's own thread does. */
  emitSoon(event: () => NasEvent): void {
    if (this.halted.aborted) return;
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
}
