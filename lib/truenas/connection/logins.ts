/**
 * The logins of one session: limits their rate, waits for one-time passwords, and keeps the token that replaces the next
 * one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TrueNASError } from "../../errors/errors.ts";
import type { Logger } from "../../observability/logging.ts";
import type { RpcClient } from "../client.ts";
import { connectionError } from "./failures.ts";
import { unlessRefused } from "./session_start.ts";
import { type Credentials, signIn } from "./sign_in.ts";

/** Maximum login rate, below TrueNAS's own limit of 20 per minute and address. */
const LOGINS = { most: 6, withinMs: 60_000 } as const;
/** How long a login waits for its one-time password. */
const OTP_MS = 300_000;
/** Lifetime of an unused token that replaces the next one-time password, in seconds. */
const TOKEN_SECONDS = 3_600;

/** Who signs in, and how. */
export interface LoginOptions extends Pick<Credentials, "address" | "username" | "password" | "apiKey"> {
  /** Asks for a one-time password; default: the session's state reports it, and {@link Logins.submitOtp} supplies it. */
  readonly askOtp?: () => Promise<string>;
  /** Maximum login rate; tests pass another. */
  readonly logins?: { readonly most: number; readonly withinMs: number };
  readonly logger: Logger;
}

/** Signs in; see the comment at the top of this file. */
export class Logins {
  readonly #options: LoginOptions;
  readonly #closed: AbortSignal;
  readonly #onOtp: (error: TrueNASError | null) => void;
  /** Passes the one-time password to the login that waits for it. */
  #enterOtp: ((code: string) => void) | null = null;
  /** Replaces the next one-time password; kept in memory only. */
  #token: string | null = null;
  /** Times of logins, in milliseconds since the process started. */
  #times: number[] = [];

  /** `onOtp` is called with an error while a one-time password is awaited, and with null afterwards. */
  constructor(options: LoginOptions, closed: AbortSignal, onOtp: (error: TrueNASError | null) => void) {
    this.#options = options;
    this.#closed = closed;
    this.#onOtp = onOtp;
  }

  /** Waits until another login is within the rate limit. */
  async ready(): Promise<void> {
    const { address, logins: { most, withinMs } = LOGINS } = this.#options;
    if (address.kind === "unix") return;
    for (;;) {
      const now = performance.now();
      this.#times = this.#times.filter((at) => now - at < withinMs);
      const [oldest] = this.#times;
      if (this.#times.length < most || oldest === undefined) return;
      await sleepUntilAborted(oldest + withinMs - now, this.#closed);
      this.#closed.throwIfAborted();
    }
  }

  /** Signs in and returns the account's roles, or null when they cannot be read. */
  async signIn(client: RpcClient, keyLogin: Credentials["keyLogin"]): Promise<readonly string[] | null> {
    const { askOtp = () => this.#waitForOtp(), logger } = this.#options;
    // Counts only logins that reach the NAS, as TrueNAS does; attempts to reach a NAS that is down are not logins.
    this.#times.push(performance.now());
    const { roles, usedOtp } = await signIn(client, {
      ...this.#options,
      keyLogin,
      token: this.#token,
      askOtp,
    });
    if (usedOtp) {
      const noToken = "The NAS issued no token, so the next login requires a one-time password again";
      const token = client.call("auth.generate_token", [TOKEN_SECONDS]);
      this.#token = await unlessRefused(token, () => logger.warning(noToken));
    }
    return roles;
  }

  /** Supplies the one-time password; returns false when no login waits for one. */
  submitOtp(code: string): boolean {
    const enter = this.#enterOtp;
    enter?.(code);
    return enter !== null;
  }

  /** Waits for the one-time password that a user enters on a page. */
  async #waitForOtp(): Promise<string> {
    const { address, username } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const reason = `the account ${JSON.stringify(username ?? "")} requires a one-time password`;
    const fail = () => reject(connectionError(address, "otp", `${reason}, and none was entered`));
    const timer = setTimeout(fail, OTP_MS);
    this.#closed.addEventListener("abort", fail, { once: true });
    this.#enterOtp = resolve;
    this.#onOtp(connectionError(address, "otp", reason));
    try {
      return await promise;
    } finally {
      this.#enterOtp = null;
      clearTimeout(timer);
      this.#closed.removeEventListener("abort", fail);
      if (!this.#closed.aborted) this.#onOtp(null);
    }
  }
}

/** Waits, but not beyond the abort. */
export async function sleepUntilAborted(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
