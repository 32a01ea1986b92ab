/** Who is signed in to the dashboard: sessions in memory under signed, random names. */
import { constantTimeEqual, hmacSha256 } from "../../lib/hashes.ts";

/** What somebody may do. */
export type Role = "admin" | "viewer";

/** How long a session lives, and how many there are. */
export interface SessionLimits {
  /** Milliseconds without a request or an open page. */
  readonly idleMs: number;
  /** Milliseconds from the sign-in. */
  readonly absoluteMs: number;
  /** Of each role, so that viewers never end an administrator's session. */
  readonly mostPerRole: number;
}

/** A working day at most, half an hour unattended; a team with some browsers each. */
export const SESSION_LIMITS: SessionLimits = {
  idleMs: 30 * 60_000,
  absoluteMs: 12 * 3_600_000,
  mostPerRole: 250,
};

/** Somebody who has signed in. */
export interface Session {
  readonly role: Role;
  /** Aborted when it ends: by signing out, by its time, or because there are too many. */
  readonly ended: AbortSignal;
  /** What is open in the browser counts as use; ends the session when its time is up. */
  readonly use: () => void;
}

interface Held extends Session {
  readonly since: number;
  readonly ending: AbortController;
  lastSeen: number;
}

/** Holds the sessions. The key lives as long as the program: a restart signs everybody out. */
export class Sessions {
  readonly #key = crypto.getRandomValues(new Uint8Array(32));
  /** By id; of each role the one that was not used for longest comes first. */
  readonly #sessions: Readonly<Record<Role, Map<string, Held>>> = { admin: new Map(), viewer: new Map() };
  readonly #now: () => number;
  readonly #limits: SessionLimits;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(now: () => number, limits: SessionLimits = SESSION_LIMITS) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Begins a session; the value of its cookie. The one of its role that was not used for longest ends when there are too many. */
  begin(role: Role): string {
    const id = crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
    const now = this.#now();
    const ending = new AbortController();
    const use = () => void this.#use(id, role);
    this.#sessions[role].set(id, { role, ended: ending.signal, use, since: now, ending, lastSeen: now });
    const [longestUnused] = this.#sessions[role].keys();
    if (this.#sessions[role].size > this.#limits.mostPerRole && longestUnused !== undefined) {
      this.#end(longestUnused);
    }
    return `${id}.${this.#sign(id)}`;
  }

  /** A cookie's session, which is used by that; null when there is none, or it has ended. */
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
    // A clock that jumps back makes no session younger than its own beginning.
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
