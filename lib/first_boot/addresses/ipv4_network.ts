/** Networks of IPv4 addresses, which are compared as numbers. Pure. */
import { isIpv4, parseIpv4 } from "../../configuration/environment/ip_addresses.ts";

/** An address in its network. */
export interface NetworkAddress {
  /** The address as a number of 32 bits. */
  readonly value: number;
  /** Bits of the network: 24. */
  readonly prefix: number;
}

/** The number of an address of four decimal parts; null for any other text, and for addresses that hosts cannot have. */
export function hostValue(text: string): number | null {
  return parseIpv4(text) === null ? null : valueOf(text);
}

/** The number of an address of four decimal parts; null for any other text. */
export function addressValue(text: string): number | null {
  return isIpv4(text) ? valueOf(text) : null;
}

function valueOf(text: string): number {
  return text.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}

/** An address as text: `10.0.0.21`. */
export function addressText(value: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join(".");
}

/** The first address of a network, which names it. */
export function networkValue({ value, prefix }: NetworkAddress): number {
  return value - value % sizeOf(prefix);
}

/** The last address of a network, which reaches all its hosts. */
export function broadcastValue(address: NetworkAddress): number {
  return networkValue(address) + sizeOf(address.prefix) - 1;
}

/** A network as text: `10.0.0.0/24`. */
export function networkText(address: NetworkAddress): string {
  return `${addressText(networkValue(address))}/${address.prefix}`;
}

/** Whether a network has an address. */
export function hasAddress(network: NetworkAddress, value: number): boolean {
  return value >= networkValue(network) && value <= broadcastValue(network);
}

/** How many addresses a network has. */
function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}
