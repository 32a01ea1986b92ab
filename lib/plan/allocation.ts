/** Ports and boot orders, given out before anything is sent, so that nothing relies on the NAS to choose. Pure. */
import type { Vm } from "../inventory/inventory.ts";

/** The lowest and highest port that TrueNAS takes for a display. */
export const DISPLAY_PORTS = { lowest: 5900, highest: 65_535 } as const;

/** A display's web port is looked for this far above its port: 5910 goes with 7910. */
const WEB_PORT_OFFSET = 2_000;

/** Ports that TrueNAS keeps for itself, as far as they can be a display's (its port-in-use checks). */
const RESERVED_PORTS: readonly number[] = [6000];

/** The two ports of one display. */
export interface DisplayPorts {
  readonly port: number;
  readonly webPort: number;
}

/** Gives out ports that nobody has: not a VM on the NAS (running or not), not one given out before. */
export interface PortAllocator {
  /** The next free pair, searching from `startPort`; null when there is none up to 65535. */
  next(startPort: number): DisplayPorts | null;
}

/** Every port of every display on the NAS. */
export function displayPortsOf(vms: readonly Vm[]): number[] {
  const ports = vms.flatMap(({ displays }) => displays.flatMap(({ port, webPort }) => [port, webPort]));
  return ports.filter((port) => port !== null);
}

/** An allocator that steps over these ports, and over those of the NAS itself. */
export function portAllocator(known: Iterable<number>): PortAllocator {
  const taken = new Set<number>([...RESERVED_PORTS, ...known]);
  const take = (from: number): number | null => {
    for (let port = Math.max(from, DISPLAY_PORTS.lowest); port <= DISPLAY_PORTS.highest; port++) {
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
    return null;
  };
  return {
    next(startPort) {
      const port = take(startPort);
      const webPort = port === null ? null : take(port + WEB_PORT_OFFSET);
      return port === null || webPort === null ? null : { port, webPort };
    },
  };
}

/** A device that wants a place in the boot order. */
export interface Ranked {
  readonly step: string;
  /** The template's `order`. */
  readonly rank: number;
}

/**
 * An order for each device, unique within the VM: ascending by the template's order, equal ones as they stand.
 * TrueNAS renumbers the others when an order is used twice; this leaves it nothing to renumber.
 */
export function assignOrders(devices: readonly Ranked[]): ReadonlyMap<string, number> {
  const orders = new Map<string, number>();
  let last = -Infinity;
  for (const { step, rank } of [...devices].sort((a, b) => a.rank - b.rank)) {
    last = Math.max(rank, last + 1);
    orders.set(step, last);
  }
  return orders;
}

/** TrueNAS makes a zvol of at most this part of what its parent has left, unless it is forced to. */
export const ZVOL_SHARE = 0.8;
