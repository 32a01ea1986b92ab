/** The simulated NAS as a server: what the demo, rehearsals and tests connect to over a real WebSocket. */
import { Connection, type Shared } from "./connection.ts";
import { Faults } from "./faults.ts";
import { addForeignVms } from "./foreign_vms.ts";
import { Nas } from "./nas.ts";
import type { Store } from "./store.ts";
import type { Fault, ReceivedCall, SimulatedTimes, SimulatedVersion, SimulatorOptions } from "./types.ts";

/** Calls remembered for tests; the demo must not grow for ever. */
const MAX_CALLS = 20_000;
/** Calls a minute and method without login. */
const RATE_LIMIT = 20;
const RATE_WINDOW_MS = 60_000;

/** A simulated NAS that is running. */
export interface Simulator extends AsyncDisposable {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly version: SimulatedVersion;
  /** What is on it: to look at, and to put things there. */
  readonly store: Store;
  /** The calls received, oldest first. */
  readonly calls: readonly ReceivedCall[];
  /** Connections open now. */
  readonly connections: number;
  addFault(fault: Fault): void;
  clearFaults(): void;
  setTimes(times: Partial<SimulatedTimes>): void;
  /** Drops every socket without a close frame, as far as possible. */
  cutConnections(): void;
  stop(): Promise<void>;
}

/** Starts a simulated NAS. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const version = options.version ?? "25.10";
  const nas = new Nas(options);
  addForeignVms(nas, options.foreignVms ?? 0);
  const calls: ReceivedCall[] = [];
  const faults = new Faults();
  const shared: Shared = {
    nas,
    faults,
    tokens: new Map(),
    isRateLimited: rateLimiter(),
    record: (call) => {
      calls.push(call);
      if (calls.length > MAX_CALLS) calls.shift();
    },
  };
  const sockets = new Set<WebSocket>();
  const hostname = options.hostname ?? "127.0.0.1";
  const listening = Promise.withResolvers<number>();
  const server = Deno.serve({
    hostname,
    port: options.port ?? 0,
    onListen: ({ port }) => listening.resolve(port),
    onError: () => new Response("The simulated NAS failed", { status: 500 }),
  }, (request, { remoteAddr }) => {
    const loopback = "hostname" in remoteAddr && ["127.0.0.1", "::1"].includes(remoteAddr.hostname);
    return answer(request, shared, sockets, loopback);
  });
  server.finished.catch(listening.reject);
  const port = await listening.promise;
  const stop = async () => {
    nas.halt();
    await closeAll(sockets);
    await server.shutdown();
  };
  return {
    url: `ws://${hostname}:${port}`,
    port,
    version,
    store: nas.store,
    calls,
    get connections() {
      return sockets.size;
    },
    addFault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    setTimes: (times) => {
      nas.times = { ...nas.times, ...times };
    },
    cutConnections: () => {
      for (const socket of sockets) socket.close();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** How long a peer may take to agree to the end; one that is gone never does. */
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
  shared: Shared,
  sockets: Set<WebSocket>,
  secureTransport: boolean,
): Response {
  const { pathname } = new URL(request.url);
  const { apiVersions } = shared.nas.profile;
  if (pathname === "/api/versions") return Response.json(apiVersions);
  if (pathname === "/api/boot_id") return Response.json(shared.nas.store.bootId);
  const isApi = pathname === "/api/current" || apiVersions.some((version) => pathname === `/api/${version}`);
  if (!isApi) return new Response("Not found", { status: 404 });
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response("This is a WebSocket endpoint", { status: 400 });
  }
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  sockets.add(socket);
  const connection = new Connection(
    {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: (code, reason) => socket.close(code, reason),
      cut: () => socket.close(),
    },
    shared,
    secureTransport,
  );
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") connection.receive(data);
    else socket.close(1003);
  };
  socket.onclose = () => {
    sockets.delete(socket);
    connection.ended();
  };
  socket.onerror = () => {};
  return response;
}

function rateLimiter(): (method: string) => boolean {
  const seen = new Map<string, number[]>();
  return (method) => {
    const now = Date.now();
    const recent = (seen.get(method) ?? []).filter((at) => now - at < RATE_WINDOW_MS);
    recent.push(now);
    seen.set(method, recent);
    return recent.length > RATE_LIMIT;
  };
}
