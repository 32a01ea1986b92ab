/** Reads a NAS for pages, forms and plans: its VMs, and the resources available to new ones. */
import type { Configuration } from "../configuration/configuration.ts";
import { TrueNASError } from "../errors/errors.ts";
import { isOutage } from "../errors/outage.ts";
import { type ImageList, listImages } from "../images/listing/image_list.ts";
import { type Lineage, readLineage, UNKNOWN_LINEAGE } from "../images/listing/lineage.ts";
import { readImageFacts } from "../images/listing/read_image_list.ts";
import type { OperationStore } from "../operations/record/store.ts";
import type { OperationEvent, OperationView } from "../operations/types.ts";
import { type Choices, readChoices } from "../truenas/read_choices.ts";
import {
  type Patience,
  readCapacity,
  readDatasets,
  readMissingFiles,
  readVms,
} from "../truenas/read_inventory.ts";
import type { Session } from "../truenas/connection/session.ts";
import { TimedCache } from "./cache.ts";
import type { HostLoad } from "./host_load.ts";
import type { Capacity, Reading, Vm } from "./inventory.ts";
import type { LiveInventory } from "./live_inventory.ts";

/** How long a page waits for optional information, in milliseconds. */
export const PAGE_READING_MS = 1_500;

/** Pages show readings up to this old immediately, while they are read again. */
const PAGE_AGES = { freshMs: 5_000, staleMs: 30_000 } as const;

/** The actions after which a VM runs with its settings. */
const STARTS: readonly string[] = ["start", "restart"];

/** Reads a NAS; see the comment at the top of this file. */
export class NasInventory {
  /** The VMs, kept current by events, for pages. */
  readonly live: LiveInventory;
  /** The load of the NAS itself, for pages. */
  readonly load: HostLoad;
  readonly #session: Session;
  readonly #patience: Patience;
  readonly #capacity: TimedCache<Capacity>;
  readonly #choices: TimedCache<Choices>;

  #images: ImageList | null = null;

  /** Reads nothing yet. */
  constructor(session: Session, { live, load }: Pick<NasInventory, "live" | "load">, patience: Patience) {
    this.live = live;
    this.load = load;
    this.#session = session;
    this.#patience = patience;
    this.#capacity = new TimedCache((dataset) => readCapacity(session, dataset, patience), PAGE_AGES);
    this.#choices = new TimedCache((folder) => readChoices(session, folder, patience), PAGE_AGES);
  }

  /** The VMs on the NAS, read now. */
  list(): Promise<readonly Vm[]> {
    return readVms(this.#session, { ...this.#patience, expected: this.likelyZvols });
  }

  /** The zvols that a reading will probably find: those of the known VMs. */
  get likelyZvols(): readonly string[] {
    const { vms } = this.live.snapshot;
    const zvols = (vms ?? []).flatMap(({ disks }) => disks.flatMap(({ zvol }) => zvol ?? []));
    return [...new Set(zvols)];
  }

  /** Which of these files are missing on the NAS; empty when it does not answer, or not soon enough for a page. */
  async missingFiles(paths: readonly string[]): Promise<readonly string[]> {
    if (paths.length === 0 || this.#session.state.kind !== "live") return [];
    try {
      return await readMissingFiles(this.#session, paths, { ...this.#patience, timeoutMs: PAGE_READING_MS });
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      return [];
    }
  }

  /** Which of these zvols and datasets exist, read now. */
  async existingDatasets(names: readonly string[]): Promise<Reading<readonly string[]>> {
    const found = await readDatasets(this.#session, names, this.#patience);
    return found.known ? { known: true, value: found.value.map(({ name }) => name) } : found;
  }

  /** The choices a form offers for this configuration, at most 30 s old. */
  async choices({ storage }: Pick<Configuration, "storage">): Promise<Choices> {
    return await this.#choices.get(isoFolder(storage.cdrom_path) ?? "");
  }

  /**
   * The images on the NAS and in the configuration; while the NAS does not answer, as they were read last.
   *
   * @param configuration Null when it cannot be used.
   * @param now Milliseconds since 1970 (UTC).
   * @throws {TrueNASError} when they cannot be read, and were not before.
   */
  async images(configuration: Configuration | null, now: () => number): Promise<ImageList> {
    try {
      const vms = await this.list();
      const request = { configuration, vms, now };
      return this.#images = listImages(await readImageFacts(this.#session, request, this.#patience));
    } catch (error) {
      if (this.#images === null || !isOutage(error)) throw error;
      return this.#images;
    }
  }

  /**
   * Which images VMs come from, and what was cloned from them, read now with one call for all VMs; unknown when the NAS does
   * not answer, or not soon enough.
   *
   * @param configuration Null when it cannot be used.
   */
  async lineage(configuration: Configuration | null, timeoutMs: number): Promise<Lineage> {
    const unknown = () => UNKNOWN_LINEAGE;
    if (this.#session.state.kind !== "live") return unknown;
    try {
      return await readLineage(this.#session, configuration ?? {}, { ...this.#patience, timeoutMs });
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      return unknown;
    }
  }

  /**
   * The NAS's free resources for new VMs; null where the account cannot read them.
   *
   * @param dataset The dataset of the zvols.
   * @param options `reload` reads them now; by default they are at most 30 s old.
   */
  async capacity(
    dataset: string,
    { reload = false }: { readonly reload?: boolean } = {},
  ): Promise<Capacity> {
    return await (reload ? this.#capacity.renew(dataset) : this.#capacity.get(dataset));
  }

  /** The pool as it was read last, for pictures that do not wait; null when it was not read or cannot be. */
  knownPool(): Capacity["pool"] {
    return this.#capacity.peek()?.pool ?? null;
  }

  /**
   * Reads the VMs of an operation as it works on them, because events can be lost. New and removed VMs may have no id here,
   * so everything is read when an operation that creates or removes VMs finishes.
   */
  follow(operations: OperationStore): void {
    operations.onEvent((view, event) => this.#readChanged(view, event));
  }

  #readChanged({ kind, vms }: OperationView, event: OperationEvent): void {
    const isClone = vms.some(({ steps }) => steps.some(({ step }) => step === "clone"));
    if (event.type === "finished" && (isClone || (kind !== "act" && kind !== "change"))) this.live.check();
    if (event.type !== "vm") return;
    const id = event.vmId ?? vms.find(({ name }) => name === event.vm)?.vmId ?? null;
    if (id === null) return;
    const isStarted = kind === "act" && event.outcome === "done" &&
      vms.some(({ name, steps }) => name === event.vm && steps.some(({ step }) => STARTS.includes(step)));
    if (isStarted) this.live.wasStarted(id);
    else this.live.refresh(id);
  }
}

function isoFolder(isoPath: string): string | null {
  return isoPath.replace(/\/[^/]*$/, "") || null;
}
