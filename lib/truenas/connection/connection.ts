/**
 * One WebSocket to a NAS. Nothing else opens one. Detects the protocol, and turns the runtime's connection errors into
 * messages with a remedy.
 */
import type { NasAddress } from "../../configuration/environment/nas_address.ts";
import { fetchCertificate, openPinnedTunnel, type PinnedTunnel, type TlsPeer } from "./certificate.ts";
import { classify, connectionError, isAboutCertificate, REMEDIES, wordsFor } from "./failures.ts";
import { TrueNASConnectionError, TrueNASError } from "../../errors/errors.ts";
import { LEGACY_PROTOCOL } from "./legacy_protocol.ts";
import { JSON_RPC, type Protocol } from "./protocol.ts";
import { SHELL_PATH, type ShellSocket } from "./shell.ts";
import { runtime } from "../../runtime/runtime.ts";
import type { Client } from "../../runtime/types.ts";
import { type ApiChoice, chooseApi } from "../versions.ts";

/** Timeout for opening a connection, in milliseconds; a booting NAS answers slowly. */
export const OPEN_TIMEOUT_MS = 10_000;

/** Why a socket closed. */
export interface SocketEnd {
  /** The close code; 0 or 1006 without a close frame. */
  readonly code: number;
  readonly reason: string;
}

/** An open socket, as the client uses it. */
export interface Socket {
  send(text: string): void;
  /** Closes it; `onEnd` is called immediately, because a close handshake with a dead peer may never finish. */
  close(reason?: string): void;
  /** Called with each text message. */
  onMessage: (text: string) => void;
  /** Called once. */
  onEnd: (end: SocketEnd) => void;
}

/** Options for opening a socket. */
export interface OpenOptions {
  /** Additional trusted certificates, PEM. */
  readonly caCerts?: readonly string[];
  /** SHA-256 fingerprint of the only trusted certificate, whoever signed it. */
  readonly fingerprint?: string | null;
  /** Sockets for pinned connections, one each; default: anywhere in the system's temporary folder. */
  readonly tunnelSockets?: readonly string[];
  /** Milliseconds; default {@link OPEN_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A NAS that answered, and its protocol. */
export interface OpenNas {
  readonly socket: Socket;
  readonly protocol: Protocol;
  /** API version in the path: `v25.10.5`, `current`, or `legacy`. */
  readonly apiVersion: string;
  /** A warning about the version, or null. */
  readonly notice: string | null;
  /** How this NAS authenticates API keys. */
  readonly keyLogin: ApiChoice["keyLogin"];
}

/** The transport to the NAS for both HTTP and WebSocket. */
interface Transport {
  readonly client: Client;
  /** `ws://nas.lan`, without a path. */
  readonly base: string;
  readonly tunnel: PinnedTunnel | null;
  readonly close: () => void;
}

/**
 * Opens a socket to the newest API version that both sides support.
 *
 * @throws {TrueNASConnectionError} with the kind of failure and its remedy.
 */
export async function openNas(address: NasAddress, options: OpenOptions = {}): Promise<OpenNas> {
  const transport = await makeTransport(address, options);
  try {
    return await openWith(transport, options);
  } catch (error) {
    transport.close();
    throw await explain(error, address, transport);
  }
}

async function openWith(transport: Transport, options: OpenOptions): Promise<OpenNas> {
  const listed = await readApiVersions(transport, options);
  const { apiVersion, notice, keyLogin } = chooseApi(listed ?? []);
  const path = apiVersion === "current" ? JSON_RPC.path : `/api/${apiVersion}`;
  try {
    const socket = await openSocket(transport, path, options);
    return { socket, protocol: JSON_RPC, apiVersion, notice, keyLogin };
  } catch (error) {
    // A NAS that lists no versions may be 24.x, which has only the legacy protocol.
    if (listed !== null || !(error instanceof OpenError) || classify(error.message) !== "not-truenas") {
      throw error;
    }
  }
  const socket = await openSocket(transport, LEGACY_PROTOCOL.path, options);
  await sayHello(socket, LEGACY_PROTOCOL, options);
  return { socket, protocol: LEGACY_PROTOCOL, apiVersion: "legacy", notice: null, keyLogin: "plain" };
}

/** The runtime's error for a failed connection. */
class OpenError extends Error {
  override readonly name = "OpenError";
  /** A clearer explanation than the runtime's, where there is one. */
  readonly words: string | null;

  constructor(message: string, { words = null, cause }: { words?: string | null; cause?: unknown } = {}) {
    super(message, { cause });
    this.words = words;
  }
}

/** No answer arrived in time. */
class OpenTimeout extends Error {
  override readonly name = "OpenTimeout";

  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

async function makeTransport(
  address: NasAddress,
  { caCerts = [], fingerprint, tunnelSockets }: OpenOptions,
): Promise<Transport> {
  const tunnel = fingerprint && address.kind === "wss"
    ? await openPinnedTunnel(peerOf(address.url), fingerprint, tunnelSockets)
    : null;
  const path = address.kind === "unix" ? address.path : tunnel?.path;
  const client = runtime.client(path === undefined ? { caCerts } : { unixPath: path });
  const base = tunnel === null ? address.url : `ws://${new URL(address.url).host}`;
  const close = () => {
    client.close();
    tunnel?.close();
  };
  return { client, base: address.kind === "unix" ? "ws://localhost" : base, tunnel, close };
}

const TLS_PORT = 443;

/** The TLS server that a `wss://` URL leads to. */
export function peerOf(url: string): TlsPeer {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? TLS_PORT : Number(port) };
}

/** Statuses of a web server that gets no answer from what is behind it. */
const GATEWAY_ERRORS: readonly number[] = [502, 503, 504];

/** The API versions the NAS lists, oldest first; null when it lists none (24.x, or not TrueNAS). */
async function readApiVersions(
  { client, base }: Transport,
  { timeoutMs = OPEN_TIMEOUT_MS, signal }: OpenOptions,
): Promise<readonly string[] | null> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signals = signal === undefined ? [timeout] : [timeout, signal];
  let response: Response;
  try {
    response = await client.fetch(`${base.replace(/^ws/, "http")}/api/versions`, {
      redirect: "manual",
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (timeout.aborted) throw new OpenTimeout(timeoutMs);
    throw new OpenError(messagesOf(error), { cause: error });
  }
  const text = await response.text().catch(() => "");
  const location = response.headers.get("location") ?? "";
  if (response.status >= 300 && response.status < 400 && location.startsWith("https:")) {
    const words = "the NAS redirects to HTTPS; use wss:// in TRUENAS_HOST";
    throw new OpenError(`HTTP version: redirected to ${location}`, { words });
  }
  // The NAS's web server is there before the middleware behind it, and stays when that restarts.
  if (GATEWAY_ERRORS.includes(response.status)) {
    throw new OpenError(`Invalid status code: ${response.status}`);
  }
  return response.ok ? versionsIn(text) : null;
}

function versionsIn(text: string): readonly string[] | null {
  try {
    const value: unknown = JSON.parse(text);
    const all = Array.isArray(value) && value.length > 0 && value.every((it) => typeof it === "string");
    return all ? value : null;
  } catch {
    return null;
  }
}

/**
 * Opens the NAS's shell WebSocket.
 *
 * @throws {TrueNASConnectionError} with the kind of failure and its remedy.
 */
export async function openShell(address: NasAddress, options: OpenOptions = {}): Promise<ShellSocket> {
  const transport = await makeTransport(address, options);
  let socket: WebSocket;
  try {
    socket = await openWebSocket(transport, SHELL_PATH, options);
  } catch (error) {
    transport.close();
    throw await explain(error, address, transport);
  }
  socket.binaryType = "arraybuffer";
  const end = endOnce(socket, transport, () => shell.onEnd());
  const shell: ShellSocket = {
    send: (data) => socket.readyState === WebSocket.OPEN && socket.send(data),
    close: () => end({ code: 1000, reason: "" }),
    onData: () => {},
    onEnd: () => {},
  };
  socket.onmessage = ({ data }) => shell.onData(typeof data === "string" ? data : new Uint8Array(data));
  return shell;
}

/** A request of the NAS's web server. */
export interface NasRequest<T> {
  /** Begins with a slash. */
  readonly path: string;
  readonly init: RequestInit;
  /** The time for the request and its whole answer; a NAS that lost power would never end the connection. */
  readonly timeoutMs: number;
  /** Reads the answer; the connection is closed afterwards. */
  readonly read: (response: Response) => Promise<T>;
}

/**
 * Makes one request of the NAS's web server, which takes and gives files.
 *
 * @throws {TrueNASConnectionError} when the connection cannot be made or breaks; the request may have had an effect.
 */
export async function requestNas<T>(
  address: NasAddress,
  { path, init, timeoutMs, read }: NasRequest<T>,
  options: OpenOptions = {},
): Promise<T> {
  const transport = await makeTransport(address, options);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([timeout, ...(init.signal ? [init.signal] : [])]);
  try {
    const url = `${transport.base.replace(/^ws/, "http")}${path}`;
    return await read(await transport.client.fetch(url, { ...init, signal, redirect: "manual" }));
  } catch (error) {
    if (error instanceof TrueNASError || init.signal?.aborted) throw error;
    const message = timeout.aborted
      ? `The NAS did not answer within ${Math.round(timeoutMs / 1000)} s`
      : `The connection to the NAS broke: ${messagesOf(error)}`;
    throw new TrueNASConnectionError(message, {
      failure: "lost",
      remedy: REMEDIES.lost,
      outcome: "unknown",
      cause: error,
    });
  } finally {
    transport.close();
  }
}

/** What the runtime says of a failed socket. */
function messageOf(event: Event): string | null {
  return "message" in event && typeof event.message === "string" ? event.message : null;
}

/** Opens a WebSocket within the timeout. */
function openWebSocket(transport: Transport, path: string, options: OpenOptions): Promise<WebSocket> {
  const { timeoutMs = OPEN_TIMEOUT_MS, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const socket = transport.client.webSocket(`${transport.base}${path}`);
  const settle = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  const fail = (error: unknown) => {
    settle();
    abandon(socket);
    reject(error);
  };
  const timer = setTimeout(() => fail(new OpenTimeout(timeoutMs)), timeoutMs);
  const onAbort = () => fail(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  socket.onerror = (event) => fail(new OpenError(messageOf(event) ?? "it failed"));
  socket.onopen = () => {
    settle();
    resolve(socket);
  };
  return promise;
}

/** The legacy protocol requires a `connect` message before the first call. */
async function sayHello(socket: Socket, protocol: Protocol, options: OpenOptions): Promise<void> {
  const { hello } = protocol;
  if (hello === null) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { timeoutMs = OPEN_TIMEOUT_MS } = options;
  const timer = setTimeout(() => reject(new OpenTimeout(timeoutMs)), timeoutMs);
  socket.onMessage = (text) => {
    if (hello.isAnswer(text)) resolve();
  };
  socket.onEnd = ({ reason, code }) => reject(new OpenError(`HTTP version: ${reason || `code ${code}`}`));
  socket.send(hello.send);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function openSocket(transport: Transport, path: string, options: OpenOptions): Promise<Socket> {
  const socket = await openWebSocket(transport, path, options);
  const end = endOnce(socket, transport, (how) => wrapped.onEnd(how));
  const wrapped: Socket = {
    send: (text) => socket.send(text),
    close: (reason = "closed by this program") => end({ code: 1000, reason }),
    onMessage: () => {},
    onEnd: () => {},
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return;
    if (data.length <= MAX_MESSAGE_CHARS) return wrapped.onMessage(data);
    const megabytes = Math.round(data.length / 1_000_000);
    end({ code: 1009, reason: `the NAS sent a message of ${megabytes} MB, which exceeds the limit` });
  };
  return wrapped;
}

/** Returns the function that ends a socket; whoever ends it, `onEnd` is called once. */
function endOnce(
  socket: WebSocket,
  transport: Transport,
  onEnd: (how: SocketEnd) => void,
): (how: SocketEnd) => void {
  let ended = false;
  const end = (how: SocketEnd) => {
    if (ended) return;
    ended = true;
    abandon(socket);
    transport.close();
    onEnd(how);
  };
  socket.onclose = ({ code, reason }) => end({ code, reason });
  socket.onerror = (event) => {
    const message = messageOf(event) ?? "connection failed";
    end({ code: 1006, reason: wordsFor("lost", message) });
  };
  return end;
}

/** 5,000 VMs with their devices take about 15 million characters; more is an error or an attack. */
const MAX_MESSAGE_CHARS = 32_000_000;

/** Drops a socket without waiting, because `close()` can stay in CLOSING forever when the peer is gone. */
function abandon(socket: WebSocket): void {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.onerror = () => {};
  if (socket.readyState <= WebSocket.OPEN) socket.close();
}

/** The messages of an error and its causes. The runtime names addresses, whose queries hold tokens. */
function messagesOf(error: unknown): string {
  const messages: string[] = [];
  for (let it = error; it instanceof Error && messages.length < 5; it = it.cause) messages.push(it.message);
  const text = messages.length === 0 ? String(error) : messages.join(": ");
  return text.replaceAll(/(\w+:\/\/[^\s?)]*)\?[^\s)]*/g, "$1");
}

/** Explains a failure with its remedy; for an untrusted certificate, fetches its fingerprint. */
async function explain(error: unknown, address: NasAddress, { tunnel }: Transport): Promise<unknown> {
  if (error instanceof OpenTimeout) return connectionError(address, "timeout", error.message, error);
  if (!(error instanceof OpenError)) return error;
  const other = tunnel?.mismatch() ?? null;
  if (other !== null) {
    const words =
      `the server's certificate does not match the pinned one; its fingerprint is ${other.fingerprint} (${other.subject}, valid to ${other.validTo})`;
    return connectionError(address, "tls-pin-mismatch", words, error);
  }
  // The runtime sees only the tunnel's socket, which accepts every connection.
  const unreachable = tunnel?.unreachable() ?? null;
  if (unreachable !== null) {
    const failure = classify(unreachable.message);
    return connectionError(address, failure, wordsFor(failure, unreachable.message), unreachable);
  }
  const failure = classify(error.message);
  const words = error.words ?? wordsFor(failure, error.message);
  const facts = isAboutCertificate(failure) ? await fetchCertificate(peerOf(address.url)) : null;
  if (facts === null) return connectionError(address, failure, words, error);
  const about = `${words}. The certificate is ${facts.subject}, ` +
    `valid from ${facts.validFrom} to ${facts.validTo}, with the SHA-256 fingerprint ${facts.fingerprint}`;
  const { message, remedy } = connectionError(address, failure, about, error);
  return new TrueNASConnectionError(message, {
    failure,
    remedy: `${remedy} Add: TRUENAS_CERT_FINGERPRINT=${facts.fingerprint}`,
    cause: error,
  });
}
