/** The addresses that agents and their commands mcp use. Pure. */
import type { Settings } from "../configuration/environment/settings.ts";
import { parseNasAddress } from "../configuration/environment/nas_address.ts";

/** All addresses of this machine, to which no browser can go. */
const ANY = ["0.0.0.0", "::"];

/** Where people of this machine reach the dashboard, without a slash at its end. */
export function dashboardAddress(
  { tls, listenHost, basePath }: Pick<Settings, "tls" | "listenHost" | "basePath">,
  port: number,
): string {
  const host = ANY.includes(listenHost) ? "localhost" : listenHost;
  return `${tls === null ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}${basePath}`;
}

/** The NAS, so that two ways of writing its address are one. */
export function nasOf(host: string): string {
  const parsed = parseNasAddress(host);
  if (!parsed.ok) return host;
  return parsed.address.kind === "unix" ? parsed.address.path : parsed.address.url;
}
