/** Parses the address of a NAS and the fingerprint of its certificate. Pure. */
import { isLoopback } from "./ip_addresses.ts";
import type { Problem } from "../../errors/errors.ts";

/** The address of a NAS. */
export type NasAddress =
  | {
    readonly kind: "wss" | "ws";
    /** `wss://nas.lan` or `ws://127.0.0.1:6000`: no path, no credentials. */
    readonly url: string;
    /** The name or address alone: `nas.lan`. */
    readonly host: string;
  }
  | { readonly kind: "unix"; readonly url: string; readonly host: string; readonly path: string };

/** An address, or the reason why the text is invalid. */
export type ParsedAddress =
  | { readonly ok: true; readonly address: NasAddress }
  | { readonly ok: false; readonly problem: Problem };

const UNIX = "unix:";

/** Parses host, host:port, [v6]:port, a ws:// or wss:// URL, or unix:/path; a bare host means wss://. */
export function parseNasAddress(text: string): ParsedAddress {
  const typed = text.trim();
  if (typed === "") return refuse("The NAS's address is empty; enter a host such as nas.lan");
  if (typed.startsWith(UNIX)) return unixAddress(typed.slice(UNIX.length));
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(typed)?.[1]?.toLowerCase();
  if (scheme === "http" || scheme === "https") {
    const instead = scheme === "https" ? "wss" : "ws";
    return refuse(
      `${quote(typed)} is a web address; use ${instead}:// instead of ${scheme}://, or the host alone`,
    );
  }
  if (scheme !== undefined && scheme !== "ws" && scheme !== "wss") {
    return refuse(
      `${quote(typed)} starts with ${scheme}://; use wss://, ws:// or unix:/path, or the host alone`,
    );
  }
  return webAddress(typed, scheme === undefined ? `wss://${typed}` : typed, scheme ?? "wss");
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** The port that is connected to, also where the address does not name it; null for a socket. */
export function portOf(address: NasAddress): number | null {
  if (address.kind === "unix") return null;
  const { port } = new URL(address.url);
  if (port !== "") return Number(port);
  return address.kind === "wss" ? HTTPS_PORT : HTTP_PORT;
}

/** The address with its port, for messages about a connection: `wss://nas.lan, port 443`. */
export function addressInWords(address: NasAddress): string {
  const port = portOf(address);
  const isNamed = port === null || address.url.endsWith(`:${port}`);
  return isNamed ? address.url : `${address.url}, port ${port}`;
}

/** Whether traffic to the address can be read on the way: ws:// to another machine. */
export function isUnencrypted(address: NasAddress): boolean {
  return address.kind === "ws" && !isLoopback(address.host);
}

/**
 * Returns the URL of a web page on the NAS, or null when it leads elsewhere or does not use HTTP or HTTPS.
 *
 * @param host The host that the NAS was asked to use in the URL.
 */
export function pageOnNas(uri: string, host: string): string | null {
  const url = URL.parse(uri);
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "") return null;
  // The parser's form is printable ASCII, whatever the text contained.
  return url.hostname === URL.parse(`http://${host}`)?.hostname ? url.href : null;
}

function webAddress(typed: string, url: string, kind: "ws" | "wss"): ParsedAddress {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === "") {
    return refuse(`${quote(typed)} is not an address; enter a host such as nas.lan or nas.lan:444`);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    return refuse("The address contains a user name or password; set API_USERNAME and API_PASSWORD instead");
  }
  if (!["/", "/api/current"].includes(parsed.pathname) || parsed.search !== "" || parsed.hash !== "") {
    return refuse(`${quote(typed)} has a path; enter the host and port only`);
  }
  return {
    ok: true,
    address: { kind, url: `${kind}://${parsed.host}`, host: parsed.hostname.replace(/^\[|\]$/g, "") },
  };
}

function unixAddress(path: string): ParsedAddress {
  if (!path.startsWith("/")) {
    return refuse(`${quote(UNIX + path)} has no absolute path; enter unix:/path/to/socket`);
  }
  return { ok: true, address: { kind: "unix", url: UNIX + path, host: "localhost", path } };
}

function refuse(message: string): ParsedAddress {
  return { ok: false, problem: { field: "TRUENAS_HOST", message } };
}

/** Drops text before an @, which may be a password and must not appear in a message. */
function quote(text: string): string {
  return JSON.stringify(text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1…@"));
}

/** Normalizes a SHA-256 fingerprint to pairs of uppercase digits with colons; null when it is not one. */
export function normalizeFingerprint(text: string): string | null {
  const digits = text.trim().replace(/^sha-?256[:= ]/i, "").replaceAll(/[:\s-]/g, "").toUpperCase();
  if (!/^[0-9A-F]{64}$/.test(digits)) return null;
  return digits.match(/../g)?.join(":") ?? null;
}
