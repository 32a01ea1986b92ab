/** One line of the audit log, and where such lines outlive the program. */
import type { Actor } from "../operations/types.ts";

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
  /** That it was done more than once: how often, and when it was last. */
  readonly repeated?: { readonly times: number; readonly lastAt: number };
}

/** What somebody did, before it has its place in the log. */
export type AuditRecord =
  & Pick<AuditEntry, "what" | "outcome">
  & Partial<Omit<AuditEntry, "seq" | "at" | "repeated">>;

/** Where entries outlive the program. */
export interface AuditJournal {
  /** Writes an entry down, in the place of one with the same seq; it is safe when this returns. */
  writeAudit(entry: AuditEntry): void;
  /** Removes entries. */
  removeAudit(seqs: readonly number[]): void;
  /** The entries, oldest first. */
  loadAudit(): readonly AuditEntry[];
}
