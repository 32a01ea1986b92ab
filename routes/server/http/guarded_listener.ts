/**
 * The listening socket: an accept loop that limits connections, in front of the runtime's server. The runtime's own loop
 * limits neither connections nor half-sent requests, and stops accepting forever once the limit on open files is reached.
 * Bytes pass through unread, so TLS, HTTP/2 and WebSockets are left to the server.
 */
import type { Logger } from "../../../lib/observability/logging.ts";
import { runDetached } from "../../../lib/errors/unhandled_errors.ts";

/** Certificate and key, both PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

/** What a handler gets besides the request. */
export interface RequestInfo {
  readonly remoteAddr: { readonly hostname: string };
}

/** Options of the listener. */
export interface ListenerOptions {
  readonly hostname: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** The inner server's loopback port; it answers only the accept loop. */
  readonly innerPort: number;
  readonly tls: Tls | null;
  readonly maxConnections: number;
  /** Whether many people share an address, such as a trusted proxy's. */
  readonly isShared: (address: string) => boolean;
  readonly handler: (request: Request, info: RequestInfo) => Response | Promise<Response>;
  readonly logger: Logger;
}

/** A listening socket. */
export interface Listener {
  readonly port: number;
  /** Accepts no more connections and resolves when all received requests are answered. */
  readonly close: () => Promise<void>;
}

/** How long a connection may take to send its first request. */
const FIRST_REQUEST_MS = 10_000;
/** A connection idle for this long may be closed to make room for another. */
const QUIET_MS = 45_000;
/** A connection idle for this long is closed. Streams send heartbeats, so they are never idle. */
const MAX_QUIET_MS = 120_000;
/** The share of all connections that one address may have. */
const ADDRESS_SHARE = 3 / 4;
const SWEEP_MS = 1_000;
/** How long the last responses may take when the program ends. */
const CLOSE_MS = 1_000;
/** Pause after the operating system refused a connection. */
const PAUSE_MS = 50;
const LOOPBACK = "127.0.0.1";

interface Connection {
  readonly address: string;
  readonly client: Deno.Conn;
  readonly openedAt: number;
  /** The connection to the inner server, once open. */
  server: Deno.TcpConn | null;
  /** Requests not answered yet. */
  requests: number;
  hasRequested: boolean;
  sentAt: number;
}

/** The open connections, oldest first. */
class Connections {
  readonly #open = new Set<Connection>();
  /** By their port as the inner server sees it. */
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

  /** Resolves when all connections are closed. */
  async whenEmpty(): Promise<void> {
    if (this.#open.size === 0) return;
    this.#empty = Promise.withResolvers();
    await this.#empty.promise;
  }

  /** Closes the oldest idle connection of these; false if none is idle. */
  closeOldest(connections: readonly Connection[]): boolean {
    const oldest = connections.find(isIdle);
    if (oldest !== undefined) this.close(oldest);
    return oldest !== undefined;
  }

  /** Closes connections that are too slow or idle for too long. */
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
    // A local process bypassed the accept loop, so the client's address is unknown.
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
      await server.finished.catch((error) =>
        logger.warning("The inner server stopped", { error: String(error) })
      );
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
      // The last responses may still be on their way to the clients.
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
      // Too many open files, or the client has disconnected. Accepting resumes after a pause.
      options.logger.warning("Cannot accept a connection", { error: String(error) });
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
    // The client disconnected, or the connection was closed to make room for another.
  } finally {
    connections.close(connection);
  }
}

/** The server refuses longer headers itself. */
const MAX_HEAD_BYTES = 65_536;

/**
 * Reads the head of a request, or the first bytes of TLS. A client that sends neither never reaches the inner server.
 * Null if the client disconnects first.
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

/** Copies until the source ends or either side is closed. */
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
