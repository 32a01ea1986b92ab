/**
 * The append-only log of one operation. A watcher is a cursor into it: a reload, a second tab and a lost network are
 * one case, reading on after the last event seen.
 */
import { TrueNASError } from "../errors.ts";
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

  readonly #write: (event: OperationEvent) => void;
  #writeError: unknown = null;

  /** `now` gives milliseconds since 1970 (UTC); `write` puts an event where it outlives the program. */
  constructor(id: string, now: () => number, write: (event: OperationEvent) => void = () => {}) {
    this.id = id;
    this.#now = now;
    this.#write = write;
    this.#view = emptyView(id);
  }

  /** Takes in events that were written before; they are not written again. */
  restore(events: readonly OperationEvent[]): void {
    this.#events.push(...events);
    this.#view = events.reduce(applyEvent, this.#view);
  }

  /**
   * Makes sure that what was appended is written down, before the call that it announces is made.
   *
   * @throws {TrueNASError} when it could not be written; nothing was sent.
   */
  expectWritten(): void {
    if (this.#writeError === null) return;
    const said = this.#writeError instanceof Error ? this.#writeError.message : String(this.#writeError);
    throw new TrueNASError(`The journal cannot be written (${said}), so nothing more is begun`);
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
    this.#writeDown(event);
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const wake of watchers) wake();
    for (const observer of this.#observers) observer(event);
    return event;
  }

  #writeDown(event: OperationEvent): void {
    try {
      this.#write(event);
    } catch (error) {
      // Not thrown here: what is under way has to end in order. The next step is refused by expectWritten().
      this.#writeError ??= error;
    }
  }

  /** The events after `seq`, in order. */
  since(seq: number): readonly OperationEvent[] {
    return this.#events.slice(Math.max(0, seq));
  }

  /**
   * Every event after `seq`, those to come as well; it ends after the last event of a finished operation, or, once the
   * signal says so, after the last one so far.
   */
  async *follow(seq: number, signal: AbortSignal): AsyncGenerator<OperationEvent> {
    let cursor = Math.min(Math.max(0, seq), this.#events.length);
    for (;;) {
      for (const event of this.since(cursor)) {
        cursor = event.seq;
        yield event;
      }
      if (cursor < this.#events.length) continue;
      if (this.#view.status !== "running" || signal.aborted) return;
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
