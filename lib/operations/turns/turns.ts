/**
 * When operations start. They are planned one at a time, each with what the running ones have claimed, and claim what they
 * need when they start. Then they run beside the others; one that needs what another has claimed waits for its end, and is
 * planned again, because its plan is out of date by then.
 */
import PQueue from "npm:p-queue@10.0.0";
import { TrueNASError } from "../../errors/errors.ts";
import type { RunningOperation } from "../runner.ts";
import { type Claim, type Claims, describeOverlap, findOverlap, type Held, type Overlap } from "./claims.ts";

/** An operation that was planned. */
export interface Planned {
  /** What it needs for itself. */
  readonly claim: Claim;
  /** Starts it, and claims that before it returns; null when there is nothing to start. */
  readonly run: (() => RunningOperation) | null;
}

/** There is nothing to start. */
export const NOTHING_TO_START: Planned = { claim: {}, run: null };

/** A started operation, or the running one that has to end first; neither when there was nothing to start. */
export type Attempt =
  | { readonly operation: RunningOperation; readonly overlap: null }
  | { readonly operation: null; readonly overlap: (Held & Overlap) | null };

/** Starts operations; see the file's comment. */
export class Turns {
  readonly #claims: Claims;
  readonly #planning = new PQueue({ concurrency: 1 });
  /** What was asked for and has not ended. */
  readonly #open = new Set<Promise<unknown>>();

  /** Starts nothing yet. */
  constructor(claims: Claims) {
    this.#claims = claims;
  }

  /** Plans an operation, and starts it unless a running one has claimed something that it needs. */
  attempt(plan: () => Promise<Planned>): Promise<Attempt> {
    return this.keepOpen(this.#planning.add(async () => {
      // Taken before the NAS is read, because of what ends meanwhile the reading may show too little.
      const held = this.#claims.held();
      const { claim, run } = await plan();
      const overlap = findOverlap(claim, held);
      if (overlap !== null || run === null) return { operation: null, overlap };
      const operation = run();
      void this.keepOpen(operation.finished);
      return { operation, overlap: null };
    }));
  }

  /**
   * Plans an operation and starts it, once no running one has claimed anything that it needs.
   *
   * @param signal Ends the wait.
   * @returns null when there is nothing to start.
   * @throws {TrueNASError} when the signal has ended the wait.
   */
  start(plan: () => Promise<Planned>, signal?: AbortSignal): Promise<RunningOperation | null> {
    return this.keepOpen((async () => {
      for (;;) {
        const { operation, overlap } = await this.attempt(plan);
        if (overlap === null) return operation;
        await untilEnded(overlap, signal);
      }
    })());
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled(this.#open);
  }

  /** Counts something as not idle until it has ended. */
  keepOpen<T>(work: Promise<T>): Promise<T> {
    this.#open.add(work);
    const forget = () => this.#open.delete(work);
    work.then(forget, forget);
    return work;
  }
}

async function untilEnded(overlap: Held & Overlap, signal: AbortSignal | undefined): Promise<void> {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const cancel = () => resolve();
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted !== true) await Promise.race([overlap.ended, cancelled]);
  signal?.removeEventListener("abort", cancel);
  if (signal?.aborted !== true) return;
  const message = `Cancelled before it started. ${describeOverlap(overlap)}. Nothing was sent`;
  throw new TrueNASError(message, { outcome: "not-done" });
}
