/** A request's client address and target host, from a trusted proxy's headers or else from the connection. */
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { isWithin, normalAddress } from "../../lib/configuration/environment/ip_addresses.ts";

/** Which proxies are trusted. */
export interface Trust {
  /** Addresses and ranges of reverse proxies whose forwarded headers are trusted. */
  readonly trustedProxies: readonly string[];
  /** Whether the dashboard itself serves TLS. */
  readonly secure: boolean;
}

/** The client's address; a proxy's own when it is not trusted. */
export function addressOf(c: Context, trust: Trust): string {
  const peer = peerOf(c);
  if (!isWithin(peer, trust.trustedProxies)) return peer;
  // Each proxy appends its client, so everything before the last untrusted address may be forged.
  const chain = (c.req.header("x-forwarded-for") ?? "").split(",").map((it) => it.trim()).filter(Boolean);
  const client = chain.findLast((it) => !isWithin(withoutPort(it), trust.trustedProxies)) ?? chain[0] ?? peer;
  return normalAddress(withoutPort(client)) ?? peer;
}

/** Removes the port that some proxies add: `192.0.2.1:50000`, `[2001:db8::1]:50000`. */
function withoutPort(address: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;
}

/** The host and port the client requested. */
export function hostOf(c: Context, trust: Trust): string {
  // HTTP/2 has no Host header; its authority is in the URL.
  return forwarded(c, trust, "x-forwarded-host") ?? c.req.header("host") ?? new URL(c.req.url).host;
}

/** The site's origin as the client sees it; null if the requested host is invalid. */
export function originOf(c: Context, trust: Trust): string | null {
  const scheme = forwarded(c, trust, "x-forwarded-proto") ?? (trust.secure ? "https" : "http");
  // Normalized, because browsers omit the default port and proxies may include it.
  return URL.parse(`${scheme === "https" ? "https" : "http"}://${hostOf(c, trust)}`)?.origin ?? null;
}

/**
 * Refuses changes that do not come from this site's own pages, whatever the content type. Browsers send the origin with
 * every POST; if a proxy hides the site's own, Sec-Fetch-Site still says that it is the same.
 */
export function onlyFromOwnPages(trust: Trust): MiddlewareHandler {
  return async (c, next) => {
    const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
    const isOwn = c.req.header("sec-fetch-site") === "same-origin" || isFromOwnPage(c, trust);
    if (changes && !isOwn) {
      throw new HTTPException(403, { message: "The request does not come from this site's own pages" });
    }
    await next();
  };
}

/** Whether a request names this site as its origin. */
export function isFromOwnPage(c: Context, trust: Trust): boolean {
  const origin = c.req.header("origin");
  return origin !== undefined && origin === originOf(c, trust);
}

/** The only value of a header that a trusted proxy has to set; null without it, or from anywhere else. */
export function fromProxy(c: Context, { trustedProxies }: Trust, name: string): string | null {
  if (!isWithin(peerOf(c), trustedProxies)) return null;
  const value = c.req.header(name)?.trim() ?? "";
  // Of several values, some may be the client's own.
  return value === "" || value.includes(",") ? null : value;
}

/** The last value of a header, written by the nearest proxy; null if that proxy is not trusted. */
function forwarded(c: Context, { trustedProxies }: Trust, name: string): string | null {
  if (!isWithin(peerOf(c), trustedProxies)) return null;
  return c.req.header(name)?.split(",").at(-1)?.trim() || null;
}

/** The address at the other end of the connection. */
function peerOf(c: Context): string {
  const info: unknown = c.env;
  const address = typeof info === "object" && info !== null && "remoteAddr" in info ? info.remoteAddr : null;
  const hostname = typeof address === "object" && address !== null && "hostname" in address
    ? String(address.hostname)
    : "";
  return normalAddress(hostname) ?? hostname;
}
