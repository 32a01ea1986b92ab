/** A static file whose name contains a hash of its content, so that browsers can cache it forever. */
import type { Context } from "hono";

/** A static file. */
export interface Asset {
  /** The path, for example `/static/app.0123456789ab.css`. */
  readonly url: string;
  readonly type: string;
  readonly body: string;
}

/** Content types by file extension. */
export const ASSET_TYPES = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
} as const;

/** Creates a file; `name` includes the extension. */
export async function asset(name: string, body: string): Promise<Asset> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const hash = new Uint8Array(digest).toHex().slice(0, 12);
  const dot = name.lastIndexOf(".");
  const ending = name.slice(dot + 1) as keyof typeof ASSET_TYPES;
  return { url: `/static/${name.slice(0, dot)}.${hash}.${ending}`, type: ASSET_TYPES[ending], body };
}

/** Responds with a file. */
export function sendAsset(c: Context, { type, body }: Asset): Response {
  return c.body(body, 200, { "content-type": type, "cache-control": "public, max-age=31536000, immutable" });
}
