/**
 * Reserves memory for VMs that start. TrueNAS checks the free memory and only then starts, so that several starts at
 * once can all pass and together exhaust it; they go together only as far as the free memory suffices for all of them.
 */
import { TrueNASError } from "../errors/errors.ts";
import type { Caller } from "../truenas/client.ts";
import { MIB } from "../units.ts";

/** A reading is used for so long, in milliseconds. */
const FRESH_MS = 5_000;

/** The memory of one NAS. */
export class MemoryReservation {
  readonly #caller: Caller;
  readonly #now: () => number;
  /** What is not reserved yet, in bytes; null when it is not known. */
  #freeBytes: number | null = null;
  #readAt = -Infinity;
  #starting = 0;
  /** One reservation is made at a time; it may wait for VMs that are starting. */
  #last: Promise<unknown> = Promise.resolve();
  #ended: PromiseWithResolvers<void> | null = null;

  /** Reads by `caller`; `now` gives milliseconds from any beginning. */
  constructor(caller: Caller, now: () => number = () => performance.now()) {
    this.#caller = caller;
    this.#now = now;
  }

  /** Starts a VM of so many MiB once its memory is reserved. A VM that starts alone is left to the NAS to refuse. */
  async start<T>(memoryMib: number, run: () => Promise<T>): Promise<T> {
    const reserved = this.#last.then(() => this.#reserve(memoryMib * MIB));
    this.#last = reserved.catch(() => {});
    await reserved;
    try {
      return await run();
    } finally {
      this.#starting--;
      this.#ended?.resolve();
      this.#ended = null;
    }
  }

  async #reserve(bytes: number): Promise<void> {
    while (this.#starting > 0 && (this.#freeBytes === null || this.#freeBytes < bytes)) {
      await (this.#ended ??= Promise.withResolvers<void>()).promise;
    }
    const isStale = this.#freeBytes === null || this.#freeBytes < bytes ||
      this.#now() - this.#readAt > FRESH_MS;
    if (this.#starting === 0 && isStale) await this.#read();
    this.#starting++;
    if (this.#freeBytes !== null) this.#freeBytes -= bytes;
  }

  async #read(): Promise<void> {
    try {
      this.#freeBytes = await this.#caller.call("vm.get_available_memory", []);
      this.#readAt = this.#now();
    } catch (error) {
      // An account that may not read it starts one VM after another.
      if (!(error instanceof TrueNASError)) throw error;
      this.#freeBytes = null;
    }
  }
}
