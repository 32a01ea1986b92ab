/**
 * Protects the NAS and the work on it: never more writes at once than it runs, fewer while it is slow or says that they
 * are too many, none lost and none made twice; and no memory promised twice.
 */
import assert from "node:assert/strict";
import { TrueNASCallError } from "../../../lib/errors/errors.ts";
import { FreeMemory } from "../../../lib/operations/memory.ts";
import { NotSent, PacedCaller, untilCancelled } from "../../../lib/operations/pace.ts";
import type { Caller } from "../../../lib/truenas/client.ts";
import { fetchDatasets, fetchVm } from "../../../lib/truenas/looks.ts";

interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly answer: (result?: unknown) => void;
  readonly refuse: (refusal: Partial<TrueNASCallError["refusal"]>) => void;
}

/** A caller whose calls are answered by hand. */
function byHand(): { caller: Caller; calls: Call[]; open: () => Call[] } {
  const calls: (Call & { isOpen: boolean })[] = [];
  const call = (method: string, params: readonly unknown[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const made = {
      method,
      params,
      isOpen: true,
      answer: (result: unknown = null) => {
        made.isOpen = false;
        resolve(result);
      },
      refuse: (refusal: Partial<TrueNASCallError["refusal"]>) => {
        made.isOpen = false;
        const whole = { code: -32001, errno: null, errname: null, reason: "", fields: [], ...refusal };
        reject(new TrueNASCallError(method, whole as TrueNASCallError["refusal"]));
      },
    };
    calls.push(made);
    return promise;
  };
  return { caller: { call } as Caller, calls, open: () => calls.filter(({ isOpen }) => isOpen) };
}

/** Lets everything that is ready go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

const TOO_MANY = { code: -32000, reason: "Maximum number of concurrent calls (20) has exceeded" };

Deno.test("writes go as many at once as the NAS runs; readings wait for none of them", async () => {
  const { caller, calls, open } = byHand();
  const paced = new PacedCaller(caller);
  const writes = Array.from({ length: 25 }, (_, id) => paced.call("vm.start", [id]));
  await settle();
  assert.equal(open().length, 10);
  assert.deepEqual(paced.pace, { width: 10, most: 10, running: 10, waiting: 15, why: null });
  const reading = paced.call("vm.query", []);
  assert.equal(calls.at(-1)?.method, "vm.query");
  calls.at(-1)?.answer([]);
  await reading;
  for (let done = 0; done < 25; done++) {
    open()[0]?.answer();
    await settle();
    assert.ok(open().length <= 10);
  }
  await Promise.all(writes);
  assert.deepEqual(calls.filter(({ method }) => method === "vm.start").map(({ params }) => params[0]), [
    ...Array(25).keys(),
  ]);
});

Deno.test("a call that the NAS refuses as too many waits and is made again, and fewer go at once", async () => {
  const { caller, calls, open } = byHand();
  const paced = new PacedCaller(caller, { waitsMs: [1] });
  const told: (string | null)[] = [];
  paced.onPace(() => told.push(`${paced.pace.width} ${paced.pace.why}`));
  const writes = Array.from({ length: 10 }, (_, id) => paced.call("vm.start", [id]));
  await settle();
  open()[9]?.refuse(TOO_MANY);
  await settle();
  assert.deepEqual(told, ["5 refused"]);
  for (const call of open()) call.answer();
  while (calls.length < 11) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(calls[10]?.params, [9], "the same call, once more");
  calls[10]?.answer("started");
  assert.deepEqual((await Promise.all(writes)).at(-1), "started");
  assert.equal(calls.length, 11, "nothing else was made twice");
});

Deno.test("calls that are refused together are one sign, and are made again after one wait", async () => {
  const { caller, open, calls } = byHand();
  const paced = new PacedCaller(caller, { waitsMs: [1, 60_000] });
  const writes = Array.from({ length: 10 }, (_, id) => paced.call("vm.start", [id]));
  await settle();
  for (const call of open()) call.refuse(TOO_MANY);
  await settle();
  assert.deepEqual([paced.pace.width, paced.pace.why], [5, "refused"]);
  const done = Promise.all(writes);
  while (calls.length < 20 || open().length > 0) {
    open()[0]?.answer();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
});

Deno.test("readings for pages go on while calls are too many, also when few go at once, and are told refusals", async () => {
  const { caller, open, calls } = byHand();
  const paced = new PacedCaller(caller, { waitsMs: [300] });
  const writes = Array.from({ length: 10 }, (_, id) => paced.call("vm.start", [id]));
  await settle();
  open()[0]?.refuse(TOO_MANY);
  await settle();
  assert.deepEqual([paced.pace.width, paced.pace.running], [5, 9]);
  const reading = paced.readings.call("vm.query", []);
  await settle();
  assert.equal(calls.at(-1)?.method, "vm.query", "it is not held back");
  calls.at(-1)?.refuse(TOO_MANY);
  await assert.rejects(reading, /Maximum number/);
  while (open().length > 0 || calls.length < 12) {
    open()[0]?.answer();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(writes);
});

Deno.test("other refusals are no question of pace, and too many refusals are told", async () => {
  const { caller, calls, open } = byHand();
  const paced = new PacedCaller(caller, { waitsMs: [0] });
  const busy = paced.call("vm.delete", [1, { zvols: false, force: false }]);
  await settle();
  open()[0]?.refuse({ errno: 16, errname: "EBUSY", reason: "'x' is running; stop the VM first" });
  await assert.rejects(busy, /stop the VM first/);
  assert.equal(calls.length, 1, "it is not made again");
  assert.equal(paced.pace.width, 10);
  const hopeless = paced.call("vm.start", [2]);
  const end = assert.rejects(hopeless, /concurrent calls/);
  let ended = false;
  void end.then(() => ended = true);
  while (!ended) {
    open()[0]?.refuse({ errno: 109, reason: "Maximum number of concurrent calls" });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(calls.length, 1 + 9);
});

Deno.test("what the NAS runs one at a time goes first, waits here, and leaves the other places to others", async () => {
  const { caller, open } = byHand();
  const paced = new PacedCaller(caller, { serialDeletes: () => true });
  const options = { zvols: false, raw_file: false, force: false, zvol: true } as const;
  const work = [
    ...Array.from({ length: 10 }, (_, id) => paced.ending.call("vm.poweroff", [id])),
    paced.ending.call("vm.poweroff", [10]),
    paced.call("vm.device.delete", [20, options]),
    paced.call("vm.delete", [30, options]),
    paced.call("vm.delete", [31, options]),
  ];
  const methods = () => open().map(({ method, params }) => `${method} ${params[0]}`).slice(-2);
  await settle();
  open()[0]?.answer();
  await settle();
  assert.equal(methods().at(-1), "vm.delete 30");
  open()[0]?.answer();
  await settle();
  assert.deepEqual(methods(), ["vm.delete 30", "vm.device.delete 20"], "the second deletion waits here");
  open().find(({ params }) => params[0] === 30)?.answer();
  await settle();
  assert.deepEqual(methods(), ["vm.device.delete 20", "vm.delete 31"]);
  while (open().length > 0) {
    open()[0]?.answer();
    await settle();
  }
  await Promise.all(work);
});

Deno.test("what makes a VM ready for its deletion goes before what only begins with others", async () => {
  const { caller, open, calls } = byHand();
  const paced = new PacedCaller(caller, { serialDeletes: () => true });
  const options = { zvols: false, raw_file: false, force: false, zvol: true } as const;
  const work = [
    ...Array.from({ length: 11 }, (_, id) => paced.ending.call("vm.poweroff", [id])),
    paced.call("vm.device.delete", [20, options]),
    paced.call("vm.device.delete", [21, options]),
  ];
  await settle();
  const answer = (id: number) => open().find(({ params }) => params[0] === id)?.answer();
  answer(0);
  await settle();
  // What follows from an answer is asked for before its place is given away.
  void (async () => {
    await work[11];
    for (let turn = 0; turn < 15; turn++) await Promise.resolve();
    work.push(paced.call("vm.delete", [30, options]));
  })();
  answer(20);
  await settle();
  answer(1);
  await settle();
  answer(30);
  await settle();
  answer(2);
  await settle();
  assert.deepEqual(calls.slice(10).map(({ method, params }) => `${method} ${params[0]}`), [
    "vm.device.delete 20",
    "vm.delete 30",
    "vm.device.delete 21",
    "vm.poweroff 10",
  ]);
  while (open().length > 0) open()[0]?.answer();
  await Promise.all(work);
});

Deno.test("what a person asked for by itself goes before the many of a group, and after no more of them", async () => {
  for (const serialDeletes of [true, false]) {
    const { caller, open, calls } = byHand();
    const paced = new PacedCaller(caller, { serialDeletes: () => serialDeletes });
    const options = { zvol: true, raw_file: false, force: false };
    const work = [
      ...Array.from({ length: 12 }, (_, id) => paced.call("vm.device.delete", [id, options])),
      paced.urgent.call("vm.start", [20]),
    ];
    await settle();
    assert.equal(calls.length, 10, "no more at once than the NAS runs");
    while (open().length > 0) {
      open()[0]?.answer();
      await settle();
    }
    await Promise.all(work);
    assert.equal(calls.findIndex(({ method }) => method === "vm.start"), 10);
  }
});

Deno.test("looks that can wait are gathered, and take the place of a write now and then", async () => {
  const { caller, calls, open } = byHand();
  let now = 0;
  const paced = new PacedCaller(caller, { now: () => now });
  const writes = Array.from({ length: 11 }, (_, id) => paced.call("vm.start", [id]));
  const looked: Promise<unknown>[] = [fetchVm(paced.lastLooks, 1)];
  const pause = () => new Promise((resolve) => setTimeout(resolve, 10));
  await pause();
  assert.equal(calls.length, 10, "no more at once than the NAS runs");
  open()[0]?.answer();
  open()[0]?.answer();
  await settle();
  assert.deepEqual(calls.slice(10).map(({ method }) => method), ["vm.query", "vm.start"]);
  looked.push(fetchVm(paced.lastLooks, 2), fetchVm(paced.lastLooks, 3));
  await pause();
  looked.push(fetchVm(paced.lastLooks, 4));
  now += 150;
  calls[10]?.answer([]);
  writes.push(paced.call("vm.start", [11]));
  await pause();
  assert.equal(calls.length, 13, "the place goes to a write, for the look took 150 ms, and rests for 1,500");
  assert.equal(calls.at(-1)?.method, "vm.start");
  open()[0]?.answer();
  await pause();
  assert.deepEqual(calls.at(-1)?.params[0], [["id", "in", [2, 3, 4]]], "now there is room");
  calls.at(-1)?.answer([]);
  while (open().length > 0) open()[0]?.answer();
  await Promise.all([...writes, ...looked]);
});

Deno.test("looks before a destruction go before its writes, and those after it when they have waited a second", async () => {
  const { caller, calls, open } = byHand();
  let now = 0;
  const paced = new PacedCaller(caller, { now: () => now });
  const remove = (n: number) => paced.ending.call("pool.dataset.delete", [`tank/${n}`, { recursive: false }]);
  const work: Promise<unknown>[] = Array.from({ length: 14 }, (_, n) => remove(n));
  work.push(paced.lastLooks.call("vm.query", []), paced.firstLooks.call("vm.query", []));
  const next = async () => {
    open()[0]?.answer([]);
    await settle();
    return calls.at(-1)?.method;
  };
  await settle();
  assert.deepEqual([await next(), await next()], ["vm.query", "pool.dataset.delete"]);
  now += 1_000;
  assert.deepEqual([await next(), await next()], ["vm.query", "pool.dataset.delete"]);
  while (open().length > 0) await next();
  await Promise.all(work);
});

Deno.test("calls that get slow narrow the pace, and calls that are quick again widen it", async () => {
  const { caller, open } = byHand();
  let now = 0;
  const paced = new PacedCaller(caller, { now: () => now });
  const take = async (count: number, ms: number) => {
    for (let n = 0; n < count; n++) {
      const call = paced.call("vm.start", [n]);
      await settle();
      now += ms;
      open()[0]?.answer();
      await call;
    }
  };
  await take(20, 100);
  assert.equal(paced.pace.width, 10);
  await take(60, 1_000);
  const { width, why } = paced.pace;
  assert.deepEqual([width < 10, width >= 4, why], [true, true, "slow"]);
  await take(100, 100);
  assert.deepEqual([paced.pace.width, paced.pace.why], [10, null]);
});

Deno.test("who cancels gives up what still waits; what was sent is waited for", async () => {
  const { caller, calls, open } = byHand();
  const paced = new PacedCaller(caller);
  const cancel = new AbortController();
  const cancellable = untilCancelled(paced, cancel.signal);
  const sent = Array.from({ length: 10 }, (_, id) => cancellable.call("vm.start", [id]));
  const waiting = cancellable.call("vm.start", [10]);
  const wayBack = paced.call("vm.poweroff", [11]);
  await settle();
  cancel.abort();
  await assert.rejects(waiting, NotSent);
  await assert.rejects(cancellable.call("vm.start", [12]), NotSent);
  for (const call of open()) call.answer();
  await Promise.all(sent);
  await settle();
  assert.deepEqual(calls.slice(10).map(({ method }) => method), ["vm.poweroff"]);
  open()[0]?.answer();
  await wayBack;
});

const GIB = 1024 ** 3;

Deno.test("starts go together as far as memory holds them all, and then one after another", async () => {
  const { caller, calls, open } = byHand();
  const memory = new FreeMemory(caller, () => 0);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const start = (name: string, mib: number) =>
    memory.start(mib, async () => {
      started.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = [start("a", 4096), start("b", 4096), start("c", 4096)];
  await settle();
  assert.deepEqual(calls.map(({ method }) => method), ["vm.get_available_memory"]);
  open()[0]?.answer(10 * GIB);
  await settle();
  assert.deepEqual(started, ["a", "b"], "the third does not fit beside them");
  ends[0]?.();
  await settle();
  assert.deepEqual(started, ["a", "b"], "what is left is not known before all have started");
  ends[1]?.();
  await settle();
  open()[0]?.answer(2 * GIB);
  await settle();
  assert.deepEqual(started, ["a", "b", "c"], "alone, the NAS decides");
  ends[2]?.();
  await Promise.all(all);
});

Deno.test("an account that may not read the memory starts one VM after another, and a failed start holds none up", async () => {
  const { caller, open } = byHand();
  const memory = new FreeMemory(caller);
  const started: string[] = [];
  const first = memory.start(1, () => {
    started.push("a");
    return Promise.reject(new Error("refused"));
  });
  const second = memory.start(1, () => Promise.resolve(started.push("b")));
  const refused = assert.rejects(first, /refused/);
  await settle();
  open()[0]?.refuse({ errno: 13, reason: "Not authorized" });
  await refused;
  await settle();
  open()[0]?.refuse({ errno: 13, reason: "Not authorized" });
  await second;
  assert.deepEqual(started, ["a", "b"]);
});

Deno.test("looks at about the same time are one call, and each gets what it asked for", async () => {
  const { caller, calls } = byHand();
  const looks = [fetchVm(caller, 1), fetchVm(caller, 2), fetchVm(caller, 1)];
  const zvols = [fetchDatasets(caller, ["tank/a"]), fetchDatasets(caller, ["tank/b"])];
  while (calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  const [vms, datasets] = calls;
  assert.deepEqual(vms?.params[0], [["id", "in", [1, 2]]]);
  vms?.answer([{
    id: 2,
    name: "b",
    vcpus: 1,
    cores: 1,
    threads: 1,
    memory: 1,
    autostart: false,
    status: { state: "STOPPED" },
    devices: [],
  }]);
  datasets?.answer([{ id: "tank/a", type: "VOLUME" }]);
  const [one, two, again] = await Promise.all(looks);
  assert.deepEqual([one, two?.name, again], [null, "b", null]);
  const [a, b] = await Promise.all(zvols);
  assert.deepEqual(a?.known && a.value.map(({ name }) => name), ["tank/a"]);
  assert.deepEqual(b, { known: true, value: [] });
  assert.deepEqual(await fetchDatasets(caller, []), { known: true, value: [] });
  assert.equal(calls.length, 2);
});
