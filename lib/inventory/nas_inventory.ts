/** What is on a NAS, read for pages, forms and plans: its VMs, and what further VMs can be given. */
import type { Configuration } from "../configuration/configuration.ts";
import { TrueNASError } from "../errors/errors.ts";
import type { OperationStore } from "../operations/store.ts";
import type { OperationEvent, OperationView } from "../operations/types.ts";
import {
  type Capacity,
  type Patience,
  readCapacity,
  readChoices,
  readDatasets,
  readMissingFiles,
  readVms,
} from "../truenas/read_inventory.ts";
import type { Session } from "../truenas/connection/session.ts";
import { TimedCache } from "./cache.ts";
import type { Reading, Vm } from "./inventory.ts";
import type { LiveInventory } from "./live_inventory.ts";

/** What a page can do without is not waited for any longer, in milliseconds. */
export const PAGE_READING_MS = 1_500;

/** Pages show readings of so many milliseconds ago at once, and have them read again. */
const PAGE_AGES = { freshMs: 5_000, staleMs: 30_000 } as const;

/** What a form can offer beside free text. */
export interface Choices {
  /** Bridges and interfaces that a NIC may be attached to. */
  readonly nicChoices: Reading<readonly string[]>;
  /** Datasets in which zvols can be made. */
  readonly datasets: Reading<readonly string[]>;
  /** Install images in the folder of the configured one. */
  readonly isos: Reading<readonly string[]>;
}

/** Reads a NAS; see the file's comment. */
export class NasInventory {
  /** The VMs that events keep true, for pages. */
  readonly live: LiveInventory;
  readonly #session: Session;
  readonly #patience: Patience;
  readonly #capacity: TimedCache<Capacity>;
  readonly #choices: TimedCache<Choices>;

  /** Reads nothing yet. */
  constructor(session: Session, live: LiveInventory, patience: Patience) {
    this.live = live;
    this.#session = session;
    this.#patience = patience;
    this.#capacity = new TimedCache((dataset) => readCapacity(session, dataset, patience), PAGE_AGES);
    this.#choices = new TimedCache((folder) => readChoices(session, folder, patience), PAGE_AGES);
  }

  /** The VMs on the NAS, read now. */
  list(): Promise<readonly Vm[]> {
    return readVms(this.#session, { ...this.#patience, expected: this.likelyZvols });
  }

  /** The zvols that a reading will find, but for the latest changes: those that the list shows. */
  get likelyZvols(): readonly string[] {
    const { vms } = this.live.snapshot;
    const zvols = (vms ?? []).flatMap(({ disks }) => disks.flatMap(({ zvol }) => zvol ?? []));
    return [...new Set(zvols)];
  }

  /** Those of these files that are not on the NAS; none where it does not tell, or not soon enough for a page. */
  async missingFiles(paths: readonly string[]): Promise<readonly string[]> {
    if (paths.length === 0 || this.#session.state.kind !== "live") return [];
    try {
      return await readMissingFiles(this.#session, paths, { ...this.#patience, timeoutMs: PAGE_READING_MS });
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      return [];
    }
  }

  /** Those of these zvols and datasets that exist, read now. */
  async existingDatasets(names: readonly string[]): Promise<Reading<readonly string[]>> {
    const found = await readDatasets(this.#session, names, this.#patience);
    return found.known ? { known: true, value: found.value.map(({ name }) => name) } : found;
  }

  /** What a form can offer for this configuration: bridges and install images, at most half a minute old. */
  async choices({ storage }: Pick<Configuration, "storage">): Promise<Choices> {
    return await this.#choices.get(isoFolder(storage.cdrom_path) ?? "");
  }

  /**
   * What the NAS has left for further VMs; null where the account may not read it.
   *
   * @param dataset Where the zvols are.
   * @param options `anew` reads it now; default: what is known, if it is at most half a minute old.
   */
  async capacity(
    dataset: string,
    { anew = false }: { readonly anew?: boolean } = {},
  ): Promise<Capacity> {
    return await (anew ? this.#capacity.renew(dataset) : this.#capacity.get(dataset));
  }

  /**
   * Whatever events say, or do not: the VMs of an operation are read as they end. What comes and goes may have no id
   * here, so the end of an operation that makes or removes VMs reads everything.
   */
  follow(operations: OperationStore): void {
    operations.onEvent((view, event) => this.#readChanged(view, event));
  }

  #readChanged({ kind, vms }: OperationView, event: OperationEvent): void {
    const isClone = vms.some(({ steps }) => steps.some(({ step }) => step === "clone"));
    if (event.type === "finished" && (isClone || (kind !== "act" && kind !== "change"))) this.live.check();
    if (event.type !== "vm") return;
    const id = event.vmId ?? vms.find(({ name }) => name === event.vm)?.vmId ?? null;
    if (id !== null) this.live.refresh(id);
  }
}

function isoFolder(isoPath: string): string | null {
  return isoPath.replace(/\/[^/]*$/, "") || null;
}
