/** Which devices have the addresses of a plan: asked once, and known for a while. */
import type { Reading } from "../../inventory/inventory.ts";
import type { Session } from "../../truenas/connection/session.ts";
import type { Patience } from "../../truenas/read_inventory.ts";
import { readNeighbours } from "../../truenas/read_neighbours.ts";

/** A plan is shown, confirmed and made again within this, in milliseconds. */
const KEPT_MS = 60_000;
/** How long a plan waits for answers in milliseconds; each address without a device takes a second. */
const PATIENCE_MS = 3_000;

type Neighbours = Reading<ReadonlyMap<string, string>>;

/** Asks the NAS, and remembers that nothing was found. */
export class NeighbourReader {
  readonly #session: Session;
  readonly #clock: () => number;
  #latest: { readonly addresses: string; readonly at: number; readonly found: Neighbours } | null = null;

  /** Asks nothing yet; the clock has milliseconds and is never set back. */
  constructor(session: Session, clock: () => number) {
    this.#session = session;
    this.#clock = clock;
  }

  /**
   * The MAC addresses of the devices that have some of these addresses.
   *
   * @throws {TrueNASError} when the connection is lost.
   */
  async read(
    addresses: readonly string[],
    roles: readonly string[] | null,
    patience: Patience,
  ): Promise<Neighbours> {
    const key = addresses.toSorted().join();
    const now = this.#clock();
    if (this.#latest?.addresses === key && now - this.#latest.at < KEPT_MS) return this.#latest.found;
    const found = await readNeighbours(this.#session, addresses, {
      ...patience,
      roles,
      patienceMs: PATIENCE_MS,
      clock: this.#clock,
    });
    // An address that was found taken may be free by the next plan.
    this.#latest = found.known && found.value.size === 0
      ? { addresses: key, at: this.#clock(), found }
      : null;
    return found;
  }
}
