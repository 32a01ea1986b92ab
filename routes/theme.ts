/** The colours of the pages: the system's, light or dark, kept in a cookie of this browser. */
import { Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { isTheme, type Theme } from "../templates/parts/frame/site_menu.tsx";
import { withBasePath } from "../templates/paths.ts";
import { readForm } from "./forms/read_form.ts";
import type { AppContext, AppEnv } from "./server/context.ts";
import { isOwnPath } from "./server/http/headers.ts";

const COOKIE = "vm-manager-theme";

/** Browsers keep no cookie longer. */
const KEPT_SECONDS = 400 * 24 * 3_600;

/** The theme chosen in this browser. */
export function themeOf(c: AppContext): Theme {
  const chosen = getCookie(c, COOKIE);
  return isTheme(chosen) ? chosen : "system";
}

/** POST /theme. It needs no sign-in, because it changes nothing but this browser's cookie. */
export function themeRoutes(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.post("/theme", async (c) => {
    const fields = await readForm(c.req.raw);
    const theme = fields?.get("theme");
    if (!isTheme(theme)) return c.text("Unknown theme. Choose system, light or dark\n", 422);
    const path = withBasePath("/");
    setCookie(c, COOKIE, theme, { path, httpOnly: true, sameSite: "Lax", maxAge: KEPT_SECONDS });
    const to = fields?.get("to") ?? "/";
    return c.redirect(withBasePath(isOwnPath(to) ? to : "/"), 303);
  });
  return app;
}
