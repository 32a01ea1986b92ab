/**
 * Reserves memory for starting VMs. TrueNAS checks the free memory before a start and not during it, so that parallel
 * starts can together exhaust it. VMs therefore start in parallel only while the free memory suffices for all of them, and
 * the memory of a VM that is shut down for a change is kept for it until it runs again.
 */
import PQueue from "npm:p-queue@10.0.0";
import { TrueNASError } from "../../errors/errors.ts";
import type { Caller } from "../../truenas/client.ts";
import { MIB } from "../../units.ts";
import { NotSent } from "./call_limiter.ts";

/** How long a reading is used, in milliseconds. */
const FRESH_MS = 5_000;

/** Starts VMs with the memory that they need. */
export interface VmMemory {
  /**
   * Starts a VM once its memory is reserved. If no other VM is starting and none is shut down for a moment, the NAS decides
   * whether memory suffices.
   *
   * @param cancel Ends the wait for memory.
   * @throws {NotSent} when it was cancelled while it waited.
   */
  readonly start: <T>(memoryMib: number, run: () => Promise<T>, cancel?: AbortSignal) => Promise<T>;
  /** Keeps the memory of one VM while that is shut down. */
  readonly keep: () => KeptMemory;
}

/** What a VM that is shut down needs to start again. */
interface Need {
  readonly memoryMib: number;
  /** By how much that exceeds what it had. */
  readonly moreMib: number;
}

/** The memory of one VM that is shut down for a while; nothing is kept before {@link KeptMemory.begin}. */
export interface KeptMemory extends VmMemory {
  /** Free memory that nobody else is to have, once no start is under way or so much is free; null when unknown. */
  readonly freeBytes: (moreMib: number) => Promise<number | null>;
  /** Keeps memory from now on, before the VM is shut down. */
  readonly begin: (need: Need) => void;
  /** The VM is off, so that its memory counts as free on the NAS. */
  readonly freed: () => void;
  /** Ends it. */
  readonly end: () => void;
}

interface Kept {
  readonly bytes: number;
  readonly moreBytes: number;
  isOff: boolean;
}

/** The memory of one NAS. */
export class MemoryReservation implements VmMemory {
  readonly #caller: Caller;
  readonly #now: () => number;
  /** One at a time, because a reservation may wait for starting VMs. */
  readonly #reservations = new PQueue({ concurrency: 1 });
  readonly #kept = new Set<Kept>();
  /** Memory not reserved yet, in bytes; null when unknown. */
  #freeBytes: number | null = null;
  #readAt = -Infinity;
  #starting = 0;
  #nextEnd: PromiseWithResolvers<void> | null = null;

  constructor(caller: Caller, now: () => number = () => performance.now()) {
    this.#caller = caller;
    this.#now = now;
  }

  async start<T>(memoryMib: number, run: () => Promise<T>, cancel?: AbortSignal): Promise<T> {
    await this.#reservations.add(() => this.#reserve(memoryMib * MIB, cancel));
    return await this.#whileStarting(run);
  }

  keep(): KeptMemory {
    let kept: Kept | null = null;
    const end = () => {
      if (kept === null) return;
      this.#kept.delete(kept);
      kept = null;
      // The VM has taken its memory, or has given it up.
      this.#readAt = -Infinity;
      this.#wake();
    };
    return {
      keep: () => this.keep(),
      freeBytes: (moreMib) => this.#readUnkept(moreMib * MIB),
      begin: ({ memoryMib, moreMib }) => {
        end();
        kept = { bytes: memoryMib * MIB, moreBytes: Math.max(0, moreMib) * MIB, isOff: false };
        this.#kept.add(kept);
      },
      freed: () => {
        if (kept !== null) kept.isOff = true;
      },
      start: async (memoryMib, run, cancel) => {
        const own = kept;
        if (own === null) return await this.start(memoryMib, run, cancel);
        this.#starting++;
        const result = await this.#whileStarting(run);
        own.isOff = false;
        return result;
      },
      end,
    };
  }

  async #whileStarting<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } finally {
      this.#starting--;
      this.#wake();
    }
  }

  async #reserve(bytes: number, cancel: AbortSignal | undefined): Promise<void> {
    const kept = () => [...this.#kept].reduce((total, it) => total + it.bytes, 0);
    const isShort = () => this.#freeBytes === null || this.#freeBytes - kept() < bytes;
    for (;;) {
      const isAlone = this.#starting === 0;
      if (isAlone && (isShort() || this.#now() - this.#readAt > FRESH_MS)) await this.#read();
      if (!isShort() || (this.#starting === 0 && this.#kept.size === 0)) break;
      await this.#untilEnd(cancel);
    }
    this.#starting++;
    if (this.#freeBytes !== null) this.#freeBytes -= bytes;
  }

  /** A VM that still runs has its memory, and needs only what it gets in addition. */
  async #readUnkept(bytes: number): Promise<number | null> {
    for (;;) {
      const all = await this.#query();
      if (all === null) return null;
      const free = all -
        [...this.#kept].reduce((total, it) => total + (it.isOff ? it.bytes : it.moreBytes), 0);
      if (free >= bytes || this.#starting === 0) return free;
      await this.#untilEnd(undefined);
    }
  }

  async #untilEnd(cancel: AbortSignal | undefined): Promise<void> {
    const wake = () => this.#wake();
    cancel?.addEventListener("abort", wake, { once: true });
    if (cancel?.aborted !== true) await (this.#nextEnd ??= Promise.withResolvers<void>()).promise;
    cancel?.removeEventListener("abort", wake);
    if (cancel?.aborted === true) throw new NotSent("vm.start");
  }

  #wake(): void {
    this.#nextEnd?.resolve();
    this.#nextEnd = null;
  }

  async #read(): Promise<void> {
    this.#freeBytes = await this.#query();
    if (this.#freeBytes !== null) this.#readAt = this.#now();
  }

  /** Null for an account without the right to read it, which starts one VM after another. */
  async #query(): Promise<number | null> {
    try {
      return await this.#caller.call("vm.get_available_memory", []);
    } catch (error) {
      if (!(error instanceof TrueNASError)) throw error;
      return null;
    }
  }
}
