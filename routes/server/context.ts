/** The context variables of a request: its ID, its nonce, and who sent it. */
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { SecureHeadersVariables } from "hono/secure-headers";
import type { Actor } from "../../lib/operations/types.ts";
import type { Role, Session } from "../auth/sessions.ts";

/** Who sent a request. */
export interface Sender {
  readonly role: Role;
  readonly from: string;
  /** The name with which a proxy signed the sender in; null if none did. */
  readonly name: string | null;
  /** Null if no password is needed, or if a script sent it with the request. */
  readonly session: Session | null;
}

/** The variables of every request. */
export interface AppEnv {
  Variables: RequestIdVariables & SecureHeadersVariables & {
    /** Set by the guard; undefined if nobody has signed in. */
    sender: Sender | undefined;
  };
}

/** Hono's context, with this app's variables. */
export type AppContext = Context<AppEnv>;

/** The session of a request; streams and consoles end with it. */
export function sessionOf(c: AppContext): Session | null {
  return c.get("sender")?.session ?? null;
}

/** Whether the sender may make changes. */
export function mayChange(c: AppContext): boolean {
  return c.get("sender")?.role === "admin";
}

/** Whether the sender is signed in; without a password, everybody is. */
export function isSignedIn(c: AppContext): boolean {
  return c.get("sender") !== undefined;
}

/** Who sent a request, for the audit log. */
export function actorOf(c: AppContext): Actor {
  const sender = c.get("sender");
  const request = c.get("requestId");
  return sender === undefined
    ? { who: "nobody", request }
    : { who: sender.name ?? sender.role, from: sender.from, request };
}
