/** The charts of the NAS's load, sent to everyone who has the list open. */
import { HostLoadPatch } from "../../templates/parts/list/patches.tsx";
import type { HostLoadView } from "../../templates/parts/host_load.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { LOAD_STEP_MS, loadView } from "../vms/load_view.ts";
import { frame } from "./streams.ts";

/** Has the NAS send its load while a list is open, and draws it once for all of them, a few times a minute. */
export class LiveHostLoad {
  readonly #dashboard: Dashboard;
  readonly #watchers = new Set<() => void>();
  #unwatch = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #message: Uint8Array<ArrayBuffer> | null = null;

  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
  }

  /** What is known of the load; null where the NAS does not send it. */
  get view(): HostLoadView | null {
    const { load } = this.#dashboard.manager.inventory;
    return load.isAvailable ? loadView(load.samples, this.#dashboard.now()) : null;
  }

  /** Calls `ring` for each new message, until the returned function is called. */
  watch(ring: () => void): () => void {
    this.#watchers.add(ring);
    if (this.#watchers.size === 1) {
      this.#unwatch = this.#dashboard.manager.inventory.load.watch(() => this.#drawSoon());
    }
    return () => {
      if (!this.#watchers.delete(ring) || this.#watchers.size > 0) return;
      this.#unwatch();
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#message = null;
    };
  }

  /** The message for open lists; the same object until it is drawn again. Null until there is a reading. */
  get message(): Uint8Array<ArrayBuffer> | null {
    return this.#message;
  }

  /** The first reading is drawn at once. */
  #drawSoon(): void {
    if (this.#timer !== undefined) return;
    this.#draw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drawSoon();
    }, LOAD_STEP_MS);
  }

  #draw(): void {
    this.#message = frame(String(<HostLoadPatch load={this.view} />));
    for (const ring of this.#watchers) ring();
  }
}
