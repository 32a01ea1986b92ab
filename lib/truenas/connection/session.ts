/**
 * A session with one NAS: signs in, keeps the connection alive and restores it when it is lost. Calls made meanwhile wait,
 * within limits; calls in flight are rejected with their known outcome.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import {
  AnotherNasError,
  type ConnectionFailure,
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
} from "../../errors/errors.ts";
import type { NasIdentity } from "../../inventory/inventory.ts";
import type { NasAddress } from "../../configuration/environment/nas_address.ts";
import { notifyEach, runDetached } from "../../errors/unhandled_errors.ts";
import { type Caller, type CallOptions, type EndedCall, RpcClient, type WriteGuard } from "../client.ts";
import { openNas, type OpenOptions, openShell, type SocketEnd } from "./connection.ts";
import { connectionError } from "./failures.ts";
import type { MethodName, MethodParams, MethodResult } from "../method_types.ts";
import { PING_MS } from "../methods.ts";
import type { CollectionEvent } from "./protocol.ts";
import { type NasFiles, nasFiles } from "./nas_files.ts";
import type { NasConnection, SessionState } from "./nas_connection.ts";
import { readIdentity, requireVmApi, subscribe } from "./session_start.ts";
import { enterConsole, type SerialConsole } from "./shell.ts";
import { type LoginOptions, Logins, sleepUntilAborted } from "./logins.ts";
import { type CheckedRole, checkedRoles, missingRoles, type NeededRole } from "../roles.ts";
import { adaptCall, rulesFor, type VersionRules } from "../versions.ts";

/** After this long without a message the connection is pinged, so a half-open one is found within 15 s ({@link PING_MS}). */
const QUIET_MS = 10_000;
/** Ping timeout in milliseconds while the NAS is at its concurrency limit, where pings wait in its queue. */
const SATURATED_PING_MS = 120_000;
/** Delays between connection attempts, in milliseconds, each with up to a third of jitter. */
const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** Delay after a refused login: TrueNAS locks out after 20 logins in 60 s, and a retry does not fix a password. */
const LOGIN_BACKOFF_MS = 60_000;
/** Lifetime of the token that opens a console, which is used immediately. */
const SHELL_TOKEN_SECONDS = 60;
/** Short, because somebody is waiting for the console. */
const SHELL_TOKEN_PATIENCE = { connectionWaitMs: 5_000, timeoutMs: 5_000 } as const;
/** How long a call waits for a connection that is being restored. */
export const CONNECTION_WAIT_MS = 30_000;
/** A read is retried this many times when the connection is lost. */
const MAX_ATTEMPTS = 5;

/** Failures that an immediate retry does not fix. */
const REFUSED_LOGINS: readonly ConnectionFailure[] = ["login", "expired", "denied", "otp", "rate-limited"];

/** How to reach a NAS and sign in. */
export interface SessionOptions
  extends LoginOptions, Pick<OpenOptions, "caCerts" | "fingerprint" | "tunnelSockets"> {
  readonly guard: WriteGuard;
  /** Called after each call, for the metrics. */
  readonly onCall?: (call: EndedCall) => void;
  /** Redacts secrets in TrueNAS's messages. */
  readonly redact?: (text: string) => string;
  /** The simulated NAS of the demo. */
  readonly simulated: boolean;
  /** Delays between attempts, in milliseconds; tests pass small ones. */
  readonly backoffMs?: readonly number[];
}

interface Live {
  readonly client: RpcClient;
  readonly nas: NasIdentity;
  readonly rules: VersionRules;
}

/** A session; see the comment at the top of this file. */
export class Session implements Caller, NasConnection {
  readonly #options: SessionOptions;
  readonly #stop = new AbortController();
  readonly #stateListeners = new Set<(state: SessionState) => void>();
  readonly #eventListeners = new Set<(event: CollectionEvent) => void>();
  readonly #unsubscribedListeners = new Set<(collection: string) => void>();
  #state: SessionState = { kind: "connecting" };
  #live: Live | null = null;
  #connecting: Promise<Live> | null = null;
  #pinger: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  readonly #logins: Logins;

  /** Sends nothing before {@link connect}. */
  constructor(options: SessionOptions) {
    this.#options = options;
    this.#logins = new Logins(options, this.#stop.signal, (error) => {
      this.#setState(error === null ? { kind: "connecting" } : { kind: "otp", error });
    });
  }

  /** The current state. */
  get state(): SessionState {
    return this.#state;
  }

  /** See {@link NasConnection.address}. */
  get address(): string {
    return this.#options.address.url;
  }

  /** See {@link NasConnection.missingRoles}. */
  get missingRoles(): readonly NeededRole[] {
    return this.#state.kind === "live" ? missingRoles(this.#state.nas.roles) : [];
  }

  /** See {@link NasConnection.neededRoles}. */
  get neededRoles(): readonly CheckedRole[] {
    return checkedRoles(this.#state.kind === "live" ? this.#state.nas.roles : null);
  }

  /** See {@link NasConnection.canReset}. */
  get canReset(): boolean {
    return this.#state.kind !== "live" || this.#state.rules.canReset;
  }

  /**
   * Connects and signs in once.
   *
   * @throws {TrueNASConnectionError} with the kind of failure and its remedy.
   */
  async connect(): Promise<Live> {
    if (this.#live !== null) return this.#live;
    this.#stop.signal.throwIfAborted();
    // Concurrent callers share one attempt, because two would be two logins.
    return await (this.#connecting ??= this.#connectOnce().finally(() => this.#connecting = null));
  }

  async #connectOnce(): Promise<Live> {
    const live = await this.#open();
    if (this.#stop.signal.aborted) live.client.close();
    this.#stop.signal.throwIfAborted();
    this.#live = live;
    this.#failures = 0;
    this.#setState({ kind: "live", nas: live.nas, rules: live.rules });
    this.#schedulePing();
    return live;
  }

  /** Connects, retrying until it succeeds or the session is closed. Failures appear in the state. */
  async keepConnected(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.connect();
        return;
      } catch (thrown) {
        if (this.#stop.signal.aborted) return;
        const error = thrown instanceof TrueNASError
          ? thrown
          : new TrueNASError(reasonOf(thrown), { cause: thrown });
        const cause = error.cause instanceof Error ? error.cause.message : undefined;
        this.#options.logger.warning("Cannot connect to the NAS", { error: error.message, cause });
        this.#setState({ kind: "reconnecting", error });
        await this.#backOff(error);
      }
    }
  }

  /** Signs out and ends the connection. Calls after this are rejected. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { address, logger } = this.#options;
    const client = this.#live?.client;
    this.#live = null;
    clearTimeout(this.#pinger);
    try {
      if (client?.isOpen && address.kind !== "unix") {
        await client.call("auth.logout", [], { timeoutMs: 2_000, urgent: true });
      }
    } catch (error) {
      logger.debug("Signing out failed", { error: String(error) });
    } finally {
      this.#stop.abort(connectionError(address, "closed", "the session was closed"));
      client?.close();
      this.#setState({ kind: "closed" });
    }
  }

  /**
   * Returns the connection, waiting up to `connectionWaitMs` for it.
   *
   * @throws {TrueNASConnectionError} with the failure and its remedy.
   */
  async live(connectionWaitMs: number): Promise<Live> {
    return this.#live ?? await this.#whenLive("Reading the NAS", { connectionWaitMs });
  }

  /**
   * See {@link Caller.call}. Waits up to 30 s for a connection that is being restored. A call that certainly had no effect (a
   * read, or one that was not sent) is retried when the connection is lost.
   *
   * @throws {AnotherNasError} when the address leads to another NAS now; nothing was sent.
   */
  async call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: CallOptions = {},
  ): Promise<MethodResult<M>> {
    for (let attempt = 1;; attempt++) {
      const live = this.#live ?? await this.#whenLive(method, options);
      expectSameNas(method, live.nas, options);
      try {
        return await live.client.call(method, params, options);
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !hadNoEffect(error)) throw error;
      }
    }
  }

  /**
   * Opens a VM's serial console on its own socket.
   *
   * @throws {TrueNASError} with the NAS's words when it refuses.
   */
  async openSerial(vmId: number): Promise<SerialConsole> {
    const token = await this.call("auth.generate_token", [SHELL_TOKEN_SECONDS], SHELL_TOKEN_PATIENCE);
    return await enterConsole(await openShell(this.#options.address, this.#openOptions), token, vmId);
  }

  /** The NAS's files over its web server; null over its own socket, where it has none. */
  get files(): NasFiles | null {
    const { address, guard } = this.#options;
    return address.kind === "unix" ? null : nasFiles({ address, open: this.#openOptions, guard });
  }

  /** Whether this program runs on the NAS itself, because it reaches it over its own socket. */
  get isLocal(): boolean {
    return this.#options.address.kind === "unix";
  }

  /** Submits the one-time password that the NAS waits for; returns false when it waits for none. */
  submitOtp(code: string): boolean {
    return this.#logins.submitOtp(code);
  }

  /** Calls the listener on each state change until the returned function is called. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Calls the listener on each change event until the returned function is called. */
  onEvent(listener: (event: CollectionEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Calls the listener with the name of the events whenever the NAS ends a subscription, until the returned function is called. */
  onUnsubscribed(listener: (collection: string) => void): () => void {
    this.#unsubscribedListeners.add(listener);
    return () => this.#unsubscribedListeners.delete(listener);
  }

  #setState(state: SessionState): void {
    this.#state = state;
    notifyEach(this.#stateListeners, (listener) => listener(state), this.#options.logger);
  }

  get #openOptions(): OpenOptions {
    const { caCerts, fingerprint, tunnelSockets } = this.#options;
    return { caCerts, fingerprint, tunnelSockets, signal: this.#stop.signal };
  }

  async #open(): Promise<Live> {
    const { address, username, guard, logger, onCall, redact, simulated } = this.#options;
    await this.#logins.ready();
    const { socket, protocol, apiVersion, notice, keyLogin } = await openNas(address, this.#openOptions);
    let rules = rulesFor("");
    const client: RpcClient = new RpcClient(socket, {
      guard,
      protocol,
      onCall,
      redact,
      adapt: (method, params) => adaptCall(rules, method, params),
      onEvent: (event) => notifyEach(this.#eventListeners, (listener) => listener(event), logger),
      onUnsubscribed: (collection) => {
        logger.debug("The NAS ended a subscription", { collection });
        notifyEach(this.#unsubscribedListeners, (listener) => listener(collection), logger);
      },
      onOddFrame: (why) => logger.debug("Ignored an unknown frame from the NAS", { why }),
      onEnd: (end) => this.#lost(client, end),
    });
    try {
      const roles = await this.#logins.signIn(client, keyLogin);
      const { id, release, bootId } = await readIdentity(client, logger);
      rules = rulesFor(release ?? "");
      await requireVmApi(client, address, release);
      await subscribe(client, { address, username, logger });
      return {
        client,
        rules,
        nas: { host: address.host, id, release, bootId, apiVersion, notice, roles, simulated },
      };
    } catch (error) {
      client.close();
      throw error;
    }
  }

  #lost(client: RpcClient, { code, reason }: SocketEnd): void {
    if (this.#live?.client !== client || this.#stop.signal.aborted) return;
    const { address, logger } = this.#options;
    clearTimeout(this.#pinger);
    this.#live = null;
    const why = reason === "" ? "" : ` (${reason})`;
    const error = connectionError(address, "lost", `the connection was lost${why}; reconnecting`);
    logger.warning("The connection to the NAS was lost", { code, reason });
    this.#setState({ kind: "reconnecting", error });
    runDetached(this.#backOff(error).then(() => this.keepConnected()), "reconnecting", logger);
  }

  async #backOff(error: TrueNASError): Promise<void> {
    const { backoffMs = BACKOFF_MS } = this.#options;
    const isRefused = error instanceof TrueNASConnectionError && REFUSED_LOGINS.includes(error.failure);
    const delayMs = isRefused ? undefined : backoffMs[Math.min(this.#failures, backoffMs.length - 1)];
    this.#failures++;
    const jittered = (delayMs ?? LOGIN_BACKOFF_MS) * (1 - Math.random() / 3);
    await sleepUntilAborted(jittered, this.#stop.signal);
  }

  async #whenLive(
    what: string,
    { signal, connectionWaitMs = CONNECTION_WAIT_MS }: CallOptions,
  ): Promise<Live> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Live>();
    const fail = () => reject(notConnected(what, this.#options.address, this.#state));
    const check = () => {
      // Waiting is pointless when nobody has called connect.
      const isIdle = this.#state.kind === "connecting" && this.#connecting === null;
      if (this.#live !== null) resolve(this.#live);
      else if (this.#state.kind === "closed" || isIdle) fail();
    };
    const forget = this.onState(check);
    const timer = setTimeout(fail, connectionWaitMs);
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    check();
    try {
      return await promise;
    } finally {
      forget();
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #schedulePing(): void {
    clearTimeout(this.#pinger);
    if (this.#stop.signal.aborted || this.#live === null) return;
    const { logger } = this.#options;
    this.#pinger = setTimeout(() => runDetached(this.#ping(), "pinging the NAS", logger), QUIET_MS);
  }

  async #ping(): Promise<void> {
    const client = this.#live?.client;
    if (client === undefined) return;
    try {
      const timeoutMs = client.isSaturated ? SATURATED_PING_MS : PING_MS;
      await client.call("core.ping", [], { urgent: true, timeoutMs });
      this.#schedulePing();
    } catch (error) {
      if (error instanceof TrueNASCallError) return this.#schedulePing();
      client.close("the NAS did not answer a ping");
    }
  }
}

/** An account that cannot read the id is not checked. */
function expectSameNas(method: string, { id, host }: NasIdentity, { nasId = null }: CallOptions): void {
  if (nasId === null || id === null || id === nasId) return;
  throw new AnotherNasError(`${host} is another NAS now than when this began. ${method} was not sent`, {
    method,
  });
}

function hadNoEffect(error: unknown): boolean {
  return error instanceof TrueNASConnectionError && error.failure === "lost" && error.outcome === "not-done";
}

/** Explains why there is no connection, with the remedy. Nothing was sent. */
function notConnected(what: string, address: NasAddress, state: SessionState): TrueNASConnectionError {
  const cause = "error" in state ? state.error : null;
  if (cause instanceof TrueNASConnectionError) {
    const { message, failure, remedy } = cause;
    return new TrueNASConnectionError(`${what}: ${message}. Nothing was sent`, { failure, remedy, cause });
  }
  const why = state.kind === "closed" ? "the session was closed" : "connect first";
  return new TrueNASConnectionError(`${what}: not connected to ${address.url} (${why}). Nothing was sent`, {
    failure: "closed",
    remedy: "Connect and try again.",
  });
}
