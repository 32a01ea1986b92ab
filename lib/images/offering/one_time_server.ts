/**
 * Serves files for the NAS to fetch, on a port of its own, because the dashboard may need a login, TLS or a proxy. Each file has
 * an address that nobody can guess, with an index page that rclone reads, and is there only until it has been fetched.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isIpv4, isIpv6 } from "../../configuration/environment/ip_addresses.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { describeSystemError, reasonOf, systemErrorCode } from "../../errors/system_errors.ts";
import { parseRange } from "./byte_range.ts";
import { spool, type SpooledFile } from "./spooled_file.ts";

/** Where files are served. */
export interface OneTimeAddress {
  /** How the NAS reaches this machine: a name or an address. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Where files wait on this machine's disk. */
  readonly folder: string;
}

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

/** Serves files until it is closed. */
export interface OneTimeServer extends AsyncDisposable {
  readonly port: number;
  /**
   * Takes all of a file, then serves it.
   *
   * @throws what the stream ends with, and a {@link TrueNASError} when the disk cannot take it.
   */
  offer(
    image: { readonly body: ReadableStream<Uint8Array> },
    fileName: string,
    onBytes?: (bytes: number) => void,
  ): Promise<OfferedFile>;
  close(): Promise<void>;
}

interface Served {
  readonly name: string;
  readonly file: SpooledFile;
  failure: unknown;
}

/** 256 bits cannot be guessed. */
const TOKEN_BYTES = 32;
/** rclone fetches in four parts; guests fetch small files. */
const MAX_CONNECTIONS = 64;
const REQUEST_MS = 10_000;

/**
 * Starts to listen: on the host itself if it is an address of this machine, else on all of its addresses.
 *
 * @throws {ConfigurationError} when the port is taken.
 */
export async function startOneTimeServer({ host, port, folder }: OneTimeAddress): Promise<OneTimeServer> {
  const served = new Map<string, Served>();
  const server = createServer((request, response) => {
    answer(served, request, response).catch(() => response.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = REQUEST_MS;
  server.requestTimeout = REQUEST_MS;
  const listened = await listen(server, host, port);
  const base = `http://${isIpv6(host) ? `[${host}]` : host}:${listened}`;
  const close = async () => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    await closed.promise;
    for (const { file } of served.values()) await file.close();
    served.clear();
  };
  return {
    port: listened,
    async offer({ body }, name, onBytes) {
      const file = await spool(body, { folder, onBytes });
      const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
      const entry: Served = { name, file, failure: null };
      served.set(token, entry);
      return {
        url: `${base}/${token}/`,
        sent: () => file.sizeBytes,
        failure: () => entry.failure,
        close: async () => {
          if (served.delete(token)) await file.close();
        },
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Server = ReturnType<typeof createServer>;

/** A name can lead to a loopback address of this machine, as Debian's own name does, so only addresses are listened on. */
async function listen(server: Server, host: string, port: number): Promise<number> {
  const isAddress = isIpv4(host) || isIpv6(host);
  try {
    return await listenOn(server, isAddress ? host : "0.0.0.0", port);
  } catch (error) {
    // The runtime's error for an address of another machine names no reason of its own.
    if (!isAddress || systemErrorCode(error) === "EADDRINUSE") throw cannotListen(error, port);
  }
  try {
    // The address of a router or host in front of this machine, which passes the port on.
    return await listenOn(server, isIpv6(host) ? "::" : "0.0.0.0", port);
  } catch (error) {
    throw cannotListen(error, port);
  }
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen(port, host, () => {
    const address = server.address();
    resolve(typeof address === "object" && address !== null ? address.port : port);
  });
  return promise.finally(() => server.off("error", reject));
}

function cannotListen(error: unknown, port: number): ConfigurationError {
  const reason = describeSystemError(error) ?? reasonOf(error);
  const message = systemErrorCode(error) === "EADDRINUSE"
    ? `Port ${port} is in use. Set SEED_PORT to another port, or to 0 for a free one`
    : `Cannot listen on port ${port} for the NAS: ${reason}. Set another SEED_HOST or SEED_PORT`;
  return new ConfigurationError("environment", [{ field: "SEED_PORT", message }], { cause: error });
}

async function answer(
  served: ReadonlyMap<string, Served>,
  { method = "GET", url = "/", headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, token = "", name] = /^\/([0-9a-f]+)\/([^/?]*)$/.exec(url) ?? [];
  const entry = served.get(token);
  response.setHeader("cache-control", "no-store");
  response.setHeader("x-content-type-options", "nosniff");
  if (entry === undefined || name === undefined) return text(response, 404, "Not found");
  if (method !== "GET" && method !== "HEAD") return text(response, 405, "Only GET and HEAD are allowed");
  if (name === "") return index(response, entry.name);
  if (name !== encodeURIComponent(entry.name)) return text(response, 404, "Not found");
  await send(entry, { range: headers.range, isHead: method === "HEAD" }, response);
}

function text(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(words);
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
    return text(response, 416, "The file is shorter");
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
