/**
 * Controls access to the dashboard. Without a password, anyone who can reach it may use it, and it listens on this
 * machine only. With one, people must sign in; viewers cannot make changes.
 */
import { Hono, type MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { LoginPage } from "../../templates/pages/login_page.tsx";
import { paths, withBasePath } from "../../templates/paths.ts";
import {
  type AccessOptions,
  type Dashboard,
  hereOf,
  pageFrame,
  sendPage,
  wantsJson,
} from "../server/dashboard.ts";
import { readForm } from "../forms/read_form.ts";
import { isOwnPath } from "../server/http/headers.ts";
import { cookieName, cookieOptions } from "./cookies.ts";
import { HandOverTaker } from "./hand_over.ts";
import { addressOf, fromProxy, hostOf } from "./origin.ts";
import { isIpv4, isIpv6 } from "../../lib/configuration/environment/ip_addresses.ts";
import { constantTimeEqual } from "../../lib/hashes.ts";
import { Attempts } from "./attempts.ts";
import { type Role, Sessions } from "./sessions.ts";
import type { AppContext, AppEnv } from "../server/context.ts";

/** Of a session. */
const COOKIE = "vm-manager-session";

/** Reachable without signing in; they reveal nothing about the NAS. */
const OPEN = /^\/(login|logout|theme|healthz|readyz|favicon\.ico|static\/.*)$/;

/** Checks every request before it reaches a route. */
export function accessControl(
  dashboard: Dashboard,
): { guard: MiddlewareHandler<AppEnv>; routes: Hono<AppEnv> } {
  const { access, now } = dashboard;
  const sessions = new Sessions(now);
  const attempts = new Attempts(dashboard);
  let warnedOfProxy = false;
  const guard: MiddlewareHandler<AppEnv> = async (c, next) => {
    const host = hostOf(c, access);
    if (!isAllowedHost(host, access.allowedHosts)) return refuseHost(c, dashboard, host);
    if (access.password === null && !warnedOfProxy && hasForwardingHeader(c)) {
      warnedOfProxy = true;
      dashboard.logger.warning(OPEN_TO_PROXY);
    }
    const isOpen = OPEN.test(c.req.path);
    const token = c.req.path === METRICS ? tokenIn(c.req.header("authorization") ?? "") : null;
    if (token !== null && access.metricsToken !== null) {
      const scrape = await tryToken(c, dashboard, attempts, token);
      if ("waitSeconds" in scrape) return refuseAttempt(c, scrape.waitSeconds);
      if (scrape.role !== null) return await next();
    }
    const proxied = userOf(c, access);
    const session = proxied === null ? sessions.of(getCookie(c, cookieName(c, access, COOKIE)) ?? "") : null;
    // A proxy may add its own password to every request, so open paths ignore it.
    const basic = session === null && proxied === null && !isOpen
      ? passwordIn(c.req.header("authorization") ?? "")
      : null;
    const attempt = basic === null ? null : await tryPassword(c, dashboard, attempts, basic);
    if (attempt !== null && "waitSeconds" in attempt) return refuseAttempt(c, attempt.waitSeconds);
    const role = access.password === null ? "admin" : proxied?.role ?? session?.role ?? attempt?.role ?? null;
    const name = proxied?.name ?? null;
    if (role !== null) c.set("sender", { role, from: addressOf(c, access), name, session });
    if (role === null && !isOpen) return await askToSignIn(c, dashboard);
    const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
    if (role === "viewer" && changes && !isOpen) return await refuseViewer(c, dashboard);
    await next();
  };
  return { guard, routes: loginRoutes(dashboard, sessions, attempts) };
}

/** Longer names are no names. */
const MAX_NAME_CHARS = 100;

/** Who a trusted proxy says has signed in there; null if it says nothing, or is not asked. */
function userOf(c: AppContext, access: AccessOptions): { readonly name: string; readonly role: Role } | null {
  const { authProxy } = access;
  const name = authProxy === null ? null : fromProxy(c, access, authProxy.header);
  if (authProxy === null || name === null || name.length > MAX_NAME_CHARS) return null;
  return { name, role: authProxy.admins.includes(name) ? "admin" : "viewer" };
}

/** Headers that reverse proxies add. */
const FORWARDING_HEADERS = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"] as const;

function hasForwardingHeader(c: AppContext): boolean {
  return FORWARDING_HEADERS.some((name) => c.req.header(name) !== undefined);
}

const OPEN_TO_PROXY =
  "A request came through a reverse proxy, but the dashboard has no password, so anyone who reaches the proxy is an " +
  "administrator. Set DASHBOARD_PASSWORD, and add the proxy to TRUSTED_PROXIES";

/** What the metrics token opens, and nothing else. */
const METRICS = "/metrics";

/** The token of a scrape; null when there is none. */
function tokenIn(authorization: string): string | null {
  return /^Bearer (\S+)$/i.exec(authorization)?.[1] ?? null;
}

/** The password of basic authentication, for scripts; null when there is none. */
function passwordIn(authorization: string): string | null {
  const basic = /^Basic (.+)$/i.exec(authorization)?.[1];
  if (basic === undefined) return null;
  try {
    const text = new TextDecoder().decode(Uint8Array.from(atob(basic), (char) => char.charCodeAt(0)));
    return text.slice(text.indexOf(":") + 1);
  } catch {
    return null;
  }
}

/** How a password was given. */
type Given = "Sign in" | "Basic authentication" | "Metrics token";

/** The result of trying a password: a role or none, or how long to wait. */
type Tried = { readonly role: Role | null } | { readonly waitSeconds: number };

/** Checks the token of a scrape, which gives no more than a viewer's part of what there is. */
function tryToken(c: AppContext, dashboard: Dashboard, attempts: Attempts, given: string): Promise<Tried> {
  const { metricsToken } = dashboard.access;
  const isRight = () => metricsToken !== null && constantTimeEqual(metricsToken, given) ? "viewer" : null;
  return tryWithinLimits(c, dashboard, attempts, isRight, "Metrics token");
}

/** Checks a password. */
async function tryPassword(
  c: AppContext,
  dashboard: Dashboard,
  attempts: Attempts,
  given: string,
  what: Given = "Basic authentication",
): Promise<Tried> {
  const { access } = dashboard;
  if (access.password === null) return { role: "admin" };
  return await tryWithinLimits(c, dashboard, attempts, () => roleByPassword(access, given), what);
}

/** Checks a secret within the limits on attempts. A wrong one is counted, logged and recorded in the audit log. */
async function tryWithinLimits(
  c: AppContext,
  { access, logger, manager }: Dashboard,
  attempts: Attempts,
  check: () => Role | null,
  what: Given,
): Promise<Tried> {
  const address = addressOf(c, access);
  const tried = await attempts.attempt(address, check);
  if ("waitSeconds" in tried) return tried;
  const { right: role, wasDelayed } = tried;
  if (role !== null) return { role };
  logger.warning("Wrong password for the dashboard", { address, how: what });
  // During an attack, all attempts share one audit entry instead of one per address.
  const by = wasDelayed ? { who: "nobody" } : { who: "nobody", from: address };
  manager.audit.record({ by, what, outcome: "wrong password" });
  return { role };
}

function waitText(waitSeconds: number): string {
  return `Too many wrong passwords. Try again in ${Math.ceil(waitSeconds / 60)} min.`;
}

function refuseAttempt(c: AppContext, waitSeconds: number): Response {
  c.header("retry-after", String(waitSeconds));
  return c.json({ error: waitText(waitSeconds), remedy: null }, 429);
}

function roleByPassword({ password, viewerPassword }: AccessOptions, given: string): Role | null {
  // Always compares both, so that the time taken reveals nothing.
  const isAdmin = password !== null && constantTimeEqual(password, given);
  const isViewer = viewerPassword !== null && constantTimeEqual(viewerPassword, given);
  return isAdmin ? "admin" : isViewer ? "viewer" : null;
}

/**
 * Whether requests may use this host name. A foreign name that resolves to this address (DNS rebinding) would pass every
 * other check; IP addresses cannot be rebound.
 */
export function isAllowedHost(host: string, allowed: readonly string[]): boolean {
  const name = nameOf(host);
  if (name === null) return false;
  if (name === "localhost" || isIpv4(name)) return true;
  if (name.startsWith("[")) return isIpv6(name.slice(1, -1));
  return allowed.some((it) => nameOf(it) === name);
}

/** A host without its port, in lower case; null when it is none that a URL can have. */
function nameOf(host: string): string | null {
  if (!URL.canParse(`http://${host}/`)) return null;
  return /^(\[[0-9a-f:.]+\]|[^:/[\]@\s]+)(?::\d{1,5})?$/.exec(host.toLowerCase())?.[1] ?? null;
}

function refuseHost(c: AppContext, { logger }: Dashboard, host: string): Response {
  logger.warning("Refused a request for a host name that is not in ALLOWED_HOSTS", { host });
  return c.text(
    "The dashboard does not accept this host name. Nothing was done. Add the name to ALLOWED_HOSTS.\n",
    421,
  );
}

async function askToSignIn(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const { path } = c.req;
  const to = hereOf(c);
  if (wantsJson(c) || path === "/metrics") {
    return c.json({ error: "Not signed in", remedy: "Use basic authentication, or POST /login" }, 401);
  }
  // A stream's page opens the sign-in page itself (static/live.js).
  if (c.req.header("accept")?.includes("text/event-stream")) return c.text("Not signed in\n", 401);
  if (c.req.header("hx-request") === "true") {
    c.header("hx-redirect", paths.login(to));
    return c.text("Not signed in\n", 401);
  }
  if (c.req.method === "GET" || c.req.method === "HEAD") return c.redirect(paths.login(to), 303);
  return await showLogin(c, dashboard, {
    to,
    message: "You are not signed in. Nothing was done. Sign in and try again.",
    status: 401,
  });
}

async function refuseViewer(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const message = "Viewers cannot make changes. Nothing was done.";
  const name = c.get("sender")?.name ?? null;
  const remedy = name === null
    ? "To do this, sign in with the administrator's password."
    : `To do this, ${name} has to be in AUTH_PROXY_ADMINS.`;
  if (wantsJson(c)) return c.json({ error: message, remedy }, 403);
  return await showLogin(c, dashboard, { to: "/", message: `${message} ${remedy}`, status: 403 });
}

interface LoginProps {
  readonly to: string;
  readonly message: string | null;
  readonly status: 200 | 401 | 403 | 429;
}

function showLogin(c: AppContext, dashboard: Dashboard, { to, message, status }: LoginProps): Response {
  return sendPage(c, <LoginPage frame={pageFrame(c, dashboard)} to={to} message={message} />, status);
}

/** The page to open after signing in: the requested one if it is on this site, or else the list. */
function sitePath(to: string): string {
  return isOwnPath(to) ? to : "/";
}

function loginRoutes(dashboard: Dashboard, sessions: Sessions, attempts: Attempts): Hono<AppEnv> {
  const { access } = dashboard;
  const { audit } = dashboard.manager;
  const fromSetup = new HandOverTaker(dashboard, dashboard.handOver);
  const app = new Hono<AppEnv>();
  const start = (c: AppContext, role: Role, how: Given | "From set-up", since?: number) => {
    const address = addressOf(c, access);
    dashboard.logger.info("Signed in to the dashboard", { address, role, how });
    const what = how === "From set-up" ? "Sign in, from set-up" : "Sign in";
    audit.record({ by: { who: role, from: address }, what, outcome: "done" });
    const name = cookieName(c, access, COOKIE);
    sessions.end(getCookie(c, name) ?? "");
    setCookie(c, name, sessions.start(role, since), cookieOptions(c, access));
  };
  app.get("/login", (c) => {
    const to = sitePath(c.req.query("to") ?? "/");
    if (access.password === null) return c.redirect(withBasePath(to), 303);
    const since = fromSetup.take(c);
    if (since !== null) {
      start(c, "admin", "From set-up", since);
      return c.redirect(withBasePath(to), 303);
    }
    return showLogin(c, dashboard, { to, message: null, status: 200 });
  });
  app.post("/login", async (c) => {
    const fields = await readForm(c.req.raw);
    const to = sitePath(fields?.get("to") ?? "/");
    if (access.password === null) return c.redirect(withBasePath(to), 303);
    const tried = await tryPassword(c, dashboard, attempts, fields?.get("password") ?? "", "Sign in");
    if ("waitSeconds" in tried) {
      c.header("retry-after", String(tried.waitSeconds));
      return showLogin(c, dashboard, { to, message: waitText(tried.waitSeconds), status: 429 });
    }
    const { role } = tried;
    if (role === null) {
      return showLogin(c, dashboard, { to, message: "Wrong password. Try again.", status: 401 });
    }
    start(c, role, "Sign in");
    return c.redirect(withBasePath(to), 303);
  });
  app.post("/logout", (c) => {
    const name = cookieName(c, access, COOKIE);
    const cookie = getCookie(c, name) ?? "";
    const role = sessions.of(cookie)?.role ?? null;
    if (role !== null) {
      audit.record({ by: { who: role, from: addressOf(c, access) }, what: "Sign out", outcome: "done" });
    }
    sessions.end(cookie);
    setCookie(c, name, "", { ...cookieOptions(c, access), maxAge: 0 });
    return c.redirect(access.password === null ? paths.home() : paths.login(), 303);
  });
  return app;
}
