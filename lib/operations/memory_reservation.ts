/**
 * Reserves memory for starting VMs. TrueNAS checks the free memory before a start and not during it, so that parallel
 * starts can together exhaust it. VMs therefore start in parallel only while the free memory suffices for all of them.
 */
import PQueue from "npm:p-queue@10.0.0";
import { TrueNASError } from "../errors/errors.ts";
import type { Caller } from "../truenas/client.ts";
import { MIB } from "../units.ts";

/** How long a reading is used, in milliseconds. */
const FRESH_MS = 5_000;

/** The memory of one NAS. */
export class MemoryReservation {
  readonly #caller: Caller;
  readonly #now: () => number;
  /** One at a time, because a reservation may wait for starting VMs. */
  readonly #reservations = new PQueue({ concurrency: 1 });
  /** Memory not reserved yet, in bytes; null when unknown. */
  #freeBytes: number | null = null;
  #readAt = -Infinity;
  #starting = 0;
  #nextEnd: PromiseWithResolvers<void> | null = null;

  constructor(caller: Caller, now: () => number = () => performance.now()) {
    this.#caller = caller;
    this.#now = now;
  }

  /** Starts a VM once its memory is reserved. If no other VM is starting, the NAS decides whether memory suffices. */
  async start<T>(memoryMib: number, run: () => Promise<T>): Promise<T> {
    await this.#reservations.add(() => this.#reserve(memoryMib * MIB));
    try {
      return await run();
    } finally {
      this.#starting--;
      this.#nextEnd?.resolve();
      this.#nextEnd = null;
    }
  }

  async #reserve(bytes: number): Promise<void> {
    const isShort = () => this.#freeBytes === null || this.#freeBytes < bytes;
    while (this.#starting > 0 && isShort()) {
      await (this.#nextEnd ??= Promise.withResolvers<void>()).promise;
    }
    if (this.#starting === 0 && (isShort() || this.#now() - this.#readAt > FRESH_MS)) await this.#read();
    this.#starting++;
    if (this.#freeBytes !== null) this.#freeBytes -= bytes;
  }

  async #read(): Promise<void> {
    try {
      this.#freeBytes = await this.#caller.call("vm.get_available_memory", []);
      this.#readAt = this.#now();
    } catch (error) {
      // An account without the right to read it starts one VM after another.
      if (!(error instanceof TrueNASError)) throw error;
      this.#freeBytes = null;
    }
  }
}
