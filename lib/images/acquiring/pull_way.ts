/**
 * Lets the NAS fetch a file from this program with its cloud sync, which needs no full administrator. The credentials hold
 * nothing but a one-time address, and are removed again. A job that fetched nothing succeeds too, so the file is compared
 * afterwards.
 */
import { TrueNASError } from "../../errors/errors.ts";
import { explainWords } from "../../errors/nas_errors.ts";
import { Cancelled, pause, type StepCalls } from "../../operations/steps/run_step.ts";
import type { Caller } from "../../truenas/client.ts";
import { ForgottenJobError } from "../../truenas/jobs.ts";
import type { MethodResult } from "../../truenas/methods.ts";
import type { ImageStream } from "../source/image_stream.ts";
import { type AcquireWork, reportProgress, type TransferredFile } from "./transfer.ts";

/** Serves files that the NAS fetches. */
export interface Offering {
  /** Serves one file at an address that nobody can guess, until it is closed. */
  offer(stream: ImageStream, fileName: string, onBytes?: () => void): Promise<Offered>;
}

/** A served file. */
export interface Offered {
  /** Address of the folder that the file is in. */
  readonly url: string;
  /** Bytes of the file that were taken from the image so far. */
  sent(): number;
  /** Why the image failed; null while it has not. */
  failure(): unknown;
  /** Nothing is served there any longer. */
  close(): Promise<void>;
}

type JobRow = MethodResult<"core.get_jobs">[number];

const METHOD = "cloudsync.sync_onetime";
const ACTIVE = ["WAITING", "RUNNING"];
/** Milliseconds between two looks at a job that takes minutes. */
const POLL_MS = 500;

/**
 * Serves the file and lets the NAS fetch it.
 *
 * @returns its size in bytes.
 */
export async function pullFile(
  work: AcquireWork,
  offering: Offering,
  { path, stream }: TransferredFile,
): Promise<number> {
  const { context: { log, vmName }, made, signal } = work;
  const at = path.lastIndexOf("/");
  const [folder, fileName] = [path.slice(0, at), path.slice(at + 1)];
  const report = reportProgress(work, stream);
  const offered = await offering.offer(stream, fileName, report).catch((error) => {
    throw signal.aborted ? new Cancelled() : error;
  });
  const name = `truenas-vm-manager ${vmName} ${log.id}`;
  try {
    made.credentials = name;
    const id = await createCredentials(work, name, offered.url);
    const job = await startPull(work, { folder, fileName, credentials: id });
    const ended = await follow(work, job, report);
    if (signal.aborted) throw new Cancelled();
    const failure = offered.failure();
    if (failure !== null) throw failure;
    if (ended.state !== "SUCCESS") {
      const why = ended.error ? explainWords(ended.error) : `the job was ${ended.state.toLowerCase()}`;
      throw new TrueNASError(`The NAS could not fetch the file: ${why}`, { method: METHOD });
    }
    return offered.sent();
  } finally {
    await offered.close();
    await removeCredentials(work, name);
    made.credentials = null;
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

/** Waits for the job's end; one of a user who cancels is aborted. */
async function follow(
  { caller, signal, calls, context: { settle } }: AcquireWork,
  id: number,
  report: () => void,
): Promise<JobRow> {
  let isAborted = false;
  for (;;) {
    const [job] = await caller.call("core.get_jobs", [[["id", "=", id]]]);
    if (job === undefined || (job.method ?? METHOD) !== METHOD) {
      const text = "The NAS no longer knows the job that fetches the file, as after a restart";
      throw new ForgottenJobError(text, { method: METHOD, outcome: "not-done" });
    }
    if (!ACTIVE.includes(job.state)) return job;
    report();
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
