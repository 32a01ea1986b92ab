/** Entries of the audit log, and where they are stored. */
import type { Actor } from "../operations/types.ts";

/** An entry of the audit log. */
export interface AuditEntry {
  /** Increases over all entries ever written, so that gaps are visible. */
  readonly seq: number;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
  /** Who did it; null for the program itself. */
  readonly by: Actor | null;
  /** What was done: `Create 3 VMs`, `Signed in`. */
  readonly what: string;
  /** Names of the affected VMs. */
  readonly vms: readonly string[];
  /** The result: `begun`, `done`, `partly-done: 2 of 3, not worker02`, `refused`. */
  readonly outcome: string;
  /** Id of the operation with the details, or null. */
  readonly operation: string | null;
  /** How often it was repeated, and when last. */
  readonly repeated?: { readonly times: number; readonly lastAt: number };
}

/** An action to be recorded. */
export type AuditRecord =
  & Pick<AuditEntry, "what" | "outcome">
  & Partial<Omit<AuditEntry, "seq" | "at" | "repeated">>;

/** Persistent storage of entries. */
export interface AuditJournal {
  /** Saves an entry, replacing one with the same seq; it is durable when this returns. */
  writeAudit(entry: AuditEntry): void;
  /** Removes entries. */
  removeAudit(seqs: readonly number[]): void;
  /** The entries, oldest first. */
  loadAudit(): readonly AuditEntry[];
}
