/** Asks a NAS which devices answer at given addresses. */
import type { Reading } from "../inventory/inventory.ts";
import type { Caller, CallOptions } from "./client.ts";
import { reading, type ReadOptions } from "./read_inventory.ts";
import { hasRole } from "./roles.ts";

/** The other slots of the connection stay free for work. */
const PINGS_AT_ONCE = 8;
/** Seconds that TrueNAS waits for an answer, the least it allows; devices of the same network answer in milliseconds. */
const PING_SECONDS = 1;
/** In milliseconds: with the NAS's own time for a call. */
const PING_CALL_MS = 3_000;

/** How to ask. */
export interface NeighbourOptions extends ReadOptions {
  /** The account's roles; null when they are unknown. */
  readonly roles: readonly string[] | null;
  /** After so many milliseconds no further address is asked; what is in the ARP table counts nevertheless. */
  readonly patienceMs: number;
  /** In milliseconds; never set back. */
  readonly clock: () => number;
}

/**
 * The MAC addresses of devices that have these addresses, in lower case. The table has only devices that the NAS has
 * exchanged packets with, which is why each address is asked first. TrueNAS requires FULL_ADMIN for that.
 *
 * @throws {TrueNASError} when the connection is lost.
 */
export async function readNeighbours(
  caller: Caller,
  addresses: readonly string[],
  { roles, patienceMs, clock, ...options }: NeighbourOptions,
): Promise<Reading<ReadonlyMap<string, string>>> {
  if (hasRole(roles, "FULL_ADMIN") === false) {
    return { known: false, because: "only an account with the role FULL_ADMIN may ask" };
  }
  const limits: ReadOptions & Pick<CallOptions, "timeoutMs"> = { ...options, timeoutMs: PING_CALL_MS };
  const endsAt = clock() + patienceMs;
  const remaining = [...addresses];
  let refusal: string | null = null;
  const askNext = async () => {
    for (let next = remaining.shift(); next !== undefined; next = remaining.shift()) {
      if (refusal !== null || clock() >= endsAt) return;
      const hostname = next;
      const answer = await reading(() =>
        caller.call("core.ping_remote", [{ hostname, timeout: PING_SECONDS, count: 1 }], limits)
      );
      if (!answer.known) refusal = answer.because;
    }
  };
  await Promise.all(Array.from({ length: PINGS_AT_ONCE }, askNext));
  if (refusal !== null) return { known: false, because: refusal };
  const table = await reading(() => caller.call("core.arp", [{}], limits));
  if (!table.known) return table;
  const wanted = new Set(addresses);
  const found = Object.entries(table.value).filter(([address]) => wanted.has(address));
  return { known: true, value: new Map(found.map(([address, mac]) => [address, mac.toLowerCase()])) };
}
