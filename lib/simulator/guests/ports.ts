/** The ports of simulated guests, and what answers there. Pure. */
import type { PortAnswer } from "../../first_boot/readiness/probe_port.ts";
import type { Store } from "../store.ts";

/** A port that a guest opens. */
export interface GuestPort {
  readonly address: string;
  readonly port: number;
  /** What the service says first; null for one that waits. */
  readonly greeting: string | null;
  /** Aborted when the guest ends. */
  readonly signal: AbortSignal;
}

/** Opens a port on this machine. */
export type OpenPort = (port: GuestPort) => void;

/** Debian's image has it from the first boot on. */
export const SSH = 22;
const GREETINGS: ReadonlyMap<number, string> = new Map([[SSH, "SSH-2.0-OpenSSH_9.2p1\r\n"]]);

/** Where services of well-known packages listen. */
const PACKAGES: Readonly<Record<string, number>> = {
  nginx: 80,
  apache2: 80,
  caddy: 80,
  haproxy: 80,
  postgresql: 5_432,
  "mariadb-server": 3_306,
};
/** Kubernetes's API, of the nodes that have it. */
const KUBERNETES: readonly RegExp[] = [/get\.k3s\.io.*\bserver\b/s, /\bkubeadm init\b/];
const KUBERNETES_API = 6_443;

/** What a guest listens on when cloud-init has finished. */
export function portsOf(packages: readonly string[], commands: string): readonly number[] {
  const known = packages.flatMap((name) => PACKAGES[name] ?? []);
  const kubernetes = KUBERNETES.some((command) => command.test(commands)) ? [KUBERNETES_API] : [];
  return [...new Set([SSH, ...known, ...kubernetes])];
}

/** What the service on a port says first. */
export function greetingOf(port: number): string | null {
  return GREETINGS.get(port) ?? null;
}

/** What somebody in the guests' network would find there. */
export function answerAt({ vms }: Store, address: string, port: number): PortAnswer {
  const guest = [...vms.values()].find(({ state, addresses = {} }) =>
    state === "RUNNING" && Object.values(addresses).includes(address)
  );
  if (guest === undefined) return { state: "silent", greeting: null, because: null };
  const isOpen = guest.ports?.includes(port) === true;
  return {
    state: isOpen ? "open" : "refused",
    greeting: isOpen ? greetingOf(port)?.trim() ?? null : null,
    because: null,
  };
}
