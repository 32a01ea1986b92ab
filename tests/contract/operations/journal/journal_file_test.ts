/**
 * Protects the journal's file: each event is on the disk, it is private, it outlives full disks and earlier versions, and
 * one that cannot be used stops the program before it does anything.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { AuditLog } from "../../../../lib/observability/audit.ts";
import { ConfigurationError } from "../../../../lib/errors/errors.ts";
import { Journal } from "../../../../lib/operations/record/journal.ts";
import type { OperationEvent, OperationRequest } from "../../../../lib/operations/types.ts";
import { OperationStore } from "../../../../lib/operations/record/store.ts";
import { startSimulator } from "../../../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../../../support/pages/dashboard.ts";
import { withFolder } from "../../../support/folder.ts";
import { beginWorkers, startProgram } from "../../../support/program/program.ts";

const REQUEST: OperationRequest = {
  kind: "destroy",
  vms: [],
  keepDisks: false,
  shutdown: false,
};

Deno.test("events that cannot be written are reported, kept, and written with the next ones", () =>
  withFolder(async (folder) => {
    const noted = (seq: number): OperationEvent => ({ type: "resolved", how: "left", seq, at: seq });
    Journal.open(folder)[Symbol.dispose]();
    {
      // A disk that is full from the third fact on, until there is an entry of the audit log.
      using database = new DatabaseSync(`${folder}/journal.sqlite`);
      database.exec(`
        CREATE TRIGGER full BEFORE INSERT ON event
        WHEN (SELECT count(*) FROM event) >= 2 AND (SELECT count(*) FROM audit) = 0
        BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`);
    }
    {
      using journal = Journal.open(folder);
      for (const seq of [1, 2]) journal.append("op", noted(seq));
      await journal.written();
      for (const seq of [3, 4]) journal.append("op", noted(seq));
      await assert.rejects(journal.written(), /disk is full/);
      await assert.rejects(journal.written(), /disk is full/, "it is tried again, and fails again");
      assert.deepEqual(journal.read("op").map(({ seq }) => seq), [1, 2, 3, 4], "nothing of it is lost");
      journal.writeAudit({ seq: 1, at: 1, by: null, what: "x", vms: [], outcome: "done", operation: null });
      journal.append("op", noted(5));
      await journal.written();
      journal.append("op", noted(6));
    }
    using journal = Journal.open(folder);
    assert.deepEqual(journal.load()[0]?.events.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
  }));

Deno.test("an unusable journal is reported as in use, damaged, from a newer program, or read-only", () =>
  withFolder(async (folder) => {
    const messageOf = (path: string) => {
      try {
        Journal.open(path)[Symbol.dispose]();
      } catch (error) {
        assert.ok(error instanceof ConfigurationError);
        return error.message;
      }
      return "";
    };
    {
      using _held = Journal.open(folder);
      assert.match(
        messageOf(folder),
        new RegExp(`in use by another dashboard \\(process ${Deno.pid}, since `),
      );
    }
    assert.equal(messageOf(folder), "", "it is free again");
    await Deno.mkdir(`${folder}/damaged`);
    await Deno.writeTextFile(`${folder}/damaged/journal.sqlite`, "this is no database, ".repeat(100));
    assert.match(messageOf(`${folder}/damaged`), /damaged, or journal.sqlite is not a journal/);
    await Deno.writeTextFile(`${folder}/file`, "");
    assert.match(messageOf(`${folder}/file/below`), /cannot be written here/);
    const later = new DatabaseSync(`${folder}/journal.sqlite`);
    later.exec("UPDATE about SET value = '99' WHERE name = 'layout'");
    later.close();
    assert.match(messageOf(folder), /written by a later version \(layout 99/);
  }));

Deno.test("a journal with an older layout is migrated", () =>
  withFolder((folder) => {
    Journal.open(folder)[Symbol.dispose]();
    const earlier = new DatabaseSync(`${folder}/journal.sqlite`);
    earlier.exec("DROP TABLE audit; UPDATE about SET value = '1' WHERE name = 'layout'");
    earlier.close();
    {
      using journal = Journal.open(folder);
      journal.writeAudit({ seq: 1, at: 1, by: null, what: "x", vms: [], outcome: "done", operation: null });
      assert.equal(journal.loadAudit().length, 1);
    }
    const now = new DatabaseSync(`${folder}/journal.sqlite`);
    assert.equal(now.prepare("SELECT value FROM about WHERE name = 'layout'").get()?.value, "2");
    now.close();
  }));

Deno.test("the journal's files are private to their owner, and links in their place are not followed (fault 18)", () =>
  withFolder(async (folder) => {
    const state = `${folder}/state`;
    await Deno.mkdir(state);
    await Deno.writeTextFile(`${folder}/precious`, "mine");
    await Deno.symlink(`${folder}/precious`, `${state}/owner`);
    using journal = Journal.open(state);
    journal.append("a", {
      type: "started",
      kind: "destroy",
      seq: 1,
      at: 1,
      title: "x",
      request: REQUEST,
      vms: [],
    });
    await journal.written();
    assert.equal(await Deno.readTextFile(`${folder}/precious`), "mine");
    for await (const { name } of Deno.readDir(state)) {
      const { mode, isSymlink } = await Deno.lstat(`${state}/${name}`);
      assert.deepEqual([name, isSymlink, (mode ?? 0) & 0o077], [name, false, 0]);
    }
    const linked = `${folder}/linked`;
    await Deno.mkdir(linked);
    await Deno.symlink(`${folder}/precious`, `${linked}/journal.sqlite`);
    assert.throws(() => Journal.open(linked), ConfigurationError);
    assert.equal(await Deno.readTextFile(`${folder}/precious`), "mine");
  }));

Deno.test("a damaged journal is reported at the start without a stack trace (fault 18)", () =>
  withFolder(async (folder) => {
    {
      using journal = Journal.open(folder);
      for (let n = 1; n <= 200; n++) {
        journal.append(`op${n}`, {
          type: "started",
          kind: "destroy",
          seq: 1,
          at: n,
          title: "x".repeat(500),
          request: REQUEST,
          vms: [],
        });
      }
    }
    const path = `${folder}/journal.sqlite`;
    const bytes = await Deno.readFile(path);
    assert.ok(bytes.length > 40_000, "the premise: it has many pages");
    bytes.fill(0xff, 20_480, 24_576);
    await Deno.writeFile(path, bytes);
    assert.throws(
      () => Journal.open(folder),
      (error) => error instanceof ConfigurationError && /The journal is damaged/.test(error.message),
    );
  }));

Deno.test("a journal with a missing WAL file is reported instead of losing events (fault 18)", () =>
  withFolder(async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const program = await startProgram(simulator, folder);
    await beginWorkers(program);
    await program.kill();
    const log = `${folder}/state/journal.sqlite-wal`;
    await Deno.remove(log);
    assert.throws(
      () => Journal.open(`${folder}/state`),
      (error) =>
        error instanceof ConfigurationError && /journal\.sqlite-wal .* is missing/.test(error.message),
    );
    await Deno.writeTextFile(log, "");
    Journal.open(`${folder}/state`)[Symbol.dispose]();
    Journal.open(`${folder}/state`)[Symbol.dispose]();
  }));

Deno.test("the journal waits until each event is on the disk, so a power cut loses none (fault 19)", () =>
  withFolder((folder) => {
    const { exec } = DatabaseSync.prototype;
    let opened: DatabaseSync | null = null;
    DatabaseSync.prototype.exec = function (sql) {
      opened = this;
      exec.call(this, sql);
    };
    try {
      using _journal = Journal.open(folder);
      assert.ok(opened !== null, "the premise: it opened a database");
      const FULL = 2;
      assert.equal((opened as DatabaseSync).prepare("PRAGMA synchronous").get()?.synchronous, FULL);
    } finally {
      DatabaseSync.prototype.exec = exec;
    }
  }));

Deno.test("a refused start is not a crash: the journal opens again and nothing is reported missing", () =>
  withFolder(async (folder) => {
    const refused = (message: RegExp) =>
      assert.throws(
        () => Journal.open(folder),
        (error) => error instanceof ConfigurationError && message.test(error.message),
      );
    const setLayout = (layout: number) => {
      const database = new DatabaseSync(`${folder}/journal.sqlite`);
      database.exec(`UPDATE about SET value = '${layout}' WHERE name = 'layout'`);
      database.close();
    };
    Journal.open(folder)[Symbol.dispose]();
    setLayout(99);
    refused(/written by a later version \(layout 99/);
    refused(/written by a later version \(layout 99/);
    setLayout(2);
    Journal.open(folder)[Symbol.dispose]();
    // The owner's file cannot be replaced, because a non-empty folder is in its place.
    await Deno.remove(`${folder}/owner`);
    await Deno.mkdir(`${folder}/owner/full`, { recursive: true });
    refused(/cannot be written here/);
    await Deno.remove(`${folder}/owner`, { recursive: true });
    Journal.open(folder)[Symbol.dispose]();
  }));

Deno.test("after a crash, a refused start leaves the journal intact", () =>
  withFolder(async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const program = await startProgram(simulator, folder);
    await beginWorkers(program);
    await program.kill();
    const state = `${folder}/state`;
    await Deno.remove(`${state}/owner`);
    await Deno.mkdir(`${state}/owner/full`, { recursive: true });
    assert.throws(() => Journal.open(state), /cannot be written here/);
    await Deno.remove(`${state}/owner`, { recursive: true });
    using journal = Journal.open(state);
    assert.equal(journal.load().length, 1);
  }));

Deno.test("an unreadable row is reported as a damaged journal, not as an internal error", () =>
  withFolder((folder) => {
    const rows = [
      "INSERT INTO event VALUES ('a', 1, 1, '{not json')",
      "INSERT INTO event VALUES ('a', 1, 1, 'null')",
      "INSERT INTO event VALUES ('a', 1, 1, '{}')",
      `INSERT INTO event VALUES ('a', 1, 1, '{"type":"toString","seq":1,"at":1}')`,
      `INSERT INTO event VALUES ('a', 1, 1, '{"type":"started","seq":1,"at":1}')`,
      "INSERT INTO audit VALUES (1, 1, '{not json')",
      "INSERT INTO audit VALUES (1, 1, '{}')",
    ];
    for (const row of rows) {
      Journal.open(folder)[Symbol.dispose]();
      const database = new DatabaseSync(`${folder}/journal.sqlite`);
      database.exec(`DELETE FROM event; DELETE FROM audit; ${row}`);
      database.close();
      using journal = Journal.open(folder);
      assert.throws(
        () => new AuditLog(new OperationStore(Date.now, journal), journal),
        (error) => error instanceof ConfigurationError && /journal is damaged/.test(error.message),
        row,
      );
    }
  }));
