/** Assigns ports and boot orders in the plan, so that the NAS does not have to choose any. Pure. */
import type { Vm } from "../inventory/inventory.ts";

/** Range of ports that TrueNAS accepts for a display. */
export const DISPLAY_PORTS = { lowest: 5900, highest: 65_535 } as const;

/** Preferred distance from a display's port to its web port: 5910 pairs with 7910. */
const WEB_PORT_OFFSET = 2_000;

/** Ports that TrueNAS reserves and that are in the display range (its port-in-use checks). */
const RESERVED_PORTS: readonly number[] = [6000];

/** The two ports of one display. */
export interface DisplayPorts {
  readonly port: number;
  readonly webPort: number;
}

/** Assigns ports that no VM on the NAS has, running or not, and that were not assigned before. */
export interface PortAllocator {
  /** The next free pair from `startPort` on; null when none is left up to 65535. */
  next(startPort: number): DisplayPorts | null;
}

/** Every port of every display on the NAS. */
export function displayPortsOf(vms: readonly Vm[]): number[] {
  const ports = vms.flatMap(({ displays }) => displays.flatMap(({ port, webPort }) => [port, webPort]));
  return ports.filter((port) => port !== null);
}

/** Creates an allocator that skips these ports and TrueNAS's own. */
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

/** A device that needs a boot order. */
export interface Ranked {
  readonly step: string;
  /** `order` from the template. */
  readonly rank: number;
}

/**
 * Assigns each device an order that is unique in the VM, sorted by the template's order and, where equal, by position.
 * TrueNAS renumbers devices with duplicate orders, which this avoids.
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
