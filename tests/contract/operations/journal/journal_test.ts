/**
 * Protects what is known after a restart and after a crash: operations with their results and decisions, and every call
 * before it is sent.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { parseConfiguration } from "../../../../lib/configuration/load_configuration.ts";
import { Journal, type OperationJournal } from "../../../../lib/operations/record/journal.ts";
import type { OperationEvent, OperationRequest } from "../../../../lib/operations/types.ts";
import { MAX_OPERATIONS, OperationStore } from "../../../../lib/operations/record/store.ts";
import { type Simulator, startSimulator } from "../../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../../lib/vm_manager.ts";
import {
  DISPLAY_PASSWORD,
  journalOn,
  TEST_CONFIG,
  TEST_SETTLE,
  TEST_TIMES,
} from "../../../support/pages/dashboard.ts";
import { withFolder } from "../../../support/folder.ts";
import { beginWorkers, type Program, startProgram } from "../../../support/program/program.ts";
import type { VMManagerOptions } from "../../../../lib/vm_manager_options.ts";

const REQUEST: OperationRequest = {
  kind: "destroy",
  vms: [],
  keepDisks: false,
  shutdown: false,
};

const CONFIG = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

/** Keeps nothing. */
const NO_JOURNAL = journalOn({ isFull: false });

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
    const recorded = new URL("../../../data/journal/started_create.json", import.meta.url);
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
    const second = await startProgram(simulator, folder, { env: { RESUME: "off" } });
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
  }));
