/**
 * The audit log: who did what to which VMs, and with what result. Operations write their own entries; other actions (a
 * sign-in, a console, a displayed password) are recorded by the code that performs them.
 */
import { type Logger, silentLogger } from "./logging.ts";
import { describeEnd } from "../operations/summary.ts";
import type { OperationStore } from "../operations/record/store.ts";
import { type Actor, isActive, type OperationView } from "../operations/types.ts";
import type { AuditEntry, AuditJournal, AuditRecord } from "./audit_entry.ts";

/** Entry limits apply per share, so that nobody can displace entries of users with more rights. */
type Share = "ours" | "viewers" | "strangers";

/** Maximum number of entries per share; administrators, the command line and the program itself have most. */
export const AUDIT_SHARES: Readonly<Record<Share, number>> = {
  ours: 8_000,
  viewers: 1_000,
  strangers: 1_000,
};

/** Maximum number of entries in memory and in the journal. */
export const MAX_AUDIT_ENTRIES: number = Object.values(AUDIT_SHARES).reduce((sum, share) => sum + share, 0);

function shareOf(by: Actor | null): Share {
  if (by?.who === "viewer") return "viewers";
  return by?.who === "nobody" ? "strangers" : "ours";
}

/** Repeated actions of a viewer or stranger within this time are counted in one entry. */
const REPEAT_MS = 3_600_000;

/** Minimum interval between writes of a repeat count, because each write waits for the disk. */
const REPEAT_WRITE_MS = 1_000;

/** Expired entries are removed from the journal in batches of this size. */
const REMOVED_TOGETHER = 100;

const BEGUN = "begun";

/** Keeps the entries. */
export class AuditLog {
  readonly #entries: AuditEntry[];
  readonly #journal: AuditJournal | null;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #kept: Record<Share, number> = { ours: 0, viewers: 0, strangers: 0 };
  /** Sequence numbers that were dropped from the log but are still in the journal. */
  #removed: number[] = [];

  /**
   * Listens to the operations. Loads earlier entries from the journal, and adds the missing final entries of operations
   * that were interrupted.
   */
  constructor(
    operations: OperationStore,
    journal: AuditJournal | null = null,
    logger: Logger = silentLogger,
  ) {
    this.#journal = journal;
    this.#logger = logger;
    this.#now = operations.now;
    this.#entries = [...journal?.loadAudit() ?? []];
    for (const { by } of this.#entries) this.#kept[shareOf(by)]++;
    for (const share of Object.keys(AUDIT_SHARES) as Share[]) this.#keepWithin(share);
    const notify = (view: OperationView, outcome: string) => {
      const vms = view.vms.map(({ name }) => name);
      try {
        this.record({ by: view.by, what: view.title, vms, operation: view.id, outcome });
      } catch (error) {
        // The operation itself fails when its journal cannot be written.
        logger.error("Cannot write the audit log; the entry is missing", {
          operation: view.id,
          error: String(error),
        });
      }
    };
    for (const view of operations.list().toReversed()) {
      if (!isActive(view) && this.#isOpen(view.id)) notify(view, describeEnd(view));
    }
    operations.onEvent((view, { type }) => {
      if (type === "started") notify(view, BEGUN);
      if (type === "finished") notify(view, describeEnd(view));
    });
  }

  /**
   * Adds an entry.
   *
   * @throws when the entry cannot be saved; the action must then not be performed.
   */
  record({ by = null, what, vms = [], outcome, operation = null }: AuditRecord): void {
    const done = { by, what, vms, outcome, operation };
    const before = this.#repeatable(done);
    if (before !== null) return this.#repeat(before);
    const seq = (this.#entries.at(-1)?.seq ?? 0) + 1;
    const entry: AuditEntry = { seq, at: this.#now(), ...done };
    this.#journal?.writeAudit(entry);
    this.#entries.push(entry);
    const share = shareOf(by);
    this.#kept[share]++;
    this.#keepWithin(share);
  }

  /** The entry that a repeated action of a viewer or stranger is counted in; null when it needs its own. */
  #repeatable({ by, what, vms, outcome, operation }: Omit<AuditEntry, "seq" | "at">): number | null {
    if (shareOf(by) === "ours" || operation !== null) return null;
    const since = this.#now() - REPEAT_MS;
    const index = this.#entries.findLastIndex((entry) =>
      entry.at > since && entry.what === what && entry.outcome === outcome && entry.operation === null &&
      entry.by?.who === by?.who && entry.by?.from === by?.from && entry.vms.join("\n") === vms.join("\n")
    );
    return index < 0 ? null : index;
  }

  #repeat(index: number): void {
    const entry = this.#entries[index];
    if (entry === undefined) return;
    const now = this.#now();
    const { times, lastAt } = entry.repeated ?? { times: 1, lastAt: entry.at };
    const again = { ...entry, repeated: { times: times + 1, lastAt: now } };
    if (times === 1 || Math.abs(now - lastAt) >= REPEAT_WRITE_MS) this.#journal?.writeAudit(again);
    this.#entries[index] = again;
  }

  #keepWithin(share: Share): void {
    while (this.#kept[share] > AUDIT_SHARES[share]) {
      const index = this.#entries.findIndex(({ by }) => shareOf(by) === share);
      const [entry] = this.#entries.splice(index, 1);
      if (entry !== undefined) this.#removed.push(entry.seq);
      this.#kept[share]--;
    }
    if (this.#removed.length < REMOVED_TOGETHER) return;
    try {
      this.#journal?.removeAudit(this.#removed);
      this.#removed = [];
    } catch (error) {
      // The new entry is saved; the removal is retried with the next one.
      this.#logger.warning("Cannot remove old audit log entries; retrying with the next entry", {
        error: String(error),
      });
    }
  }

  #isOpen(operation: string): boolean {
    return this.#entries.findLast((entry) => entry.operation === operation)?.outcome === BEGUN;
  }

  /** The entries, newest first. */
  list(): readonly AuditEntry[] {
    return this.#entries.toReversed();
  }
}
