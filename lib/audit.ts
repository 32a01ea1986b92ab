/**
 * The audit log: who did what to which VMs, and what became of it. Operations write their own entries; what is no
 * operation (a sign-in, a console, a password shown) is recorded by whoever does it.
 */
import { type Logger, silentLogger } from "./logging.ts";
import { describeEnd } from "./operations/summary.ts";
import type { OperationStore } from "./operations/store.ts";
import type { Actor, OperationView } from "./operations/types.ts";

/** Entries kept, in memory and in the journal: some 3 MB at most. */
export const MAX_AUDIT_ENTRIES = 10_000;

const BEGUN = "begun";

/** One line of the audit log. */
export interface AuditEntry {
  /** Counts up over all entries ever made, so that a gap shows. */
  readonly seq: number;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
  /** Who did it; null for what the program found out by itself. */
  readonly by: Actor | null;
  /** What was done: `Create 3 VMs`, `Signed in`. */
  readonly what: string;
  /** The VMs that it was done to, by name. */
  readonly vms: readonly string[];
  /** What became of it: `begun`, `done`, `partly-done: 2 of 3, not worker02`, `refused`. */
  readonly outcome: string;
  /** The operation that tells the steps, or null. */
  readonly operation: string | null;
}

/** What somebody did, before it has its place in the log. */
export type AuditRecord = Pick<AuditEntry, "what" | "outcome"> & Partial<Omit<AuditEntry, "seq" | "at">>;

/** Where entries outlive the program. */
export interface AuditJournal {
  /** Writes an entry down; it is safe when this returns. */
  appendAudit(entry: AuditEntry): void;
  /** The latest entries, oldest first. */
  loadAudit(): readonly AuditEntry[];
}

/** Keeps the entries. */
export class AuditLog {
  readonly #entries: AuditEntry[];
  readonly #journal: AuditJournal | null;
  readonly #now: () => number;

  /**
   * Listens to the operations. With a journal, earlier entries are there again; operations whose end was not seen
   * (the program ended before they did) get theirs now.
   */
  constructor(
    operations: OperationStore,
    journal: AuditJournal | null = null,
    logger: Logger = silentLogger,
  ) {
    this.#journal = journal;
    this.#now = operations.now;
    this.#entries = [...journal?.loadAudit() ?? []];
    const tell = (view: OperationView, outcome: string) => {
      const vms = view.vms.map(({ name }) => name);
      try {
        this.record({ by: view.by, what: view.title, vms, operation: view.id, outcome });
      } catch (error) {
        // The operation itself refuses to go on when its journal cannot be written.
        logger.error("The audit log cannot be written", { operation: view.id, error: String(error) });
      }
    };
    for (const view of operations.list().toReversed()) {
      if (view.status !== "running" && this.#isOpen(view.id)) tell(view, describeEnd(view));
    }
    operations.onEvent((view, { type }) => {
      if (type === "started") tell(view, BEGUN);
      if (type === "finished") tell(view, describeEnd(view));
    });
  }

  /**
   * Adds an entry.
   *
   * @throws when it cannot be written down; what asks for it is not to be done then.
   */
  record({ by = null, what, vms = [], outcome, operation = null }: AuditRecord): void {
    const seq = (this.#entries.at(-1)?.seq ?? 0) + 1;
    const entry: AuditEntry = { seq, at: this.#now(), by, what, vms, outcome, operation };
    this.#journal?.appendAudit(entry);
    this.#entries.push(entry);
    if (this.#entries.length > MAX_AUDIT_ENTRIES) this.#entries.shift();
  }

  #isOpen(operation: string): boolean {
    return this.#entries.findLast((entry) => entry.operation === operation)?.outcome === BEGUN;
  }

  /** The entries, newest first. */
  list(): readonly AuditEntry[] {
    return this.#entries.toReversed();
  }
}
