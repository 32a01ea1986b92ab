/** Limits on wrong passwords: each network has its own, and one in all slows everybody down and shuts nobody out. */
import { networkOf } from "../../lib/configuration/ip_addresses.ts";

/** How many wrong passwords may come. */
export interface AttemptLimits {
  readonly windowMs: number;
  /** From one network, see `networkOf`; then it has to wait. */
  readonly perNetwork: number;
  /** In all; from then on each attempt is delayed, and a network has fewer. */
  readonly inAll: number;
  /** From one network while there are too many in all. */
  readonly perNetworkWhenMany: number;
  /** How long an attempt is held back while there are too many in all. */
  readonly delayMs: number;
  /** Networks that are remembered; the one that failed longest ago is forgotten first. */
  readonly networks: number;
}

/** A person mistypes now and then; a scanner does not stop, and may have many addresses. */
export const ATTEMPT_LIMITS: AttemptLimits = {
  windowMs: 5 * 60_000,
  perNetwork: 10,
  inAll: 100,
  perNetworkWhenMany: 3,
  delayMs: 1_000,
  networks: 10_000,
};

/** What becomes of an attempt before its password is looked at. */
export interface Admission {
  /** Seconds until another attempt is taken; 0 when this one is. */
  readonly waitSeconds: number;
  /** How long it is held back first, because there are too many in all; otherwise 0. */
  readonly delayMs: number;
}

/** Counts wrong passwords, by network and in all. */
export class Attempts {
  /** Times of the latest failures of each network, oldest first; the network that failed last is at the end. */
  readonly #failures = new Map<string, number[]>();
  /** Times of the latest failures in all, oldest first. */
  #latest: number[] = [];
  readonly #now: () => number;
  readonly #limits: AttemptLimits;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(now: () => number, limits: AttemptLimits = ATTEMPT_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Whether an attempt from this address is taken. One from a network without failures always is. */
  admit(address: string): Admission {
    const { windowMs, perNetwork, inAll, perNetworkWhenMany, delayMs } = this.#limits;
    const now = this.#now();
    const network = networkOf(address);
    this.#latest = this.#current(this.#latest);
    const own = this.#current(this.#failures.get(network) ?? []);
    if (own.length > 0) this.#failures.set(network, own);
    const tooMany = this.#latest.length >= inAll;
    const allowed = tooMany ? perNetworkWhenMany : perNetwork;
    // The one that has to leave the window before there is room for another.
    const hindrance = own.at(-allowed);
    if (hindrance !== undefined) {
      return { waitSeconds: Math.ceil((hindrance + windowMs - now) / 1000), delayMs: 0 };
    }
    return { waitSeconds: 0, delayMs: tooMany ? delayMs : 0 };
  }

  /** Counts a wrong password. */
  failed(address: string): void {
    const network = networkOf(address);
    const { perNetwork, inAll, networks } = this.#limits;
    const now = this.#now();
    const own = [...this.#current(this.#failures.get(network) ?? []), now].slice(-perNetwork);
    this.#failures.delete(network);
    this.#failures.set(network, own);
    const [first] = this.#failures.keys();
    if (this.#failures.size > networks && first !== undefined) this.#failures.delete(first);
    this.#latest = [...this.#current(this.#latest), now].slice(-inAll);
  }

  /** What is within the window. A clock that was set back makes no failure later than now, and no wait longer than the window. */
  #current(times: readonly number[]): number[] {
    const now = this.#now();
    return times.map((at) => Math.min(at, now)).filter((at) => now - at < this.#limits.windowMs);
  }
}
