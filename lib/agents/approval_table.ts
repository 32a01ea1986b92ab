/** The approvals in the journal's SQLite file. */
import type { DatabaseSync } from "node:sqlite";
import type { Approval, ApprovalJournal } from "./approval.ts";

/** The table, which {@link ApprovalTable} requires. */
export const APPROVAL_TABLE: string = `
  CREATE TABLE IF NOT EXISTS approval (
    id TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER,
    withdrawn INTEGER,
    operation TEXT,
    approval TEXT NOT NULL
  ) STRICT;`;

/** Ended approvals explain why one cannot be used; the audit log has them for longer. */
const KEPT_MS = 24 * 60 * 60_000;

/** Reads and changes the table; each change is on disk when its function returns. */
export class ApprovalTable implements ApprovalJournal {
  readonly #database: DatabaseSync;
  readonly #write: (change: () => void) => void;

  /** `write` runs a change in a transaction. */
  constructor(database: DatabaseSync, write: (change: () => void) => void) {
    this.#database = database;
    this.#write = write;
  }

  /** Saves an approval, and deletes those that ended long ago. */
  writeApproval(approval: Approval): void {
    const { id, fingerprint, at, expiresAt } = approval;
    const remove = this.#database.prepare("DELETE FROM approval WHERE expires < ?");
    const insert = this.#database.prepare(
      "INSERT INTO approval (id, fingerprint, at, expires, approval) VALUES (?, ?, ?, ?, ?)",
    );
    this.#write(() => {
      remove.run(at - KEPT_MS);
      insert.run(id, fingerprint, at, expiresAt, JSON.stringify(approval));
    });
  }

  /** Marks an approval as used, if it can be. One statement decides, so that it is used once. */
  redeemApproval(id: string, at: number): boolean {
    return this.#update(
      "UPDATE approval SET used = ? WHERE id = ? AND used IS NULL AND withdrawn IS NULL AND expires > ?",
      [at, id, at],
    );
  }

  /** Marks an approval as withdrawn, unless it was used. */
  withdrawApproval(id: string, at: number): boolean {
    return this.#update(
      "UPDATE approval SET withdrawn = ? WHERE id = ? AND used IS NULL AND withdrawn IS NULL",
      [at, id],
    );
  }

  /** Records which operation an approval was used for. */
  recordUse(id: string, operation: string): void {
    this.#update("UPDATE approval SET operation = ? WHERE id = ?", [operation, id]);
  }

  #update(sql: string, values: readonly (string | number)[]): boolean {
    const update = this.#database.prepare(sql);
    let changes: number | bigint = 0;
    this.#write(() => ({ changes } = update.run(...values)));
    return Number(changes) > 0;
  }

  /** The approvals of a plan, the newest first; a damaged one counts as none. */
  approvalsOf(fingerprint: string): readonly Approval[] {
    const rows = this.#database.prepare(
      "SELECT approval, used, withdrawn, operation FROM approval WHERE fingerprint = ? ORDER BY at DESC, rowid DESC",
    ).all(fingerprint);
    return rows.flatMap(({ approval, used, withdrawn, operation }) => {
      const read = approvalIn(String(approval));
      return read === null ? [] : [{
        ...read,
        usedAt: used === null ? null : Number(used),
        withdrawnAt: withdrawn === null ? null : Number(withdrawn),
        operation: operation === null ? null : String(operation),
      }];
    });
  }
}

function approvalIn(text: string): Approval | null {
  try {
    const row: unknown = JSON.parse(text);
    return isApproval(row) ? row : null;
  } catch {
    return null;
  }
}

function isApproval(row: unknown): row is Approval {
  const { id, nas, contents, expiresAt, types, vms, by }: Record<string, unknown> = Object(row);
  return typeof id === "string" && typeof nas === "string" && typeof contents === "string" &&
    typeof expiresAt === "number" &&
    Array.isArray(types) && Array.isArray(vms) && typeof Object(by).who === "string";
}
