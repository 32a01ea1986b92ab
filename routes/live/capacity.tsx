/** The free memory and storage of the NAS, sent to everyone who has the list open. */
import { ConfigurationError, TrueNASError } from "../../lib/errors/errors.ts";
import { runDetached } from "../../lib/errors/unhandled_errors.ts";
import { CapacityPatch } from "../../templates/parts/list/patches.tsx";
import { inTime } from "../in_time.ts";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";
import type { CapacityView } from "../../templates/parts/capacity.tsx";
import { capacityView } from "../vms/capacity_view.ts";

/** TrueNAS sends no events for these, so they are polled while a list is open. */
const EVERY_MS = 30_000;

/** A started VM takes its memory a moment later, and several VMs often start together. */
const AFTER_CHANGE_MS = 2_000;

/** Polls the capacity while a list is open, once for all of them. */
export class LiveCapacity {
  readonly #dashboard: Dashboard;
  readonly #watchers = new Set<() => void>();
  #subscriptions: readonly (() => void)[] = [];
  #message: Uint8Array<ArrayBuffer> | null = null;
  #html = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Infinity;

  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
  }

  /**
   * The capacity, cached or read; null while the NAS is not connected, because a page should not wait for it. Values that
   * cannot be read are left out.
   */
  async read(reload = false): Promise<CapacityView | null> {
    const { manager, configuration, logger } = this.#dashboard;
    if (manager.connection.state.kind !== "live") return null;
    try {
      const { storage } = configuration().configuration;
      const reading = manager.inventory.capacity(storage.pool_path, { reload });
      const found = reload ? await reading : await inTime(reading);
      return found === null ? null : capacityView(this.#dashboard, found);
    } catch (error) {
      // Errors in the configuration are reported where it is used.
      if (!(error instanceof TrueNASError || error instanceof ConfigurationError)) throw error;
      logger.debug("Cannot read the NAS's capacity", { error: error.message });
      return null;
    }
  }

  /** Calls `ring` for each new message, until the returned function is called. */
  watch(ring: () => void): () => void {
    if (this.#watchers.size === 0) this.#follow();
    this.#watchers.add(ring);
    return () => {
      if (!this.#watchers.delete(ring) || this.#watchers.size > 0) return;
      clearTimeout(this.#timer);
      this.#dueAt = Infinity;
      // From now on, nothing keeps the message up to date.
      this.#message = null;
      this.#html = "";
      for (const end of this.#subscriptions) end();
    };
  }

  /** The message for open lists; the same object until its text changes. Null while unknown. */
  get message(): Uint8Array<ArrayBuffer> | null {
    return this.#message;
  }

  #follow(): void {
    const { manager } = this.#dashboard;
    this.#subscriptions = [
      manager.connection.onState(({ kind }) => {
        if (kind === "live") this.#readIn(0);
      }),
      manager.inventory.live.onChange(() => this.#readIn(AFTER_CHANGE_MS)),
      this.#followCache(),
    ];
    this.#readIn(0);
  }

  /** The cache is known with the first reading of the load, and is read again with the rest. */
  #followCache(): () => void {
    const { load } = this.#dashboard.manager.inventory;
    let isKnown = load.samples.length > 0;
    return load.watch(() => {
      if (isKnown || load.samples.length === 0) return;
      isKnown = true;
      this.#readIn(0);
    });
  }

  #readIn(ms: number): void {
    const at = performance.now() + ms;
    if (at >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(
      () => runDetached(this.#renew(), "reading the capacity", this.#dashboard.logger),
      ms,
    );
  }

  async #renew(): Promise<void> {
    // A change during the read schedules another one.
    this.#dueAt = Infinity;
    const capacity = await this.read(true).finally(() => {
      if (this.#watchers.size > 0) this.#readIn(EVERY_MS);
    });
    if (this.#watchers.size === 0) return;
    const html = capacity === null ? this.#html : String(<CapacityPatch capacity={capacity} />);
    if (html === this.#html) return;
    this.#html = html;
    this.#message = frame(html);
    for (const ring of this.#watchers) ring();
  }
}
