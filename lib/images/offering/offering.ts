/**
 * Offers files for the NAS to fetch. Each file has an address that nobody can guess, with an index page that rclone reads, and is
 * there only until it has been fetched.
 */
import {
  answerText,
  type IncomingMessage,
  type PathServer,
  type ServerResponse,
} from "../../secret_paths/path_server.ts";
import { parseRange } from "./byte_range.ts";
import { spool, type SpooledFile } from "./spooled_file.ts";

/** A file that can be fetched. */
export interface OfferedFile {
  /** Address of the folder that the file is in, with a slash at its end. */
  readonly url: string;
  /** Size of the file in bytes. */
  sent(): number;
  /** Why the file can no longer be read; null while it can. */
  failure(): unknown;
  /** Nothing is served there any longer. */
  close(): Promise<void>;
}

/** Serves files that the NAS fetches. */
export interface Offering {
  /**
   * Takes all of a file, then serves it at an address that nobody can guess, until it is closed.
   *
   * @throws what the stream ends with, and a {@link TrueNASError} when the disk cannot take it.
   */
  offer(
    image: { readonly body: ReadableStream<Uint8Array> },
    fileName: string,
    onBytes?: (bytes: number) => void,
  ): Promise<OfferedFile>;
}

interface Served {
  readonly name: string;
  readonly file: SpooledFile;
  failure: unknown;
}

/** Offers files on a server; until they are fetched they wait in the folder. */
export function offeringOn(server: PathServer, folder: string): Offering {
  return {
    async offer({ body }, name, onBytes) {
      const file = await spool(body, { folder, onBytes });
      const entry: Served = { name, file, failure: null };
      const path = await server.serve((asked, request, response) => answer(entry, asked, request, response))
        .catch(async (error) => {
          await file.close();
          throw error;
        });
      let isOpen = true;
      return {
        url: path.url,
        sent: () => file.sizeBytes,
        failure: () => entry.failure,
        close: async () => {
          if (!isOpen) return;
          isOpen = false;
          path.close();
          await file.close();
        },
      };
    },
  };
}

async function answer(
  entry: Served,
  name: string,
  { method = "GET", headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (method !== "GET" && method !== "HEAD") {
    return answerText(response, 405, "Only GET and HEAD are allowed");
  }
  if (name === "") return index(response, entry.name);
  if (name !== encodeURIComponent(entry.name)) return answerText(response, 404, "Not found");
  await send(entry, { range: headers.range, isHead: method === "HEAD" }, response);
}

/** Names have letters, digits, dots, hyphens and underscores only. */
function index(response: ServerResponse, name: string): void {
  const href = encodeURIComponent(name);
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(`<!doctype html><title>Index</title><a href="${href}">${href}</a>`);
}

async function send(
  entry: Served,
  { range, isHead }: { readonly range: string | undefined; readonly isHead: boolean },
  response: ServerResponse,
): Promise<void> {
  const { sizeBytes } = entry.file;
  const wanted = parseRange(range, sizeBytes);
  response.setHeader("accept-ranges", "bytes");
  if (wanted === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${sizeBytes}`);
    return answerText(response, 416, "The file is shorter");
  }
  const { from, to } = wanted ?? { from: 0, to: sizeBytes };
  if (wanted !== null) response.setHeader("content-range", `bytes ${from}-${to - 1}/${sizeBytes}`);
  response.writeHead(wanted === null ? 200 : 206, {
    "content-type": "application/octet-stream",
    "content-length": String(to - from),
  });
  if (isHead) return void response.end();
  try {
    for await (const piece of entry.file.read(from, to)) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
    }
  } catch (error) {
    entry.failure = error;
    throw error;
  }
  response.end();
}

/** Resolves when more can be written, or the other side has gone. */
function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  response.once("drain", done);
  response.once("close", done);
  return promise.finally(() => {
    response.off("drain", done);
    response.off("close", done);
  });
}
