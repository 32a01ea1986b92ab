/** What a request carries from the first middleware to its route: its id, its nonce, and who sent it. */
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { SecureHeadersVariables } from "hono/secure-headers";
import type { Actor } from "../../lib/operations/types.ts";
import type { Role, Session } from "../auth/sessions.ts";

/** Who sent a request. */
export interface Sender {
  readonly role: Role;
  /** The address. */
  readonly from: string;
  /** null without a sign-in: nobody is asked, or a script gave the password with the request. */
  readonly session: Session | null;
}

/** The variables of every request. */
export interface AppEnv {
  Variables: RequestIdVariables & SecureHeadersVariables & {
    /** Set by the guard; undefined for whoever has not signed in. */
    sender: Sender | undefined;
  };
}

/** A request of this app, and its answer. */
export type AppContext = Context<AppEnv>;

/** The session that a request belongs to, with which what it opens has to end. */
export function sessionOf(c: AppContext): Session | null {
  return c.get("sender")?.session ?? null;
}

/** Whether whoever sent a request may change anything. */
export function mayChange(c: AppContext): boolean {
  return c.get("sender")?.role === "admin";
}

/** Whether somebody is known to have sent a request: without a password everybody who reaches the dashboard is. */
export function isSignedIn(c: AppContext): boolean {
  return c.get("sender") !== undefined;
}

/** Who sent a request, for the audit log. */
export function actorOf(c: AppContext): Actor {
  const sender = c.get("sender");
  const request = c.get("requestId");
  return sender === undefined ? { who: "nobody", request } : { who: sender.role, from: sender.from, request };
}
