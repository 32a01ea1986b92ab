/**
 * A session with one NAS: it signs in, keeps the connection alive, and makes a new one when it is lost. Calls made
 * meanwhile wait for it, within limits; what was in flight is rejected with what is known of its outcome.
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
import { notifyEach, runDetached } from "../../command_line/unhandled_errors.ts";
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

/** A connection this long without a message is asked whether it lives; with {@link PING_MS} it is half-open for 15 s at most. */
const QUIET_MS = 10_000;
/** While the NAS runs as many calls as it does at once, a ping waits behind them: patience, in milliseconds. */
const SATURATED_PING_MS = 120_000;
/** Waits between attempts to connect, in milliseconds; each is varied by up to a third, so that clients do not march in step. */
const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** After a refused login: the NAS locks out after 20 logins in 60 s, and trying again does not mend a password. */
const LOGIN_BACKOFF_MS = 60_000;
/** Logins in a minute at most, whatever happens: the NAS itself refuses after 20 from one address. */
const LOGINS = { most: 6, withinMs: 60_000 } as const;
/** A login waits this long for its one-time password. */
const OTP_MS = 300_000;
/** How long a token that spares the next one-time password lives without use, in seconds. */
const TOKEN_SECONDS = 3_600;

/** A token that opens a console is used at once. */
const SHELL_TOKEN_SECONDS = 60;

/** Somebody waits at a page for the console. */
const SHELL_TOKEN_PATIENCE = { connectionWaitMs: 5_000, timeoutMs: 5_000 } as const;

/** How long a call waits for a connection that is being made again. */
export const CONNECTION_WAIT_MS = 30_000;

/** A reading that loses its connection so often is given up. */
const MAX_ATTEMPTS = 5;

/** Trying again soon does not mend these. */
const REFUSED_LOGINS: readonly ConnectionFailure[] = ["login", "expired", "denied", "otp", "rate-limited"];

/** How to reach a NAS and sign in. */
export interface SessionOptions {
  readonly address: NasAddress;
  readonly username: string | null;
  /** For a password login. */
  readonly password: string | null;
  /** Instead of a password. */
  readonly apiKey: string | null;
  /** Extra trusted certificates, PEM. */
  readonly caCerts: readonly string[];
  /** The one certificate that is trusted, by its SHA-256 fingerprint. */
  readonly fingerprint?: string | null;
  /** Where sockets of pinned connections may be made, one each; default anywhere below the system's temporary folder. */
  readonly tunnelSockets?: readonly string[];
  /** Asks for a one-time password; default: the session's state says so, and waits for {@link Session.submitOtp}. */
  readonly askOtp?: () => Promise<string>;
  /** Logins at most within a time; tests give others. */
  readonly logins?: { readonly most: number; readonly withinMs: number };
  readonly guard: WriteGuard;
  /** Told of each call that ended, for the metrics. */
  readonly onCall?: (call: EndedCall) => void;
  /** Blanks out secrets in the NAS's words. */
  readonly redact?: (text: string) => string;
  /** The simulated NAS of the demo. */
  readonly simulated: boolean;
  readonly logger: Logger;
  /** Waits between attempts, in milliseconds; tests give small ones. */
  readonly backoffMs?: readonly number[];
}

interface Live {
  readonly client: RpcClient;
  readonly nas: NasIdentity;
  readonly rules: VersionRules;
}

/** A session; see the file's comment. */
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
  /** Whoever waits for a one-time password. */
  #otp: { readonly resolve: (code: string) => void } | null = null;
  /** Spares the next one-time password; only in memory. */
  #token: string | null = null;
  /** When logins were made, in milliseconds since the process began. */
  #logins: number[] = [];

  /** Nothing is sent before {@link connect}. */
  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Where it stands now. */
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
    // Whoever asks while it is being made waits for the same one: two at once would be two logins.
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
   * The connection that is there, or that is there within `patienceMs`.
   *
   * @throws {TrueNASConnectionError} with what is wrong and its remedy.
   */
  async live(connectionWaitMs: number): Promise<Live> {
    return this.#live ?? await this.#whenLive("Reading the NAS", { connectionWaitMs });
  }

  /** Connects, and goes on trying until it succeeds or the session is closed. Failures are shown in the state. */
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
   * See {@link Caller.call}. Waits up to 30 s for a connection that is being made again. A call that certainly had no
   * effect (a reading, or one that was not sent yet) is made again when the connection is lost under it.
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

  /** Tells of each change of state until the returned function is called. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Tells of each change that the NAS tells of, until the returned function is called. */
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
      onOddFrame: (why) => logger.debug("A frame that is not understood", { why }),
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
    // Only what reaches the NAS counts there: attempts to connect to one that is down are no logins.
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

  /** A person types it on a page: the connection waits for it. */
  async #waitForOtp(): Promise<string> {
    const { address, username } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const said = `the account ${JSON.stringify(username ?? "")} asks for a one-time password`;
    const giveUp = () => reject(connectionError(address, "otp", `${said}, and none was given`));
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
   * Opens a VM's serial console, on a socket of its own.
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

  /** Hands over the one-time password that the NAS waits for; false when it waits for none. */
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
        "The NAS gives no token: the next login asks for a one-time password again",
      );
    }
  }

  /** Waits until one more login stays within the limit. */
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
    const said = `the connection was lost${why}; connecting again`;
    const error = connectionError(this.#options.address, "lost", said);
    this.#options.logger.warning("The connection to the NAS was lost", { code, reason });
    this.#setState({ kind: "reconnecting", error });
    const { logger } = this.#options;
    runDetached(this.#pause(error).then(() => this.keepConnected()), "connecting again", logger);
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

  /** Nobody has asked to connect yet, so there is nothing to wait for. */
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
      client.close("it did not answer a ping");
    }
  }
}

function hadNoEffect(error: unknown): boolean {
  return error instanceof TrueNASConnectionError && error.failure === "lost" && error.outcome === "not-done";
}

/** What is wrong with the connection is told in its own words, with its remedy; nothing was sent. */
function notConnected(what: string, address: NasAddress, state: SessionState): TrueNASConnectionError {
  if (
    (state.kind === "reconnecting" || state.kind === "otp") && state.error instanceof TrueNASConnectionError
  ) {
    const { message, failure, remedy } = state.error;
    return new TrueNASConnectionError(`${what}: ${message}; it was not sent`, {
      failure,
      remedy,
      cause: state.error,
    });
  }
  const why = state.kind === "closed" ? "the session was closed" : "connect first";
  return new TrueNASConnectionError(`${what}: not connected to ${address.url} (${why}); it was not sent`, {
    failure: "closed",
    remedy: "Connect, and try again.",
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
    logger.warning("The account may not read the NAS's release", { error: error.message });
    return null;
  }
}

/** It needs READONLY_ADMIN, which an account that only makes VMs need not have. */
async function readId(client: RpcClient, logger: Logger): Promise<string | null> {
  try {
    return await client.call("system.host_id", []);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    logger.info("The account may not read the NAS's id; MACs are derived from its address", {
      error: error.message,
    });
    return null;
  }
}

/** JSON-RPC's "Method does not exist". */
const METHOD_NOT_FOUND = -32601;

/** TrueNAS's errno for a call that the account's roles do not allow. */
const EACCES = 13;

/** Has the NAS tell of changes; who may not see VMs is told so. */
async function followVms(client: RpcClient, address: NasAddress, username: string | null): Promise<void> {
  try {
    await client.call("core.subscribe", ["vm.query"]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError) || error.refusal.errno !== EACCES) throw error;
    const said = `the account ${JSON.stringify(username ?? "")} may not see VMs`;
    throw connectionError(address, "denied", said, error);
  }
}

/** No event of a VM tells that a device was added to it: the devices have events of their own. */
async function followDevices(client: RpcClient, logger: Logger): Promise<void> {
  try {
    await client.call("core.subscribe", ["vm.device.query"]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
    logger.warning(
      "The NAS does not tell this account of changed devices; the list follows within a minute",
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
    // An account that may not list VMs is connected all the same; the page tells what is missing.
    if (!(error instanceof TrueNASCallError)) throw error;
  }
}

/** The runtime's own words, for the log. */
function causeOf({ cause }: TrueNASError): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  return "said" in cause ? String(cause.said) : cause.message;
}
