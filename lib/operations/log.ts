/**
 * The append-only log of one operation. A watcher is a cursor into it: a reload, a second tab and a lost network are
 * one case, reading on after the last event seen.
 */
import { reasonOf } from "../errors/system_errors.ts";
import { TrueNASError } from "../errors/errors.ts";
import { applyEvent, emptyView } from "./fold.ts";
import type { OperationEvent, OperationFact, OperationView } from "./types.ts";

/** Where the events of one operation outlive the program. */
export interface EventJournal {
  /** Takes an event to be written down. */
  readonly write: (event: OperationEvent) => void;
  /** Resolves when what was taken is safe. */
  readonly written: () => Promise<void>;
  /** Every event that was written, in order. */
  readonly read: () => readonly OperationEvent[];
}

/** A log that is being written. */
export class OperationLog {
  /** The operation's id. */
  readonly id: string;
  readonly #now: () => number;
  /** Null once it was released: then they are read where they were written down. */
  #events: OperationEvent[] | null = [];
  readonly #watchers = new Set<() => void>();
  readonly #observers: ((event: OperationEvent) => void)[] = [];
  #view: OperationView;

  readonly #book: EventJournal | null;
  #writeError: unknown = null;

  /** `now` gives milliseconds since 1970 (UTC); with a book, it outlives the program. */
  constructor(id: string, now: () => number, book: EventJournal | null = null) {
    this.id = id;
    this.#now = now;
    this.#book = book;
    this.#view = emptyView(id);
  }

  /** Takes in events that were written before; they are not written again. */
  restore(events: readonly OperationEvent[]): void {
    this.#events?.push(...events);
    this.#view = events.reduce(applyEvent, this.#view);
  }

  /**
   * Waits until what was appended is written down, before the call that it announces is made.
   *
   * @throws {TrueNASError} when it could not be written; nothing was sent.
   */
  async written(): Promise<void> {
    try {
      await this.#book?.written();
    } catch (error) {
      this.#writeError ??= error;
    }
    if (this.#writeError === null) return;
    const said = reasonOf(this.#writeError);
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
    const event: OperationEvent = { ...fact, seq: this.#view.lastSeq + 1, at: this.#now() };
    this.#events?.push(event);
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
      this.#book?.write(event);
    } catch (error) {
      // Not thrown here: what is under way has to end in order. The next step is refused by written().
      this.#writeError ??= error;
    }
  }

  /** Lets go of the events of an operation that is over: its view stays, and they are read again when asked for. */
  release(): void {
    const isWritten = this.#book !== null && this.#writeError === null;
    if (isWritten && this.#view.status !== "running") this.#events = null;
  }

  /** The events after `seq`, in order. */
  since(seq: number): readonly OperationEvent[] {
    return (this.#events ?? this.#book?.read() ?? []).slice(Math.max(0, seq));
  }

  /**
   * Every event after `seq`, those to come as well; it ends after the last event of a finished operation, or, once the
   * signal says so, after the last one so far.
   */
  async *follow(seq: number, signal: AbortSignal): AsyncGenerator<OperationEvent> {
    let cursor = Math.min(Math.max(0, seq), this.#view.lastSeq);
    for (;;) {
      for (const event of this.since(cursor)) {
        cursor = event.seq;
        yield event;
      }
      if (cursor < this.#view.lastSeq) continue;
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
