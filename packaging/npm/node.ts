/** The runtime is Node: what stands in for `lib/runtime/deno.ts` in the npm package. */
import { Buffer } from "node:buffer";
import http from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { getCACertificates } from "node:tls";
import type { ReadableStream as NodeStream } from "node:stream/web";
import type { Duplex } from "node:stream";
import type {
  Client,
  ClientOptions,
  Handler,
  HttpServer,
  Runtime,
  ServeAt,
} from "../../lib/runtime/types.ts";
// @ts-types="npm:@types/ws@8.18.2"
import { WebSocket as Ws, WebSocketServer } from "npm:ws@8.23.0";

/** Node. */
export const runtime: Runtime = {
  client: makeClient,
  serve,
  upgradeWebSocket: (request, { protocol } = {}) => {
    const upgrade = upgrades.get(request);
    if (upgrade === undefined) throw new TypeError("The request is no upgrade to a WebSocket");
    upgrades.delete(request);
    return { socket: upgrade(protocol), response: new Response(null) };
  },
  // Node has no permissions of its own; the operating system's show when something is written.
  mayWrite: () => Promise.resolve(true),
  run: () => Promise.reject(new Error("Running programs needs Deno, on which the command line runs")),
};

/** Public CAs are trusted as well. */
function authorities(caCerts: readonly string[]): string[] | undefined {
  return caCerts.length === 0 ? undefined : [...getCACertificates("default"), ...caCerts];
}

function makeClient({ caCerts = [], unixPath, localAddress }: ClientOptions): Client {
  const reach = {
    perMessageDeflate: false,
    ca: authorities(caCerts),
    ...(unixPath === undefined ? {} : { socketPath: unixPath }),
    ...(localAddress === undefined ? {} : { localAddress }),
  };
  return {
    fetch: (url, init) => request(new Request(url, { ...init, ...HALF }), reach),
    webSocket: (url) => {
      const { host, pathname, search } = new URL(url);
      const { socketPath, ...rest } = reach;
      if (socketPath === undefined) return asStandard(new Ws(url, rest));
      return asStandard(
        new Ws(`ws+unix://${socketPath}:${pathname}${search}`, { ...rest, headers: { host } }),
      );
    },
    close: () => {},
  };
}

/** Node wants to be told that a body is sent before the answer is read. */
const HALF = { duplex: "half" };

function request(
  { url, method, headers, body, signal, redirect }: Request,
  reach: https.RequestOptions,
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const send = url.startsWith("https:") ? https.request : http.request;
  const options = { ...reach, method, headers: Object.fromEntries(headers), signal, agent: false };
  const sent = send(url, options, (answer) => {
    const { statusCode = 0, headersDistinct } = answer;
    const isRedirect = statusCode >= 300 && statusCode < 400;
    if (isRedirect && redirect !== "manual") {
      answer.destroy();
      return reject(new TypeError(`${url} redirects`));
    }
    const isEmpty = NO_BODY.includes(statusCode) || method === "HEAD";
    if (isEmpty) answer.resume();
    resolve(
      new Response(isEmpty ? null : webStream(answer), {
        status: statusCode,
        headers: pairsOf(headersDistinct),
      }),
    );
  });
  sent.on("error", reject);
  if (body === null) sent.end();
  else {
    const source = Readable.fromWeb(body as NodeStream<Uint8Array>);
    source.on("error", (error) => sent.destroy(error));
    source.pipe(sent);
  }
  return promise;
}

/** The statuses of answers without a body. */
const NO_BODY: readonly number[] = [101, 204, 205, 304];

function pairsOf(headers: NodeJS.Dict<string[]>): [string, string][] {
  return Object.entries(headers).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value])
  );
}

function webStream(from: Readable): ReadableStream<Uint8Array<ArrayBuffer>> {
  return Readable.toWeb(from) as unknown as ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Its events and properties are those of the standard. */
function asStandard(socket: Ws): WebSocket {
  // Without a listener an error would end the program.
  socket.on("error", () => {});
  return socket as unknown as WebSocket;
}

/** Requests that may become WebSockets, with what turns them into one. */
const upgrades = new WeakMap<Request, (protocol: string | undefined) => WebSocket>();

/** The limit of the clients that TrueNAS serves. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

async function serve(at: ServeAt, handler: Handler): Promise<HttpServer> {
  const tls = "tls" in at ? at.tls : undefined;
  const server = tls === undefined ? http.createServer() : https.createServer({ ...tls });
  const base = `${tls === undefined ? "http" : "https"}://localhost`;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  const answer = async (incoming: Request, { socket }: http.IncomingMessage) => {
    try {
      return await handler(incoming, "unixPath" in at ? "" : socket.remoteAddress ?? "");
    } catch {
      return new Response("The server failed", { status: 500 });
    }
  };
  server.on("request", (message, response) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    void answer(requestOf(message, base, gone.signal), message).then((answered) => write(answered, response));
  });
  server.on("upgrade", (message: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => {});
    const incoming = requestOf(message, base);
    let isUpgraded = false;
    upgrades.set(incoming, (protocol) => {
      isUpgraded = true;
      sockets.options.handleProtocols = () => protocol ?? false;
      let opened: Ws | null = null;
      sockets.handleUpgrade(message, socket, head, (it) => opened = it);
      if (opened === null) throw new TypeError("The request is no upgrade to a WebSocket");
      return asStandard(opened);
    });
    void answer(incoming, message).then((answered) => isUpgraded ? undefined : refuse(answered, socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if ("unixPath" in at) server.listen(at.unixPath, resolve);
    else server.listen(at.port, at.hostname, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    shutdown: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function requestOf(message: http.IncomingMessage, base: string, signal: AbortSignal | null = null): Request {
  const { method = "GET", headersDistinct, url = "/" } = message;
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? { body: webStream(message), ...HALF } : {};
  return new Request(new URL(url, base), { method, headers: pairsOf(headersDistinct), signal, ...body });
}

async function write(answered: Response, to: http.ServerResponse): Promise<void> {
  to.writeHead(answered.status, Object.fromEntries(answered.headers));
  try {
    for await (const part of answered.body ?? []) {
      if (!to.write(part)) await new Promise((resolve) => to.once("drain", resolve).once("close", resolve));
      if (to.destroyed) return;
    }
    to.end();
  } catch {
    // What was announced cannot be sent.
    to.destroy();
  }
}

/** The answer to a request for a WebSocket that gets none. */
async function refuse(answered: Response, socket: Duplex): Promise<void> {
  const body = Buffer.from(await answered.arrayBuffer());
  const head = `HTTP/1.1 ${answered.status} ${http.STATUS_CODES[answered.status]}\r\n` +
    [...answered.headers].map(([name, value]) => `${name}: ${value}\r\n`).join("") +
    `content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  socket.end(Buffer.concat([Buffer.from(head), body]));
}
