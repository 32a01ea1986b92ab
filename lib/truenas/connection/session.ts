/**
 * A session with one NAS: signs in, keeps the connection alive and restores it when it is lost. Calls made meanwhile wait,
 * within limits; calls in flight are rejected with their known outcome.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import {
  type ConnectionFailure,
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
} from "../../errors/errors.ts";
import type { NasIdentity } from "../../inventory/inventory.ts";
import type { Logger } from "../../observability/logging.ts";
import type { NasAddress } from "../../configuration/nas_address.ts";
import { notifyEach, runDetached } from "../../errors/unhandled_errors.ts";
import { type Caller, type CallOptions, type EndedCall, RpcClient, type WriteGuard } from "../client.ts";
import { openNas, type OpenOptions, openShell, type SocketEnd } from "./connection.ts";
import { connectionError } from "./failures.ts";
import { type MethodName, type MethodParams, type MethodResult, PING_MS } from "../methods.ts";
import type { CollectionEvent } from "./protocol.ts";
import type { NasConnection, SessionState } from "./nas_connection.ts";
import { enterConsole, type SerialConsole } from "./shell.ts";
import { type Credentials, type SignedIn, signIn } from "./sign_in.ts";
import { missingRoles, type NeededRole } from "../roles.ts";
import { adaptCall, rulesFor, type VersionRules } from "../versions.ts";

/** After this long without a message the connection is pinged, so a half-open one is found within 15 s ({@link PING_MS}). */
const QUIET_MS = 10_000;
/** Ping timeout in milliseconds while the NAS is at its concurrency limit, where pings wait in its queue. */
const SATURATED_PING_MS = 120_000;
/** Delays between connection attempts, in milliseconds, each with up to a third of jitter. */
const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** Delay after a refused login: TrueNAS locks out after 20 logins in 60 s, and a retry does not fix a password. */
const LOGIN_BACKOFF_MS = 60_000;
/** Maximum login rate, below TrueNAS's own limit of 20 per minute and address. */
const LOGINS = { most: 6, withinMs: 60_000 } as const;
/** How long a login waits for its one-time password. */
const OTP_MS = 300_000;
/** Lifetime of an unused token that replaces the next one-time password, in seconds. */
const TOKEN_SECONDS = 3_600;

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
export interface SessionOptions {
  readonly address: NasAddress;
  readonly username: string | null;
  /** For a password login. */
  readonly password: string | null;
  /** Instead of a password. */
  readonly apiKey: string | null;
  /** Additional trusted certificates, PEM. */
  readonly caCerts: readonly string[];
  /** SHA-256 fingerprint of the only trusted certificate. */
  readonly fingerprint?: string | null;
  /** Sockets for pinned connections, one each; default: anywhere in the system's temporary folder. */
  readonly tunnelSockets?: readonly string[];
  /** Asks for a one-time password; default: the state reports it and the session waits for {@link Session.submitOtp}. */
  readonly askOtp?: () => Promise<string>;
  /** Maximum login rate; tests pass another. */
  readonly logins?: { readonly most: number; readonly withinMs: number };
  readonly guard: WriteGuard;
  /** Called after each call, for the metrics. */
  readonly onCall?: (call: EndedCall) => void;
  /** Redacts secrets in TrueNAS's messages. */
  readonly redact?: (text: string) => string;
  /** The simulated NAS of the demo. */
  readonly simulated: boolean;
  readonly logger: Logger;
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
  #state: SessionState = { kind: "connecting" };
  #live: Live | null = null;
  #connecting: Promise<Live> | null = null;
  #pinger: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** The login that waits for a one-time password. */
  #otp: { readonly resolve: (code: string) => void } | null = null;
  /** Replaces the next one-time password; kept in memory only. */
  #token: string | null = null;
  /** Times of logins, in milliseconds since the process started. */
  #logins: number[] = [];

  /** Sends nothing before {@link connect}. */
  constructor(options: SessionOptions) {
    this.#options = options;
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
    if (this.#stop.signal.aborted) {
      live.client.close();
      this.#stop.signal.throwIfAborted();
    }
    this.#live = live;
    this.#failures = 0;
    this.#setState({ kind: "live", nas: live.nas, rules: live.rules });
    this.#schedulePing();
    return live;
  }

  /**
   * Returns the connection, waiting up to `connectionWaitMs` for it.
   *
   * @throws {TrueNASConnectionError} with the failure and its remedy.
   */
  async live(connectionWaitMs: number): Promise<Live> {
    return this.#live ?? await this.#whenLive("Reading the NAS", { connectionWaitMs });
  }

  /** Connects, retrying until it succeeds or the session is closed. Failures appear in the state. */
  async keepConnected(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.connect();
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const shown = error instanceof TrueNASError
          ? error
          : new TrueNASError(reasonOf(error), { cause: error });
        this.#options.logger.warning("Cannot connect to the NAS", {
          error: shown.message,
          cause: causeOf(shown),
        });
        this.#setState({ kind: "reconnecting", error: shown });
        await this.#pause(shown);
      }
    }
  }

  /** Signs out and ends the connection. Calls after this are rejected. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const client = this.#live?.client;
    this.#live = null;
    clearTimeout(this.#pinger);
    try {
      if (client?.isOpen && this.#options.address.kind !== "unix") {
        await client.call("auth.logout", [], { timeoutMs: 2_000, urgent: true });
      }
    } catch (error) {
      this.#options.logger.debug("Signing out failed", { error: String(error) });
    } finally {
      this.#stop.abort(closedError(this.#options.address));
      client?.close();
      this.#setState({ kind: "closed" });
    }
  }

  /**
   * See {@link Caller.call}. Waits up to 30 s for a connection that is being restored. A call that certainly had no effect (a
   * read, or one that was not sent) is retried when the connection is lost.
   */
  async call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: CallOptions = {},
  ): Promise<MethodResult<M>> {
    for (let attempt = 1;; attempt++) {
      const live = this.#live ?? await this.#whenLive(method, options);
      try {
        return await live.client.call(method, params, options);
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !hadNoEffect(error)) throw error;
      }
    }
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

  #setState(state: SessionState): void {
    this.#state = state;
    notifyEach(this.#stateListeners, (listener) => listener(state), this.#options.logger);
  }

  async #open(): Promise<Live> {
    const { address, username, guard, logger } = this.#options;
    await this.#awaitLogin();
    const { signal } = this.#stop;
    const opened = await openNas(address, { ...this.#trust, signal });
    const { socket, protocol, apiVersion, notice, keyLogin } = opened;
    let rules = rulesFor("");
    const client: RpcClient = new RpcClient(socket, {
      guard,
      protocol,
      ...(this.#options.onCall === undefined ? {} : { onCall: this.#options.onCall }),
      ...(this.#options.redact === undefined ? {} : { redact: this.#options.redact }),
      adapt: (method, params) => adaptCall(rules, method, params),
      onEvent: (event) => notifyEach(this.#eventListeners, (listener) => listener(event), logger),
      onOddFrame: (why) => logger.debug("Ignored an unknown frame from the NAS", { why }),
      onEnd: (end) => this.#lost(client, end),
    });
    try {
      const { roles, usedOtp } = await this.#signIn(client, keyLogin);
      const [release, id] = await Promise.all([readRelease(client, logger), readId(client, logger)]);
      rules = rulesFor(release ?? "");
      await expectVmApi(client, address, release);
      await followVms(client, address, username);
      await followDevices(client, logger);
      if (usedOtp) await this.#keepToken(client);
      const { simulated } = this.#options;
      const nas = { host: address.host, id, release, apiVersion, notice, roles, simulated };
      return { client, nas, rules };
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async #signIn(client: RpcClient, keyLogin: Credentials["keyLogin"]): Promise<SignedIn> {
    const { address, username, password, apiKey, askOtp } = this.#options;
    // Counts only logins that reach the NAS, as TrueNAS does; attempts to reach a NAS that is down are not logins.
    this.#logins.push(performance.now());
    return await signIn(client, {
      address,
      username,
      password,
      apiKey,
      keyLogin,
      token: this.#token,
      askOtp: askOtp ?? (() => this.#waitForOtp()),
    });
  }

  /** Waits for the one-time password that a user enters on a page. */
  async #waitForOtp(): Promise<string> {
    const { address, username } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const said = `the account ${JSON.stringify(username ?? "")} requires a one-time password`;
    const giveUp = () => reject(connectionError(address, "otp", `${said}, and none was entered`));
    const timer = setTimeout(giveUp, OTP_MS);
    this.#stop.signal.addEventListener("abort", giveUp, { once: true });
    this.#otp = { resolve };
    this.#setState({ kind: "otp", error: connectionError(address, "otp", said) });
    try {
      return await promise;
    } finally {
      this.#otp = null;
      clearTimeout(timer);
      this.#stop.signal.removeEventListener("abort", giveUp);
      if (!this.#stop.signal.aborted) this.#setState({ kind: "connecting" });
    }
  }

  /**
   * Opens a VM's serial console on its own socket.
   *
   * @throws {TrueNASError} with the NAS's words when it refuses.
   */
  async openSerial(vmId: number): Promise<SerialConsole> {
    const token = await this.call("auth.generate_token", [SHELL_TOKEN_SECONDS], SHELL_TOKEN_PATIENCE);
    const { signal } = this.#stop;
    return await enterConsole(
      await openShell(this.#options.address, { ...this.#trust, signal }),
      token,
      vmId,
    );
  }

  get #trust(): OpenOptions {
    const { caCerts, fingerprint = null, tunnelSockets } = this.#options;
    return { caCerts, fingerprint, ...(tunnelSockets === undefined ? {} : { tunnelSockets }) };
  }

  /** Submits the one-time password that the NAS waits for; returns false when it waits for none. */
  submitOtp(code: string): boolean {
    const waiting = this.#otp;
    waiting?.resolve(code);
    return waiting !== null;
  }

  async #keepToken(client: RpcClient): Promise<void> {
    try {
      this.#token = await client.call("auth.generate_token", [TOKEN_SECONDS]);
    } catch (error) {
      if (!(error instanceof TrueNASCallError)) throw error;
      this.#options.logger.warning(
        "The NAS issued no token, so the next login requires a one-time password again",
      );
    }
  }

  /** Waits until another login is within the rate limit. */
  async #awaitLogin(): Promise<void> {
    if (this.#options.address.kind === "unix") return;
    const { most, withinMs } = this.#options.logins ?? LOGINS;
    for (;;) {
      const now = performance.now();
      this.#logins = this.#logins.filter((at) => now - at < withinMs);
      const [oldest] = this.#logins;
      if (this.#logins.length < most || oldest === undefined) break;
      await this.#sleep(oldest + withinMs - now);
      this.#stop.signal.throwIfAborted();
    }
  }

  #lost(client: RpcClient, { code, reason }: SocketEnd): void {
    if (this.#live?.client !== client || this.#stop.signal.aborted) return;
    clearTimeout(this.#pinger);
    this.#live = null;
    const why = reason === "" ? "" : ` (${reason})`;
    const said = `the connection was lost${why}; reconnecting`;
    const error = connectionError(this.#options.address, "lost", said);
    this.#options.logger.warning("The connection to the NAS was lost", { code, reason });
    this.#setState({ kind: "reconnecting", error });
    const { logger } = this.#options;
    runDetached(this.#pause(error).then(() => this.keepConnected()), "reconnecting", logger);
  }

  async #pause(error: TrueNASError): Promise<void> {
    const backoff = this.#options.backoffMs ?? BACKOFF_MS;
    const wanted = error instanceof TrueNASConnectionError && REFUSED_LOGINS.includes(error.failure)
      ? LOGIN_BACKOFF_MS
      : backoff[Math.min(this.#failures, backoff.length - 1)] ?? LOGIN_BACKOFF_MS;
    this.#failures++;
    await this.#sleep(wanted * (1 - Math.random() / 3));
  }

  /** Waits, or until the session is closed. */
  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const onStop = () => resolve();
    signal.addEventListener("abort", onStop, { once: true });
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", onStop);
  }

  async #whenLive(
    what: string,
    { signal, connectionWaitMs = CONNECTION_WAIT_MS }: CallOptions,
  ): Promise<Live> {
    const { promise, resolve, reject } = Promise.withResolvers<Live>();
    const fail = () => reject(notConnected(what, this.#options.address, this.#state));
    const look = () => {
      if (this.#live !== null) resolve(this.#live);
      else if (this.#state.kind === "closed" || this.#isIdle()) fail();
    };
    const forget = this.onState(look);
    const timer = setTimeout(fail, connectionWaitMs);
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    look();
    try {
      return await promise;
    } finally {
      forget();
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Whether nobody has called connect yet, so that waiting would be pointless. */
  #isIdle(): boolean {
    return this.#state.kind === "connecting" && this.#connecting === null;
  }

  #schedulePing(): void {
    clearTimeout(this.#pinger);
    if (this.#stop.signal.aborted || this.#live === null) return;
    this.#pinger = setTimeout(
      () => runDetached(this.#ping(), "pinging the NAS", this.#options.logger),
      QUIET_MS,
    );
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

function hadNoEffect(error: unknown): boolean {
  return error instanceof TrueNASConnectionError && error.failure === "lost" && error.outcome === "not-done";
}

/** Explains why there is no connection, with the remedy. Nothing was sent. */
function notConnected(what: string, address: NasAddress, state: SessionState): TrueNASConnectionError {
  if (
    (state.kind === "reconnecting" || state.kind === "otp") && state.error instanceof TrueNASConnectionError
  ) {
    const { message, failure, remedy } = state.error;
    return new TrueNASConnectionError(`${what}: ${message}. Nothing was sent`, {
      failure,
      remedy,
      cause: state.error,
    });
  }
  const why = state.kind === "closed" ? "the session was closed" : "connect first";
  return new TrueNASConnectionError(`${what}: not connected to ${address.url} (${why}). Nothing was sent`, {
    failure: "closed",
    remedy: "Connect and try again.",
  });
}

function closedError(address: NasAddress): TrueNASConnectionError {
  return connectionError(address, "closed", "the session was closed");
}

async function readRelease(client: RpcClient, logger: Logger): Promise<string | null> {
  try {
    return await client.call("system.version_short", []);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    logger.warning("The account cannot read the NAS's release", { error: error.message });
    return null;
  }
}

/** Requires READONLY_ADMIN, which an account that only creates VMs may not have. */
async function readId(client: RpcClient, logger: Logger): Promise<string | null> {
  try {
    return await client.call("system.host_id", []);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    logger.info("The account cannot read the NAS's id; MAC addresses are derived from its address", {
      error: error.message,
    });
    return null;
  }
}

/** JSON-RPC's "Method does not exist". */
const METHOD_NOT_FOUND = -32601;

/** TrueNAS's errno for a call that the account's roles do not allow. */
const EACCES = 13;

/** Subscribes to VM events; throws a clear error for an account that cannot see VMs. */
async function followVms(client: RpcClient, address: NasAddress, username: string | null): Promise<void> {
  try {
    await client.call("core.subscribe", ["vm.query"]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError) || error.refusal.errno !== EACCES) throw error;
    const said = `the account ${JSON.stringify(username ?? "")} cannot list VMs`;
    throw connectionError(address, "denied", said, error);
  }
}

/** Subscribes to device events, because VM events do not report added devices. */
async function followDevices(client: RpcClient, logger: Logger): Promise<void> {
  try {
    await client.call("core.subscribe", ["vm.device.query"]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    logger.warning(
      "The NAS does not send device events to this account; the list is refreshed every minute",
      {
        error: error.message,
      },
    );
  }
}

/** TrueNAS 25.04.0 and 25.04.1 have no `vm.*` at all. */
async function expectVmApi(client: RpcClient, address: NasAddress, release: string | null): Promise<void> {
  try {
    await client.call("vm.query", [[["id", "=", -1]]]);
  } catch (error) {
    if (error instanceof TrueNASCallError && error.refusal.code === METHOD_NOT_FOUND) {
      throw connectionError(address, "no-vm-api", `TrueNAS ${release ?? "here"} has no VM API`, error);
    }
    // An account that cannot list VMs stays connected; the page shows the missing roles.
    if (!(error instanceof TrueNASCallError)) throw error;
  }
}

/** The runtime's own message, for the log. */
function causeOf({ cause }: TrueNASError): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return "said" in cause ? String(cause.said) : cause.message;
}
