/** What every route works with, and the few things that all of them do with it. */
import type { Child } from "hono/jsx";
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import type { Logger } from "../../lib/observability/logging.ts";
import type { Metrics } from "../../lib/observability/metrics.ts";
import { VERSION } from "../../lib/version.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { assetUrls } from "./assets.ts";
import type { Trust } from "../auth/origin.ts";
import { pageOf } from "./page_of.ts";
import { type AppContext, mayChange } from "./context.ts";
import type { OneTimeTokens } from "../auth/tokens.ts";
import type { ConnectionView } from "../../templates/parts/connection.tsx";
import type { PageFrame } from "../../templates/layout.tsx";

/** The passwords, and how requests come: over TLS the cookie never goes without. */
export interface AccessOptions extends Trust {
  /** May do everything; null: nobody is asked. */
  readonly password: string | null;
  /** May see. */
  readonly viewerPassword: string | null;
  /** Host names that requests may name, beside addresses and this machine's own names. */
  readonly allowedHosts: readonly string[];
}

/** The dashboard's parts. */
export interface Dashboard {
  readonly manager: VMManager;
  /** The NAS's name, for the badge before the first connection. */
  readonly host: string;
  /** The NAS is the simulated one. */
  readonly simulated: boolean;
  /** How it signs in to the NAS, in words without a secret. */
  readonly account: string;
  /** What is sent to the NAS can be read on the way. */
  readonly unencrypted: boolean;
  /**
   * Reads the configuration anew, so that an edit of the file shows without a restart.
   *
   * @throws {ConfigurationError} listing every problem.
   */
  readonly configuration: () => ParsedConfiguration;
  readonly tokens: OneTimeTokens;
  /** Numbers for a monitoring system. */
  readonly metrics: Metrics;
  /** Who may use the dashboard. */
  readonly access: AccessOptions;
  readonly logger: Logger;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** The program has been asked to stop: nothing more is begun. */
  readonly ending: AbortSignal;
  /** Ends when the program does: streams end with it. */
  readonly stopping: AbortSignal;
}

const OTP_REMEDY = "Enter it on the Connection page. It is not stored.";

/** Calls back when what {@link connectionView} gives may be another, until the returned function is called. */
export function onConnection({ manager, ending }: Dashboard, listener: () => void): () => void {
  const forget = manager.connection.onState(listener);
  ending.addEventListener("abort", listener);
  return () => {
    forget();
    ending.removeEventListener("abort", listener);
  };
}

/** The connection as the badge shows it, and what is to be said of it. */
export function connectionView(dashboard: Dashboard): ConnectionView {
  const view = viewOf(dashboard);
  return dashboard.ending.aborted ? { ...view, message: ENDING.message, remedy: ENDING.remedy } : view;
}

/** What is said once the program has been asked to stop. */
export const ENDING = {
  message: "The dashboard is stopping.",
  remedy:
    "Running operations finish, or can be resumed from their pages once the dashboard is running again.",
} as const;

function viewOf({ manager, host, simulated }: Dashboard): ConnectionView {
  const state = manager.connection.state;
  switch (state.kind) {
    case "live":
      return {
        state: simulated ? "simulated" : "live",
        host,
        release: state.nas.release,
        message: state.nas.notice,
        remedy: null,
      };
    case "otp":
      return { state: "offline", host, release: null, message: state.error.message, remedy: OTP_REMEDY };
    case "connecting":
      return { state: "reconnecting", host, release: null, message: null, remedy: null };
    case "reconnecting": {
      const remedy = "remedy" in state.error && typeof state.error.remedy === "string"
        ? state.error.remedy
        : null;
      // A lost connection is often back in a moment; a failed one is not.
      const lost = "failure" in state.error && state.error.failure === "lost";
      return {
        state: lost ? "reconnecting" : "offline",
        host,
        release: null,
        message: state.error.message,
        remedy,
      };
    }
    case "closed":
      return {
        state: "offline",
        host,
        release: null,
        message: "The connection to the NAS is closed",
        remedy: null,
      };
  }
}

/** A token for a form; none for viewers, whose forms do nothing, so that they use up none of an administrator's. */
export function issueToken(c: AppContext, { tokens }: Dashboard): string {
  return mayChange(c) ? tokens.issue() : "";
}

/** What the frame of a page needs. For whoever has not signed in there is nothing of the NAS in it. */
export function pageFrame(c: AppContext, dashboard: Dashboard): PageFrame {
  const role = c.get("sender")?.role ?? null;
  const page = { assets: assetUrls(), version: VERSION, fragment: wantsFragment(c), here: hereOf(c) };
  if (role === null) return { ...page, ...UNKNOWN_VISITOR };
  return {
    ...page,
    closed: false,
    mayChange: role === "admin",
    signedIn: dashboard.access.password !== null,
    connection: connectionView(dashboard),
    unencrypted: dashboard.unencrypted,
    lacks: dashboard.manager.connection.missingRoles.filter(({ essential }) => essential).map(({ role }) =>
      role
    ),
  };
}

/** The frame of somebody who has not signed in. */
const UNKNOWN_VISITOR = {
  closed: true,
  mayChange: false,
  signedIn: false,
  connection: { state: "offline", host: "", release: null, message: null, remedy: null },
  unencrypted: false,
  lacks: [],
} as const;

/** Which page a request belongs to. */
export function hereOf(c: AppContext): string {
  const { method, path, url } = c.req;
  return pageOf({ method, path, search: new URL(url).search });
}

/** Answers with a whole page. Pages are never kept: they show what is true now. */
export function sendPage(
  c: AppContext,
  page: Child,
  status: 200 | 400 | 401 | 403 | 404 | 408 | 409 | 413 | 422 | 429 | 500 | 502 | 503 = 200,
): Response {
  return c.html(wantsFragment(c) ? String(page) : `<!DOCTYPE html>${page}`, status);
}

/** Whether htmx asks for a part of a page: the same URL then answers without the frame. */
function wantsFragment(c: AppContext): boolean {
  return c.req.header("hx-request") === "true" && c.req.header("hx-request-type") !== "full";
}

/** Whether the client would rather have JSON than a page: it names JSON before HTML. */
export function wantsJson(c: AppContext): boolean {
  const accept = c.req.header("accept") ?? "";
  const json = accept.indexOf("application/json");
  const html = accept.indexOf("text/html");
  return json >= 0 && (html < 0 || json < html);
}
