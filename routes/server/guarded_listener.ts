/**
 * The listening socket: the runtime's server, behind an accept loop of our own that limits connections. The runtime's
 * own loop has no limit on connections or on half-sent requests, and takes none for good once the operating system's
 * limit on open files is reached. Bytes pass unread, so TLS, HTTP/2 and WebSockets are the server's.
 */
import type { Logger } from "../../lib/observability/logging.ts";
import { runDetached } from "../../lib/command_line/unhandled_errors.ts";

/** Certificate and key, both PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

/** What a handler is told of a request beside the request. */
export interface RequestInfo {
  readonly remoteAddr: { readonly hostname: string };
}

/** What listens. */
export interface ListenerOptions {
  readonly hostname: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Where the server itself listens, on loopback; it answers nobody but the accept loop. */
  readonly innerPort: number;
  readonly tls: Tls | null;
  readonly maxConnections: number;
  /** Addresses of many people, such as a trusted proxy's. */
  readonly isShared: (address: string) => boolean;
  readonly handler: (request: Request, info: RequestInfo) => Response | Promise<Response>;
  readonly logger: Logger;
}

/** A socket that listens. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections, and resolves when requests that came are answered. */
  readonly close: () => Promise<void>;
}

/** How long a connection may take to send its first request. */
const FIRST_REQUEST_MS = 10_000;
/** A connection without a request, on which nothing was sent for so long, may be closed for another one. */
const QUIET_MS = 45_000;
/** And is closed after this. Streams send something every few seconds. */
const MAX_QUIET_MS = 120_000;
/** Of all connections, what one address may have. */
const ADDRESS_SHARE = 3 / 4;
const SWEEP_MS = 1_000;
/** How long the last bytes of answers may take when the program ends. */
const CLOSE_MS = 1_000;
/** After a refusal of the operating system. */
const PAUSE_MS = 50;
const LOOPBACK = "127.0.0.1";

interface Connection {
  readonly address: string;
  readonly client: Deno.Conn;
  readonly openedAt: number;
  /** The way to the server, once it is open. */
  server: Deno.TcpConn | null;
  /** Requests that have no answer yet. */
  requests: number;
  hasRequested: boolean;
  sentAt: number;
}

/** Those that are open, oldest first. */
class Connections {
  readonly #open = new Set<Connection>();
  /** By the port from which the server sees them. */
  readonly #byPort = new Map<number, Connection>();
  #empty: PromiseWithResolvers<void> | null = null;

  get all(): Connection[] {
    return [...this.#open];
  }

  add(connection: Connection): void {
    this.#open.add(connection);
  }

  has(connection: Connection): boolean {
    return this.#open.has(connection);
  }

  connect(connection: Connection, server: Deno.TcpConn): void {
    connection.server = server;
    this.#byPort.set(server.localAddr.port, connection);
  }

  seenFrom(port: number): Connection | undefined {
    return this.#byPort.get(port);
  }

  close(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    const { client, server } = connection;
    if (server !== null) this.#byPort.delete(server.localAddr.port);
    client.close();
    server?.close();
    if (this.#open.size === 0) this.#empty?.resolve();
  }

  /** Resolves when none is open. */
  async whenEmpty(): Promise<void> {
    if (this.#open.size === 0) return;
    this.#empty = Promise.withResolvers();
    await this.#empty.promise;
  }

  /** Closes the oldest of these that is idle; false when none is. */
  closeOldest(connections: readonly Connection[]): boolean {
    const oldest = connections.find(isIdle);
    if (oldest !== undefined) this.close(oldest);
    return oldest !== undefined;
  }

  /** Closes what has had its time. */
  sweep(): void {
    const now = performance.now();
    for (const connection of this.#open) {
      const { requests, hasRequested, openedAt, sentAt } = connection;
      const isSlow = !hasRequested && now - openedAt > FIRST_REQUEST_MS;
      if (requests === 0 && (isSlow || now - sentAt > MAX_QUIET_MS)) this.close(connection);
    }
  }
}

/** Listens; throws as `Deno.listen` and `Deno.serve` do. */
export function listen(options: ListenerOptions): Listener {
  const { hostname, port, innerPort, tls, handler, logger } = options;
  const connections = new Connections();
  const answer: Deno.ServeHandler<Deno.NetAddr> = async (request, { remoteAddr }) => {
    const connection = connections.seenFrom(remoteAddr.port);
    // Somebody on this machine has come past the accept loop: who that is, nobody could tell.
    if (connection === undefined) return new Response(null, { status: 403 });
    connection.requests++;
    connection.hasRequested = true;
    try {
      return await handler(request, { remoteAddr: { hostname: connection.address } });
    } finally {
      connection.requests--;
      connection.sentAt = performance.now();
    }
  };
  const serve = () => Deno.serve({ ...tls, hostname: LOOPBACK, port: innerPort, onListen: () => {} }, answer);
  let server = serve();
  let isClosing = false;
  const keepServing = async () => {
    for (;;) {
      await server.finished.catch((error) => logger.warning("The server ended", { error: String(error) }));
      if (isClosing) return;
      await pause();
      server = serve();
    }
  };
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname, port });
  } catch (error) {
    isClosing = true;
    runDetached(server.shutdown(), "closing the server", logger);
    throw error;
  }
  const sweeper = setInterval(() => connections.sweep(), SWEEP_MS);
  runDetached(keepServing(), "serving", logger);
  runDetached(acceptAll(listener, connections, options), "accepting connections", logger);
  return {
    port: listener.addr.port,
    close: async () => {
      isClosing = true;
      listener.close();
      clearInterval(sweeper);
      for (const connection of connections.all.filter(({ hasRequested }) => !hasRequested)) {
        connections.close(connection);
      }
      await server.shutdown();
      // What the server wrote last is still on its way to the clients.
      const late = setTimeout(() => {
        for (const connection of connections.all) connections.close(connection);
      }, CLOSE_MS);
      await connections.whenEmpty();
      clearTimeout(late);
    },
  };
}

async function acceptAll(
  listener: Deno.TcpListener,
  connections: Connections,
  options: ListenerOptions,
): Promise<void> {
  for (;;) {
    try {
      const client = await listener.accept();
      runDetached(carry(client, connections, options), "carrying a connection", options.logger);
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      // Too many open files, or a client that has gone: the next one is accepted as soon as that is possible.
      options.logger.warning("A connection could not be accepted", { error: String(error) });
      connections.closeOldest(connections.all);
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

async function carry(
  client: Deno.TcpConn,
  connections: Connections,
  { innerPort, maxConnections, isShared, tls }: ListenerOptions,
): Promise<void> {
  const { hostname: address } = client.remoteAddr;
  const { all } = connections;
  const same = isShared(address) ? [] : all.filter((it) => it.address === address);
  const most = Math.max(1, Math.floor(maxConnections * ADDRESS_SHARE));
  const isRoom = (same.length < most || connections.closeOldest(same)) &&
    (connections.all.length < maxConnections || connections.closeOldest(connections.all));
  if (!isRoom) return client.close();
  const now = performance.now();
  const connection: Connection = {
    address,
    client,
    openedAt: now,
    server: null,
    requests: 0,
    hasRequested: false,
    sentAt: now,
  };
  connections.add(connection);
  try {
    const head = await readHead(client, tls !== null);
    if (head === null || !connections.has(connection)) return;
    const server = await Deno.connect({ hostname: LOOPBACK, port: innerPort });
    if (!connections.has(connection)) return server.close();
    connections.connect(connection, server);
    await writeAll(server, head);
    await Promise.race([
      copy(client, server, () => {}),
      copy(server, client, () => connection.sentAt = performance.now()),
    ]);
  } catch {
    // The client has gone, or the connection was closed to make room for another.
  } finally {
    connections.close(connection);
  }
}

/** Headers are a few kilobytes; the server refuses more than this. */
const MAX_HEAD_BYTES = 65_536;

/**
 * What comes first: the head of a request, or the beginning of TLS. Whoever sends none takes nothing of the server.
 * Null when the client has gone before.
 */
async function readHead(client: Deno.Conn, isTls: boolean): Promise<Uint8Array | null> {
  let head = new Uint8Array(0);
  const buffer = new Uint8Array(16_384);
  for (;;) {
    const count = await client.read(buffer);
    if (count === null) return null;
    const longer = new Uint8Array(head.length + count);
    longer.set(head);
    longer.set(buffer.subarray(0, count), head.length);
    head = longer;
    if (isTls || head.length > MAX_HEAD_BYTES || latin1.decode(head).includes("\r\n\r\n")) return head;
  }
}

const latin1 = new TextDecoder("latin1");

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/** Until the source ends, or either of them is closed. */
async function copy(from: Deno.Conn, to: Deno.Conn, onBytes: () => void): Promise<void> {
  const buffer = new Uint8Array(16_384);
  for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
    onBytes();
    await writeAll(to, buffer.subarray(0, count));
  }
}

function isIdle({ requests, hasRequested, sentAt }: Connection): boolean {
  return requests === 0 && (!hasRequested || performance.now() - sentAt > QUIET_MS);
}
