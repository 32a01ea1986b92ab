/**
 * Which addresses a download may lead to. Each address has a distance from this machine, and a redirect may not lead nearer
 * than the address that it comes from: a public server could otherwise have this program read what only this network can. Pure.
 */
import ipaddr from "npm:ipaddr.js@2.5.0";
import { isWithin } from "../../configuration/environment/ip_addresses.ts";

/** How near an address is: anywhere, in a private network, or this machine itself. */
export type Place = "public" | "private" | "this machine";

const NEARNESS: Readonly<Record<Place, number>> = { public: 0, private: 1, "this machine": 2 };

const PRIVATE: readonly string[] = ["private", "carrierGradeNat", "uniqueLocal"];

/** Meant for benchmarks (RFC 2544); some proxies give every name an address of their own in it. */
const BENCHMARKS: readonly string[] = ["198.18.0.0/15"];

/** Length of an IPv4 address in bytes, at the end of an IPv6 address that a NAT64 translates. */
const IPV4_BYTES = 4;

/** Where an address is; null for link-local (cloud providers keep secrets there), multicast and reserved ones. */
export function placeOf(address: string): Place | null {
  const text = address.replace(/%.*$/, "");
  if (!ipaddr.isValid(text)) return null;
  const ip = ipaddr.process(text);
  const range = ip.range();
  if (range === "unicast") return "public";
  if (range === "loopback") return "this machine";
  if (range === "rfc6052") return placeOf(ip.toByteArray().slice(-IPV4_BYTES).join("."));
  return PRIVATE.includes(range) || isWithin(text, BENCHMARKS) ? "private" : null;
}

/** Whether a host is an address and no name. */
export function isAddress(host: string): boolean {
  return ipaddr.isValid(host.replace(/%.*$/, ""));
}

/** Addresses that a connection may be made to. */
export interface AllowedAddresses {
  readonly place: Place;
  readonly addresses: readonly string[];
}

/** Where an address comes from. */
export interface AddressOrigin {
  /** Where the server is that redirects to it; null for the address that was asked for. */
  readonly from: Place | null;
  /** Whether the address that was asked for may be a private one. */
  readonly allowPrivate: boolean;
}

/**
 * The addresses of a host that may be connected to, all of the farthest place that it has, so that a name with a public and a
 * private address leads only to the public one; or why there is none, as the end of a sentence.
 */
export function allowedAddresses(
  found: readonly string[],
  { from, allowPrivate }: AddressOrigin,
): AllowedAddresses | string {
  const nearest = from ?? (allowPrivate ? "this machine" : "public");
  const places = found.flatMap((address) => placeOf(address) ?? []);
  const farthest = places.toSorted((a, b) => NEARNESS[a] - NEARNESS[b])[0];
  if (farthest === undefined) {
    const which = from === null ? "its address" : "the server redirects there, and that address";
    return `${which} is link-local or reserved; images are never read from there`;
  }
  if (NEARNESS[farthest] <= NEARNESS[nearest]) {
    return { place: farthest, addresses: found.filter((address) => placeOf(address) === farthest) };
  }
  const where = farthest === "private" ? "into a private network" : "to this machine";
  return from === null
    ? `it leads ${where}, which is allowed only for addresses in the configuration`
    : `the server redirects ${where}, which is not allowed; use that address itself`;
}
