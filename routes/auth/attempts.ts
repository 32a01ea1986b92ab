/** Limits wrong passwords: per network by refusing, in total by delaying, so that nobody is locked out by others. */
import { setTimeout as sleep } from "node:timers/promises";
import { networkOf } from "../../lib/configuration/environment/ip_addresses.ts";

/** How many wrong passwords are accepted. */
export interface AttemptLimits {
  readonly windowMs: number;
  /** From one network (see `networkOf`) before it has to wait. */
  readonly perNetwork: number;
  /** In total before every attempt is delayed and networks get fewer. */
  readonly total: number;
  /** From one network while the total is exceeded. */
  readonly perNetworkOverTotal: number;
  /** The delay of each attempt while the total is exceeded. */
  readonly delayMs: number;
  /** How many networks are remembered; the one that failed longest ago is dropped first. */
  readonly networks: number;
}

/** Generous for a person who mistypes, tight for a scanner with many addresses. */
export const ATTEMPT_LIMITS: AttemptLimits = {
  windowMs: 5 * 60_000,
  perNetwork: 10,
  total: 100,
  perNetworkOverTotal: 3,
  delayMs: 1_000,
  networks: 10_000,
};

/** What a right password gives, null for a wrong one; or how long to wait until the next attempt is accepted. */
export type Attempted<T> =
  | { readonly right: T | null; readonly wasDelayed: boolean }
  | { readonly waitSeconds: number };

interface Admission {
  /** Seconds until the next attempt is accepted; 0 if this one is. */
  readonly waitSeconds: number;
  /** The delay before this attempt; 0 unless the total is exceeded. */
  readonly delayMs: number;
}

/** How attempts tell the time. */
export interface AttemptClock {
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** Waits for some milliseconds; for tests. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** Counts wrong passwords, per network and in total. */
export class Attempts {
  /** Times of the latest failures of each network, oldest first; the network that failed last is at the end. */
  readonly #failures = new Map<string, number[]>();
  /** Times of the latest failures in total, oldest first. */
  #latest: number[] = [];
  readonly #now: () => number;
  readonly #wait: (ms: number) => Promise<unknown>;

  /** `now` gives milliseconds since 1970 (UTC); `wait` lets some pass. */
  constructor({ now, wait = sleep }: AttemptClock) {
    this.#now = now;
    this.#wait = wait;
  }

  /** Checks what was given at this address, unless its network has to wait. What is wrong counts. */
  async attempt<T>(address: string, check: () => T | null): Promise<Attempted<T>> {
    let { waitSeconds, delayMs } = this.#admit(address);
    if (delayMs > 0) {
      await this.#wait(delayMs);
      // During the delay, other attempts from the same network may have failed.
      ({ waitSeconds } = this.#admit(address));
    }
    if (waitSeconds > 0) return { waitSeconds };
    const right = check();
    if (right === null) this.#failed(address);
    return { right, wasDelayed: delayMs > 0 };
  }

  /** Whether an attempt from this address is accepted. A network without failures is never refused. */
  #admit(address: string): Admission {
    const { windowMs, perNetwork, total, perNetworkOverTotal, delayMs } = ATTEMPT_LIMITS;
    const now = this.#now();
    const network = networkOf(address);
    this.#latest = this.#current(this.#latest);
    const own = this.#current(this.#failures.get(network) ?? []);
    if (own.length > 0) this.#failures.set(network, own);
    const tooMany = this.#latest.length >= total;
    const allowed = tooMany ? perNetworkOverTotal : perNetwork;
    // The failure that must leave the window before another attempt is accepted.
    const blocking = own.at(-allowed);
    if (blocking !== undefined) {
      return { waitSeconds: Math.ceil((blocking + windowMs - now) / 1000), delayMs: 0 };
    }
    return { waitSeconds: 0, delayMs: tooMany ? delayMs : 0 };
  }

  /** Counts a wrong password. */
  #failed(address: string): void {
    const network = networkOf(address);
    const { perNetwork, total, networks } = ATTEMPT_LIMITS;
    const now = this.#now();
    const own = [...this.#current(this.#failures.get(network) ?? []), now].slice(-perNetwork);
    this.#failures.delete(network);
    this.#failures.set(network, own);
    const [first] = this.#failures.keys();
    if (this.#failures.size > networks && first !== undefined) this.#failures.delete(first);
    this.#latest = [...this.#current(this.#latest), now].slice(-total);
  }

  /** Failures within the window. If the clock was set back, later times count as now, so no wait exceeds the window. */
  #current(times: readonly number[]): number[] {
    const now = this.#now();
    return times.map((at) => Math.min(at, now)).filter((at) => now - at < ATTEMPT_LIMITS.windowMs);
  }
}
