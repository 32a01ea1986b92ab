/** The dashboard's parts, and how routes turn them into responses. */
import type { AuthProxy } from "../../lib/configuration/environment/settings.ts";
import type { Approvals } from "../../lib/agents/approvals.ts";
import { isActive } from "../../lib/operations/types.ts";
import type { Child } from "hono/jsx";
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import type { ConfigurationStore } from "../../lib/configuration/editing/configuration_store.ts";
import type { OuterSetting } from "../../lib/configuration/environment/stored_settings.ts";
import type { TemplateTexts } from "../../lib/configuration/editing/template_texts.ts";
import type { Logger } from "../../lib/observability/logging.ts";
import type { Metrics } from "../../lib/observability/metrics.ts";
import { VERSION } from "../../lib/version.ts";
import { isUndecided } from "../../lib/operations/record/undecided.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { assetUrls } from "./assets/assets.ts";
import type { HandOver } from "../auth/hand_over.ts";
import type { Trust } from "../auth/origin.ts";
import { pageOf } from "./page_of.ts";
import { type AppContext, mayChange } from "./context.ts";
import { themeOf } from "../theme.ts";
import type { OneTimeTokens } from "../auth/tokens.ts";
import type { ConnectionView } from "../../templates/parts/frame/connection.tsx";
import type { PageFrame } from "../../templates/layout.tsx";

/** Who may use the dashboard, and how its requests arrive. */
export interface AccessOptions extends Trust {
  /** The administrator's password; null if no password is needed. */
  readonly password: string | null;
  /** Null if there are no viewers. */
  readonly viewerPassword: string | null;
  /** What opens the metrics without a password; null if nothing does. */
  readonly metricsToken: string | null;
  /** The header in which a trusted proxy names who has signed in there; null if none does. */
  readonly authProxy: AuthProxy | null;
  /** Host names that requests may use, as well as IP addresses and localhost. */
  readonly allowedHosts: readonly string[];
}

/** Where the settings of the connection come from. */
export interface ConnectionSettings {
  /** Those that set-up cannot change, because the environment or a file sets them. */
  readonly outer: readonly OuterSetting[];
  /** Path of that file. */
  readonly envFile: string;
  /** Ends the dashboard and starts set-up, to which a signed-in browser is handed over. */
  readonly startSetup: (handOver: HandOver | null) => void;
}

/** The dashboard's parts. */
export interface Dashboard {
  readonly manager: VMManager;
  /** The NAS's host name, for the badge. */
  readonly host: string;
  /** Whether the NAS is simulated. */
  readonly simulated: boolean;
  /** How the program signs in to the NAS, without secrets. */
  readonly account: string;
  /** Whether the connection to the NAS is not encrypted. */
  readonly unencrypted: boolean;
  /**
   * Reads the configuration, so that edits to the file apply without a restart.
   *
   * @throws {ConfigurationError} listing every problem.
   */
  readonly configuration: () => ParsedConfiguration;
  /** Where the configuration is kept and saved. */
  readonly configurationStore: ConfigurationStore;
  /** Where the templates are kept and saved. */
  readonly templateTexts: TemplateTexts;
  readonly tokens: OneTimeTokens;
  /** Approvals of plans for agents; null where no agent can reach the dashboard, or nothing may be changed. */
  readonly approvals: Approvals | null;
  readonly metrics: Metrics;
  readonly access: AccessOptions;
  /** The browser that comes from set-up; null if there is none. */
  readonly handOver: HandOver | null;
  readonly connectionSettings: ConnectionSettings;
  readonly logger: Logger;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** Waits for some milliseconds; for tests. */
  readonly wait?: (ms: number) => Promise<unknown>;
  /** Aborted when the program is told to stop: no new operations start. */
  readonly ending: AbortSignal;
  /** Aborted when the program stops, which ends all streams. */
  readonly stopping: AbortSignal;
}

const OTP_REMEDY = "Enter it on the Connection page. It is not stored.";

/** Calls back when {@link connectionView} may have changed, until the returned function is called. */
export function onConnection({ manager, ending }: Dashboard, listener: () => void): () => void {
  const stop = manager.connection.onState(listener);
  ending.addEventListener("abort", listener);
  return () => {
    stop();
    ending.removeEventListener("abort", listener);
  };
}

/** The connection, for the badge and the notice. */
export function connectionView(dashboard: Dashboard): ConnectionView {
  const view = viewOf(dashboard);
  return dashboard.ending.aborted ? { ...view, message: ENDING.message, remedy: ENDING.remedy } : view;
}

/** Shown while the program is stopping. */
export const ENDING = {
  message: "The dashboard is stopping.",
  remedy:
    "Running operations finish, or can be resumed from their pages once the dashboard is running again.",
} as const;

function viewOf({ manager, host, simulated }: Dashboard): ConnectionView {
  const state = manager.connection.state;
  const view = { host, release: null, message: null, remedy: null };
  switch (state.kind) {
    case "live": {
      const { release, notice } = state.nas;
      return { ...view, state: simulated ? "simulated" : "live", release, message: notice };
    }
    case "otp":
      return { ...view, state: "offline", message: state.error.message, remedy: OTP_REMEDY };
    case "connecting":
      return { ...view, state: "reconnecting" };
    case "reconnecting": {
      const { error } = state;
      const remedy = "remedy" in error && typeof error.remedy === "string" ? error.remedy : null;
      // A lost connection is often back in a moment; a failed one is not.
      const isLost = "failure" in error && error.failure === "lost";
      return { ...view, state: isLost ? "reconnecting" : "offline", message: error.message, remedy };
    }
    case "closed":
      return { ...view, state: "offline", message: "The connection to the NAS is closed" };
  }
}

/** A token for a form. Viewers get none, so that they cannot use up those of an administrator. */
export function issueToken(c: AppContext, { tokens }: Dashboard): string {
  return mayChange(c) ? tokens.issue() : "";
}

/** The frame of a page. For visitors who have not signed in, it shows nothing about the NAS. */
export function pageFrame(c: AppContext, dashboard: Dashboard): PageFrame {
  const role = c.get("sender")?.role ?? null;
  const visitor = visitorFrame(c);
  if (role === null) return visitor;
  return {
    ...visitor,
    closed: false,
    mayChange: role === "admin",
    signedIn: dashboard.access.password !== null,
    connection: connectionView(dashboard),
    unencrypted: dashboard.unencrypted,
    running: dashboard.manager.operations.store.list().filter(isActive),
    now: dashboard.now(),
    missingRoles: dashboard.manager.connection.missingRoles.filter(({ essential }) => essential).map((
      { role },
    ) => role),
    undecided: dashboard.manager.operations.store.list().filter(isUndecided).length,
  };
}

/** The frame of a page for visitors who have not signed in. */
export function visitorFrame(c: AppContext): PageFrame {
  return {
    ...UNKNOWN_VISITOR,
    assets: assetUrls(),
    version: VERSION,
    fragment: wantsFragment(c),
    here: hereOf(c),
    theme: themeOf(c),
  };
}

const UNKNOWN_VISITOR = {
  closed: true,
  mayChange: false,
  signedIn: false,
  connection: { state: "offline", host: "", release: null, message: null, remedy: null },
  unencrypted: false,
  missingRoles: [],
  undecided: 0,
  running: [],
  now: 0,
} as const;

/** Which page a request belongs to. */
export function hereOf(c: AppContext): string {
  const { method, path, url } = c.req;
  return pageOf({ method, path, search: new URL(url).search });
}

/** Responds with a page, or with its content alone if htmx requested a fragment. */
export function sendPage(
  c: AppContext,
  page: Child,
  status: 200 | 400 | 401 | 403 | 404 | 408 | 409 | 413 | 422 | 429 | 500 | 502 | 503 = 200,
): Response {
  return c.html(wantsFragment(c) ? String(page) : `<!DOCTYPE html>${page}`, status);
}

/** Whether htmx requests a fragment, which the same URL then sends without the frame. */
function wantsFragment(c: AppContext): boolean {
  return c.req.header("hx-request") === "true" && c.req.header("hx-request-type") !== "full";
}

/** Whether the client prefers JSON, naming it before HTML. */
export function wantsJson(c: AppContext): boolean {
  const accept = c.req.header("accept") ?? "";
  const json = accept.indexOf("application/json");
  const html = accept.indexOf("text/html");
  return json >= 0 && (html < 0 || json < html);
}
