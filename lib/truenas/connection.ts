/**
 * One WebSocket to a NAS: the only place that opens a socket. It turns what the runtime says of a failed connection
 * into what a person can act on.
 */
import { type ConnectionFailure, TrueNASConnectionError } from "../errors.ts";
import type { NasAddress } from "../nas_address.ts";

/** How long a connection may take to open, in milliseconds: a NAS that starts up answers slowly. */
export const OPEN_TIMEOUT_MS = 10_000;

/** Why a socket ended. */
export interface SocketEnd {
  /** The close code; 0 or 1006 when there was no close frame. */
  readonly code: number;
  readonly reason: string;
}

/** An open socket as the client uses it. */
export interface Socket {
  send(text: string): void;
  /** Ends it; `ended` follows at once, because a close handshake with a dead peer may never end. */
  close(): void;
  /** Called with each text message. */
  onMessage: (text: string) => void;
  /** Called once. */
  onEnd: (end: SocketEnd) => void;
}

/** How to open a socket. */
export interface OpenOptions {
  /** Extra trusted certificates, PEM. */
  readonly caCerts?: readonly string[];
  /** Milliseconds; default {@link OPEN_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Opens a socket to the NAS's current API.
 *
 * @throws {TrueNASConnectionError} with the kind of failure and its remedy.
 */
export function openSocket(address: NasAddress, options: OpenOptions = {}): Promise<Socket> {
  const { timeoutMs = OPEN_TIMEOUT_MS, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const client = httpClient(address, options.caCerts ?? []);
  const url = `${address.kind === "unix" ? "ws://localhost" : address.url}/api/current`;
  const socket = client === null ? new WebSocket(url) : new WebSocket(url, { client });
  const giveUp = (error: unknown) => {
    abandon(socket);
    client?.close();
    reject(error);
  };
  const timer = setTimeout(
    () => giveUp(connectionError(address, "timeout", `no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const onAbort = () => giveUp(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const settle = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  socket.onerror = (event) => {
    settle();
    const said = event instanceof ErrorEvent ? event.message : "connection failed";
    giveUp(connectionError(address, classify(said), plainWords(said)));
  };
  socket.onopen = () => {
    settle();
    resolve(wrap(socket, client));
  };
  return promise;
}

function httpClient(address: NasAddress, caCerts: readonly string[]): Deno.HttpClient | null {
  if (address.kind === "unix") {
    return Deno.createHttpClient({ proxy: { transport: "unix", path: address.path } });
  }
  return caCerts.length === 0 ? null : Deno.createHttpClient({ caCerts: [...caCerts] });
}

function wrap(socket: WebSocket, client: Deno.HttpClient | null): Socket {
  let ended = false;
  const end = (how: SocketEnd) => {
    if (ended) return;
    ended = true;
    abandon(socket);
    client?.close();
    wrapped.onEnd(how);
  };
  const wrapped: Socket = {
    send: (text) => socket.send(text),
    close: () => end({ code: 1000, reason: "closed by us" }),
    onMessage: () => {},
    onEnd: () => {},
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") wrapped.onMessage(data);
  };
  socket.onclose = ({ code, reason }) => end({ code, reason });
  socket.onerror = (event) => {
    const said = event instanceof ErrorEvent ? event.message : "connection failed";
    end({ code: 1006, reason: plainWords(said) });
  };
  return wrapped;
}

/** Lets go of a socket without waiting: `close()` can stay in CLOSING for ever when the peer is gone. */
function abandon(socket: WebSocket): void {
  socket.onopen =
    socket.onmessage =
    socket.onclose =
    socket.onerror =
      null;
  socket.onerror = () => {};
  if (socket.readyState <= WebSocket.OPEN) socket.close();
}

/** The runtime's words for each kind of failure (Deno 2.9), by a part of its message. */
const SIGNS: readonly (readonly [RegExp, ConnectionFailure])[] = [
  [/dns error/i, "dns"],
  [/peer certificate|certificate|tls|UnknownIssuer/i, "tls"],
  [/InvalidContentType|corrupt message/i, "not-truenas"],
  [/status code|HTTP version|invalid HTTP/i, "not-truenas"],
  [/tcp connect error|refused|unreachable|No such file/i, "refused"],
];

function classify(said: string): ConnectionFailure {
  return SIGNS.find(([sign]) => sign.test(said))?.[1] ?? "refused";
}

function plainWords(said: string): string {
  return said.replace(/^NetworkError: /, "").replace(/^failed to connect to WebSocket: /, "");
}

const REMEDIES: Readonly<Record<ConnectionFailure, string>> = {
  dns: "Check the name in TRUENAS_HOST, or write the NAS's IP address instead.",
  refused:
    "Check the address and port in TRUENAS_HOST, that the NAS is up, and that no firewall stands between.",
  timeout: "Check the address in TRUENAS_HOST, that the NAS is up, and that no firewall drops the packets.",
  tls:
    "The NAS's certificate is not trusted here: name its CA file in TRUENAS_CA_FILE, and use the name that the " +
    "certificate carries in TRUENAS_HOST.",
  "not-truenas":
    "Something answers there, but not TrueNAS's API: check the port and wss:// or ws:// in TRUENAS_HOST. " +
    "TrueNAS before 25.04 has no such API.",
  "no-vm-api":
    "This release has no VM API: TrueNAS 25.04.0 and 25.04.1 came without it; update to 25.04.2 or later.",
  login: "Check API_USERNAME and API_PASSWORD.",
  lost: "The program connects again by itself as soon as the NAS answers.",
  closed: "Connect again.",
  configuration: "Correct the setting and start again.",
};

/** An error of the given kind with its remedy; `said` is the cause in a few words. */
export function connectionError(
  address: NasAddress,
  failure: ConnectionFailure,
  said: string,
  cause?: unknown,
): TrueNASConnectionError {
  return new TrueNASConnectionError(`Cannot connect to ${address.url}: ${said}`, {
    failure,
    remedy: REMEDIES[failure],
    cause,
  });
}
