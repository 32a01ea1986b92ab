/**
 * The journal: every fact of every operation, on disk before the call that it announces. After a crash it tells what
 * was done, what was not, and of which call the outcome is not known.
 */
import { reasonOf } from "../errors/system_errors.ts";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type FlatConfiguration, fromFlat, toFlat } from "../configuration/flat_configuration.ts";
import { ConfigurationError } from "../errors/errors.ts";
import {
  ensureOwnFile,
  fileExists,
  makeFolder,
  readTextFile,
  replaceOwnFile,
} from "../configuration/files.ts";
import { processId } from "../command_line/process.ts";
import type { OperationEvent } from "./types.ts";
import type { AuditEntry, AuditJournal } from "../observability/audit_entry.ts";

/** The layout of the tables: 2 has the audit log. A journal of an earlier one gets what it lacks, a later one is left alone. */
const LAYOUT = 2;

/** The log beside the tables is cut down to this when it was larger. */
const MAX_WAL_BYTES = 4_194_304;

/** An operation as it was written down. */
export interface JournalledOperation {
  /** The operation's id. */
  readonly id: string;
  /** In order of their seq. */
  readonly events: readonly OperationEvent[];
}

/** Where operations and the audit log are written down and read back. */
export interface OperationJournal extends AuditJournal {
  /** Takes a fact to be written down; it is safe once {@link written} resolves. */
  append(id: string, event: OperationEvent): void;
  /** Resolves when all that was appended is safe; rejects when it cannot be written now. */
  written(): Promise<void>;
  /** Every operation that was not forgotten, oldest first. */
  load(): readonly JournalledOperation[];
  /** The facts of one operation, in order of their seq. */
  read(id: string): readonly OperationEvent[];
  /** Removes an operation, so that the journal does not grow for ever. */
  forget(id: string): void;
}

/** A journal in a SQLite file; nobody else can open it meanwhile. */
export class Journal implements OperationJournal, Disposable {
  readonly #database: DatabaseSync;
  readonly #folder: string;
  readonly #insert: StatementSync;
  /** What is to be written at the end of this turn of the event loop, or could not be written yet. */
  #unwritten: { readonly id: string; readonly event: OperationEvent }[] = [];
  #turn: { readonly timer: ReturnType<typeof setImmediate>; readonly end: Promise<void> } | null = null;

  /** Takes over an open, exclusive database. */
  private constructor(database: DatabaseSync, folder: string) {
    this.#database = database;
    this.#folder = folder;
    this.#insert = database.prepare("INSERT INTO event (operation, seq, at, fact) VALUES (?, ?, ?, ?)");
  }

  /**
   * Opens the journal in a folder, which is made if need be.
   *
   * @throws {ConfigurationError} when it cannot be written, is no journal, is a later program's, or is in use; then
   * it names who uses it.
   */
  static open(folder: string): Journal {
    let database: DatabaseSync | undefined;
    try {
      makeFolder(folder);
      const path = `${folder}/journal.sqlite`;
      // SQLite gives its other files the rights of this one.
      ensureOwnFile(path);
      const hasLog = fileExists(`${path}-wal`);
      database = new DatabaseSync(path);
      prepare(database);
      if (wasCutOff(database) && !hasLog) throw new MissingLog();
      replaceOwnFile(`${folder}/owner`, `process ${processId()}, since ${new Date().toISOString()}\n`);
      // Last, so that a start that is refused leaves no mark of a program that did not end in order.
      markInUse(database);
      return new Journal(database, folder);
    } catch (error) {
      if (database !== undefined) closeUnused(database, error);
      throw refuse(folder, whatIsWrong(error, folder), error);
    }
  }

  /** Facts of one turn of the event loop are written together: the disk is waited for once. */
  append(id: string, event: OperationEvent): void {
    this.#unwritten.push({ id, event });
    void this.#endOfTurn();
  }

  /**
   * Resolves when all that was appended is on the disk.
   *
   * @throws when it cannot be written; it is kept, and tried again with what comes next.
   */
  async written(): Promise<void> {
    if (this.#unwritten.length > 0) await this.#endOfTurn();
  }

  #endOfTurn(): Promise<void> {
    if (this.#turn === null) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setImmediate(() => {
        this.#turn = null;
        try {
          this.#write();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      // Who waits is told; what nobody waits for is tried again, and told to the next who does.
      promise.catch(() => {});
      this.#turn = { timer, end: promise };
    }
    return this.#turn.end;
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
   * Every operation that was not forgotten, oldest first.
   *
   * @throws {ConfigurationError} when a row is damaged.
   */
  load(): readonly JournalledOperation[] {
    this.#write();
    const oldest = "SELECT operation FROM event GROUP BY operation ORDER BY min(at), min(rowid)";
    const ids = this.#database.prepare(oldest).all().map(({ operation }) => String(operation));
    return ids.map((id) => ({ id, events: this.read(id) }));
  }

  /** The facts of one operation, in order of their seq. */
  read(id: string): readonly OperationEvent[] {
    const facts = this.#database.prepare("SELECT fact FROM event WHERE operation = ? ORDER BY seq");
    const unwritten = this.#unwritten.filter((it) => it.id === id).map(({ event }) => event);
    return [...facts.all(id).map(({ fact }) => this.#parsed(() => parseFact(String(fact)))), ...unwritten];
  }

  /** Removes an operation's facts; the file keeps its size and uses the room again. */
  forget(id: string): void {
    this.#unwritten = this.#unwritten.filter((it) => it.id !== id);
    this.#database.prepare("DELETE FROM event WHERE operation = ?").run(id);
  }

  /** Writes an entry of the audit log down, in the place of one with the same seq. */
  writeAudit(entry: AuditEntry): void {
    const { seq, at } = entry;
    const insert = this.#database.prepare("INSERT OR REPLACE INTO audit (seq, at, entry) VALUES (?, ?, ?)");
    // With the facts before it: no crash leaves an entry of an operation that is not there.
    this.#write(() => insert.run(seq, at, JSON.stringify(entry)));
  }

  /** Removes entries of the audit log; the file keeps its size and uses the room again. */
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
    return rows.map(({ entry }) => this.#parsed(() => parseEntry(String(entry))));
  }

  #parsed<T>(parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof DamagedRow)) throw error;
      throw refuse(this.#folder, whatIsWrong(error, this.#folder), error);
    }
  }

  /** Writes what is left, and lets go of it. */
  [Symbol.dispose](): void {
    if (this.#turn !== null) clearImmediate(this.#turn.timer);
    try {
      this.#write();
      this.#database.exec("DELETE FROM about WHERE name = 'in-use'");
    } finally {
      this.#database.close();
    }
  }
}

function refuse(folder: string, message: string, cause: unknown): ConfigurationError {
  return new ConfigurationError("STATE_DIR", [{ field: folder, message }], { cause });
}

/** Every kind of fact; the compiler sees to it that none is missing. */
const FACTS: Readonly<Record<OperationEvent["type"], true>> = {
  started: true,
  step: true,
  progress: true,
  call: true,
  vm: true,
  finished: true,
  resolved: true,
};

/** A row that this program did not write, or that was damaged since. */
class DamagedRow extends Error {
  override readonly name = "DamagedRow";
}

function parseFact(text: string): OperationEvent {
  const fact = parseRow(text);
  const isKnown = typeof fact.type === "string" && Object.hasOwn(FACTS, fact.type);
  const isNamed = fact.type !== "started" || (typeof fact.title === "string" && Array.isArray(fact.vms));
  if (!isKnown || !isNamed || typeof fact.seq !== "number") throw new DamagedRow("a fact of an operation");
  return withConfiguration(fact as unknown as OperationEvent<FlatConfiguration>, fromFlat);
}

/** Converts the configuration of a creation's request: on disk it has the flat form, as in every earlier version. */
function withConfiguration<A, B>(event: OperationEvent<A>, convert: (from: A) => B): OperationEvent<B> {
  if (event.type !== "started") return event;
  const { request, ...rest } = event;
  if (request === undefined) return rest;
  if (request.kind !== "create") return { ...rest, request };
  return { ...rest, request: { ...request, configuration: convert(request.configuration) } };
}

function parseEntry(text: string): AuditEntry {
  const entry = parseRow(text);
  const isWhole = typeof entry.seq === "number" && typeof entry.what === "string" &&
    typeof entry.outcome === "string" && Array.isArray(entry.vms);
  if (!isWhole) throw new DamagedRow("an entry of the audit log");
  return entry as unknown as AuditEntry;
}

function parseRow(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, like any other row that is no object.
  }
  throw new DamagedRow("a row");
}

/** What was written last is not in the tables yet, and its file is not there. */
class MissingLog extends Error {
  override readonly name = "MissingLog";
}

/** A journal with a layout that this program does not know. */
class LaterLayout extends Error {
  override readonly name = "LaterLayout";
}

/**
 * Closes a journal that is not used after all. SQLite takes the log beside the tables into them then, so that its
 * absence means nothing at the next start.
 */
function closeUnused(database: DatabaseSync, error: unknown): void {
  try {
    if (!(error instanceof MissingLog)) database.exec("DELETE FROM about WHERE name = 'in-use'");
  } catch {
    // Another program keeps it, it is damaged, or the disk is full: the error that led here tells of it.
  } finally {
    database.close();
  }
}

/** Whether the program that used it last did not end in order. */
function wasCutOff(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM about WHERE name = 'in-use'").get() !== undefined;
}

/** In the tables themselves: the log beside them may be lost. */
function markInUse(database: DatabaseSync): void {
  database.exec("INSERT OR IGNORE INTO about VALUES ('in-use', '1')");
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

function prepare(database: DatabaseSync): void {
  // Exclusive: the lock lives as long as the process, so a second program is refused, and a crash leaves no lock.
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

function whatIsWrong(error: unknown, folder: string): string {
  if (error instanceof LaterLayout) {
    return `The journal was written by a later program (layout ${error.message}, known is ${LAYOUT}); start that one, or name another folder`;
  }
  if (error instanceof MissingLog) {
    return "The program did not end in order, and the file journal.sqlite-wal with what it wrote last is missing, so " +
      "operations may be missing too. Put that file back; or make an empty one of that name to go on without it";
  }
  if (error instanceof DamagedRow) {
    return `The journal is damaged, or a later program wrote it: ${error.message} cannot be read; move journal.sqlite away, or name another folder`;
  }
  const said = reasonOf(error);
  if (/locked|busy/i.test(said)) {
    return `The journal is in use by another dashboard (${
      ownerOf(folder)
    }); stop that one, or name another folder`;
  }
  if (/not a database|malformed|corrupt/i.test(said)) {
    return "The journal is damaged, or no journal at all; move journal.sqlite away, or name another folder";
  }
  return `The journal cannot be written here: ${said}; name another folder in STATE_DIR, or make this one writable`;
}

function ownerOf(folder: string): string {
  try {
    return readTextFile(`${folder}/owner`).trim();
  } catch {
    return "it does not say which";
  }
}
