/**
 * Who may set the program up: on loopback anyone on this machine; otherwise whoever knows the dashboard's password, or the
 * code in the log where there is none yet.
 */
import type { MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { constantTimeEqual } from "../../lib/hashes.ts";
import { SetupGatePage } from "../../templates/pages/setup/other_pages.tsx";
import { paths } from "../../templates/paths.ts";
import { isAllowedHost } from "../auth/access.tsx";
import { Attempts } from "../auth/attempts.ts";
import { cookieName, cookieOptions } from "../auth/cookies.ts";
import { HandOverTaker } from "../auth/hand_over.ts";
import { addressOf, hostOf } from "../auth/origin.ts";
import { readForm } from "../forms/read_form.ts";
import type { AppContext, AppEnv } from "../server/context.ts";
import { sendPage, visitorFrame } from "../server/dashboard.ts";
import type { SetupSession } from "./sessions.ts";
import type { Setup } from "./setup.ts";

/** Refuses host names that are not the program's own, as the dashboard does. */
export function onlyOwnHosts({ access, logger }: Setup): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const host = hostOf(c, access);
    if (isAllowedHost(host, access.allowedHosts)) return await next();
    logger.warning("Refused a request for a host name that is not in ALLOWED_HOSTS", { host });
    return c.text("This host name is not accepted. Nothing was done. Add the name to ALLOWED_HOSTS.\n", 421);
  };
}

/** Lets browsers in. */
export class SetupGate {
  readonly #setup: Setup;
  readonly #attempts: Attempts;
  readonly #dashboard: HandOverTaker;
  #isCodeUsed = false;

  /** Counts wrong codes and passwords as the sign-in to the dashboard does. */
  constructor(setup: Setup) {
    this.#setup = setup;
    this.#attempts = new Attempts(setup);
    this.#dashboard = new HandOverTaker(setup, setup.handOver);
  }

  /** What a browser entered; null if it has to pass the gate first. */
  sessionOf(c: AppContext): SetupSession | null {
    const { sessions } = this.#setup;
    const session = sessions.of(getCookie(c, this.#cookieName(c)) ?? "");
    if (session !== null) return session;
    if (!this.#isOpen) {
      const since = this.#dashboard.take(c);
      return since === null ? null : this.#start(c, since);
    }
    const now = this.#setup.now();
    return c.req.method === "GET" ? sessions.blank(now) : this.#start(c, now);
  }

  /** Asks for the code or the password. */
  ask(c: AppContext, message: string | null = null, status: 200 | 401 | 429 = 200): Response {
    const asks = this.#password !== null ? "password" : this.#isCodeUsed ? "nothing" : "code";
    const problems = message === null ? [] : [{ field: "code", message }];
    return sendPage(c, <SetupGatePage frame={visitorFrame(c)} asks={asks} problems={problems} />, status);
  }

  /** Checks the code or the password, within the limits on attempts. */
  async enter(c: AppContext): Promise<Response> {
    const { access, logger } = this.#setup;
    if (this.#isOpen) return c.redirect(paths.setup(), 303);
    const given = (await readForm(c.req.raw))?.get("code") ?? "";
    const address = addressOf(c, access);
    const tried = await this.#attempts.attempt(address, () => this.#accepts(given) || null);
    if ("waitSeconds" in tried) {
      c.header("retry-after", String(tried.waitSeconds));
      return this.ask(
        c,
        `Too many wrong attempts. Try again in ${Math.ceil(tried.waitSeconds / 60)} min`,
        429,
      );
    }
    if (tried.right) {
      this.#start(c, this.#setup.now());
      return c.redirect(paths.setup(), 303);
    }
    logger.warning("Wrong set-up code or password", { address });
    const what = this.#password === null
      ? "This is not the code. Copy it from the program's log"
      : "Wrong password. Try again";
    return this.ask(c, what, 401);
  }

  /** The dashboard's password, also one that was set a moment ago in another browser; null: there is none. */
  get #password(): string | null {
    const { access, sessions } = this.#setup;
    return access.password ?? sessions.finished?.dashboardPassword ?? null;
  }

  get #isOpen(): boolean {
    return this.#setup.access.password === null && this.#setup.code === null;
  }

  /** Whether this is the password, or the code, which is used up by it. */
  #accepts(given: string): boolean {
    const { code } = this.#setup;
    const password = this.#password;
    if (password !== null) return constantTimeEqual(password, given);
    // Compared even when it was used, so that the time taken reveals nothing.
    const isCode = constantTimeEqual(normalCode(code ?? ""), normalCode(given));
    const isRight = isCode && code !== null && !this.#isCodeUsed;
    if (isRight) this.#isCodeUsed = true;
    return isRight;
  }

  #start(c: AppContext, since: number): SetupSession {
    const { access, sessions } = this.#setup;
    const { cookie, session } = sessions.start(since);
    setCookie(c, this.#cookieName(c), cookie, cookieOptions(c, access));
    return session;
  }

  #cookieName(c: AppContext): string {
    return cookieName(c, this.#setup.access, "vm-manager-setup");
  }
}

/** People leave out the hyphen, or type capitals. */
function normalCode(code: string): string {
  return code.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}
