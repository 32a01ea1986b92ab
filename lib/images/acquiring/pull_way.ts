/**
 * Lets the NAS fetch a file from this program with its cloud sync, which needs no full administrator. The credentials hold
 * nothing but a one-time address, and are removed again. A job that fetched nothing succeeds too, so the file is compared
 * afterwards.
 */
import { TrueNASError } from "../../errors/errors.ts";
import { explainWords } from "../../errors/nas_errors.ts";
import { Cancelled, pause, type StepCalls } from "../../operations/steps/run_step.ts";
import type { Caller } from "../../truenas/client.ts";
import type { MethodResult } from "../../truenas/method_types.ts";
import type { OfferedFile, Offering } from "../offering/offering.ts";
import { type AcquireWork, chunksOf, reportProgress, type TransferredFile } from "./transfer.ts";

type JobRow = MethodResult<"core.get_jobs">[number];

const METHOD = "cloudsync.sync_onetime";
const ACTIVE = ["WAITING", "RUNNING"];
/** Milliseconds between two looks at a job that takes minutes. */
const POLL_MS = 500;

/** After so many restarts of the NAS it fetches no more. */
const MAX_FETCHES = 3;

/**
 * Serves the file and lets the NAS fetch it.
 *
 * @returns its size in bytes.
 */
export async function pullFile(
  work: AcquireWork,
  offering: Offering,
  { name: image, path, stream }: TransferredFile,
): Promise<number> {
  const { context: { log }, made } = work;
  const at = path.lastIndexOf("/");
  const [folder, fileName] = [path.slice(0, at), path.slice(at + 1)];
  const body = streamFrom(chunksOf(work, stream));
  // Only a file that is whole and has its digest is offered.
  const offered = await offering.offer({ body }, fileName, reportProgress(work, stream));
  const name = credentialsName(image, log.id);
  try {
    made.credentials = name;
    const credentials = await createCredentials(work, name, offered.url);
    await fetchFrom(work, offered, { folder, fileName, credentials });
    return offered.sent();
  } finally {
    await offered.close();
    await removeCredentials(work, name);
    made.credentials = null;
  }
}

/** `ReadableStream.from`, which types of other runtimes lack. */
function streamFrom<Chunk>(chunks: AsyncIterable<Chunk>): ReadableStream<Chunk> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void await iterator.return?.(),
  }, { highWaterMark: 0 });
}

/** A NAS that restarts forgets the job, and is asked again. */
async function fetchFrom(work: AcquireWork, offered: OfferedFile, pull: Pull): Promise<void> {
  for (let n = 1;; n++) {
    const ended = await follow(work, await startPull(work, pull));
    if (work.signal.aborted) throw new Cancelled();
    const failure = offered.failure();
    if (failure !== null) throw failure;
    if (ended === null && n < MAX_FETCHES) continue;
    if (ended?.state === "SUCCESS") return;
    const why = ended === null
      ? "it restarted meanwhile"
      : ended.error
      ? explainWords(ended.error)
      : `the job was ${ended.state.toLowerCase()}`;
    throw new TrueNASError(`The NAS could not fetch the file: ${why}`, { method: METHOD });
  }
}

async function createCredentials({ caller, calls }: AcquireWork, name: string, url: string): Promise<number> {
  await calls.next("cloudsync.credentials.create");
  const spec = { name, provider: { type: "HTTP", url } };
  const found = async () => (await credentialsNamed(caller, name))[0] ?? null;
  return (await calls.send(() => caller.call("cloudsync.credentials.create", [spec]), found)).id;
}

interface Pull {
  readonly folder: string;
  readonly fileName: string;
  readonly credentials: number;
}

/** The job is the effect: whether it was started can be seen among the jobs. */
async function startPull({ caller, calls }: AcquireWork, pull: Pull): Promise<number> {
  const { folder, fileName, credentials } = pull;
  await calls.next(METHOD);
  const task = {
    description: "truenas-vm-manager",
    path: folder,
    credentials,
    direction: "PULL",
    transfer_mode: "COPY",
    attributes: { folder: "" },
    include: [`/${fileName}`],
  };
  const started = async () => {
    const jobs = await caller.call("core.get_jobs", [[["method", "=", METHOD]]]);
    const isOwn = ({ arguments: given }: JobRow) =>
      (given?.[0] as { credentials?: unknown } | undefined)?.credentials === credentials;
    return jobs.find(isOwn)?.id ?? null;
  };
  return await calls.send(() => caller.call(METHOD, [task]), started);
}

/** The job when it has ended; null when the NAS no longer knows it. One of a user who cancels is aborted. */
async function follow(
  { caller, signal, calls, step, context: { settle, log, vmName: vm } }: AcquireWork,
  id: number,
): Promise<JobRow | null> {
  let isAborted = false;
  let reported = -1;
  for (;;) {
    const job = await jobOf(caller, id);
    if (job === undefined || (job.method ?? METHOD) !== METHOD) return null;
    if (!ACTIVE.includes(job.state)) return job;
    const percent = job.progress?.percent ?? 0;
    if (percent !== reported) log.append({ type: "progress", vm, step, percent: reported = percent });
    if (signal.aborted && !isAborted) {
      isAborted = true;
      await calls.next("core.job_abort");
      const ended = async () => !ACTIVE.includes((await jobOf(caller, id))?.state ?? "") || null;
      await calls.send(() => caller.call("core.job_abort", [id]), ended);
    }
    await pause(Math.min(POLL_MS, settle.pollMs));
  }
}

async function jobOf(caller: Caller, id: number): Promise<JobRow | undefined> {
  return (await caller.call("core.get_jobs", [[["id", "=", id]]]))[0];
}

/** The name of the credentials with which the NAS fetches an image for an operation. */
export function credentialsName(image: string, operation: string): string {
  return `truenas-vm-manager ${image} ${operation}`;
}

/** Removes the credentials of this name, which contains the operation's id. */
export async function removeCredentials(
  { caller, calls }: { readonly caller: Caller; readonly calls: StepCalls },
  name: string,
): Promise<void> {
  for (const { id } of await credentialsNamed(caller, name)) {
    await calls.next("cloudsync.credentials.delete");
    const isGone = async () => (await credentialsNamed(caller, name)).every((it) => it.id !== id) || null;
    await calls.send(() => caller.call("cloudsync.credentials.delete", [id]), isGone);
  }
}

async function credentialsNamed(caller: Caller, name: string) {
  return await caller.call("cloudsync.credentials.query", [[["name", "=", name]]]);
}
