/** Where a request came from and what it was sent to: as a trusted proxy says, or else as the connection itself does. */
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { isWithin, normalAddress } from "../../lib/configuration/ip_addresses.ts";

/** Which proxies are believed. */
export interface Trust {
  /** Addresses and ranges of reverse proxies whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  /** The dashboard itself speaks TLS. */
  readonly secure: boolean;
}

/** The client's address; a proxy's own when it is not trusted. */
export function addressOf(c: Context, trust: Trust): string {
  const peer = peerOf(c);
  if (!isWithin(peer, trust.trustedProxies)) return peer;
  // Each proxy adds whom it heard at the end; what stands before an address that is not a proxy's, anybody may have written.
  const chain = (c.req.header("x-forwarded-for") ?? "").split(",").map((it) => it.trim()).filter(Boolean);
  const heard = chain.findLast((it) => !isWithin(withoutPort(it), trust.trustedProxies)) ?? chain[0] ?? peer;
  return normalAddress(withoutPort(heard)) ?? peer;
}

/** Some proxies add the port: `192.0.2.1:50000`, `[2001:db8::1]:50000`. */
function withoutPort(address: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;
}

/** The host and port that the client asked for. */
export function hostOf(c: Context, trust: Trust): string {
  // HTTP/2 has the name in its own place, from which the URL is made.
  return forwarded(c, trust, "x-forwarded-host") ?? c.req.header("host") ?? new URL(c.req.url).host;
}

/** The origin of the site as the client sees it; null when it asked for what is no host. */
export function originOf(c: Context, trust: Trust): string | null {
  const scheme = forwarded(c, trust, "x-forwarded-proto") ?? (trust.secure ? "https" : "http");
  // As an origin is written: a browser leaves out the usual port, and a proxy may name it.
  return URL.parse(`${scheme === "https" ? "https" : "http"}://${hostOf(c, trust)}`)?.origin ?? null;
}

/**
 * Refuses what would change something and does not come from a page of this site, whatever its body is said to be.
 * Browsers name the origin of every POST; where a proxy hides ours, they still say that it is the same.
 */
export function onlyFromOwnPages(trust: Trust): MiddlewareHandler {
  return async (c, next) => {
    const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
    const isOwn = c.req.header("sec-fetch-site") === "same-origin" || isFromOwnPage(c, trust);
    if (changes && !isOwn) throw new HTTPException(403, { message: "not sent from a page of this site" });
    await next();
  };
}

/** Whether a request names this site as its origin. */
export function isFromOwnPage(c: Context, trust: Trust): boolean {
  const origin = c.req.header("origin");
  return origin !== undefined && origin === originOf(c, trust);
}

/** The last value of a header, which the nearest proxy wrote; null when that one is not trusted. */
function forwarded(c: Context, { trustedProxies }: Trust, name: string): string | null {
  if (!isWithin(peerOf(c), trustedProxies)) return null;
  return c.req.header(name)?.split(",").at(-1)?.trim() || null;
}

/** Who is at the other end of the connection, as the server says. */
function peerOf(c: Context): string {
  const info: unknown = c.env;
  const address = typeof info === "object" && info !== null && "remoteAddr" in info ? info.remoteAddr : null;
  const hostname = typeof address === "object" && address !== null && "hostname" in address
    ? String(address.hostname)
    : "";
  return normalAddress(hostname) ?? hostname;
}
