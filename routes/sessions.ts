/** Who is signed in to the dashboard: sessions in memory under signed, random names, and the limits on attempts. */
import { hmacSha256, isSame } from "../lib/hashes.ts";

/** What somebody may do. */
export type Role = "admin" | "viewer";

/** How long a session lives, and how many there are. */
export interface SessionLimits {
  /** Milliseconds without a request. */
  readonly idleMs: number;
  /** Milliseconds from the sign-in. */
  readonly absoluteMs: number;
  readonly most: number;
}

/** A working day at most, half an hour unattended; a team with some tabs each. */
export const SESSION_LIMITS: SessionLimits = { idleMs: 30 * 60_000, absoluteMs: 12 * 3_600_000, most: 500 };

interface Session {
  readonly role: Role;
  readonly since: number;
  lastSeen: number;
}

/** Holds the sessions. The key lives as long as the program: a restart signs everybody out. */
export class Sessions {
  readonly #key = crypto.getRandomValues(new Uint8Array(32));
  readonly #sessions = new Map<string, Session>();
  readonly #now: () => number;
  readonly #limits: SessionLimits;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(now: () => number, limits: SessionLimits = SESSION_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Begins a session; the value of its cookie. The oldest one ends when there are too many. */
  begin(role: Role): string {
    const id = crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
    const now = this.#now();
    this.#sessions.set(id, { role, since: now, lastSeen: now });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > this.#limits.most && oldest !== undefined) this.#sessions.delete(oldest);
    return `${id}.${this.#sign(id)}`;
  }

  /** The role of a cookie's session, or null when there is none, or it has ended. */
  roleOf(cookie: string): Role | null {
    const id = this.#idOf(cookie);
    const session = id === null ? undefined : this.#sessions.get(id);
    if (id === null || session === undefined) return null;
    const now = this.#now();
    const { idleMs, absoluteMs } = this.#limits;
    // A clock that jumps back makes no session younger than its own beginning.
    if (now - session.lastSeen > idleMs || now - session.since > absoluteMs || now < session.since) {
      this.#sessions.delete(id);
      return null;
    }
    session.lastSeen = now;
    return session.role;
  }

  /** Ends a session. */
  end(cookie: string): void {
    const id = this.#idOf(cookie);
    if (id !== null) this.#sessions.delete(id);
  }

  #sign(id: string): string {
    return hmacSha256(this.#key, id).toBase64({ alphabet: "base64url", omitPadding: true });
  }

  #idOf(cookie: string): string | null {
    const [id = "", signature = ""] = cookie.split(".");
    return isSame(this.#sign(id), signature) ? id : null;
  }
}

/** How many wrong passwords may come. */
export interface AttemptLimits {
  readonly windowMs: number;
  readonly perAddress: number;
  readonly inAll: number;
  /** Addresses of a window that the audit log names. */
  readonly noted: number;
}

/** A person mistypes now and then; a scanner does not stop. */
export const ATTEMPT_LIMITS: AttemptLimits = { windowMs: 5 * 60_000, perAddress: 10, inAll: 100, noted: 5 };

/** Counts wrong passwords, by address and in all. */
export class Attempts {
  #failures: { readonly at: number; readonly address: string }[] = [];
  readonly #now: () => number;
  readonly #limits: AttemptLimits;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(now: () => number, limits: AttemptLimits = ATTEMPT_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Seconds until another attempt is taken from this address; 0 when one is taken now. */
  waitSeconds(address: string): number {
    const now = this.#now();
    const { windowMs, perAddress, inAll } = this.#limits;
    this.#failures = this.#failures.filter(({ at }) => now - at < windowMs);
    const own = this.#failures.filter((failure) => failure.address === address);
    const full = own.length >= perAddress ? own : this.#failures.length >= inAll ? this.#failures : [];
    const [oldest] = full;
    return oldest === undefined ? 0 : Math.ceil((oldest.at + windowMs - now) / 1000);
  }

  /** Counts a wrong password; true for the first few of a window that come from somewhere new. */
  failed(address: string): boolean {
    const known = new Set(this.#failures.map((failure) => failure.address));
    this.#failures.push({ at: this.#now(), address });
    return !known.has(address) && known.size < this.#limits.noted;
  }
}
