/** Compares IP addresses by value: `::ffff:192.0.2.1` equals 192.0.2.1, `0:0:0:0:0:0:0:1` equals ::1, a range contains its members. Pure. */
import ipaddr from "npm:ipaddr.js@2.5.0";

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** An IPv4 address that a host can have. */
export type Ipv4 = string & { readonly kind: "ipv4" };

/** Length of the prefix of an IPv4-mapped IPv6 address, in bits. */
const MAPPED_BITS = 96;

/** Providers assign each customer at least a /64, and a machine can use any address in it. */
const IPV6_NETWORK_BITS = 64;

/** Accepts only four decimal parts, because programs disagree on 010.0.0.1 and 127.1. */
function parse(text: string): Ip | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // The zone names an interface of this machine; it is not part of the address.
  const address = text.replace(/%[\w.-]+$/, "");
  return ipaddr.IPv6.isValid(address) ? ipaddr.process(address) : null;
}

function parseRange(text: string): [Ip, number] | null {
  const [, start, length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = start === undefined ? null : parse(start);
  if (start === undefined || address === null) return null;
  const most = address.kind() === "ipv4" ? 32 : 128;
  if (length === undefined) return [address, most];
  const bits = Number(length) - (address.kind() === "ipv4" && start.includes(":") ? MAPPED_BITS : 0);
  return bits >= 0 && bits <= most ? [address, bits] : null;
}

/** The usual form of an address, IPv4 for a mapped one; null when the text is not an address. */
export function normalAddress(text: string): string | null {
  return parse(text)?.toString() ?? null;
}

/** Whether a text is an IPv4 address of four decimal parts. */
export function isIpv4(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text);
}

/** Parses four decimal numbers without leading zeros; null for anything else, and for addresses that hosts cannot have. */
export function parseIpv4(text: string | null): Ipv4 | null {
  return text !== null && isIpv4(text) && !isWithin(text, NO_HOSTS) ? text as Ipv4 : null;
}

/** This-network, loopback, link-local, multicast and reserved addresses (RFC 6890). */
const NO_HOSTS: readonly string[] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];

/** Whether a text is an IPv6 address. */
export function isIpv6(text: string): boolean {
  return ipaddr.IPv6.isValid(text);
}

/** Whether a text is an address or a range such as 172.16.0.0/12. */
export function isAddressRange(text: string): boolean {
  return parseRange(text) !== null;
}

/** Whether an address is one of the given addresses or in one of the given ranges. */
export function isWithin(address: string, ranges: readonly string[]): boolean {
  const ip = parse(address);
  if (ip === null) return false;
  return ranges.some((range) => {
    const parsed = parseRange(range);
    return parsed !== null && parsed[0].kind() === ip.kind() && ip.match(parsed);
  });
}

/** Whether a host, an address or `localhost`, is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || parse(host)?.range() === "loopback";
}

/** The network of one customer: an IPv4 address itself, or the first 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  const ip = parse(address);
  if (ip === null || ip.kind() === "ipv4") return ip?.toString() ?? address;
  return `${
    ipaddr.IPv6.networkAddressFromCIDR(`${ip.toString()}/${IPV6_NETWORK_BITS}`)
  }/${IPV6_NETWORK_BITS}`;
}
