/** Sessions of the dashboard, in memory under signed random IDs. */
import { constantTimeEqual, hmacSha256 } from "../../lib/hashes.ts";

/** What a person may do. */
export type Role = "admin" | "viewer";

/** How long sessions last, and how many there can be. */
export interface SessionLimits {
  /** Milliseconds without a request or an open page. */
  readonly idleMs: number;
  /** Milliseconds since the sign-in. */
  readonly absoluteMs: number;
  /** Counted per role, so that viewers cannot push out an administrator. */
  readonly mostPerRole: number;
}

/** At most a working day, or half an hour without activity; enough sessions for a team with several browsers each. */
export const SESSION_LIMITS: SessionLimits = {
  idleMs: 30 * 60_000,
  absoluteMs: 12 * 3_600_000,
  mostPerRole: 250,
};

/** A signed-in browser. */
export interface Session {
  readonly role: Role;
  /** When the person signed in, in milliseconds since 1970 (UTC). */
  readonly since: number;
  /** Aborted when the session ends: by signing out, by timeout, or because there are too many. */
  readonly ended: AbortSignal;
  /** Marks the session as active, as open pages do; ends it if it has expired. */
  readonly use: () => void;
}

interface StoredSession extends Session {
  readonly ending: AbortController;
  lastSeen: number;
}

/** Holds the sessions. The key exists only in memory, so a restart signs everyone out. */
export class Sessions {
  readonly #key = crypto.getRandomValues(new Uint8Array(32));
  /** By ID; the least recently used session of each role is first. */
  readonly #sessions: Readonly<Record<Role, Map<string, StoredSession>>> = {
    admin: new Map(),
    viewer: new Map(),
  };
  readonly #now: () => number;
  readonly #limits: SessionLimits;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(now: () => number, limits: SessionLimits = SESSION_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  /**
   * Starts a session and returns its cookie. If there are too many, the least recently used one of the role ends. `since` is
   * earlier for a person who signed in to set-up.
   */
  start(role: Role, since: number = this.#now()): string {
    const id = crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
    const now = this.#now();
    const ending = new AbortController();
    const use = () => void this.#use(id, role);
    this.#sessions[role].set(id, { role, ended: ending.signal, use, since, ending, lastSeen: now });
    const [longestUnused] = this.#sessions[role].keys();
    if (this.#sessions[role].size > this.#limits.mostPerRole && longestUnused !== undefined) {
      this.#end(longestUnused);
    }
    return `${id}.${this.#sign(id)}`;
  }

  /** The session of a cookie, marked as active; null if it does not exist or has ended. */
  of(cookie: string): Session | null {
    const id = this.#idOf(cookie);
    if (id === null) return null;
    return this.#use(id, "admin") ?? this.#use(id, "viewer");
  }

  /** Ends a session. */
  end(cookie: string): void {
    const id = this.#idOf(cookie);
    if (id !== null) this.#end(id);
  }

  #use(id: string, role: Role): Session | null {
    const sessions = this.#sessions[role];
    const session = sessions.get(id);
    if (session === undefined) return null;
    const now = this.#now();
    const { idleMs, absoluteMs } = this.#limits;
    // If the clock was set back before the sign-in, the session's age is unknown, so it ends.
    if (now - session.lastSeen > idleMs || now - session.since > absoluteMs || now < session.since) {
      this.#end(id);
      return null;
    }
    session.lastSeen = now;
    sessions.delete(id);
    sessions.set(id, session);
    return session;
  }

  #end(id: string): void {
    for (const sessions of Object.values(this.#sessions)) {
      sessions.get(id)?.ending.abort();
      sessions.delete(id);
    }
  }

  #sign(id: string): string {
    return hmacSha256(this.#key, id).toBase64({ alphabet: "base64url", omitPadding: true });
  }

  #idOf(cookie: string): string | null {
    const [id = "", signature = ""] = cookie.split(".");
    return constantTimeEqual(this.#sign(id), signature) ? id : null;
  }
}
