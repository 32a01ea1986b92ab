/**
 * Starts VMs without promising the same memory twice. TrueNAS looks for free memory and then starts, so two starts at
 * once can both pass; they go together only as far as what was free holds all of them, and else one after another.
 */
import { TrueNASError } from "../errors/errors.ts";
import type { Caller } from "../truenas/client.ts";
import { MIB } from "../units.ts";

/** What was read is believed so long, in milliseconds. */
const FRESH_MS = 5_000;

/** The memory of one NAS. */
export class FreeMemory {
  readonly #caller: Caller;
  readonly #now: () => number;
  /** What may still be promised, in bytes; null when it is not known. */
  #leftBytes: number | null = null;
  #readAt = -Infinity;
  #starting = 0;
  /** One looks at a time; it may wait for those that are starting. */
  #gate: Promise<unknown> = Promise.resolve();
  #ended: PromiseWithResolvers<void> | null = null;

  /** Reads by `caller`; `now` gives milliseconds from any beginning. */
  constructor(caller: Caller, now: () => number = () => performance.now()) {
    this.#caller = caller;
    this.#now = now;
  }

  /** Starts a VM of so many MiB as soon as that promises nothing twice. The NAS has the last word. */
  async start<T>(memoryMib: number, run: () => Promise<T>): Promise<T> {
    const turn = this.#gate.then(() => this.#promise(memoryMib * MIB));
    this.#gate = turn.catch(() => {});
    await turn;
    try {
      return await run();
    } finally {
      this.#starting--;
      this.#ended?.resolve();
      this.#ended = null;
    }
  }

  async #promise(bytes: number): Promise<void> {
    while (this.#starting > 0 && (this.#leftBytes === null || this.#leftBytes < bytes)) {
      await (this.#ended ??= Promise.withResolvers<void>()).promise;
    }
    const isStale = this.#leftBytes === null || this.#leftBytes < bytes ||
      this.#now() - this.#readAt > FRESH_MS;
    if (this.#starting === 0 && isStale) await this.#read();
    this.#starting++;
    if (this.#leftBytes !== null) this.#leftBytes -= bytes;
  }

  async #read(): Promise<void> {
    try {
      this.#leftBytes = await this.#caller.call("vm.get_available_memory", []);
      this.#readAt = this.#now();
    } catch (error) {
      // An account that may not read it starts one VM after another.
      if (!(error instanceof TrueNASError)) throw error;
      this.#leftBytes = null;
    }
  }
}
