/**
 * What may enter an export: values that were parsed to their type. Names, MACs and addresses come from the NAS and from
 * guests, who may send anything; what does not parse is null, and no format ever sees it. Pure.
 */
import { normalizeMac } from "../inventory/names.ts";

/** A unicast MAC in lower case with colons. */
export type Mac = string & { readonly kind: "mac" };

/** An IPv4 address that one host can have. */
export type Ipv4 = string & { readonly kind: "ipv4" };

/** One label of a host name (RFC 1123) in lower case: letters, digits and inner hyphens, at most 63. */
export type HostName = string & { readonly kind: "host name" };

/** The name of a bridge or interface. */
export type InterfaceName = string & { readonly kind: "interface name" };

/** A MAC from colons or hyphens; null when it is none, or a group's. */
export function parseMac(text: string | null): Mac | null {
  return text === null ? null : normalizeMac(text) as Mac | null;
}

/** Four decimal numbers without leading zeros; null for anything else, and for an address no host is reached by. */
export function parseIpv4(text: string | null): Ipv4 | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text ?? "")?.slice(1) ?? [];
  const isWritten = parts.length === 4 &&
    parts.every((part) => String(Number(part)) === part && +part <= 255);
  return isWritten && isHostAddress(Number(parts[0]), Number(parts[1])) ? text as Ipv4 : null;
}

/** Not this network, loopback, link-local, multicast or reserved (RFC 6890). */
function isHostAddress(first: number, second: number): boolean {
  return first !== 0 && first !== 127 && first < 224 && !(first === 169 && second === 254);
}

/** Why a VM's name is no host name. */
export const NO_HOST_NAME =
  "a host name has at most 63 letters, digits and hyphens, and begins and ends with a letter or digit; rename the VM to export it";

/** The host name that a VM's name stands for: host names have no underscores and no capitals; null when there is none. */
export function parseHostName(name: string): HostName | null {
  const label = name.toLowerCase().replaceAll("_", "-");
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label) ? label as HostName : null;
}

/** A bridge or interface as Linux names them, with a VLAN or alias after it: `br0`, `enp3s0.20`. */
export function parseInterfaceName(text: string | null): InterfaceName | null {
  return /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$/.test(text ?? "") ? text as InterfaceName : null;
}
