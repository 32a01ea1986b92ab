/**
 * Converts images onto zvols, one at a time: TrueNAS answers a call that finds one conversion running and one waiting with
 * the id of the waiting one, whatever its arguments, and the work of that call is never done. So each job is compared with
 * what was asked for. A running conversion is never aborted, because up to 25.10 it goes on writing.
 */
import { explainWords } from "../errors/nas_errors.ts";
import { TrueNASError } from "../errors/errors.ts";
import { pause, type SettleTimeouts, type StepCalls } from "../operations/steps/run_step.ts";
import type { Caller } from "../truenas/client.ts";
import type { MethodResult } from "../truenas/method_types.ts";
import type { VersionRules } from "../truenas/versions.ts";

type JobRow = MethodResult<"core.get_jobs">[number];

/** An image and the zvol that it is converted onto. */
export interface Conversion {
  readonly path: string;
  readonly zvol: string;
  readonly method: VersionRules["imageMethod"];
}

/** What a conversion needs. */
export interface ConversionContext {
  /** Goes on when the user cancels, because a conversion is followed to its end. */
  readonly caller: Caller;
  readonly settle: SettleTimeouts;
  readonly calls: StepCalls;
  readonly onProgress: (percent: number) => void;
}

/** A job that was joined, forgotten in a restart, or too early for its zvol is asked for again at most this often. */
const MAX_JOBS = 20;
/** A new zvol has its device after a moment. */
const MAX_EARLY = 10;
/** Milliseconds between two looks at a job that takes minutes. */
const POLL_MS = 1_000;

const ACTIVE: readonly string[] = ["RUNNING", "WAITING"];

/** The conversions of all operations on one NAS. */
export class ConversionQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Follows a conversion that an interrupted operation has left running; false when there is none, or when it failed. */
  resume(context: ConversionContext, conversion: Conversion): Promise<boolean> {
    const result = this.#last.then(() => resume(context, conversion));
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Converts; the zvol holds the image afterwards.
   *
   * @throws {TrueNASError} with TrueNAS's words when it failed.
   */
  convert(context: ConversionContext, conversion: Conversion): Promise<void> {
    const result = this.#last.then(() => convert(context, conversion));
    this.#last = result.catch(() => {});
    return result;
  }
}

async function resume(context: ConversionContext, conversion: Conversion): Promise<boolean> {
  const { method } = conversion;
  const active = (await jobsOf(context, method, ACTIVE)).find((job) => isFor(job, conversion));
  if (active === undefined) return false;
  return (await end(context, method, active.id))?.state === "SUCCESS";
}

async function convert(context: ConversionContext, conversion: Conversion): Promise<void> {
  const { method } = conversion;
  let early = 0;
  for (let n = 0; n < MAX_JOBS; n++) {
    const job = await end(
      context,
      method,
      await own(context, conversion) ?? await start(context, conversion),
    );
    if (job === null || !isFor(job, conversion)) continue;
    if (job.state === "SUCCESS") return;
    if (job.state === "FAILED" && isEarly(job) && early++ < MAX_EARLY) {
      await pause(context.settle.pollMs);
      continue;
    }
    throw failure(job, conversion);
  }
  const text = `${method}: other conversions on this NAS came first ${MAX_JOBS} times; try again later`;
  throw new TrueNASError(text, { method, outcome: "not-done" });
}

/** Waits until the NAS converts nothing; an earlier call of this very conversion is followed instead. */
async function own(context: ConversionContext, conversion: Conversion): Promise<number | null> {
  for (;;) {
    const active = await jobsOf(context, conversion.method, ACTIVE);
    const mine = active.find((job) => isFor(job, conversion));
    if (mine !== undefined) return mine.id;
    if (active.length === 0) return null;
    await pause(pollMs(context));
  }
}

async function start(context: ConversionContext, conversion: Conversion): Promise<number> {
  const { caller, calls } = context;
  const { method, path, zvol } = conversion;
  const known = new Set((await jobsOf(context, method)).map(({ id }) => id));
  await calls.next(method);
  const send = () =>
    method === "vm.device.convert"
      ? caller.call(method, [{ source: path, destination: zvol }])
      : caller.call(method, [{ diskimg: path, zvol }]);
  // The job is the effect: whether it was started can be seen among the jobs.
  return await calls.send(send, async () => {
    const jobs = await jobsOf(context, method);
    return jobs.find((job) => !known.has(job.id) && isFor(job, conversion))?.id ?? null;
  });
}

/** The job when it has ended; null when the NAS no longer knows it, because it has restarted. */
async function end(context: ConversionContext, method: string, id: number): Promise<JobRow | null> {
  let reported = -1;
  for (;;) {
    const [job] = await context.caller.call("core.get_jobs", [[["id", "=", id]]]);
    if (job === undefined || (job.method ?? method) !== method) return null;
    const percent = job.progress?.percent ?? 0;
    if (percent !== reported) context.onProgress(reported = percent);
    if (!ACTIVE.includes(job.state)) return job;
    await pause(pollMs(context));
  }
}

function pollMs({ settle }: ConversionContext): number {
  return Math.min(POLL_MS, settle.pollMs);
}

function jobsOf(
  { caller }: ConversionContext,
  method: string,
  states: readonly string[] | null = null,
): Promise<readonly JobRow[]> {
  const filters = [["method", "=", method], ...(states === null ? [] : [["state", "in", states]])] as const;
  return caller.call("core.get_jobs", [filters as Parameters<typeof caller.call<"core.get_jobs">>[1][0]]);
}

function isFor({ arguments: given }: JobRow, { path, zvol, method }: Conversion): boolean {
  const [data] = (given ?? []) as readonly Readonly<Record<string, unknown>>[];
  return method === "vm.device.convert"
    ? data?.source === path && data.destination === zvol
    : data?.diskimg === path && data.zvol === zvol;
}

function isEarly({ error }: JobRow): boolean {
  return /^\[ENOENT\].*(\/dev\/zvol\/|Zvol device)/.test(error ?? "");
}

function failure({ state, error }: JobRow, { method, path }: Conversion): TrueNASError {
  const why = state === "ABORTED"
    ? "somebody aborted it in TrueNAS, which up to 25.10 keeps writing for a while"
    : explainWords(error ?? "TrueNAS gives no reason");
  return new TrueNASError(`${path} could not be converted: ${why}`, { method, outcome: "not-done" });
}
