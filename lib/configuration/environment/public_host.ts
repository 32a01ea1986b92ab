/** Where browsers and viewers reach the NAS, which can differ from this program's address for it. Pure. */
import { isLoopback, parseIpv4 } from "./ip_addresses.ts";
import type { NasAddress } from "./nas_address.ts";

/** The host that consoles connect to. */
export interface PublicHost {
  /** As written in a URL: `nas.lan:444`, `[2001:db8::1]`. */
  readonly host: string;
  /** The name or address alone. */
  readonly hostname: string;
  /** The scheme in NAS_PUBLIC_HOST, if any. */
  readonly scheme: "http" | "https" | null;
  /** Where this is known from. */
  readonly source: "NAS_PUBLIC_HOST" | "TRUENAS_HOST" | "the NAS itself";
}

/** Parses NAS_PUBLIC_HOST: host, host:port, [v6]:port, or an http:// or https:// URL without a path; null when invalid. */
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

/** The host this program connects to; null for a socket or a tunnel, which other machines cannot use. */
export function hostOfAddress(address: NasAddress): PublicHost | null {
  if (address.kind === "unix" || isLoopback(address.host)) return null;
  return { ...named(new URL(address.url)), scheme: null, source: "TRUENAS_HOST" };
}

/** The NAS's first address that other machines can reach; null when it reports none. */
export function hostOfNas(addresses: readonly string[]): PublicHost | null {
  const [first] = addresses.flatMap((address) => parseIpv4(address) ?? []);
  return first === undefined
    ? null
    : { host: first, hostname: first, scheme: null, source: "the NAS itself" };
}

function named({ host, hostname }: URL): Pick<PublicHost, "host" | "hostname"> {
  return { host, hostname: hostname.replace(/^\[|\]$/g, "") };
}
