/**
 * `core.download`: a job writes into a pipe, which `GET /_download/ID` reads once. The job waits for the reader, and ends with
 * a broken pipe when the reader goes away.
 */
import { type Account, hasRole } from "../accounts.ts";
import { ERRNO } from "../../errors/errno.ts";
import type { Faults } from "../faults.ts";
import type { Nas } from "../nas.ts";
import type { ReceivedCall } from "../types.ts";
import { realPath } from "../files/paths.ts";
import type { Tokens } from "../wire/tokens.ts";
import { callError, plainException } from "../wire/wire_errors.ts";

/** Who starts a download. */
interface Asking {
  readonly nas: Nas;
  readonly account: Account | null;
  readonly credentials: unknown;
  readonly tokens: Tokens;
  readonly address: string;
}

/** How long a download waits to be fetched, in milliseconds. */
const WAIT_MS = 60_000;
const TOKEN_SECONDS = 300;
const CHUNK_BYTES = 65_536;
const METHOD = "filesystem.get";

/** core.download: the id of the job, and where its output can be fetched. */
export function startDownload(
  { nas, account, credentials, tokens, address }: Asking,
  [method, args, _filename, _isBuffered]: readonly unknown[],
): readonly [number, string] {
  if (account === null || !hasRole(account, "FULL_ADMIN")) throw callError(ERRNO.EACCES, "Not authorized");
  if (method !== METHOD) throw callError(ERRNO.EINVAL, `${String(method)} is not simulated as a download`);
  const params = Array.isArray(args) ? args : [];
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const call = { id: null, method: METHOD, params, account, credentials };
  const { id } = nas.jobs.start(call, {}, async () => {
    await write(nas, String(params[0]), writable);
    return null;
  });
  nas.downloads.set(id, readable);
  void nas.sleep(WAIT_MS).then(() => {
    if (nas.downloads.delete(id)) void readable.cancel();
  });
  const token = tokens.add({
    account,
    expiresAt: Date.now() + TOKEN_SECONDS * 1_000,
    hasAttributes: true,
    job: id,
    origin: address === "" ? null : address,
    isSingleUse: true,
  });
  return [id, `/_download/${id}?auth_token=${token}`];
}

/** Only the beginning of a file is kept; what follows is zeros. */
async function write(nas: Nas, given: string, writable: WritableStream<Uint8Array>): Promise<void> {
  const writer = writable.getWriter();
  const file = nas.store.files.get(realPath(nas.store, given));
  if (file === undefined) {
    await writer.close().catch(() => {});
    throw callError(ERRNO.EFAULT, `${given} is not a file`);
  }
  try {
    for (let at = 0; at < file.sizeBytes; at += CHUNK_BYTES) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, file.sizeBytes - at));
      chunk.set(file.head.subarray(at, at + chunk.length));
      await writer.write(chunk);
    }
    await writer.close();
  } catch {
    throw plainException("BrokenPipeError", "[Errno 32] Broken pipe");
  }
}

/** What a download needs of the NAS. */
export interface DownloadDoor {
  readonly nas: Nas;
  readonly tokens: Tokens;
  readonly faults: Faults;
  readonly record: (call: ReceivedCall) => void;
}

/** Answers `GET /_download/ID?auth_token=…`. */
export async function answerDownload(
  { url, signal }: Request,
  { nas, tokens, faults, record }: DownloadDoor,
  address: string,
): Promise<Response> {
  const { pathname, searchParams } = new URL(url);
  const id = Number(/\/(\d+)$/.exec(pathname)?.[1] ?? NaN);
  if (Number.isNaN(id)) return new Response(null, { status: 404 });
  const isFit = ({ job, origin }: { job?: number; origin: string | null }) =>
    job === id && (origin === null || origin === address);
  const token = tokens.use(searchParams.get("auth_token") ?? "", isFit);
  if (token === undefined) return new Response(null, { status: 401 });
  const job = nas.store.jobs.get(id);
  if (job === undefined) return new Response(null, { status: 404 });
  const output = nas.downloads.get(id);
  if (output === undefined) return new Response(null, { status: 410 });
  record({ method: METHOD, params: job.arguments, answer: { result: null } });
  const fault = faults.choose(METHOD, job.arguments);
  for (const moment of ["before", "middle", "after"] as const) {
    try {
      await fault.pass(moment, AbortSignal.any([signal, nas.halted]), nas);
    } catch {
      nas.downloads.delete(id);
      void output.cancel();
      return broken();
    }
  }
  nas.downloads.delete(id);
  return new Response(output, { headers: { "content-type": "application/octet-stream" } });
}

/** An answer whose connection ends before it does. */
export function broken(): Response {
  const body = new ReadableStream({
    pull: (controller) => controller.error(new Error("the connection is cut")),
  });
  return new Response(body, { headers: { "content-type": "application/octet-stream" } });
}
