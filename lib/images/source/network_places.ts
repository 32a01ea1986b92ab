/**
 * Which addresses a download may lead to. Each address has a distance from this machine, and a redirect may not lead nearer
 * than the address that it comes from: a public server could otherwise have this program read what only this network can. Pure.
 */
import ipaddr from "npm:ipaddr.js@2.5.0";

/** How near an address is: anywhere, in a private network, or this machine itself. */
export type Place = "public" | "private" | "this machine";

const NEARNESS: Readonly<Record<Place, number>> = { public: 0, private: 1, "this machine": 2 };

const PRIVATE: readonly string[] = ["private", "carrierGradeNat", "uniqueLocal"];

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
  return PRIVATE.includes(range) ? "private" : null;
}

/** Whether one place is nearer than another. */
export function isNearer(place: Place, than: Place): boolean {
  return NEARNESS[place] > NEARNESS[than];
}
