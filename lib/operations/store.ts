/** The operations since the program started, newest kept when there are too many. */
import { OperationLog } from "./log.ts";
import type { OperationView } from "./types.ts";

/** Operations kept: a few hundred kilobytes of log each at most. */
const MAX_OPERATIONS = 200;

/** Holds the logs. */
export class OperationStore {
  readonly #logs = new Map<string, OperationLog>();
  readonly #now: () => number;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A new, empty log under a new id. */
  create(): OperationLog {
    const log = new OperationLog(crypto.randomUUID().slice(0, 8), this.#now);
    this.#logs.set(log.id, log);
    this.#forgetOldest();
    return log;
  }

  /** The log of an operation, or undefined when there is none of that id. */
  get(id: string): OperationLog | undefined {
    return this.#logs.get(id);
  }

  /** Every operation, newest first. */
  list(): readonly OperationView[] {
    return [...this.#logs.values()].map(({ view }) => view).toReversed();
  }

  #forgetOldest(): void {
    for (const [id, { view }] of this.#logs) {
      if (this.#logs.size <= MAX_OPERATIONS) return;
      if (view.status !== "running") this.#logs.delete(id);
    }
  }
}
