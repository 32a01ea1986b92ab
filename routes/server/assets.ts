/** The static files, embedded in the program. */
import { Hono } from "hono";
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" };
import css from "../../static/app.css" with { type: "text" };
import live from "../../static/live.js" with { type: "text" };
import times from "../../static/times.js" with { type: "text" };
import typed from "../../static/typed.js" with { type: "text" };
import serial from "../../static/serial.js" with { type: "text" };
import keys from "../../static/keys.js" with { type: "text" };
import favicon from "../../static/favicon.svg" with { type: "text" };
import { withBasePath } from "../../templates/paths.ts";
import { asset, sendAsset } from "./asset.ts";
import type { AssetUrls } from "../../templates/layout.tsx";
import type { ConsoleAssetUrls } from "../../templates/pages/serial_page.tsx";

const ASSETS = {
  css: await asset("app.css", css),
  htmx: await asset("htmx.js", htmx),
  live: await asset("live.js", live),
  times: await asset("times.js", times),
  typed: await asset("typed.js", typed),
  keys: await asset("keys.js", keys),
  serial: await asset("serial.js", serial),
  favicon: await asset("favicon.svg", favicon),
} as const;

/** URLs of the static files. */
export function assetUrls(): AssetUrls {
  const { css, htmx, keys, live, times, typed, serial, favicon } = ASSETS;
  return {
    css: withBasePath(css.url),
    htmx: withBasePath(htmx.url),
    keys: withBasePath(keys.url),
    live: withBasePath(live.url),
    times: withBasePath(times.url),
    typed: withBasePath(typed.url),
    serial: withBasePath(serial.url),
    favicon: withBasePath(favicon.url),
  };
}

async function loadConsoleAssets() {
  const { CONSOLE_ASSETS } = await import("./console_assets.ts");
  return CONSOLE_ASSETS;
}

/** URLs of the terminal's files. */
export async function consoleAssetUrls(): Promise<ConsoleAssetUrls> {
  const { xterm, xtermCss, xtermFit } = await loadConsoleAssets();
  return {
    xterm: withBasePath(xterm.url),
    xtermCss: withBasePath(xtermCss.url),
    xtermFit: withBasePath(xtermFit.url),
  };
}

/** Serves the static files. */
export function assetRoutes(): Hono {
  const app = new Hono();
  for (const it of Object.values(ASSETS)) app.get(it.url, (c) => sendAsset(c, it));
  app.get("/static/*", async (c) => {
    const { path } = c.req;
    const all = path.includes("/static/xterm") ? Object.values(await loadConsoleAssets()) : [];
    const wanted = all.find(({ url }) => path.endsWith(url));
    return wanted === undefined ? await c.notFound() : sendAsset(c, wanted);
  });
  app.get("/favicon.ico", (c) => c.redirect(withBasePath(ASSETS.favicon.url), 301));
  return app;
}
