/** The static files, embedded in the program. */
import { Hono } from "hono";
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" };
import live from "../../../static/live.js" with { type: "text" };
import palette from "../../../static/palette.js" with { type: "text" };
import list from "../../../static/list.js" with { type: "text" };
import menus from "../../../static/menus.js" with { type: "text" };
import tasks from "../../../static/tasks.js" with { type: "text" };
import toasts from "../../../static/toasts.js" with { type: "text" };
import opening from "../../../static/opening.js" with { type: "text" };
import times from "../../../static/times.js" with { type: "text" };
import typed from "../../../static/typed.js" with { type: "text" };
import plan from "../../../static/plan.js" with { type: "text" };
import waterfall from "../../../static/waterfall.js" with { type: "text" };
import serial from "../../../static/serial.js" with { type: "text" };
import upload from "../../../static/upload.js" with { type: "text" };
import yaml from "../../../static/yaml.js" with { type: "text" };
import keys from "../../../static/keys.js" with { type: "text" };
import favicon from "../../../static/favicon.svg" with { type: "text" };
import { withBasePath } from "../../../templates/paths.ts";
import { SPRITE, SPRITE_PATH } from "../../../templates/parts/icons.tsx";
import { STYLESHEET } from "./stylesheet.ts";
import { asset, ASSET_TYPES, sendAsset } from "./asset.ts";
import type { AssetUrls } from "../../../templates/layout.tsx";

const ASSETS = {
  css: await asset("app.css", STYLESHEET),
  icons: { url: SPRITE_PATH, type: ASSET_TYPES.svg, body: SPRITE },
  htmx: await asset("htmx.js", htmx),
  live: await asset("live.js", live),
  palette: await asset("palette.js", palette),
  list: await asset("list.js", list),
  menus: await asset("menus.js", menus),
  tasks: await asset("tasks.js", tasks),
  toasts: await asset("toasts.js", toasts),
  opening: await asset("opening.js", opening),
  times: await asset("times.js", times),
  typed: await asset("typed.js", typed),
  waterfall: await asset("waterfall.js", waterfall),
  plan: await asset("plan.js", plan),
  keys: await asset("keys.js", keys),
  serial: await asset("serial.js", serial),
  upload: await asset("upload.js", upload),
  yaml: await asset("yaml.js", yaml),
  favicon: await asset("favicon.svg", favicon),
} as const;

/** URLs of the static files. */
export function assetUrls(): AssetUrls {
  const {
    css,
    htmx,
    keys,
    live,
    list,
    menus,
    palette,
    tasks,
    toasts,
    opening,
    times,
    typed,
    waterfall,
    plan,
    serial,
    upload,
    yaml,
    favicon,
  } = ASSETS;
  return {
    css: withBasePath(css.url),
    htmx: withBasePath(htmx.url),
    keys: withBasePath(keys.url),
    live: withBasePath(live.url),
    palette: withBasePath(palette.url),
    list: withBasePath(list.url),
    menus: withBasePath(menus.url),
    tasks: withBasePath(tasks.url),
    toasts: withBasePath(toasts.url),
    opening: withBasePath(opening.url),
    times: withBasePath(times.url),
    typed: withBasePath(typed.url),
    waterfall: withBasePath(waterfall.url),
    plan: withBasePath(plan.url),
    serial: withBasePath(serial.url),
    upload: withBasePath(upload.url),
    yaml: withBasePath(yaml.url),
    favicon: withBasePath(favicon.url),
  };
}

/** Serves the static files. */
export function assetRoutes(): Hono {
  const app = new Hono();
  for (const it of Object.values(ASSETS)) app.get(it.url, (c) => sendAsset(c, it));
  app.get("/favicon.ico", (c) => c.redirect(withBasePath(ASSETS.favicon.url), 301));
  return app;
}
