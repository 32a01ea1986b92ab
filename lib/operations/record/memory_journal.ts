/** A journal that lasts as long as the program: for the demo, which keeps nothing on disk. */
import type { AuditEntry } from "../../observability/audit_entry.ts";
import type { JournalledOperation, OperationJournal } from "./journal.ts";
import type { OperationEvent } from "../types.ts";

/** Keeps events in memory; see the file's comment. */
export class MemoryJournal implements OperationJournal {
  readonly #events = new Map<string, OperationEvent[]>();
  readonly #audit = new Map<number, AuditEntry>();

  /** A copy of what it holds now, which later events do not change: what a program finds that starts after a crash. */
  copy(): MemoryJournal {
    const copy = new MemoryJournal();
    for (const [id, events] of this.#events) copy.#events.set(id, [...events]);
    for (const [seq, entry] of this.#audit) copy.#audit.set(seq, entry);
    return copy;
  }

  append(id: string, event: OperationEvent): void {
    const events = this.#events.get(id) ?? [];
    events.push(event);
    this.#events.set(id, events);
  }

  written(): Promise<void> {
    return Promise.resolve();
  }

  load(): readonly JournalledOperation[] {
    return [...this.#events].map(([id, events]) => ({ id, events }));
  }

  read(id: string): readonly OperationEvent[] {
    return this.#events.get(id) ?? [];
  }

  forget(id: string): void {
    this.#events.delete(id);
  }

  writeAudit(entry: AuditEntry): void {
    this.#audit.set(entry.seq, entry);
  }

  removeAudit(seqs: readonly number[]): void {
    for (const seq of seqs) this.#audit.delete(seq);
  }

  loadAudit(): readonly AuditEntry[] {
    return [...this.#audit.values()].toSorted((a, b) => a.seq - b.seq);
  }
}
