/**
 * The modules of the console page, in one folder whose name contains a hash of all of them: they import each other by
 * relative paths, so no file can have a hash of its own.
 */
import { Hono } from "hono";
import { withBasePath } from "../../../../templates/paths.ts";
import { ASSET_TYPES, sendAsset } from "../asset.ts";

/** The modules, which are loaded with the first console, because most starts show none. */
export class DisplayAssets {
  #loading: Promise<Folder> | undefined;

  /** URL of the page's script. */
  async scriptUrl(): Promise<string> {
    const { path } = await this.#load();
    return withBasePath(`${path}/display.js`);
  }

  /** Serves the modules. */
  routes(): Hono {
    const app = new Hono();
    app.get("/static/display/:hash/*", async (c) => {
      const { path, files } = await this.#load();
      const name = c.req.path.slice(path.length + 1);
      const body = c.req.path.startsWith(`${path}/`) && Object.hasOwn(files, name) ? files[name] : undefined;
      return body === undefined
        ? c.notFound()
        : sendAsset(c, { url: c.req.path, type: ASSET_TYPES.js, body });
    });
    return app;
  }

  #load(): Promise<Folder> {
    return this.#loading ??= import("./files.ts").then(({ DISPLAY_FILES }) => folderOf(DISPLAY_FILES));
  }
}

interface Folder {
  readonly path: string;
  readonly files: Readonly<Record<string, string>>;
}

async function folderOf(files: Readonly<Record<string, string>>): Promise<Folder> {
  const all = new TextEncoder().encode(JSON.stringify(files));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", all)).toHex().slice(0, 12);
  return { path: `/static/display/${hash}`, files };
}
