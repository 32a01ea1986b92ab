/**
 * Hands a signed-in browser over to the part of the program that starts in place of this one, so that the same password is
 * not asked for twice: a random token in a cookie, which works once and for a minute. The parts tell each other its hash only.
 */
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { constantTimeEqual, sha256Hex } from "../../lib/hashes.ts";
import type { AppContext } from "../server/context.ts";
import { cookieName, cookieOptions } from "./cookies.ts";
import type { Trust } from "./origin.ts";

/** What the next part needs to recognise the browser. */
export interface HandOver {
  /** Of the token. */
  readonly hash: string;
  /** When it expires, in milliseconds since 1970 (UTC). */
  readonly until: number;
  /** When its administrator signed in, because the maximum age of a session counts from then. */
  readonly since: number;
}

/** The next part is loaded before this one ends, so it is there in seconds. */
export const HAND_OVER_SECONDS = 60;
const TOKEN_BYTES = 32;
const COOKIE = "vm-manager-hand-over";

interface HandOverOptions {
  readonly access: Trust;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** Issues tokens, one for each session: a form that is sent twice gets the same one. */
export class HandOverIssuer {
  readonly #options: HandOverOptions;
  readonly #issued = new WeakMap<object, { readonly token: string; readonly handOver: HandOver }>();

  /** Has issued none yet. */
  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Sets the cookie of a browser whose administrator signed in at `since`. */
  issue(c: AppContext, session: object, since: number): HandOver {
    const { access, now } = this.#options;
    const issued = this.#issued.get(session) ?? newToken({ since, now: now() });
    this.#issued.set(session, issued);
    setCookie(c, cookieName(c, access, COOKIE), issued.token, {
      ...cookieOptions(c, access),
      maxAge: HAND_OVER_SECONDS,
    });
    return issued.handOver;
  }
}

function newToken({ since, now }: { since: number; now: number }) {
  const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  return { token, handOver: { hash: sha256Hex(token), until: now + HAND_OVER_SECONDS * 1_000, since } };
}

/** Redeems the token that the earlier part issued. */
export class HandOverTaker {
  readonly #options: HandOverOptions;
  #open: HandOver | null;

  /** `handOver` is null when nobody was handed over. */
  constructor(options: HandOverOptions, handOver: HandOver | null) {
    this.#options = options;
    this.#open = handOver;
  }

  /** When the administrator of this browser signed in; null if the token is not the right one, was used or has expired. */
  take(c: AppContext): number | null {
    const { access, now } = this.#options;
    const name = cookieName(c, access, COOKIE);
    const token = getCookie(c, name);
    // The script of the opening page sends HEAD to learn whether this part answers.
    if (token === undefined || c.req.method !== "GET") return null;
    deleteCookie(c, name, cookieOptions(c, access));
    const open = this.#open;
    if (open === null || !constantTimeEqual(open.hash, sha256Hex(token))) return null;
    this.#open = null;
    const at = now();
    // A clock that was set back says nothing about the token's age.
    return at < open.until && at >= open.until - HAND_OVER_SECONDS * 1_000 ? open.since : null;
  }
}
