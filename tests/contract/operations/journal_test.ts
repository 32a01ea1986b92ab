/**
 * Protects the journal: operations are known after a restart and after a crash, every call is on disk before it is
 * sent, and an unusable journal stops the program before it does anything.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { AUDIT_SHARES, AuditLog } from "../../../lib/observability/audit.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { Journal, type OperationJournal } from "../../../lib/operations/record/journal.ts";
import type { OperationEvent, OperationRequest } from "../../../lib/operations/types.ts";
import { MAX_OPERATIONS, OperationStore } from "../../../lib/operations/record/store.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { DISPLAY_PASSWORD, TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "../../support/dashboard.ts";
import { beginWorkers, type Program, startProgram } from "../../support/program.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const REQUEST: OperationRequest = {
  kind: "destroy",
  vms: [],
  keepDisks: false,
  shutdown: false,
};

const CONFIG = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Keeps nothing. */
const NO_JOURNAL: OperationJournal = {
  append: () => {},
  written: () => Promise.resolve(),
  load: () => [],
  read: () => [],
  forget: () => {},
  writeAudit: () => {},
  removeAudit: () => {},
  loadAudit: () => [],
};

function options(simulator: Simulator, journal: OperationJournal): VMManagerOptions {
  const account = { username: "admin", password: "truenas", vncPassword: DISPLAY_PASSWORD };
  return { host: simulator.url, ...account, settle: TEST_SETTLE, backoffMs: [5], journal };
}

Deno.test("operations survive a restart with their results and without secrets", () =>
  withFolder(async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const before = await (async () => {
      using journal = Journal.open(folder);
      await using manager = new VMManager(options(simulator, journal));
      await manager.connect();
      await manager.createVmType(CONFIG, "controlplane", 5910);
      await manager.destroyManagedVms(["controlplane"]);
      return manager.operations.store.list();
    })();
    using journal = Journal.open(folder);
    assert.deepEqual(new OperationStore(undefined, journal).list(), before);
    assert.deepEqual(before.map(({ kind, status }) => [kind, status]), [["destroy", "done"], [
      "create",
      "done",
    ]]);
    for await (const { name } of Deno.readDir(folder)) {
      const bytes = await Deno.readFile(`${folder}/${name}`);
      assert.ok(!new TextDecoder("latin1").decode(bytes).includes(DISPLAY_PASSWORD), name);
    }
  }));

Deno.test("a finished operation is read from the journal, with its log, stream and later decisions", () =>
  withFolder(async (folder) => {
    using journal = Journal.open(folder);
    const store = new OperationStore(() => 1, journal);
    const logs = Array.from({ length: 12 }, (_, n) => {
      const log = store.create();
      log.append({ type: "started", kind: "act", title: `Start ${n}`, vms: [] });
      log.append({ type: "finished", status: "failed", message: `over ${n}` });
      return log;
    });
    let readings = 0;
    const counted: OperationJournal = {
      ...NO_JOURNAL,
      load: () => journal.load(),
      append: (id, event) => journal.append(id, event),
      written: () => journal.written(),
      read: (id) => {
        readings++;
        return journal.read(id);
      },
    };
    const again = new OperationStore(() => 2, counted);
    for (const [n, { id }] of logs.entries()) {
      const log = again.get(id) ?? assert.fail("it is there");
      assert.equal(log.view.message, `over ${n}`);
      readings = 0;
      log.append({ type: "resolved", how: "left" });
      const followed: number[] = [];
      for await (const { seq } of log.follow(1, AbortSignal.timeout(5_000))) followed.push(seq);
      assert.deepEqual(followed, [2, 3]);
      assert.deepEqual(log.since(0).map(({ type, at }) => [type, at]), [
        ["started", 1],
        ["finished", 1],
        ["resolved", 2],
      ]);
      assert.equal(readings > 0, n < 2, "only the ten latest are in memory");
    }
  }));

Deno.test("every step is journaled before its call reaches the NAS", () =>
  withFolder(async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    using journal = Journal.open(folder);
    const [appended, announced]: [string[], string[]] = [[], []];
    const watching: OperationJournal = {
      ...NO_JOURNAL,
      append: (id, event) => {
        journal.append(id, event);
        if (event.type === "step" && event.status === "running" && event.makes !== undefined) {
          appended.push(event.makes);
        }
      },
      written: async () => {
        const taken = [...appended];
        await journal.written();
        announced.push(...taken);
      },
    };
    const seen: boolean[] = [];
    simulator.addFault({
      action: "fail",
      matches: (params) => {
        const uuid = /"uuid":"([^"]+)"/.exec(JSON.stringify(params))?.[1];
        if (uuid !== undefined) seen.push(announced.some((makes) => makes.includes(uuid)));
        return false;
      },
    });
    await using manager = new VMManager(options(simulator, watching));
    await manager.connect();
    await manager.createVmType(CONFIG, "worker", 5920);
    assert.deepEqual(seen, [true, true, true]);
    assert.ok(announced.some((makes) => makes.startsWith("tank/vms/worker02-disk1")));
  }));

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

Deno.test("if the journal cannot be written, nothing starts and unfinished VMs are removed", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  let left = 12;
  const full: OperationJournal = {
    ...NO_JOURNAL,
    append: () => {
      if (left-- <= 0) throw new Error("database or disk is full");
    },
  };
  await using manager = new VMManager(options(simulator, full));
  await manager.connect();
  const result = await manager.createVmType(CONFIG, "worker", 5920);
  assert.equal(result.status, "failed");
  assert.match(
    result.vms[0]?.message ?? "",
    /journal cannot be written \(the disk is full; free some space\)/,
  );
  assert.equal(simulator.store.vms.size, 0);
  assert.deepEqual([...simulator.store.datasets.values()].filter(({ type }) => type === "VOLUME"), []);
});

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

function zvolsOf({ store }: Simulator): string[] {
  return [...store.datasets.values()].filter(({ type }) => type === "VOLUME").map(({ name }) => name);
}

/** Sends an empty form; returns where it leads. */
async function post({ url }: Program, path: string): Promise<string> {
  const response = await fetch(url + path, {
    method: "POST",
    body: new URLSearchParams(),
    headers: { origin: url },
    redirect: "manual",
  });
  await response.body?.cancel();
  assert.equal(response.status, 303);
  return response.headers.get("location") ?? "";
}

/** The operation once it is over. */
async function ended({ url }: Program, path: string): Promise<Record<string, unknown>> {
  await (await fetch(`${url}${path}/events`)).text();
  return await (await fetch(url + path, { headers: { accept: "application/json" } })).json();
}

Deno.test("a creation in the journal of the version before is read and resumed, and written in the same form", () =>
  withFolder(async (folder) => {
    const recorded = new URL("../../data/journal/started_create.json", import.meta.url);
    const fact = await Deno.readTextFile(recorded);
    const { request } = JSON.parse(fact);
    assert.ok("worker" in request.configuration, "the premise: VM types are sections beside storage");
    Journal.open(folder)[Symbol.dispose]();
    {
      using database = new DatabaseSync(`${folder}/journal.sqlite`);
      database.prepare("INSERT INTO event (operation, seq, at, fact) VALUES ('before', 1, 1, ?)").run(fact);
    }
    {
      await using simulator = await startSimulator({ times: TEST_TIMES });
      using journal = Journal.open(folder);
      await using manager = new VMManager(options(simulator, journal));
      await manager.connect();
      const view = await (await manager.operations.resume("before"))?.finished;
      assert.deepEqual([view?.status, view?.vms.map(({ name }) => name)], ["done", ["worker01", "worker02"]]);
      const vms = [...simulator.store.vms.values()].map(({ config }) => config);
      assert.deepEqual(vms.map(({ memory, time }) => [memory, time]), [[256, "UTC"], [256, "UTC"]]);
    }
    using database = new DatabaseSync(`${folder}/journal.sqlite`);
    const rows = database.prepare("SELECT fact FROM event WHERE seq = 1").all();
    const written = rows.map((row) => JSON.parse(String(row.fact)).request.configuration);
    assert.deepEqual(written, [request.configuration, request.configuration]);
  }));

Deno.test("an unfinished VM that somebody has started is left unchanged", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const written: { id: string; event: OperationEvent }[] = [];
  const crashed: OperationJournal = { ...NO_JOURNAL, append: (id, event) => written.push({ id, event }) };
  {
    await using manager = new VMManager(options(simulator, crashed));
    await manager.connect();
    await manager.createVmType(CONFIG, "controlplane", 5910);
  }
  // The journal as it would be had the program ended while the disk was made.
  const cut = written.findIndex(({ event }) =>
    event.type === "step" && event.step === "disk0" && event.status === "running"
  );
  const events = written.slice(0, cut + 1).map(({ event }) => event);
  const left: OperationJournal = { ...NO_JOURNAL, load: () => [{ id: "left", events }] };
  await using manager = new VMManager(options(simulator, left));
  await manager.connect();
  assert.equal(manager.operations.store.get("left")?.view.status, "interrupted");
  const operation = await manager.operations.rollBack("left");
  const view = await operation?.finished;
  assert.equal(view?.status, "failed");
  assert.match(view?.vms[0]?.message ?? "", /controlplane01 is running; it was started after the operation/);
  assert.equal(simulator.store.vms.size, 1);
  for (const vm of simulator.store.vms.values()) vm.state = "STOPPED";
  assert.equal((await (await manager.operations.rollBack("left"))?.finished)?.status, "done");
  assert.deepEqual([simulator.store.vms.size, zvolsOf(simulator)], [0, []]);
  assert.equal(await manager.operations.rollBack("none"), null);
});

Deno.test("after a kill, the operation is interrupted, and its known and unknown outcomes are kept", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const struck = Promise.withResolvers<void>();
    const isDisk = (params: readonly unknown[]) => JSON.stringify(params).includes("/dev/zvol/");
    simulator.addFault({
      method: "vm.device.create",
      moment: "before",
      action: "stall",
      matches: (params) => {
        if (isDisk(params)) struck.resolve();
        return isDisk(params);
      },
    });
    const first = await startProgram(simulator, folder);
    const path = await beginWorkers(first, { "worker.count": "1" });
    await struck.promise;
    await first.kill();
    const second = await startProgram(simulator, folder);
    try {
      const operation = await (await fetch(second.url + path, { headers: { accept: "application/json" } }))
        .json();
      assert.equal(operation.status, "interrupted");
      const [vm] = operation.vms;
      assert.equal(vm.outcome, "interrupted");
      assert.match(vm.message, /Done: vm \(id 1, .*Unknown: disk0 \(tank\/vms\/worker01-disk0, 20 GiB\)/);
      const page = await (await fetch(second.url + path)).text();
      assert.match(page, /data-status="interrupted"/);
      assert.match(page, /data-step="start" data-status="skipped"/);
      assert.match(page, /id="roll-back-operation"[\s\S]*id="leave-operation"/);
      assert.deepEqual(
        zvolsOf(simulator),
        ["tank/vms/worker01-disk0"],
        "the premise: a zvol without a device is left",
      );
      const undone = await ended(second, await post(second, `${path}/rollback`));
      assert.deepEqual([undone.kind, undone.status], ["undo", "done"]);
      assert.deepEqual([simulator.store.vms.size, zvolsOf(simulator)], [0, []]);
      assert.equal(
        await post(second, `${path}/rollback`),
        `/operations/${undone.id}`,
        "a second click does nothing more",
      );
      const again = await ended(second, await beginWorkers(second, { "worker.count": "1" }));
      assert.equal(again.status, "done");
      assert.deepEqual([...simulator.store.vms.values()].map(({ state }) => state), ["RUNNING"]);
    } finally {
      await second.kill();
    }
  }));

Deno.test("the journal keeps the latest operations and those awaiting a decision, and drops the rest", () =>
  withFolder((folder) => {
    const rounds = MAX_OPERATIONS + 50;
    const undecided = (() => {
      using journal = Journal.open(folder);
      const store = new OperationStore(() => 1, journal);
      const vms = [{ name: "worker01", steps: ["vm"], summary: "" }];
      const first = store.create();
      first.append({ type: "started", kind: "create", title: "Create 1 VM", vms, request: REQUEST });
      first.append({ type: "step", vm: "worker01", step: "vm", status: "running", evidence: { uuid: "u" } });
      first.append({ type: "vm", vm: "worker01", outcome: "left-behind" });
      first.append({ type: "finished", status: "failed" });
      for (let round = 0; round < rounds; round++) {
        const log = store.create();
        log.append({ type: "started", kind: "act", title: `Start ${round}`, vms: [] });
        log.append({ type: "finished", status: "done" });
      }
      assert.equal(store.list().length, MAX_OPERATIONS);
      return first.id;
    })();
    using journal = Journal.open(folder);
    assert.equal(journal.load().length, MAX_OPERATIONS, "the file forgets as well");
    const store = new OperationStore(() => 1, journal);
    assert.ok(store.get(undecided), "somebody has still to decide about it");
    assert.equal(store.list().at(0)?.title, `Start ${rounds - 1}`);
    return Promise.resolve();
  }));

Deno.test("the audit log survives a restart, reports the outcome after a crash, and has a maximum length", () =>
  withFolder((folder) => {
    const by = { who: "admin", from: "192.0.2.1" };
    {
      using journal = Journal.open(folder);
      const operations = new OperationStore(() => 1_000, journal);
      const audit = new AuditLog(operations, journal);
      const vms = [{ name: "worker01", steps: ["start"], summary: "" }];
      operations.create().append({ type: "started", kind: "act", title: "Start worker01", by, vms });
      for (let round = 0; round < AUDIT_SHARES.ours + 200; round++) {
        audit.record({ by, what: "Sign in", outcome: "done" });
      }
      assert.equal(audit.list().length, AUDIT_SHARES.ours);
    }
    using journal = Journal.open(folder);
    assert.ok(journal.loadAudit().length < AUDIT_SHARES.ours + 200);
    const audit = new AuditLog(new OperationStore(() => 2_000, journal), journal);
    assert.equal(audit.list().at(0)?.what, "Sign in", "what was begun long ago has left the log");
    const operations = new OperationStore(() => 3_000, journal);
    const log = operations.create();
    const again = new AuditLog(operations, journal);
    const vms = [{ name: "worker02", steps: ["start"], summary: "" }];
    log.append({ type: "started", kind: "act", title: "Start worker02", by, vms });
    const started = again.list().at(0);
    assert.deepEqual([started?.what, started?.outcome, started?.vms, started?.by], [
      "Start worker02",
      "begun",
      ["worker02"],
      by,
    ]);
    const after = new AuditLog(new OperationStore(() => 4_000, journal), journal).list().at(0);
    assert.deepEqual([after?.what, after?.outcome, after?.by, after?.operation], [
      "Start worker02",
      "interrupted: 0 of 1, not worker02",
      by,
      log.id,
    ]);
    assert.equal(after?.seq, (started?.seq ?? 0) + 1);
    return Promise.resolve();
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
    return Promise.resolve();
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
    return Promise.resolve();
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
    return Promise.resolve();
  }));
