/** Where a request came from and what it was sent to: as a trusted proxy says, or else as the connection itself does. */
import type { Context } from "hono";

/** Which proxies are believed. */
export interface Trust {
  /** Addresses of reverse proxies whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
}

/** The client's address; a proxy's own when it is not trusted. */
export function addressOf(c: Context, { trustedProxies }: Trust): string {
  const peer = peerOf(c);
  if (!trustedProxies.includes(peer)) return peer;
  // Each proxy adds whom it heard at the end; what stands before an address that is not a proxy's, anybody may have written.
  const chain = (c.req.header("x-forwarded-for") ?? "").split(",").map((it) => it.trim()).filter(Boolean);
  return chain.findLast((address) => !trustedProxies.includes(address)) ?? peer;
}

/** The host and port that the client asked for. */
export function hostOf(c: Context, trust: Trust): string {
  // HTTP/2 has the name in its own place, from which the URL is made.
  return forwarded(c, trust, "x-forwarded-host") ?? c.req.header("host") ?? new URL(c.req.url).host;
}

/** The origin of the site as the client sees it. */
export function originOf(c: Context, trust: Trust): string {
  const scheme = forwarded(c, trust, "x-forwarded-proto") ?? new URL(c.req.url).protocol.replace(":", "");
  return `${scheme === "https" ? "https" : "http"}://${hostOf(c, trust)}`;
}

/** The last value of a header, which the nearest proxy wrote; null when that one is not trusted. */
function forwarded(c: Context, { trustedProxies }: Trust, name: string): string | null {
  if (!trustedProxies.includes(peerOf(c))) return null;
  return c.req.header(name)?.split(",").at(-1)?.trim() || null;
}

/** Who is at the other end of the connection, as the server says. */
function peerOf(c: Context): string {
  const info: unknown = c.env;
  const address = typeof info === "object" && info !== null && "remoteAddr" in info ? info.remoteAddr : null;
  return typeof address === "object" && address !== null && "hostname" in address
    ? String(address.hostname)
    : "";
}
