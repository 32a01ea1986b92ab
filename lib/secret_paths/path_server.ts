/**
 * Serves the NAS and its VMs, on a port of its own, because the dashboard may need a login, TLS or a proxy. What is served lies
 * below a path that nobody can guess; who serves there says what. Everything else is answered with the same 404.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { sha256Hex } from "../hashes.ts";
import { isIpv6 } from "../configuration/environment/ip_addresses.ts";
import { type Logger, silentLogger } from "../observability/logging.ts";
import { listen } from "./listen.ts";
import { isToken, newToken } from "./tokens.ts";

export type { IncomingMessage, ServerResponse } from "node:http";

/** Where it listens. */
export interface PathAddress {
  /** How the NAS and its VMs reach this machine: a name or an address. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** Answers what is asked below one path; `name` is the rest of the path. */
export type PathHandler = (name: string, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A path that is served. */
export interface SecretPath {
  /** The address of the path, with a slash at its end; only that of the server where just the path's hash is known. */
  readonly url: string;
  /** By its hash the path can be served again, and not be found. */
  readonly hash: string;
  /** Nothing is served there any longer. */
  close(): void;
}

/** A path as it was before a restart of this program: itself, or only its hash. */
export type KnownPath = { readonly token: string } | { readonly hash: string };

/** Serves paths until it is closed; the first one may make it listen. */
export interface PathServer extends AsyncDisposable {
  /** How the NAS and its VMs reach this machine. */
  readonly host: string;
  /**
   * Serves a path.
   *
   * @param known The path as it was before; default: a new one.
   * @throws {ConfigurationError} when the port is taken.
   */
  serve(handler: PathHandler, known?: KnownPath): Promise<SecretPath>;
  /**
   * Listens, where it did not yet; resolves to where it is reached: `10.0.0.5:8081`.
   *
   * @throws {ConfigurationError} when the port is taken.
   */
  listen(): Promise<string>;
}

/** A server that listens. */
export interface ListeningPathServer extends PathServer {
  readonly port: number;
}

/** rclone fetches in four parts; guests fetch small files. */
const MAX_CONNECTIONS = 64;
const REQUEST_MS = 10_000;
/** Somebody who guesses fills no disk with the log. */
const GUESSES_LOGGED_MS = 60_000;

/**
 * Starts to listen: on the host itself if it is an address of this machine, else on all of its addresses.
 *
 * @throws {ConfigurationError} when the port is taken.
 */
export async function startPathServer(
  { host, port }: PathAddress,
  { logger = silentLogger, now = () => performance.now() }: {
    readonly logger?: Logger;
    /** In milliseconds. */
    readonly now?: () => number;
  } = {},
): Promise<ListeningPathServer> {
  /** By the hashes of their paths. */
  const handlers = new Map<string, PathHandler>();
  const guesses = guessLog(logger, now);
  const server = createServer((request, response) => {
    answer(handlers, request, response, guesses).catch(() => response.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = REQUEST_MS;
  server.requestTimeout = REQUEST_MS;
  const listened = await listen(server, host, port);
  const base = `http://${isIpv6(host) ? `[${host}]` : host}:${listened}`;
  return {
    host,
    port: listened,
    listen: () => Promise.resolve(new URL(base).host),
    serve: (handler, known = { token: newToken() }) => {
      const { part, hash } = "hash" in known
        ? { part: known.hash, hash: known.hash }
        : { part: known.token, hash: sha256Hex(known.token) };
      if (!isToken(part)) throw new TypeError("A path has 64 hexadecimal digits");
      handlers.set(hash, handler);
      const close = () => {
        if (handlers.get(hash) === handler) handlers.delete(hash);
      };
      const url = "hash" in known ? `${base}/` : `${base}/${known.token}/`;
      return Promise.resolve({ url, hash, close });
    },
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
      handlers.clear();
    },
  };
}

/** A server that listens from the first path on, for commands that often need none. */
export function pathServerWhenNeeded(
  address: PathAddress,
  options: Parameters<typeof startPathServer>[1] = {},
): PathServer {
  let server: Promise<PathServer> | null = null;
  const started = () => server ??= startPathServer(address, options);
  return {
    host: address.host,
    serve: async (handler, known) => await (await started()).serve(handler, known),
    listen: async () => await (await started()).listen(),
    [Symbol.asyncDispose]: async () => {
      // Why it could not listen was told where something was to be served.
      await (await server?.catch(() => null))?.[Symbol.asyncDispose]();
    },
  };
}

/** Answers with words. */
export function answerText(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(words);
}

async function answer(
  handlers: ReadonlyMap<string, PathHandler>,
  request: IncomingMessage,
  response: ServerResponse,
  onGuess: (from: string) => void,
): Promise<void> {
  const [, token = "", name] = /^\/([0-9a-f]+)\/([^/?]*)$/.exec(request.url ?? "/") ?? [];
  const handler = handlers.get(sha256Hex(token));
  response.setHeader("cache-control", "no-store");
  response.setHeader("x-content-type-options", "nosniff");
  if (handler !== undefined && name !== undefined) return await handler(name, request, response);
  onGuess(request.socket.remoteAddress ?? "");
  // The body of a request that nobody wants is not waited for.
  response.setHeader("connection", "close");
  answerText(response, 404, "Not found");
}

/** Says at most once a minute that somebody asks for what is not there, or no longer. */
function guessLog(logger: Logger, now: () => number): (from: string) => void {
  let count = 0;
  let silentUntil = -Infinity;
  return (from) => {
    count += 1;
    if (now() < silentUntil) return;
    logger.warning("Something was asked for at SEED_PORT that is not there, or no longer", {
      requests: count,
      from,
    });
    count = 0;
    silentUntil = now() + GUESSES_LOGGED_MS;
  };
}
