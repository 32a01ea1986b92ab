/**
 * TrueNAS's jobs. Those with the same lock run one after another, and only one of them waits: a further call, whatever its
 * arguments, is answered with the id of the waiting one and its own work is never done.
 */
import type { Account } from "../accounts.ts";
import { jobRow } from "./job_row.ts";
import type { Store, StoredJob } from "../store.ts";
import type { Profile } from "../versions.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, type Invalid, MethodError, toWire } from "../wire/wire_errors.ts";

/** The NAS whose jobs these are. */
interface Host {
  readonly store: Store;
  readonly profile: Profile;
  readonly emit: (
    event: { msg: "added" | "changed"; collection: string; id: number; fields: unknown },
  ) => void;
  readonly sleep: (ms: number) => Promise<void>;
}

/** The call that starts a job. */
interface JobCall {
  readonly id: StoredJob["messageIds"][number];
  readonly method: string;
  readonly params: readonly unknown[];
  readonly account: Account | null;
  readonly credentials: unknown;
}

/** What the jobs of a method have in common. */
export interface JobOptions {
  /** Jobs with the same lock run one after another; null when the arguments are wrong. */
  readonly lock?: (params: readonly unknown[]) => string | null;
  readonly isAbortable?: boolean;
  readonly hasLog?: boolean;
}

/** What a running job tells. */
export interface JobReport {
  /** Aborted with the job. */
  readonly signal: AbortSignal;
  readonly progress: (percent: number, description: string) => void;
  readonly log: (text: string) => void;
}

/** A job in the queue. */
interface Queued {
  readonly job: StoredJob;
  readonly lock: string | null;
  readonly work: (report: JobReport) => Promise<unknown>;
  readonly abort: AbortController;
  readonly end: PromiseWithResolvers<unknown>;
}

/** A job that a call started or joined. */
export interface StartedJob {
  readonly id: number;
  /** Its result, or its error. */
  readonly finished: Promise<unknown>;
}

/** How long a job with a lock waits before it starts, in milliseconds: calls sent at once find it waiting. */
const START_MS = 3;

/** The jobs of a NAS. */
export class JobQueue {
  readonly #nas: Host;
  #waiting: Queued[] = [];
  #running: Queued[] = [];

  /** Of this NAS. */
  constructor(nas: Host) {
    this.#nas = nas;
  }

  /** Queues the work of a call, or joins the job that already waits for the same lock. */
  start(call: JobCall, method: JobOptions, work: (report: JobReport) => Promise<unknown>): StartedJob {
    const lock = lockOf(method, call);
    const waiting = lock === null ? undefined : this.#waiting.find((it) => it.lock === lock);
    if (waiting !== undefined) return this.#join(waiting, call);
    const end = Promise.withResolvers<unknown>();
    end.promise.catch(() => {});
    const job = this.#add(call, method);
    const queued: Queued = { job, lock, work, end, abort: new AbortController() };
    this.#waiting.push(queued);
    if (lock === null) void Promise.resolve().then(() => this.#run(queued));
    else void this.#nas.sleep(START_MS).then(() => this.#startNext(lock));
    return { id: job.id, finished: end.promise };
  }

  /**
   * Aborts a job. Up to 25.10 even the row of a job that cannot be aborted says ABORTED at once and its lock is free, while
   * its work goes on; from 26 on the call does nothing then.
   */
  abort(id: number): void {
    const waiting = this.#waiting.find(({ job }) => job.id === id);
    if (waiting !== undefined) {
      this.#waiting = this.#waiting.filter((it) => it !== waiting);
      return this.#aborted(waiting);
    }
    const running = this.#running.find(({ job }) => job.id === id);
    if (running === undefined) return;
    if (running.job.isAbortable) running.abort.abort(new Error("the job is aborted"));
    else if (this.#nas.profile.zfs === "resource") return;
    this.#aborted(running);
    this.#release(running);
  }

  /** Forgets all jobs, as a restart does. */
  reset(): void {
    this.#waiting = [];
    this.#running = [];
    this.#nas.store.jobs.clear();
    this.#nas.store.lastJobId = 0;
  }

  /** The waiting job is everybody's whose account may see it. */
  #join({ job, end }: Queued, call: JobCall): StartedJob {
    const isOwn = userOf(job.credentials) === userOf(call.credentials);
    if (!isOwn && call.account?.roles.includes("FULL_ADMIN") !== true) {
      throw callError(ERRNO.EBUSY, "This job is already being performed by another user");
    }
    this.#update(job, { messageIds: [...job.messageIds, call.id] });
    return { id: job.id, finished: end.promise };
  }

  #startNext(lock: string): void {
    if (this.#running.some((it) => it.lock === lock)) return;
    const next = this.#waiting.find((it) => it.lock === lock);
    if (next !== undefined) void this.#run(next);
  }

  async #run(queued: Queued): Promise<void> {
    const { job, work, abort, end } = queued;
    if (!this.#waiting.includes(queued)) return;
    this.#waiting = this.#waiting.filter((it) => it !== queued);
    this.#running.push(queued);
    this.#update(job, { state: "RUNNING" });
    const report: JobReport = {
      signal: abort.signal,
      progress: (percent, description) => {
        if (job.state === "RUNNING") this.#update(job, { percent, description });
      },
      log: (text) => job.logs = (job.logs ?? "") + text,
    };
    try {
      const result = await work(report);
      if (job.state === "RUNNING") {
        // TrueNAS reports the end twice: once with the state, once with the time.
        const change = {
          state: "SUCCESS",
          percent: 100,
          result: result ?? null,
          finishedAt: Date.now(),
        } as const;
        this.#update(job, change);
        this.#update(job, change);
      }
      end.resolve(result);
    } catch (error) {
      if (job.state === "RUNNING") this.#update(job, { ...failure(error), finishedAt: Date.now() });
      end.reject(error);
    } finally {
      this.#release(queued);
    }
  }

  #release(queued: Queued): void {
    const { lock } = queued;
    this.#running = this.#running.filter((it) => it !== queued);
    if (lock !== null) this.#startNext(lock);
  }

  #aborted({ job, end }: Queued): void {
    this.#update(job, { state: "ABORTED", finishedAt: Date.now() });
    end.reject(callError(ERRNO.EFAULT, "Job was aborted"));
  }

  #add(call: JobCall, { isAbortable = false, hasLog = false }: JobOptions): StoredJob {
    const { store } = this.#nas;
    const job: StoredJob = {
      id: ++store.lastJobId,
      method: call.method,
      arguments: call.params,
      messageIds: [call.id],
      state: "WAITING",
      percent: 0,
      description: "",
      isAbortable,
      logs: hasLog ? "" : null,
      result: null,
      error: null,
      excInfo: null,
      startedAt: Date.now(),
      finishedAt: null,
      credentials: call.credentials,
    };
    store.jobs.set(job.id, job);
    this.#nas.emit({ msg: "added", collection: "core.get_jobs", id: job.id, fields: jobRow(job) });
    return job;
  }

  #update(job: StoredJob, change: Partial<StoredJob>): void {
    Object.assign(job, change);
    this.#nas.emit({ msg: "changed", collection: "core.get_jobs", id: job.id, fields: jobRow(job) });
  }
}

/** A lock that depends on the arguments is computed before they are checked. */
function lockOf({ lock }: JobOptions, { params }: JobCall): string | null {
  if (lock === undefined) return null;
  const name = lock(params);
  if (name !== null) return name;
  const text = "Error handling job lock. This is most likely caused by invalid call arguments.";
  throw callError(ERRNO.EINVAL, text);
}

function userOf(credentials: unknown): string | undefined {
  return (credentials as { data?: { username?: string } } | null)?.data?.username;
}

/** What the row of a failed job says. */
function failure(error: unknown): Pick<StoredJob, "state" | "error" | "excInfo"> {
  const { data } = toWire(error);
  const { reason, error: errno, trace, extra } = data as {
    reason: string;
    error: number;
    trace: { class: string } | null;
    extra: readonly Invalid[] | null;
  };
  const name = trace?.class ?? "CallError";
  const isInvalid = extra !== null && error instanceof MethodError;
  const type = isInvalid ? "VALIDATION" : name;
  // Only a CallError and a single ValidationError have a number.
  const hasErrno = name === "CallError" || name === "ValidationError";
  const excInfo = { repr: "…", type, errno: hasErrno ? extra?.[0]?.[2] ?? errno : null, extra };
  return { state: "FAILED", error: reason, excInfo };
}
