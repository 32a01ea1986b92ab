/** How people's browsers and viewers reach the NAS, which may be another way than this program's. Pure. */
import { isLoopback } from "./ip_addresses.ts";
import { parseIpv4 } from "../exports/values.ts";
import type { NasAddress } from "./nas_address.ts";

/** Where consoles lead. */
export interface PublicHost {
  /** As it stands in a URL: `nas.lan:444`, `[2001:db8::1]`. */
  readonly host: string;
  /** The name or address alone. */
  readonly hostname: string;
  /** Whether NAS_PUBLIC_HOST names it with a scheme. */
  readonly scheme: "http" | "https" | null;
  /** Where this is known from. */
  readonly source: "NAS_PUBLIC_HOST" | "TRUENAS_HOST" | "the NAS itself";
}

/** Reads NAS_PUBLIC_HOST: host, host:port, [v6]:port, or an http:// or https:// URL without a path; null when it is none. */
export function parsePublicHost(text: string): PublicHost | null {
  const typed = text.trim();
  const scheme = /^(https?):\/\//i.exec(typed)?.[1]?.toLowerCase() ?? null;
  const url = URL.parse(scheme === null ? `https://${typed}` : typed);
  if (url === null || url.hostname === "" || url.username !== "" || url.password !== "") return null;
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") return null;
  return {
    ...named(url),
    scheme: scheme === "http" || scheme === "https" ? scheme : null,
    source: "NAS_PUBLIC_HOST",
  };
}

/** The host that this program connects to; null for a socket or a tunnel's end, which other machines do not have. */
export function hostOfAddress(address: NasAddress): PublicHost | null {
  if (address.kind === "unix" || isLoopback(address.host)) return null;
  return { ...named(new URL(address.url)), scheme: null, source: "TRUENAS_HOST" };
}

/** The first of the NAS's own addresses by which other machines reach it; null when it names none. */
export function hostOfNas(addresses: readonly string[]): PublicHost | null {
  const [first] = addresses.flatMap((address) => parseIpv4(address) ?? []);
  return first === undefined
    ? null
    : { host: first, hostname: first, scheme: null, source: "the NAS itself" };
}

function named({ host, hostname }: URL): Pick<PublicHost, "host" | "hostname"> {
  return { host, hostname: hostname.replace(/^\[|\]$/g, "") };
}
