/** What browsers have entered during set-up: in memory, under random IDs. */
import type { FoundNas } from "../../lib/setup/find_nas.ts";
import type { Account, SignedIn } from "../../lib/setup/sign_in.ts";
import type { DoneProps } from "../../templates/pages/setup/done_page.tsx";
import type { PlaceProps } from "../../templates/pages/setup/place_step.tsx";

/** What one browser has entered. */
export interface SetupSession {
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

/** More than one person's browsers; the oldest one is dropped. */
const MAX_SESSIONS = 20;
const ID_BYTES = 24;

/** Holds what browsers have entered. */
export class SetupSessions {
  readonly #sessions = new Map<string, SetupSession>();
  readonly #start: Pick<SetupSession, "host" | "username" | "method">;

  /** `start` is filled in at first. */
  constructor(start: Pick<SetupSession, "host" | "username" | "method">) {
    this.#start = start;
  }

  /** Starts a session and returns its cookie. */
  start(): { readonly cookie: string; readonly session: SetupSession } {
    const cookie = crypto.getRandomValues(new Uint8Array(ID_BYTES)).toBase64({ alphabet: "base64url" });
    const session = this.blank();
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
  blank(): SetupSession {
    return {
      ...this.#start,
      dashboardPassword: null,
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
