/**
 * Validated values for exports. Names and addresses come from the NAS and from guests, who can send
 * anything; invalid ones become null and reach no format. Pure.
 */
import { normalizeMac } from "../inventory/names.ts";

/** A unicast MAC address in lower case with colons. */
export type Mac = string & { readonly kind: "mac" };

/** One label of a host name (RFC 1123) in lower case: letters, digits and inner hyphens, at most 63. */
export type HostName = string & { readonly kind: "host name" };

/** The name of a bridge or interface. */
export type InterfaceName = string & { readonly kind: "interface name" };

/** Parses a MAC address with colons or hyphens; null when invalid or multicast. */
export function parseMac(text: string | null): Mac | null {
  return text === null ? null : normalizeMac(text) as Mac | null;
}

/** Why a VM's name is not a host name. */
export const NO_HOST_NAME =
  "a host name has at most 63 letters, digits and hyphens, and starts and ends with a letter or digit; rename the VM to export it";

/** Derives a host name from a VM's name, without underscores and capitals; null when that is impossible. */
export function parseHostName(name: string): HostName | null {
  const label = name.toLowerCase().replaceAll("_", "-");
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label) ? label as HostName : null;
}

/** A Linux bridge or interface name, optionally with a VLAN or alias: `br0`, `enp3s0.20`. */
export function parseInterfaceName(text: string | null): InterfaceName | null {
  return /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$/.test(text ?? "") ? text as InterfaceName : null;
}
