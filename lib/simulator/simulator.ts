/** The simulated NAS as a server, for connections of the demo, rehearsals and tests over a real WebSocket. */
import { Connection, type Shared, type Transport } from "./wire/connection.ts";
import { LegacyWire } from "./wire/legacy_wire.ts";
import { Faults } from "./faults.ts";
import { addForeignVms } from "./foreign_vms.ts";
import { Measuring } from "./measuring.ts";
import { Nas } from "./nas.ts";
import type { PortAnswer } from "../first_boot/readiness/probe_port.ts";
import { runtime } from "../runtime/runtime.ts";
import { guestFetch } from "./guests/fetch.ts";
import { Guests } from "./guests/guests.ts";
import { answerAt } from "./guests/ports.ts";
import { Screens } from "./screens/screens.ts";
import { SimulatedShell } from "./wire/shell.ts";
import type { Store } from "./store.ts";
import { answerDownload } from "./upload/download.ts";
import { answerUpload } from "./upload/upload.ts";
import { Tokens } from "./wire/tokens.ts";
import type { Fault, ReceivedCall, SimulatedTimes, SimulatedVersion, SimulatorOptions } from "./types.ts";

export type { Store } from "./store.ts";
export type * from "./types.ts";

/** Number of recorded calls for tests; limited because the demo runs for a long time. */
const MAX_CALLS = 20_000;
/** Calls of each method per minute before login. */
const RATE_LIMIT = 20;
const RATE_WINDOW_MS = 60_000;

/** A running simulated NAS. */
export interface Simulator extends AsyncDisposable {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
  /** The port of {@link Simulator.url}. */
  readonly port: number;
  /** The release that it plays. */
  readonly version: SimulatedVersion;
  /** Its contents, to read and to change. */
  readonly store: Store;
  /** The received calls, oldest first. */
  readonly calls: readonly ReceivedCall[];
  /** Number of open connections. */
  readonly connections: number;
  /** Number of distinct measurements that it makes for subscribers of reporting.realtime. */
  readonly measurements: number;
  /** Listens to what the guest of a VM prints on its serial console, until the returned function is called. */
  onConsole(vm: number, listener: (text: string) => void): () => void;
  /** What somebody in the guests' network would find at an address. */
  portOf(address: string, port: number): PortAnswer;
  /** Disturbs calls from now on. */
  addFault(fault: Fault): void;
  /** Disturbs no more calls. */
  clearFaults(): void;
  /** Changes how long things take. */
  setTimes(times: Partial<SimulatedTimes>): void;
  /** Drops every socket, without a close frame if possible. */
  cutConnections(): void;
  /** Drops every socket and refuses connections, until {@link comeBack}. */
  goAway(): Promise<void>;
  /** Listens again at the same port. After a restart, only VMs with `autostart` run. */
  comeBack(options?: { readonly restarted?: boolean }): Promise<void>;
  /** Ends it, like disposing of it. */
  stop(): Promise<void>;
}

/** Starts a simulated NAS. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const version = options.version ?? "25.10";
  const nas = new Nas(options);
  addForeignVms(nas, options.foreignVms ?? 0);
  const calls: ReceivedCall[] = [];
  const faults = new Faults();
  const { newerApiVersion } = options;
  const shared: Shared & { readonly apiVersions: readonly string[] } = {
    apiVersions: [...nas.profile.apiVersions, ...(newerApiVersion === undefined ? [] : [newerApiVersion])],
    nas,
    faults,
    tokens: new Tokens(),
    measuring: new Measuring(nas),
    isRateLimited: rateLimiter(options.rateWindowMs ?? RATE_WINDOW_MS),
    record: (call) => {
      calls.push(call);
      if (calls.length > MAX_CALLS) calls.shift();
    },
  };
  const sockets = new Set<WebSocket>();
  const hostname = options.hostname ?? "127.0.0.1";
  const { tls, unixPath, answerInstead } = options;
  const listen = (port: number) =>
    runtime.serve({ hostname, port, ...(tls === undefined ? {} : { tls }) }, (request, address) => {
      if (answerInstead !== undefined) return answerInstead();
      const loopback = ["127.0.0.1", "::1"].includes(address);
      return answer(request, shared, sockets, {
        secureTransport: loopback || tls !== undefined,
        root: false,
        address,
      });
    });
  const local = unixPath === undefined ? null : await runtime.serve(
    { unixPath },
    (request) => answer(request, shared, sockets, { secureTransport: true, root: true, address: "" }),
  );
  let server = await listen(options.port ?? 0);
  const { port } = server;
  const screens = options.screens ? new Screens(nas, hostname) : null;
  const guests = options.guests === undefined
    ? null
    : new Guests(nas, guestFetch, options.guests, options.openPort);
  const stop = async () => {
    screens?.stop();
    guests?.stop();
    shared.measuring.stop();
    nas.halt();
    await closeAll(sockets);
    await Promise.all([server.shutdown(), local?.shutdown()]);
  };
  return {
    url: `${tls === undefined ? "ws" : "wss"}://${hostname}:${port}`,
    port,
    version,
    store: nas.store,
    calls,
    get connections() {
      return sockets.size;
    },
    get measurements() {
      return shared.measuring.count;
    },
    onConsole: (vm, listener) => nas.consoles.onText(vm, listener),
    portOf: (address, port) => answerAt(nas.store, address, port),
    addFault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    setTimes: (times) => {
      nas.times = { ...nas.times, ...times };
    },
    cutConnections: () => {
      for (const socket of sockets) socket.close();
    },
    goAway: async () => {
      // Refuses new connections first, because a client connects again at once.
      const ended = server.shutdown();
      await closeAll(sockets);
      await ended;
    },
    comeBack: async ({ restarted = false } = {}) => {
      if (restarted) nas.restart();
      if (restarted) guests?.follow();
      server = await listen(port);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** How long a peer has to confirm the close, in milliseconds; a lost one never does. */
const CLOSE_MS = 1_000;

async function closeAll(sockets: ReadonlySet<WebSocket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CLOSE_MS);
  const closed = [...sockets].map((socket) =>
    new Promise((end) => socket.addEventListener("close", end, { once: true }))
  );
  for (const socket of sockets) socket.close();
  await Promise.race([Promise.all(closed), promise]);
  clearTimeout(timer);
}

function answer(
  request: Request,
  shared: Shared & { readonly apiVersions: readonly string[] },
  sockets: Set<WebSocket>,
  transport: Transport,
): Response | Promise<Response> {
  const { pathname } = new URL(request.url);
  const { apiVersions } = shared;
  const hasVersions = apiVersions.length > 0;
  if (hasVersions && pathname === "/api/versions") return Response.json(apiVersions);
  // The middleware's own socket serves no files.
  if (!transport.root && /^\/_upload\/?$/.test(pathname) && request.method === "POST") {
    return answerUpload(request, shared, transport);
  }
  if (!transport.root && pathname.startsWith("/_download/")) {
    return answerDownload(request, shared, transport.address);
  }
  const isLegacy = pathname === "/websocket";
  const isShell = pathname === "/websocket/shell";
  const isApi = hasVersions && ["current", ...apiVersions].some((version) => pathname === `/api/${version}`);
  if (!isApi && !isLegacy && !isShell) return new Response("Not found", { status: 404 });
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response("This is a WebSocket endpoint", { status: 400 });
  }
  const { socket, response } = runtime.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.binaryType = "arraybuffer";
  sockets.add(socket);
  const peer = isShell ? serveShell(socket, shared) : serveApi(socket, shared, { ...transport, isLegacy });
  socket.onmessage = ({ data }) => peer.receive(typeof data === "string" ? data : new Uint8Array(data));
  socket.onclose = () => {
    sockets.delete(socket);
    peer.ended();
  };
  socket.onerror = () => {};
  return response;
}

/** Handles the messages of one socket. */
interface ServedSocket {
  receive(data: string | Uint8Array<ArrayBuffer>): void;
  ended(): void;
}

function serveApi(
  socket: WebSocket,
  shared: Shared,
  { isLegacy, ...transport }: Transport & { readonly isLegacy: boolean },
): ServedSocket {
  const wire = {
    send: (text: string) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: (code: number, reason: string) => socket.close(code, reason),
    cut: () => socket.close(),
  };
  const legacy = isLegacy ? new LegacyWire(wire, shared.nas.profile.answersPing) : null;
  const connection = new Connection(legacy?.wire ?? wire, shared, transport);
  if (legacy !== null) legacy.inner = connection;
  return {
    receive: (data) => {
      if (typeof data === "string") (legacy ?? connection).receive(data);
      else socket.close(1003);
    },
    ended: () => connection.ended(),
  };
}

function serveShell(socket: WebSocket, { nas, tokens }: Shared): ServedSocket {
  const wire = {
    send: (data: string | Uint8Array<ArrayBuffer>) =>
      socket.readyState === WebSocket.OPEN && socket.send(data),
    close: () => socket.close(1000),
  };
  return new SimulatedShell(nas, wire, tokens);
}

function rateLimiter(windowMs: number): (method: string) => boolean {
  const seen = new Map<string, number[]>();
  return (method) => {
    const now = Date.now();
    const recent = (seen.get(method) ?? []).filter((at) => now - at < windowMs);
    recent.push(now);
    seen.set(method, recent);
    return recent.length > RATE_LIMIT;
  };
}
