/** Resumptions and rollbacks of operations: one at a time for each, and concluded before anything else is planned. */
import { setTimeout as sleep } from "node:timers/promises";
import type { OperationStore } from "../record/store.ts";
import { recoveryOf, remainingSettleMs } from "../recovery.ts";
import type { RunningOperation } from "../runner.ts";
import type { OperationView } from "../types.ts";
import { claimOfLeft } from "./claim_of.ts";
import { type Claims, findOverlap, type Overlap } from "./claims.ts";
import { NOTHING_TO_START, type Planned, type Turns } from "./turns.ts";

/** How an operation is recovered. */
export type Recovering = "resumed" | "rolled-back";

/** Plans the recovery of an operation; `concluded` is to be called with it when it has ended, before its claim does. */
export type PrepareRecovery = (
  view: OperationView,
  concluded: (recovery: OperationView) => void,
) => Planned | Promise<Planned>;

/** What recoveries need. */
export interface RecoveriesOptions {
  readonly store: OperationStore;
  readonly turns: Turns;
  readonly claims: Claims;
  /** How long a call with an unknown outcome may still have its effect, in milliseconds. */
  readonly settleMs: number;
}

/** Recovers operations; see the file's comment. */
export class Recoveries {
  readonly #options: RecoveriesOptions;
  /** Those that have not finished, by the id of the operation that they recover. */
  readonly #open = new Map<string, Promise<RunningOperation | null>>();

  /** Starts nothing yet. */
  constructor(options: RecoveriesOptions) {
    this.#options = options;
  }

  /** Whether an operation is being recovered, or is about to be. */
  has(operationId: string): boolean {
    return this.#open.has(operationId);
  }

  /** The running operation that has to end before this one can be recovered; null when there is none. */
  overlapOf(operationId: string): Overlap | null {
    const { store, claims } = this.#options;
    const view = store.get(operationId)?.view;
    return view === undefined || this.has(operationId) ? null : findOverlap(claimOfLeft(view), claims.held());
  }

  /** Starts one recovery of an operation; further requests while it waits or runs return the same one. */
  start(operationId: string, how: Recovering, prepare: PrepareRecovery): Promise<RunningOperation | null> {
    const known = this.#open.get(operationId);
    if (known !== undefined) return known;
    const recovery = this.#options.turns.keepOpen(this.#start(operationId, how, prepare));
    this.#open.set(operationId, recovery);
    const forget = () => this.#open.delete(operationId);
    recovery.then((operation) => operation === null && forget(), forget);
    return recovery;
  }

  async #start(id: string, how: Recovering, prepare: PrepareRecovery): Promise<RunningOperation | null> {
    const { store, turns, settleMs } = this.#options;
    const view = this.#recoverable(id, how);
    if (view === null) return null;
    await sleep(remainingSettleMs(view, store.now(), settleMs));
    return await turns.start(async () => {
      const left = this.#recoverable(id, how);
      return left === null
        ? NOTHING_TO_START
        : await prepare(left, (ended) => this.#conclude(id, how, ended));
    });
  }

  /** The operation, if there is anything to recover. */
  #recoverable(id: string, how: Recovering): OperationView | null {
    const view = this.#options.store.get(id)?.view;
    if (view === undefined) return null;
    const { resumable, removable } = recoveryOf(view);
    return (how === "resumed" ? resumable : removable).length === 0 ? null : view;
  }

  /** If it did not succeed, the decision stays open. */
  #conclude(recovered: string, how: Recovering, { id: operation, status }: OperationView): void {
    this.#open.delete(recovered);
    if (status !== "done") return;
    this.#options.store.get(recovered)?.append({ type: "resolved", how, operation });
  }
}
