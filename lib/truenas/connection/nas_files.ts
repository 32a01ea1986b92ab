/** Files on the NAS over its web server: `/_upload` takes one, and `/_download` gives one. Both need a full administrator. */
import { z } from "../../zod.ts";
import type { NasAddress } from "../../configuration/environment/nas_address.ts";
import { TrueNASError } from "../../errors/errors.ts";
import { type Caller, refuseGuarded, type WriteGuard } from "../client.ts";
import { type OpenOptions, requestNas } from "./connection.ts";

/** A part of a file to write. */
export interface FilePart {
  /** The file's path on the NAS. */
  readonly path: string;
  /** Appends to what is there, instead of beginning anew. */
  readonly append: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Takes and gives files; see the file's comment. */
export interface NasFiles {
  /**
   * Writes a part of a file.
   *
   * @returns the id of the job that writes it, which can fail although the NAS took everything.
   * @throws {TrueNASConnectionError} when the connection breaks: any number of the bytes may have been written.
   */
  upload(caller: Caller, part: FilePart, signal: AbortSignal): Promise<number>;
  /**
   * Reads the beginning of a file.
   *
   * @throws {TrueNASError} when the NAS does not give it.
   */
  readHead(
    caller: Caller,
    path: string,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** How to reach the NAS's web server. */
export interface NasFilesOptions {
  readonly address: NasAddress;
  readonly open: OpenOptions;
  readonly guard: WriteGuard;
}

/** How long a token is good for; it is used at once, for one part. */
const TOKEN_SECONDS = 300;
/** Readable by everybody, as TrueNAS itself writes images: the process of a VM is nobody's. */
const MODE = 0o644;
/** For a part of 16 MiB even over a slow line. */
const UPLOAD_MS = 600_000;
/** For the beginning of a file, which plans wait for. */
const HEAD_MS = 30_000;
/** Of an answer's text, for a message. */
const MAX_ANSWER_CHARS = 200;

const uploaded = z.object({ job_id: z.number() });

/** Files over the web server of a NAS. */
export function nasFiles({ address, open, guard }: NasFilesOptions): NasFiles {
  return {
    upload: async (caller, { path, append, bytes }, signal) => {
      refuseGuarded("filesystem.put", guard);
      const token = await caller.call("auth.generate_token", [TOKEN_SECONDS]);
      const body = new FormData();
      body.append(
        "data",
        JSON.stringify({ method: "filesystem.put", params: [path, { append, mode: MODE }] }),
      );
      body.append("file", new Blob([bytes]), "file");
      const headers = { authorization: `Token ${token}` };
      const init = { method: "POST", body, headers, signal };
      return await requestNas(address, { path: "/_upload", init, timeoutMs: UPLOAD_MS, read: jobOf }, open);
    },
    readHead: async (caller, path, length, signal) => {
      const [, output] = await caller.call("core.download", ["filesystem.get", [path], "head"]);
      const read = (response: Response) => headOf(response, path, length);
      const init = signal === undefined ? {} : { signal };
      return await requestNas(address, { path: output, init, timeoutMs: HEAD_MS, read }, open);
    },
  };
}

async function jobOf(response: Response): Promise<number> {
  const text = (await response.text()).slice(0, MAX_ANSWER_CHARS);
  const method = "filesystem.put";
  if (response.status !== 200) {
    const why = `the NAS answers ${response.status} ${text}`.trim();
    throw new TrueNASError(`${method}: ${why}`, { method, outcome: "not-done" });
  }
  const parsed = uploaded.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.job_id;
  throw new TrueNASError(`${method}: the NAS's answer is invalid: ${text}`, { method, outcome: "unknown" });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Ends the connection as soon as there is enough, which ends the job as well. */
async function headOf(response: Response, path: string, length: number): Promise<Uint8Array<ArrayBuffer>> {
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new TrueNASError(`${path} could not be read: the NAS answers ${response.status}`);
  }
  const head = new Uint8Array(length);
  let at = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of response.body) {
    const taken = chunk.subarray(0, length - at);
    head.set(taken, at);
    at += taken.length;
    if (at >= length) break;
  }
  return head.subarray(0, at);
}
