/**
 * The network of simulated guests. They have loopback addresses of their own, so that real servers and clients on this machine
 * reach them and can be reached; no guest reaches anything else.
 */
import type { ShownCard } from "./console_text.ts";
import { devicesOf, type Store, type StoredVm } from "../store.ts";

/** The router of those that use DHCP. */
export const GATEWAY = "127.20.0.1";
const GUEST_PREFIX = 24;
const FIRST_HOST = 10;
const HOSTS = 240;

/** The address that a guest gets by DHCP. */
export function addressOf(vm: StoredVm): string {
  return `127.20.${Math.floor(vm.id / HOSTS) % 256}.${FIRST_HOST + vm.id % HOSTS}`;
}

/** The first network card of a guest: with its static address if its network configuration names the card, else by DHCP. */
export function cardOf(store: Store, vm: StoredVm, statics: ReadonlyMap<string, string>): ShownCard | null {
  const nic = devicesOf(store, vm.id).find(({ attributes }) => attributes.dtype === "NIC");
  if (nic === undefined) return null;
  const mac = String(nic.attributes.mac ?? "00:a0:98:00:00:00").toLowerCase();
  const [address = addressOf(vm), prefix] = statics.get(mac)?.split("/") ?? [];
  return { name: "enp0s2", address, prefix: Number(prefix ?? GUEST_PREFIX), mac };
}

/** Whether an address is of this machine only. */
export function isOwn(address: string): boolean {
  return /^127(\.\d+){3}$/.test(address);
}

/** Whether what is asked for is on this machine. */
export function isLoopback(url: string): boolean {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : new URL("about:blank");
  return protocol === "http:" && (hostname === "localhost" || isOwn(hostname));
}

/** A request of a guest. */
export interface GuestRequest {
  readonly url: string;
  /** Posted as a form; absent for a GET. */
  readonly form?: URLSearchParams;
  readonly from: string;
  readonly signal: AbortSignal;
}

/** How a guest reaches the network; null: not at all, or an answer that is no success. */
export type GuestFetch = (request: GuestRequest) => Promise<string | null>;

/** As cloud-init 22.4 sends it. */
export const GUEST_HEADERS = {
  "user-agent": "Cloud-Init/22.4.2",
  "accept-encoding": "gzip, deflate",
  accept: "*/*",
} as const;
