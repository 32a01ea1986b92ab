/** What the NAS has left for further VMs, as it goes to everybody who has the list open. */
import { ConfigurationError, TrueNASError } from "../../lib/errors/errors.ts";
import { runDetached } from "../../lib/command_line/unhandled_errors.ts";
import { CapacityPatch } from "../../templates/parts/patches.tsx";
import type { Capacity } from "../../templates/props.ts";
import { inTime } from "../in_time.ts";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";

/** The NAS tells of no change of these, so they are read again this often while somebody looks: milliseconds. */
const EVERY_MS = 30_000;

/** A VM that starts has its memory a moment later, and seldom comes alone: milliseconds after its event. */
const AFTER_CHANGE_MS = 2_000;

/** Keeps it true while somebody looks; read once for all of them. */
export class LiveCapacity {
  readonly #dashboard: Dashboard;
  readonly #watchers = new Set<() => void>();
  #forget: readonly (() => void)[] = [];
  #message: Uint8Array<ArrayBuffer> | null = null;
  #html = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Infinity;

  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
  }

  /**
   * For a page: what is known, or else read; null while there is no connection, for a page is not kept waiting for one.
   * What cannot be read is left out.
   */
  async read(anew = false): Promise<Capacity | null> {
    const { manager, configuration, logger } = this.#dashboard;
    if (manager.connection.state.kind !== "live") return null;
    try {
      const { storage } = configuration().configuration;
      const reading = manager.inventory.capacity(storage.pool_path, { anew });
      return anew ? await reading : await inTime(reading);
    } catch (error) {
      // A file that is being edited is told of where it is used.
      if (!(error instanceof TrueNASError || error instanceof ConfigurationError)) throw error;
      logger.debug("The NAS's capacity cannot be read", { error: error.message });
      return null;
    }
  }

  /** Rings when there is another message, until the returned function is called. */
  watch(ring: () => void): () => void {
    if (this.#watchers.size === 0) this.#follow();
    this.#watchers.add(ring);
    return () => {
      if (!this.#watchers.delete(ring) || this.#watchers.size > 0) return;
      clearTimeout(this.#timer);
      this.#dueAt = Infinity;
      // Nobody sees to it now that it stays true.
      this.#message = null;
      this.#html = "";
      for (const forget of this.#forget) forget();
    };
  }

  /** What an open list is sent: the same message until it has another text. Null while nothing is known. */
  get message(): Uint8Array<ArrayBuffer> | null {
    return this.#message;
  }

  #follow(): void {
    const { manager } = this.#dashboard;
    this.#forget = [
      manager.connection.onState(({ kind }) => {
        if (kind === "live") this.#readIn(0);
      }),
      manager.inventory.live.onChange(() => this.#readIn(AFTER_CHANGE_MS)),
    ];
    this.#readIn(0);
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
    // What changes meanwhile is read once more.
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
