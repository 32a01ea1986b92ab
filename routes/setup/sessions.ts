/** What browsers have entered during set-up: in memory, under random IDs. */
import type { EnvFile } from "../../lib/configuration/environment/environment.ts";
import type { FoundNas } from "../../lib/setup/find_nas.ts";
import type { Account, SignedIn } from "../../lib/setup/sign_in.ts";
import type { DoneProps } from "../../templates/pages/setup/done_page.tsx";
import type { PlaceProps } from "../../templates/pages/setup/place_step.tsx";

/** What one browser has entered. */
export interface SetupSession {
  /** When the browser passed the gate, in milliseconds since 1970 (UTC). */
  readonly since: number;
  /** The new password of the dashboard; null if none is needed or none was set. */
  dashboardPassword: string | null;
  /** As typed. */
  host: string;
  found: FoundNas | null;
  /** Whether a person has accepted the certificate, or nobody has to. */
  isTrusted: boolean;
  /** What was typed last, without the secret. */
  username: string;
  method: Account["method"];
  /** The account that waits for its one-time password. */
  waiting: Account | null;
  signedIn: SignedIn | null;
  /** Whether the person goes on although roles are missing. */
  acceptsRights: boolean;
  places: PlaceProps | null;
  /** For the example VM type. */
  bridge: string | null;
  done: Omit<DoneProps, "frame" | "problems"> | null;
}

/** A connection that was stored, whichever browser did it. */
export interface Finished {
  /** What was stored. */
  readonly settings: EnvFile;
  /** The name or address of the NAS. */
  readonly host: string;
  readonly username: string;
  readonly method: Account["method"];
  /** The new password of the dashboard; null if none was set. */
  readonly dashboardPassword: string | null;
}

/** More than one person's browsers; the oldest one is dropped. */
const MAX_SESSIONS = 20;
const ID_BYTES = 24;

/** Holds what browsers have entered. */
export class SetupSessions {
  readonly #sessions = new Map<string, SetupSession>();
  readonly #start: Pick<SetupSession, "host" | "username" | "method">;
  #finished: Finished | null = null;

  /** `start` is filled in at first. */
  constructor(start: Pick<SetupSession, "host" | "username" | "method">) {
    this.#start = start;
  }

  /** What was stored last; null until set-up is finished in some browser. */
  get finished(): Finished | null {
    return this.#finished;
  }

  /** A browser has finished set-up; the others see it. */
  finish(finished: Finished): void {
    this.#finished = finished;
  }

  /** Starts a session and returns its cookie. */
  start(since: number): { readonly cookie: string; readonly session: SetupSession } {
    const cookie = crypto.getRandomValues(new Uint8Array(ID_BYTES)).toBase64({ alphabet: "base64url" });
    const session = this.blank(since);
    this.#sessions.set(cookie, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) void this.#drop(oldest);
    return { cookie, session };
  }

  /** The session of a cookie; null if there is none. */
  of(cookie: string): SetupSession | null {
    return this.#sessions.get(cookie) ?? null;
  }

  /** A session in which nothing was entered. */
  blank(since: number): SetupSession {
    const { settings, username, method, dashboardPassword } = this.#finished ?? {};
    return {
      since,
      ...this.#start,
      ...(settings === undefined ? {} : { host: settings["TRUENAS_HOST"] ?? "" }),
      ...(username === undefined ? {} : { username }),
      ...(method === undefined ? {} : { method }),
      dashboardPassword: dashboardPassword ?? null,
      found: null,
      isTrusted: false,
      waiting: null,
      signedIn: null,
      acceptsRights: false,
      places: null,
      bridge: null,
      done: null,
    };
  }

  /** Signs out of every NAS. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((cookie) => this.#drop(cookie)));
  }

  async #drop(cookie: string): Promise<void> {
    const session = this.#sessions.get(cookie);
    this.#sessions.delete(cookie);
    await session?.signedIn?.close();
  }
}

/** Forgets the account, because its secret is for another NAS or certificate. */
export async function forgetAccount(session: SetupSession): Promise<void> {
  const { signedIn } = session;
  session.waiting = null;
  session.signedIn = null;
  session.acceptsRights = false;
  session.places = null;
  await signedIn?.close();
}
