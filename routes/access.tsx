/**
 * Who may use the dashboard: without a password everybody who reaches it (it listens on this machine only then), with
 * one whoever has signed in. A viewer sees, and changes nothing.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { LoginPage } from "../templates/pages/login_page.tsx";
import { below, paths } from "../templates/paths.ts";
import { type Dashboard, hereOf, pageFrame, remember, sendPage, wantsJson } from "./dashboard.ts";
import { readForm } from "./forms.ts";
import { isOwnPath } from "./headers.ts";
import { addressOf, hostOf, originOf, type Trust } from "./origin.ts";
import { isIpv4, isIpv6 } from "../lib/addresses.ts";
import { isSame } from "../lib/hashes.ts";
import { Attempts, type Role, Sessions } from "./sessions.ts";

/** The passwords, and how requests come: over TLS the cookie never goes without. */
export interface AccessOptions extends Trust {
  /** May do everything; null: nobody is asked. */
  readonly password: string | null;
  /** May see. */
  readonly viewerPassword: string | null;
  /** Host names that requests may name, beside addresses and this machine's own names. */
  readonly allowedHosts: readonly string[];
}

const COOKIE = "session";

/** Open to everybody: they tell nothing. */
const OPEN = /^\/(login|logout|healthz|readyz|favicon\.ico|static\/.*)$/;

/** Holds every request against the rules, before any route. */
export function accessControl(dashboard: Dashboard): { guard: MiddlewareHandler; routes: Hono } {
  const { access, now } = dashboard;
  const sessions = new Sessions(now);
  const attempts = new Attempts(now);
  const guard: MiddlewareHandler = async (c, next) => {
    const host = hostOf(c, access);
    if (!isAllowedHost(host, access.allowedHosts)) return refuseHost(c, dashboard, host);
    const role = roleOf(c, access, { sessions, attempts });
    if (role !== null) remember(c, role, addressOf(c, access));
    if (role === null && !OPEN.test(c.req.path)) return await askToSignIn(c, dashboard);
    const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
    if (role === "viewer" && changes && !OPEN.test(c.req.path)) return await refuseViewer(c, dashboard);
    await next();
  };
  return { guard, routes: loginRoutes(dashboard, sessions, attempts) };
}

interface Held {
  readonly sessions: Sessions;
  readonly attempts: Attempts;
}

/** From the cookie, or for scripts from the password of basic authentication. */
function roleOf(c: Context, access: AccessOptions, { sessions, attempts }: Held): Role | null {
  if (access.password === null) return "admin";
  const cookie = getCookie(c, COOKIE);
  if (cookie !== undefined) return sessions.roleOf(cookie);
  const basic = /^Basic (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (basic === undefined || attempts.waitSeconds(addressOf(c, access)) > 0) return null;
  const password = passwordIn(basic);
  const role = password === null ? null : roleByPassword(access, password);
  if (role === null) attempts.failed(addressOf(c, access));
  return role;
}

function passwordIn(basic: string): string | null {
  try {
    const text = new TextDecoder().decode(Uint8Array.from(atob(basic), (char) => char.charCodeAt(0)));
    return text.slice(text.indexOf(":") + 1);
  } catch {
    return null;
  }
}

function roleByPassword({ password, viewerPassword }: AccessOptions, given: string): Role | null {
  // Both are compared always, so that the time tells nothing.
  const isAdmin = password !== null && isSame(password, given);
  const isViewer = viewerPassword !== null && isSame(viewerPassword, given);
  return isAdmin ? "admin" : isViewer ? "viewer" : null;
}

/**
 * A page of somebody else's name that resolves to this address (DNS rebinding) would pass every other check; an
 * address cannot be rebound.
 */
export function isAllowedHost(host: string, allowed: readonly string[]): boolean {
  const name = nameOf(host);
  if (name === null) return false;
  if (name === "localhost" || isIpv4(name)) return true;
  if (name.startsWith("[")) return isIpv6(name.slice(1, -1));
  return allowed.some((it) => nameOf(it) === name);
}

/** A host without its port, in lower case; null when it is none. */
function nameOf(host: string): string | null {
  return /^(\[[0-9a-f:.]+\]|[^:/[\]@\s]+)(?::\d{1,5})?$/.exec(host.toLowerCase())?.[1] ?? null;
}

function refuseHost(c: Context, { logger }: Dashboard, host: string): Response {
  logger.warning("A request for a host name that is not in ALLOWED_HOSTS was refused", { host });
  return c.text(
    "This dashboard does not answer to this host name. Nothing was done. Add the name to ALLOWED_HOSTS.\n",
    421,
  );
}

async function askToSignIn(c: Context, dashboard: Dashboard): Promise<Response> {
  const { path } = c.req;
  const to = hereOf(c);
  if (wantsJson(c) || path === "/metrics") {
    return c.json({ error: "Sign in first", remedy: "POST /login, or basic authentication" }, 401);
  }
  // A stream belongs to a page, whose script leads to the sign-in (static/live.js).
  if (c.req.header("accept")?.includes("text/event-stream")) return c.text("Sign in first\n", 401);
  if (c.req.header("hx-request") === "true") {
    c.header("hx-redirect", paths.login(to));
    return c.text("Sign in first\n", 401);
  }
  if (c.req.method === "GET") return c.redirect(paths.login(to), 303);
  return await showLogin(c, dashboard, { to, message: "Sign in first: nothing was done.", status: 401 });
}

async function refuseViewer(c: Context, dashboard: Dashboard): Promise<Response> {
  const message = "This sign-in may see and not change. Nothing was done.";
  if (wantsJson(c)) return c.json({ error: message }, 403);
  return await showLogin(c, dashboard, { to: "/", message, status: 403 });
}

interface Shown {
  readonly to: string;
  readonly message: string | null;
  readonly status: 200 | 401 | 403 | 429;
}

function showLogin(c: Context, dashboard: Dashboard, { to, message, status }: Shown): Response {
  return sendPage(c, <LoginPage frame={pageFrame(c, dashboard)} to={to} message={message} />, status);
}

/** Where a sign-in leads: to the page that was asked for, or to the list. */
function sitePath(to: string): string {
  return isOwnPath(to) ? to : "/";
}

function cookieOptions(c: Context, access: AccessOptions) {
  const secure = access.secure || originOf(c, access)?.startsWith("https:") === true;
  return { httpOnly: true, sameSite: "Strict", path: below("/"), secure } as const;
}

function loginRoutes(dashboard: Dashboard, sessions: Sessions, attempts: Attempts): Hono {
  const { access, logger } = dashboard;
  const { audit } = dashboard.manager;
  const app = new Hono();
  app.get("/login", (c) => {
    const to = sitePath(c.req.query("to") ?? "/");
    if (access.password === null) return c.redirect(below(to), 303);
    return showLogin(c, dashboard, { to, message: null, status: 200 });
  });
  app.post("/login", async (c) => {
    const fields = await readForm(c.req.raw);
    const to = sitePath(fields?.get("to") ?? "/");
    if (access.password === null) return c.redirect(below(to), 303);
    const address = addressOf(c, access);
    const wait = attempts.waitSeconds(address);
    if (wait > 0) {
      c.header("retry-after", String(wait));
      const message = `Too many wrong passwords; try again in ${Math.ceil(wait / 60)} min.`;
      return showLogin(c, dashboard, { to, message, status: 429 });
    }
    const role = roleByPassword(access, fields?.get("password") ?? "");
    if (role === null) {
      logger.warning("A wrong password for the dashboard", { address });
      // Not each: whoever tries thousands must not push everything else out of the log.
      if (attempts.failed(address)) {
        audit.record({ by: { who: "nobody", from: address }, what: "Sign in", outcome: "wrong password" });
      }
      return showLogin(c, dashboard, { to, message: "The password is wrong.", status: 401 });
    }
    logger.info("Signed in to the dashboard", { address, role });
    audit.record({ by: { who: role, from: address }, what: "Sign in", outcome: "done" });
    const old = getCookie(c, COOKIE);
    if (old !== undefined) sessions.end(old);
    setCookie(c, COOKIE, sessions.begin(role), cookieOptions(c, access));
    return c.redirect(below(to), 303);
  });
  app.post("/logout", (c) => {
    const cookie = getCookie(c, COOKIE);
    if (cookie !== undefined) {
      const role = sessions.roleOf(cookie);
      const by = { who: role ?? "nobody", from: addressOf(c, access) };
      if (role !== null) audit.record({ by, what: "Sign out", outcome: "done" });
      sessions.end(cookie);
    }
    setCookie(c, COOKIE, "", { ...cookieOptions(c, access), maxAge: 0 });
    return c.redirect(access.password === null ? paths.home() : paths.login(), 303);
  });
  return app;
}
