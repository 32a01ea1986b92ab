/**
 * The append-only log of one operation. A watcher is a cursor into it: a reload, a second tab and a lost network are
 * one case, reading on after the last event seen.
 */
import { applyEvent, emptyView } from "./fold.ts";
import type { OperationEvent, OperationFact, OperationView } from "./types.ts";

/** A log that is being written. */
export class OperationLog {
  /** The operation's id. */
  readonly id: string;
  readonly #now: () => number;
  readonly #events: OperationEvent[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #observers: ((event: OperationEvent) => void)[] = [];
  #view: OperationView;

  /** `now` gives milliseconds since 1970 (UTC). */
  constructor(id: string, now: () => number) {
    this.id = id;
    this.#now = now;
    this.#view = emptyView(id);
  }

  /** The fold so far. */
  get view(): OperationView {
    return this.#view;
  }

  /** Calls the observer with each event from now on. */
  observe(observer: (event: OperationEvent) => void): void {
    this.#observers.push(observer);
  }

  /** Adds a fact at the end and wakes the watchers. */
  append(fact: OperationFact): OperationEvent {
    const event: OperationEvent = { ...fact, seq: this.#events.length + 1, at: this.#now() };
    this.#events.push(event);
    this.#view = applyEvent(this.#view, event);
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const wake of watchers) wake();
    for (const observer of this.#observers) observer(event);
    return event;
  }

  /** The events after `seq`, in order. */
  since(seq: number): readonly OperationEvent[] {
    return this.#events.slice(Math.max(0, seq));
  }

  /** Every event after `seq`, those to come as well; it ends after the last event of a finished operation, or when the signal says so. */
  async *follow(seq: number, signal: AbortSignal): AsyncGenerator<OperationEvent> {
    let cursor = Math.min(Math.max(0, seq), this.#events.length);
    while (!signal.aborted) {
      for (const event of this.since(cursor)) {
        cursor = event.seq;
        yield event;
      }
      if (cursor < this.#events.length) continue;
      if (this.#view.status !== "running") return;
      await this.#next(signal);
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted) return Promise.resolve();
    const wake = () => {
      signal.removeEventListener("abort", wake);
      this.#watchers.delete(wake);
      resolve();
    };
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    return promise;
  }
}
