/**
 * The append-only log of one operation. A watcher is a position in the log, so a reload, a second tab and a lost network
 * are the same case: reading continues after the last event seen.
 */
import { TrueNASError } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { applyEvent, emptyView } from "./fold.ts";
import type { OperationJournal } from "./journal.ts";
import { isActive, type OperationEvent, type OperationFact, type OperationView } from "../types.ts";

/** The log of one operation; see the file's comment. */
export class OperationLog {
  /** The operation's id. */
  readonly id: string;
  readonly #now: () => number;
  readonly #journal: OperationJournal | null;
  /** Null after {@link release}: the events are then read from the journal. */
  #events: OperationEvent[] | null = [];
  #view: OperationView;
  readonly #watchers = new Set<() => void>();
  readonly #observers: ((event: OperationEvent) => void)[] = [];
  #writeError: unknown = null;

  /** `now` gives milliseconds since 1970 (UTC); without a journal the log ends with the program. */
  constructor(id: string, now: () => number, journal: OperationJournal | null = null) {
    this.id = id;
    this.#now = now;
    this.#journal = journal;
    this.#view = emptyView(id);
  }

  /** Adds events that the journal already contains. */
  restore(events: readonly OperationEvent[]): void {
    this.#events?.push(...events);
    this.#view = events.reduce(applyEvent, this.#view);
  }

  /**
   * Resolves when all events are in the journal, which has to be so before the call that they announce is sent.
   *
   * @throws {TrueNASError} when an event could not be written; nothing was sent.
   */
  async written(): Promise<void> {
    try {
      await this.#journal?.written();
    } catch (error) {
      this.#writeError ??= error;
    }
    if (this.#writeError === null) return;
    throw new TrueNASError(
      `The journal cannot be written (${reasonOf(this.#writeError)}), so no further step was started`,
    );
  }

  /** The view of all events so far. */
  get view(): OperationView {
    return this.#view;
  }

  /** Calls the observer with each event from now on. */
  observe(observer: (event: OperationEvent) => void): void {
    this.#observers.push(observer);
  }

  /** Appends an event and wakes the watchers. */
  append(fact: OperationFact): OperationEvent {
    const event: OperationEvent = { ...fact, seq: this.#view.lastSeq + 1, at: this.#now() };
    this.#events?.push(event);
    this.#view = applyEvent(this.#view, event);
    try {
      this.#journal?.append(this.id, event);
    } catch (error) {
      // Not thrown here, because running work has to end in order: written() refuses the next step.
      this.#writeError ??= error;
    }
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const wake of watchers) wake();
    for (const observer of this.#observers) observer(event);
    return event;
  }

  /** Frees the events of a finished operation; the view stays, and the events are read from the journal when needed. */
  release(): void {
    const isWritten = this.#journal !== null && this.#writeError === null;
    if (isWritten && !isActive(this.#view)) this.#events = null;
  }

  /** The events after `seq`, in order. */
  since(seq: number): readonly OperationEvent[] {
    return (this.#events ?? this.#journal?.read(this.id) ?? []).slice(Math.max(0, seq));
  }

  /**
   * All events after `seq`, including future ones. Ends after the last event of a finished operation, or, when the signal
   * aborts, after the last event so far.
   */
  async *follow(seq: number, signal: AbortSignal): AsyncGenerator<OperationEvent> {
    let cursor = Math.min(Math.max(0, seq), this.#view.lastSeq);
    for (;;) {
      for (const event of this.since(cursor)) {
        cursor = event.seq;
        yield event;
      }
      if (cursor < this.#view.lastSeq) continue;
      if (!isActive(this.#view) || signal.aborted) return;
      await this.#next(signal);
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
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
