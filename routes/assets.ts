/**
 * The browser's files, embedded in the program and served under names that change with their content, so that a
 * browser may keep them for ever.
 */
import { Hono } from "hono";
import hxSse from "htmx.org/dist/ext/hx-sse.min.js" with { type: "text" };
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" };
import xtermFit from "@xterm/addon-fit/lib/addon-fit.js" with { type: "text" };
import xtermCss from "@xterm/xterm/css/xterm.css" with { type: "text" };
import xterm from "@xterm/xterm/lib/xterm.js" with { type: "text" };
import css from "../static/app.css" with { type: "text" };
import serial from "../static/serial.js" with { type: "text" };
import keys from "../static/keys.js" with { type: "text" };
import favicon from "../static/favicon.svg" with { type: "text" };
import { below } from "../templates/paths.ts";
import type { AssetUrls } from "../templates/props.ts";

interface Asset {
  readonly url: string;
  readonly type: string;
  readonly body: string;
}

async function asset(name: string, type: string, body: string): Promise<Asset> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const hash = new Uint8Array(digest).toHex().slice(0, 12);
  const dot = name.lastIndexOf(".");
  return { url: `/static/${name.slice(0, dot)}.${hash}${name.slice(dot)}`, type, body };
}

const ASSETS = {
  css: await asset("app.css", "text/css; charset=utf-8", css),
  // One file: htmx begins a moment after it is loaded, and an extension that comes later than that is never used.
  htmx: await asset("htmx.js", "text/javascript; charset=utf-8", `${htmx}\n${hxSse}`),
  keys: await asset("keys.js", "text/javascript; charset=utf-8", keys),
  serial: await asset("serial.js", "text/javascript; charset=utf-8", serial),
  xterm: await asset("xterm.js", "text/javascript; charset=utf-8", xterm),
  xtermCss: await asset("xterm.css", "text/css; charset=utf-8", xtermCss),
  xtermFit: await asset("xterm-fit.js", "text/javascript; charset=utf-8", xtermFit),
  favicon: await asset("favicon.svg", "image/svg+xml", favicon),
} as const;

/** Where the browser's files are. */
export function assetUrls(): AssetUrls {
  const { css, htmx, keys, serial, xterm, xtermCss, xtermFit, favicon } = ASSETS;
  const of = ({ url }: Asset) => below(url);
  return {
    css: of(css),
    htmx: of(htmx),
    keys: of(keys),
    serial: of(serial),
    xterm: of(xterm),
    xtermCss: of(xtermCss),
    xtermFit: of(xtermFit),
    favicon: of(favicon),
  };
}

/** Serves them. */
export function assetRoutes(): Hono {
  const app = new Hono();
  for (const { url, type, body } of Object.values(ASSETS)) {
    app.get(
      url,
      (c) =>
        c.body(body, 200, { "content-type": type, "cache-control": "public, max-age=31536000, immutable" }),
    );
  }
  app.get("/favicon.ico", (c) => c.redirect(below(ASSETS.favicon.url), 301));
  return app;
}
