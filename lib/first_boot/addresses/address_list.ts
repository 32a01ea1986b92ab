/** Reads a range or a list of addresses. Pure. */
import { show } from "../../inputs.ts";
import {
  addressText,
  addressValue,
  broadcastValue,
  hasAddress,
  hostValue,
  type NetworkAddress,
  networkText,
  networkValue,
} from "./ipv4_network.ts";

/** Addresses in order, without writing them all down: a range can have millions. */
export interface AddressList {
  /** How many there are. */
  readonly length: number;
  /** The address at an index from 0; null beyond the last one. */
  at(index: number): NetworkAddress | null;
}

/** Addresses, or what is wrong with their text. */
export type ParsedAddresses = { readonly addresses: AddressList } | { readonly problem: string };

/** Networks that hosts share; smaller ones have no room for hosts besides a router. */
const PREFIXES = { lowest: 8, highest: 30 } as const;

const RANGE_EXAMPLE = "10.0.0.21-29/24";
const ADDRESS_EXAMPLE = "10.0.0.21/24";

/** Reads `10.0.0.21-29/24`, `10.0.0.21-10.0.0.29/24`, or one address: `10.0.0.21/24`. */
export function parseRange(text: string): ParsedAddresses {
  const [, first = "", last, bits] = /^([^-/]+)(?:-([^-/]+))?(?:\/([^/]*))?$/.exec(text.trim()) ?? [];
  const prefix = parsePrefix(bits);
  const start = hostValue(first);
  if (first === "" || start === null) return notAnAddress(first === "" ? text : first, RANGE_EXAMPLE);
  if (prefix === null) return noPrefix(text, RANGE_EXAMPLE);
  const end = last === undefined ? start : endOf(first, last);
  if (end === null) return notAnAddress(last ?? "", RANGE_EXAMPLE);
  if (end < start) {
    const reversed = `${addressText(end)}-${addressText(start)}/${prefix}`;
    return { problem: `The range ${show(text)} runs backwards; write it like ${reversed}` };
  }
  const network = { value: start, prefix };
  if (!hasAddress(network, end)) {
    const message = `${addressText(end)} is not in the network ${networkText(network)} of ${first}`;
    return { problem: `${message}; end the range in that network, or change its prefix` };
  }
  const problem = hostProblem(network) ?? hostProblem({ value: end, prefix });
  if (problem !== null) return { problem };
  const length = end - start + 1;
  return { addresses: { length, at: (n) => n < length ? { value: start + n, prefix } : null } };
}

/** The end of a range: a whole address, or its last part. */
function endOf(first: string, last: string): number | null {
  const isPart = /^(?:0|[1-9]\d{0,2})$/.test(last) && Number(last) <= 255;
  return hostValue(isPart ? first.replace(/\d+$/, last) : last);
}

/** Reads one address of a list: `10.0.0.21/24`. */
export function parseAddress(text: string): NetworkAddress | { readonly problem: string } {
  const [, address = "", bits] = /^([^/]*)(?:\/([^/]*))?$/.exec(text.trim()) ?? [];
  const value = hostValue(address);
  if (value === null) return notAnAddress(address === "" ? text : address, ADDRESS_EXAMPLE);
  const prefix = parsePrefix(bits);
  if (prefix === null) return noPrefix(text, ADDRESS_EXAMPLE);
  const problem = hostProblem({ value, prefix });
  return problem === null ? { value, prefix } : { problem };
}

/** Why a host cannot have an address; null when it can. */
export function hostProblem(address: NetworkAddress): string | null {
  const text = addressText(address.value);
  if (address.value === networkValue(address)) {
    return `${text} is the address of the network ${networkText(address)} itself; choose another one`;
  }
  if (address.value === broadcastValue(address)) {
    return `${text} is the broadcast address of the network ${networkText(address)}; choose another one`;
  }
  return null;
}

function parsePrefix(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,2}$/.test(text)) return null;
  const prefix = Number(text);
  return prefix >= PREFIXES.lowest && prefix <= PREFIXES.highest ? prefix : null;
}

function noPrefix(text: string, example: string): { readonly problem: string } {
  const range = `${PREFIXES.lowest} to ${PREFIXES.highest}`;
  return {
    problem: `${show(text)} needs the bits of its network, ${range}, at its end; write it like ${example}`,
  };
}

function notAnAddress(text: string, example: string): { readonly problem: string } {
  return addressValue(text) === null
    ? { problem: `${show(text)} is not an IPv4 address; write it like ${example}` }
    : { problem: `A VM cannot have the address ${text}; choose one of your network, such as ${example}` };
}
