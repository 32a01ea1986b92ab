/** One of the browser's files, under a name that changes with its content, so that a browser may keep it for ever. */
import type { Context } from "hono";

/** A file. */
export interface Asset {
  /** Below the root: `/static/app.0123456789ab.css`. */
  readonly url: string;
  readonly type: string;
  readonly body: string;
}

/** Types of the files. */
export const ASSET_TYPES = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
} as const;

/** Makes one; `name` is with its ending. */
export async function asset(name: string, body: string): Promise<Asset> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const hash = new Uint8Array(digest).toHex().slice(0, 12);
  const dot = name.lastIndexOf(".");
  const ending = name.slice(dot + 1) as keyof typeof ASSET_TYPES;
  return { url: `/static/${name.slice(0, dot)}.${hash}.${ending}`, type: ASSET_TYPES[ending], body };
}

/** Answers with one. */
export function sendAsset(c: Context, { type, body }: Asset): Response {
  return c.body(body, 200, { "content-type": type, "cache-control": "public, max-age=31536000, immutable" });
}
