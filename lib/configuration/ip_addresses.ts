/** IP addresses compared as addresses: `::ffff:192.0.2.1` is 192.0.2.1, `0:0:0:0:0:0:0:1` is ::1, a range holds its members. Pure. */
import ipaddr from "npm:ipaddr.js@2.5.0";

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** Bits of an IPv6 address that stand before an IPv4 address that is mapped into it. */
const MAPPED_BITS = 96;

/** A provider gives each customer at least so much of IPv6, and every machine in it can take any address of it. */
const IPV6_NETWORK_BITS = 64;

/** Only the four decimal parts that people write: 010.0.0.1 and 127.1 mean different addresses to different programs. */
function parse(text: string): Ip | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // The zone names an interface of this machine, and no part of the address.
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

/** An address as it is usually written, with an IPv4 address for one that is mapped into IPv6; null when it is none. */
export function normalAddress(text: string): string | null {
  return parse(text)?.toString() ?? null;
}

/** Whether a text is an IPv4 address of four decimal parts. */
export function isIpv4(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text);
}

/** Whether a text is an IPv6 address. */
export function isIpv6(text: string): boolean {
  return ipaddr.IPv6.isValid(text);
}

/** Whether a text is an address or a range such as 172.16.0.0/12. */
export function isAddressRange(text: string): boolean {
  return parseRange(text) !== null;
}

/** Whether an address is one of these addresses, or within one of these ranges. */
export function isWithin(address: string, ranges: readonly string[]): boolean {
  const ip = parse(address);
  if (ip === null) return false;
  return ranges.some((range) => {
    const parsed = parseRange(range);
    return parsed !== null && parsed[0].kind() === ip.kind() && ip.match(parsed);
  });
}

/** Whether only this machine reaches a host, given by address or as `localhost`. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || parse(host)?.range() === "loopback";
}

/** The part of the internet that one customer has: an IPv4 address itself, the first 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  const ip = parse(address);
  if (ip === null || ip.kind() === "ipv4") return ip?.toString() ?? address;
  return `${
    ipaddr.IPv6.networkAddressFromCIDR(`${ip.toString()}/${IPV6_NETWORK_BITS}`)
  }/${IPV6_NETWORK_BITS}`;
}
