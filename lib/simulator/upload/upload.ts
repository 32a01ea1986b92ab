/** `POST /_upload`: a file with the call that takes it. It answers when the body is taken in, not when the job has ended. */
import { hasRole } from "../accounts.ts";
import { CUT, type Faults, STALLED } from "../faults.ts";
import { writeFile } from "../files/write_file.ts";
import { broken } from "./download.ts";
import { Multipart, type Part } from "./multipart.ts";
import type { Call, Nas } from "../nas.ts";
import { type UploadAccess, uploadAccess } from "./upload_access.ts";
import { checkedArguments } from "../wire/call_arguments.ts";
import { pythonJsonError } from "../wire/python_json.ts";
import type { Tokens } from "../wire/tokens.ts";
import type { FaultMoment, ReceivedCall } from "../types.ts";
import { MethodError } from "../wire/wire_errors.ts";

/** What an upload needs of the NAS. */
export interface Uploads {
  readonly nas: Nas;
  readonly tokens: Tokens;
  readonly faults: Faults;
  readonly record: (call: ReceivedCall) => void;
}

/** How the request came. */
export interface UploadOrigin {
  readonly address: string;
  readonly secureTransport: boolean;
}

const METHOD = "filesystem.put";

/** Answers an upload. */
export async function answerUpload(
  request: Request,
  uploads: Uploads,
  origin: UploadOrigin,
): Promise<Response> {
  const access = uploadAccess(request, uploads, origin);
  const body = Multipart.of(request);
  if (body === null) return refuse(400, "400: Bad Request");
  const signal = AbortSignal.any([request.signal, uploads.nas.halted]);
  const withSignal = { ...uploads, signal };
  const answer = access instanceof Response ? access : await take(body, withSignal, access);
  // Up to 25.04 TrueNAS does not read the rest, so a big upload that fails may end in a reset there.
  await body.drain().catch(() => {});
  return answer;
}

async function take(
  body: Multipart,
  uploads: Uploads & { readonly signal: AbortSignal },
  access: UploadAccess,
): Promise<Response> {
  const data = await body.next();
  if (data?.name !== "data") return refuse(405, '"data" part must be the first on payload');
  const text = await textOf(data);
  let call: { method?: unknown; params?: unknown };
  try {
    call = JSON.parse(text);
  } catch (error) {
    return refuse(400, pythonJsonError(text, error));
  }
  const { method, params } = call;
  if (typeof method !== "string") return new Response(null, { status: 422 });
  const file = await body.next();
  if (file?.name !== "file") return refuse(405, '"file" not found as second part on payload');
  if (method !== METHOD) {
    const service = method.split(".").slice(0, -1).join(".");
    return refuse(422, `[ENOMETHOD] Service '${service}' not found`);
  }
  if (!hasRole(access.account, "FULL_ADMIN")) return refuse(403, "403: Forbidden");
  return await put(uploads, access, Array.isArray(params) ? params : [], file);
}

async function textOf({ content }: Part): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of content) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/**
 * Starts the job. When it fails at once the rest of the file goes nowhere, and the answer is still 200. A connection that ends
 * early ends the job's pipe, which to the job is the end of the file.
 */
async function put(
  { nas, faults, record, signal }: Uploads & { readonly signal: AbortSignal },
  { account, credentials }: UploadAccess,
  params: readonly unknown[],
  file: Part,
): Promise<Response> {
  const received: ReceivedCall = { method: METHOD, params };
  record(received);
  const fault = faults.choose(METHOD, params);
  const pass = (moment: FaultMoment) => fault.pass(moment, signal, nas);
  const refusal = await pass("before").then(() => null, (error) => error);
  if (isLost(refusal)) return broken();
  const call: Call = {
    id: null,
    method: METHOD,
    params,
    account,
    credentials,
    signal: new AbortController().signal,
    pass: () => Promise.resolve(),
    awaitsJobs: false,
  };
  const taken = Promise.withResolvers<void>();
  let isCut = false;
  const content = readAsPipe(file.content, () => pass("middle"), () => isCut = true);
  const { id, finished } = nas.jobs.start(call, {}, async () => {
    if (refusal !== null) throw refusal;
    const schema = nas.profile.schemas[METHOD];
    if (schema === undefined) throw new Error(`no schema of ${METHOD}`);
    const [path, options] = checkedArguments(nas, { method: METHOD, schema, params });
    await writeFile(nas, String(path), options as { append: boolean }, content);
    taken.resolve();
    return true;
  });
  finished.catch(taken.resolve);
  await taken.promise;
  if (isCut || isLost(await pass("after").then(() => null, (error) => error))) return broken();
  const result = { job_id: id };
  received.answer = { result };
  // As Python writes it.
  return new Response(`{"job_id": ${id}}`, { headers: { "content-type": "application/json" } });
}

function isLost(error: unknown): boolean {
  return error === CUT || error === STALLED;
}

/** What the job sees of a body: it ends where the connection ends. */
async function* readAsPipe(
  chunks: AsyncIterable<Uint8Array>,
  half: () => Promise<void>,
  cut: () => void,
): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  try {
    for await (const chunk of chunks) {
      yield isFirst ? chunk.subarray(0, Math.ceil(chunk.length / 2)) : chunk;
      if (!isFirst) continue;
      isFirst = false;
      await half();
      yield chunk.subarray(Math.ceil(chunk.length / 2));
    }
  } catch (error) {
    if (error instanceof MethodError) throw error;
    cut();
  }
}

function refuse(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
