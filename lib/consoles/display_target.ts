/**
 * Where the dashboard reaches a VM's display: the host comes from the settings, and only the port from the inventory, so
 * that no NAS can lead the dashboard elsewhere. Pure.
 */
import { isLoopback, normalAddress } from "../configuration/environment/ip_addresses.ts";
import type { NasAddress } from "../configuration/environment/nas_address.ts";
import { parsePublicHost } from "../configuration/environment/public_host.ts";
import type { Display } from "../inventory/inventory.ts";

/**
 * The ports that the dashboard may connect to on the NAS, beside the API's. TrueNAS gives out ports from 5900 on, two for
 * each display; the runtime knows no ranges, so each port is a permission of its own, and more would only be a risk.
 */
export const DISPLAY_PORTS = { first: 5_900, last: 7_999 } as const;

/** How the dashboard reaches the NAS. */
export interface NasReach {
  readonly address: NasAddress;
  /** NAS_PUBLIC_HOST; null when it is not set. */
  readonly publicHost: string | null;
}

/** Where to connect. */
export interface DisplayTarget {
  /** A name or an address from the settings. */
  readonly hostname: string;
  /** Between 5900 and 7999. */
  readonly port: number;
}

/** Where to connect, or why the dashboard cannot, with what to do. */
export type FoundTarget =
  | { readonly ok: true; readonly target: DisplayTarget }
  | { readonly ok: false; readonly message: string };

/** The protocols that the page speaks. */
const PROTOCOLS: readonly string[] = ["SPICE", "VNC"];

const ANY_ADDRESS: readonly string[] = ["0.0.0.0", "::", ""];

/** The hosts on which the dashboard may connect to displays: the NAS of TRUENAS_HOST, and NAS_PUBLIC_HOST. */
export function displayHosts({ address, publicHost }: NasReach): readonly string[] {
  const named = publicHost === null ? null : parsePublicHost(publicHost)?.hostname ?? null;
  return [...new Set([hostOf(address), ...(named === null ? [] : [named])])];
}

/** Finds the address of a display. */
export function displayTarget({ type, bind, port }: Display, nas: NasReach): FoundTarget {
  if (!PROTOCOLS.includes(type)) {
    return refuse(`This page shows SPICE and VNC displays, and this one is ${type}`);
  }
  if (port === null) return refuse("This display has no port yet. TrueNAS chooses one when the VM starts");
  const { first, last } = DISPLAY_PORTS;
  if (port < first || port > last) {
    return refuse(
      `This display listens on port ${port}, and the dashboard may only connect to ports ${first} to ${last} of the ` +
        "NAS. Give the display a port in that range in TrueNAS, or use the .vv file",
    );
  }
  const hostname = hostFor(bind, nas);
  return hostname === null ? refuse(unreachable(bind, nas)) : { ok: true, target: { hostname, port } };
}

/** The host that reaches a display of this bind address; null when none of the permitted ones does. */
function hostFor(bind: string, nas: NasReach): string | null {
  const host = hostOf(nas.address);
  if (ANY_ADDRESS.includes(bind)) return host;
  // A tunnel and the NAS itself look the same from here, so a loopback host is tried.
  if (isLoopback(bind)) return isLoopback(host) ? host : null;
  const same = displayHosts(nas).find((it) => normalAddress(it) === normalAddress(bind));
  if (same !== undefined) return same;
  // The NAS's name may stand for any of its addresses, and a tunnel may lead to any.
  const mayLead = normalAddress(host) === null || (isLoopback(host) && nas.address.kind !== "unix");
  return mayLead ? host : null;
}

function unreachable(bind: string, nas: NasReach): string {
  const [host] = displayHosts(nas);
  return isLoopback(bind)
    ? `This display listens on ${bind} of the NAS alone, which the dashboard cannot reach from another machine. Let the ` +
      "display listen on 0.0.0.0 in TrueNAS, or run the dashboard on the NAS"
    : `This display listens on ${bind} alone, and the dashboard may only connect to ${host}. Let the display listen on ` +
      `0.0.0.0 in TrueNAS, or set NAS_PUBLIC_HOST to ${bind}`;
}

/** Over a socket the dashboard runs on the NAS, where displays are local. */
function hostOf(address: NasAddress): string {
  return address.kind === "unix" ? "127.0.0.1" : address.host;
}

function refuse(message: string): FoundTarget {
  return { ok: false, message };
}
