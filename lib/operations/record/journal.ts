/**
 * The journal of operations, the audit log and approvals for agents, in a SQLite file. Every event is on disk before the
 * call that it announces is sent, so that after a crash it shows what was done, what was not, and which call has an unknown
 * outcome.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ApprovalJournal } from "../../agents/approval.ts";
import { APPROVAL_TABLE, ApprovalTable } from "../../agents/approval_table.ts";
import { processId } from "../../command_line/process.ts";
import {
  ensureOwnFile,
  fileExists,
  makeFolder,
  readTextFile,
  replaceOwnFile,
} from "../../configuration/files.ts";
import { type FlatConfiguration, fromFlat, toFlat } from "../../configuration/flat_configuration.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { AuditEntry, AuditJournal } from "../../observability/audit_entry.ts";
import type { OperationEvent } from "../types.ts";

/**
 * Version of the tables: 2 added the audit log. Older journals are upgraded, newer ones refused. The table of approvals has
 * no version, because earlier programs can leave it alone.
 */
const LAYOUT = 2;

/** SQLite shrinks a larger write-ahead log to this size. */
const MAX_WAL_BYTES = 4_194_304;

/** An operation as it was recorded. */
export interface JournalledOperation {
  /** The operation's id. */
  readonly id: string;
  /** Ordered by `seq`. */
  readonly events: readonly OperationEvent[];
}

/** Persistent storage of operations and the audit log. */
export interface OperationJournal extends AuditJournal {
  /** Accepts an event of an operation; it is durable once {@link OperationJournal.written} resolves. */
  append(id: string, event: OperationEvent): void;
  /** Resolves when all accepted events are durable; rejects when they cannot be written now. */
  written(): Promise<void>;
  /** All stored operations, oldest first. */
  load(): readonly JournalledOperation[];
  /** The events of one operation, ordered by `seq`. */
  read(id: string): readonly OperationEvent[];
  /** Deletes an operation, so that the journal does not grow forever. */
  forget(id: string): void;
}

/** A journal in a SQLite file, which no other process can open at the same time. */
export class Journal implements OperationJournal, Disposable {
  /** Plans that people approved for agents. */
  readonly approvals: ApprovalJournal;
  readonly #database: DatabaseSync;
  readonly #folder: string;
  readonly #insert: StatementSync;
  /** Events to be written at the end of this turn of the event loop, or that could not be written yet. */
  #unwritten: { readonly id: string; readonly event: OperationEvent }[] = [];
  #flush: Promise<void> | null = null;

  private constructor(database: DatabaseSync, folder: string) {
    this.#database = database;
    this.#folder = folder;
    this.approvals = new ApprovalTable(database, (change) => this.#write(change));
    this.#insert = database.prepare("INSERT INTO event (operation, seq, at, fact) VALUES (?, ?, ?, ?)");
  }

  /**
   * Opens the journal in a folder, and creates both if necessary.
   *
   * @throws {ConfigurationError} when it cannot be written, is not a journal, was written by a newer version, or is in use
   * (the message names the process).
   */
  static open(folder: string): Journal {
    let database: DatabaseSync | undefined;
    try {
      makeFolder(folder);
      const path = `${folder}/journal.sqlite`;
      // SQLite gives its other files the permissions of this one.
      ensureOwnFile(path);
      const hasLog = fileExists(`${path}-wal`);
      database = new DatabaseSync(path);
      prepare(database);
      if (wasInterrupted(database) && !hasLog) throw new MissingLog();
      replaceOwnFile(`${folder}/owner`, `process ${processId()}, since ${new Date().toISOString()}\n`);
      // Last, so that a refused start does not look like an interrupted program.
      markInUse(database);
      return new Journal(database, folder);
    } catch (error) {
      if (database !== undefined) closeUnused(database, error);
      throw unusable(folder, describeProblem(error, folder), error);
    }
  }

  /** Accepts an event; all events of one turn of the event loop are written together, so that the disk is awaited once. */
  append(id: string, event: OperationEvent): void {
    this.#unwritten.push({ id, event });
    void this.#flushSoon();
  }

  /**
   * Resolves when all accepted events are on disk.
   *
   * @throws when they cannot be written; they are kept and written with the next ones.
   */
  async written(): Promise<void> {
    if (this.#unwritten.length > 0) await this.#flushSoon();
  }

  #flushSoon(): Promise<void> {
    if (this.#flush === null) {
      this.#flush = nextTurn().then(() => {
        this.#flush = null;
        this.#write();
      });
      // Whoever waits for it receives the error.
      this.#flush.catch(() => {});
    }
    return this.#flush;
  }

  #write(also: (() => void) | null = null): void {
    if (this.#unwritten.length === 0 && also === null) return;
    this.#database.exec("BEGIN");
    try {
      also?.();
      for (const { id, event } of this.#unwritten) {
        this.#insert.run(id, event.seq, event.at, JSON.stringify(withConfiguration(event, toFlat)));
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    this.#unwritten = [];
  }

  /**
   * All stored operations, oldest first.
   *
   * @throws {ConfigurationError} when a row is damaged.
   */
  load(): readonly JournalledOperation[] {
    this.#write();
    const oldest = "SELECT operation FROM event GROUP BY operation ORDER BY min(at), min(rowid)";
    const ids = this.#database.prepare(oldest).all().map(({ operation }) => String(operation));
    return ids.map((id) => ({ id, events: this.read(id) }));
  }

  /**
   * The events of one operation, ordered by `seq`.
   *
   * @throws {ConfigurationError} when a row is damaged.
   */
  read(id: string): readonly OperationEvent[] {
    const rows = this.#database.prepare("SELECT fact FROM event WHERE operation = ? ORDER BY seq").all(id);
    const unwritten = this.#unwritten.filter((it) => it.id === id).map(({ event }) => event);
    return [
      ...rows.map(({ fact }) =>
        withConfiguration(this.#parse(fact, isEvent, "an event of an operation"), fromFlat)
      ),
      ...unwritten,
    ];
  }

  /** Deletes an operation's events; the file keeps its size and reuses the space. */
  forget(id: string): void {
    this.#unwritten = this.#unwritten.filter((it) => it.id !== id);
    this.#database.prepare("DELETE FROM event WHERE operation = ?").run(id);
  }

  /** Saves an entry of the audit log, replacing one with the same `seq`. */
  writeAudit(entry: AuditEntry): void {
    const { seq, at } = entry;
    const insert = this.#database.prepare("INSERT OR REPLACE INTO audit (seq, at, entry) VALUES (?, ?, ?)");
    // Together with earlier events, so that no crash leaves an entry without its operation.
    this.#write(() => insert.run(seq, at, JSON.stringify(entry)));
  }

  /** Deletes entries of the audit log; the file keeps its size and reuses the space. */
  removeAudit(seqs: readonly number[]): void {
    const remove = this.#database.prepare("DELETE FROM audit WHERE seq = ?");
    this.#write(() => {
      for (const seq of seqs) remove.run(seq);
    });
  }

  /**
   * The entries of the audit log, oldest first.
   *
   * @throws {ConfigurationError} when a row is damaged.
   */
  loadAudit(): readonly AuditEntry[] {
    const rows = this.#database.prepare("SELECT entry FROM audit ORDER BY seq").all();
    return rows.map(({ entry }) => this.#parse(entry, isAuditEntry, "an entry of the audit log"));
  }

  #parse<T>(text: unknown, isValid: (row: unknown) => row is T, what: string): T {
    let row: unknown = null;
    try {
      row = JSON.parse(String(text));
    } catch {
      // Reported below, like any other row that is not valid.
    }
    if (isValid(row)) return row;
    const message =
      `The journal is damaged or was written by a later version: ${what} cannot be read. ${START_NEW}`;
    throw unusable(this.#folder, message);
  }

  /** Writes what is left, and closes the file. */
  [Symbol.dispose](): void {
    try {
      this.#write();
      this.#database.exec("DELETE FROM about WHERE name = 'in-use'");
    } finally {
      this.#database.close();
    }
  }
}

/** Every type of event; the compiler finds a missing one. */
const EVENT_TYPES: Readonly<Record<OperationEvent["type"], true>> = {
  started: true,
  step: true,
  sign: true,
  progress: true,
  call: true,
  vm: true,
  finished: true,
  resolved: true,
  healed: true,
  waiting: true,
  back: true,
};

function isEvent(row: unknown): row is OperationEvent<FlatConfiguration> {
  const { type, seq, title, vms }: Record<string, unknown> = Object(row);
  const isKnown = typeof type === "string" && Object.hasOwn(EVENT_TYPES, type) && typeof seq === "number";
  return isKnown && (type !== "started" || (typeof title === "string" && Array.isArray(vms)));
}

/** Converts the configuration of a creation's request, which has the flat form on disk, as in every earlier version. */
function withConfiguration<A, B>(event: OperationEvent<A>, convert: (from: A) => B): OperationEvent<B> {
  if (event.type !== "started") return event;
  const { request, ...rest } = event;
  if (request === undefined) return rest;
  if (request.kind !== "create") return { ...rest, request };
  return { ...rest, request: { ...request, configuration: convert(request.configuration) } };
}

function isAuditEntry(row: unknown): row is AuditEntry {
  const { seq, what, outcome, vms }: Record<string, unknown> = Object(row);
  return typeof seq === "number" && typeof what === "string" && typeof outcome === "string" &&
    Array.isArray(vms);
}

/** The newest events were only in the write-ahead log, and that file is missing. */
class MissingLog extends Error {
  override readonly name = "MissingLog";
}

/** The tables have a version that this program does not know. */
class LaterLayout extends Error {
  override readonly name = "LaterLayout";
}

/** SQLite merges the write-ahead log into the tables when it closes them, so the log may be missing at the next start. */
function closeUnused(database: DatabaseSync, error: unknown): void {
  try {
    if (!(error instanceof MissingLog)) database.exec("DELETE FROM about WHERE name = 'in-use'");
  } catch {
    // The file is in use or damaged, or the disk is full; the error that led here says so.
  } finally {
    database.close();
  }
}

/** Whether the last program that used the journal did not close it. */
function wasInterrupted(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM about WHERE name = 'in-use'").get() !== undefined;
}

/** Writes the mark into the tables themselves, because the write-ahead log may be lost. */
function markInUse(database: DatabaseSync): void {
  database.exec("INSERT OR IGNORE INTO about VALUES ('in-use', '1')");
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

function prepare(database: DatabaseSync): void {
  // The lock lasts as long as the process: a second program is refused, and a crash leaves no lock.
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec(`PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`);
  const layout = layoutOf(database);
  if (layout !== null && layout > LAYOUT) throw new LaterLayout(String(layout));
  database.exec(`
    BEGIN EXCLUSIVE;
    CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    INSERT OR IGNORE INTO about VALUES ('layout', '${LAYOUT}');
    CREATE TABLE IF NOT EXISTS event (
      operation TEXT NOT NULL,
      seq INTEGER NOT NULL,
      at INTEGER NOT NULL,
      fact TEXT NOT NULL,
      PRIMARY KEY (operation, seq)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS audit (
      seq INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,
      entry TEXT NOT NULL
    ) STRICT;
    ${APPROVAL_TABLE}
    UPDATE about SET value = '${LAYOUT}' WHERE name = 'layout' AND CAST(value AS INTEGER) < ${LAYOUT};
    COMMIT;
  `);
  const damage = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
  if (damage !== "ok") throw new Error(`malformed: ${damage}`);
}

/** Null before there are any tables. */
function layoutOf(database: DatabaseSync): number | null {
  const tables = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'about'")
    .get();
  if (tables === undefined) return null;
  return Number(database.prepare("SELECT value FROM about WHERE name = 'layout'").get()?.value ?? 0);
}

function unusable(folder: string, message: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError("STATE_DIR", [{ field: folder, message }], { cause });
}

const START_NEW = "Move journal.sqlite away to start a new journal, or choose another folder in STATE_DIR";

function describeProblem(error: unknown, folder: string): string {
  if (error instanceof LaterLayout) {
    return `The journal was written by a later version (layout ${error.message}; this one reads ${LAYOUT}). ` +
      "Start that version, or choose another folder in STATE_DIR";
  }
  if (error instanceof MissingLog) {
    return "The program was interrupted, and the file journal.sqlite-wal with its newest events is missing, so operations " +
      "may be missing too. Put that file back, or create an empty file of that name to continue without it";
  }
  const reason = reasonOf(error);
  if (/locked|busy/i.test(reason)) {
    return `The journal is in use by another dashboard (${
      ownerOf(folder)
    }). Stop that one, or choose another folder in STATE_DIR`;
  }
  if (/not a database|malformed|corrupt/i.test(reason)) {
    return `The journal is damaged, or journal.sqlite is not a journal. ${START_NEW}`;
  }
  return `The journal cannot be written here: ${reason}. Make the folder writable, or choose another one in STATE_DIR`;
}

function ownerOf(folder: string): string {
  try {
    return readTextFile(`${folder}/owner`).trim();
  } catch {
    return "unknown process";
  }
}
