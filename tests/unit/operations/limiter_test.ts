/**
 * Protects the NAS and the work on it: calls stay within its limit, fewer run while it refuses some, none is lost or
 * made twice, memory is never promised twice, and VMs stay within their limit.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { TrueNASCallError } from "../../../lib/errors/errors.ts";
import { forEachLimited } from "../../../lib/operations/limits/for_each_limited.ts";
import { CallLimiter, NotSent, SINGLE_VM_PRIORITY } from "../../../lib/operations/limits/call_limiter.ts";
import { MemoryReservation } from "../../../lib/operations/limits/memory_reservation.ts";
import { fetchDatasets, fetchVm } from "../../../lib/truenas/batched_reads.ts";
import type { Caller } from "../../../lib/truenas/client.ts";

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
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

/** A clock of which each pause ends by hand. */
function handClock() {
  const pauses: { readonly ms: number; readonly end: () => void }[] = [];
  const wait = (ms: number) => new Promise<void>((resolve) => pauses.push({ ms, end: resolve }));
  return { wait, pauses };
}

const DEVICE = { zvol: true, raw_file: false, force: false } as const;
const VM = { zvols: false, force: false } as const;

const TOO_MANY = { code: -32000, reason: "Maximum number of concurrent calls (20) has exceeded" };

Deno.test("calls stay within the NAS's limit, and the others follow in order", async () => {
  const { caller, calls, open } = byHand();
  const limiter = new CallLimiter(caller);
  const limited = limiter.caller();
  const writes = Array.from({ length: 25 }, (_, id) => limited.call("vm.start", [id]));
  await settle();
  assert.equal(open().length, 10);
  assert.deepEqual(limiter.concurrency, { limit: 10, max: 10, running: 10, waiting: 15, reduced: false });
  for (let done = 0; done < 25; done++) {
    open()[0]?.answer();
    await settle();
    assert.ok(open().length <= 10);
  }
  await Promise.all(writes);
  assert.deepEqual(calls.map(({ params }) => params[0]), [...Array(25).keys()]);
});

Deno.test("a single VM comes first, then started VMs, then new ones", async () => {
  const { caller, calls, open } = byHand();
  const limiter = new CallLimiter(caller);
  const group = limiter.caller();
  const work = [
    ...Array.from({ length: 10 }, (_, id) => group.call("vm.start", [id])),
    group.call("vm.poweroff", [10]),
    group.call("vm.query", []),
    group.call("vm.device.delete", [20, DEVICE]),
    group.call("vm.delete", [30, VM]),
    limiter.caller({ priority: SINGLE_VM_PRIORITY }).call("vm.start", [40]),
  ];
  await settle();
  assert.equal(calls.length, 10, "the premise: the others wait");
  while (open().length > 0) {
    open()[0]?.answer([]);
    await settle();
  }
  await Promise.all(work);
  assert.deepEqual(calls.slice(10).map(({ method }) => method), [
    "vm.start",
    "vm.delete",
    "vm.device.delete",
    "vm.poweroff",
    "vm.query",
  ]);
});

Deno.test("the next call of a started VM is sent before new work that has waited longer", async () => {
  const { caller, calls, open } = byHand();
  const group = new CallLimiter(caller).caller();
  const removed = group.call("vm.device.delete", [1, DEVICE]);
  const work = Array.from({ length: 10 }, (_, id) => group.call("vm.poweroff", [id]));
  const deleted = removed.then(() => group.call("vm.delete", [1, VM]));
  await settle();
  calls[0]?.answer();
  await settle();
  assert.equal(calls.at(-1)?.method, "vm.delete");
  while (open().length > 0) {
    open()[0]?.answer();
    await settle();
  }
  await Promise.all([...work, deleted]);
});

Deno.test("a waiting deletion does not take a place from other calls", async () => {
  for (const serialDeletes of [true, false]) {
    const { caller, open } = byHand();
    const limiter = new CallLimiter(caller, { serialDeletes: () => serialDeletes });
    const group = limiter.caller();
    const work = [
      ...[1, 2, 3].map((id) => group.call("vm.delete", [id, VM])),
      ...Array.from({ length: 9 }, (_, id) => group.call("vm.device.delete", [id, DEVICE])),
    ];
    const deleting = () => open().flatMap(({ method, params }) => method === "vm.delete" ? [params[0]] : []);
    await settle();
    assert.equal(open().length, 10);
    assert.deepEqual(deleting(), serialDeletes ? [1] : [1, 2, 3]);
    assert.equal(limiter.concurrency.waiting, 2);
    open().find(({ method }) => method === "vm.delete")?.answer();
    await settle();
    assert.deepEqual(deleting(), serialDeletes ? [2] : [2, 3]);
    while (open().length > 0) {
      open()[0]?.answer();
      await settle();
    }
    await Promise.all(work);
  }
});

Deno.test("a call refused as one too many is retried after a pause, with fewer calls at once", async () => {
  const { caller, calls, open } = byHand();
  const { wait, pauses } = handClock();
  const limiter = new CallLimiter(caller, { wait });
  const group = limiter.caller();
  const limits: number[] = [];
  limiter.onConcurrency(() => limits.push(limiter.concurrency.limit));
  const work = Array.from({ length: 10 }, (_, id) => group.call("vm.start", [id]));
  const reading = group.call("vm.query", []);
  await settle();
  for (const call of open().slice(8)) call.refuse(TOO_MANY);
  await settle();
  assert.deepEqual(limits, [5], "refused together, they are one sign");
  assert.equal(limiter.concurrency.reduced, true);
  for (const call of open()) call.answer();
  await settle();
  assert.equal(calls.length, 10, "nothing is sent during the pause");
  pauses[0]?.end();
  await settle();
  const again = calls.slice(10).map(({ method, params }) => `${method} ${params[0] ?? ""}`.trim());
  assert.deepEqual(again.toSorted(), ["vm.query", "vm.start 8", "vm.start 9"], "the same calls, once more");
  for (const call of open()) call.answer([]);
  await Promise.all([...work, reading]);
  assert.equal(calls.length, 13, "nothing else was made twice");
});

Deno.test("pauses double up to a maximum, and the concurrency limit rises with every ten answers", async () => {
  const { caller, open } = byHand();
  const { wait, pauses } = handClock();
  const limiter = new CallLimiter(caller, { wait });
  const group = limiter.caller();
  const refused = group.call("vm.start", [0]);
  for (let n = 0; n < 6; n++) {
    await settle();
    open()[0]?.refuse(TOO_MANY);
    await settle();
    pauses[n]?.end();
  }
  await settle();
  open()[0]?.answer();
  await refused;
  for (const [n, whole] of [500, 1_000, 2_000, 4_000, 8_000, 15_000].entries()) {
    const { ms } = pauses[n] ?? assert.fail();
    assert.ok(ms <= whole && ms >= whole * 2 / 3, `${ms} ms of ${whole}`);
  }
  assert.equal(limiter.concurrency.limit, 1);
  const limits: number[] = [];
  for (let n = 1; n < 90; n++) {
    const work = group.call("vm.start", [n]);
    await settle();
    open()[0]?.answer();
    await work;
    limits.push(limiter.concurrency.limit);
  }
  assert.deepEqual([limits[7], limits[8], limits[18], limits.at(-1)], [1, 2, 3, 10]);
  assert.equal(limiter.concurrency.reduced, false);
});

Deno.test("a failing listener stops neither the calls nor other listeners", async () => {
  const { caller, open } = byHand();
  const limiter = new CallLimiter(caller, { wait: () => Promise.resolve() });
  const notified: number[] = [];
  limiter.onConcurrency(() => {
    throw new Error("a fault of a listener");
  });
  limiter.onConcurrency(() => notified.push(limiter.concurrency.limit));
  const started = limiter.caller().call("vm.start", [1]);
  await settle();
  open()[0]?.refuse(TOO_MANY);
  await settle();
  open()[0]?.answer();
  await started;
  assert.deepEqual(notified, [5]);
});

Deno.test("other errors do not change the limit, and a call refused too often fails", async () => {
  const { caller, calls, open } = byHand();
  const limiter = new CallLimiter(caller, { wait: () => Promise.resolve() });
  const group = limiter.caller();
  const busy = assert.rejects(group.call("vm.delete", [1, VM]), /stop the VM first/);
  await settle();
  open()[0]?.refuse({ errno: 16, errname: "EBUSY", reason: "'x' is running; stop the VM first" });
  await busy;
  assert.deepEqual([calls.length, limiter.concurrency.limit], [1, 10], "it is not made again");
  const hopeless = assert.rejects(group.call("vm.start", [2]), /concurrent calls/);
  for (let n = 0; n < 9; n++) {
    await settle();
    open()[0]?.refuse({ errno: 109, reason: "Maximum number of concurrent calls" });
  }
  await hopeless;
  assert.equal(calls.length, 1 + 9);
});

Deno.test("cancelling drops waiting calls, including waiting deletions, and waits for those that were sent", async () => {
  const { caller, calls, open } = byHand();
  const limiter = new CallLimiter(caller, { serialDeletes: () => true });
  const cancel = new AbortController();
  const cancellable = limiter.caller({ signal: cancel.signal });
  const sent = [
    cancellable.call("vm.delete", [0, VM]),
    ...Array.from({ length: 9 }, (_, id) => cancellable.call("vm.start", [id])),
  ];
  const waiting = [cancellable.call("vm.start", [10]), cancellable.call("vm.delete", [1, VM])];
  const rollback = limiter.caller().call("vm.poweroff", [11]);
  await settle();
  const givenUp = waiting.map((call) => assert.rejects(call, NotSent));
  cancel.abort();
  await Promise.all(givenUp);
  await assert.rejects(cancellable.call("vm.start", [12]), NotSent);
  for (const call of open()) call.answer("answered");
  assert.deepEqual(await Promise.all(sent), Array(10).fill("answered"));
  await settle();
  assert.deepEqual(calls.slice(10).map(({ method }) => method), ["vm.poweroff"]);
  open()[0]?.answer();
  await rollback;
});

Deno.test("forEachLimited() processes every item within its limit", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), fc.integer({ min: 1, max: 5 }), async (items, concurrency) => {
      let running = 0;
      let most = 0;
      const done: number[] = [];
      await forEachLimited(items, { concurrency }, async (item) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        done.push(item);
      });
      assert.deepEqual(done.toSorted(), items.toSorted());
      assert.ok(most <= concurrency);
    }),
  );
});

Deno.test("forEachLimited() keeps each group within its own limit, earlier items first", async () => {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const items = ["a1", "a2", "b1", "b2", "b3"];
  const limits = {
    concurrency: 3,
    group: (item: string) => ({ name: item.slice(0, 1), concurrency: item.startsWith("a") ? 1 : 3 }),
  };
  const all = forEachLimited(items, limits, async (item) => {
    started.push(item);
    await new Promise<void>((resolve) => ends.set(item, resolve));
  });
  await settle();
  assert.deepEqual(started, ["a1", "b1", "b2"], "a2 waits for a1 and leaves its place to b2");
  ends.get("a1")?.();
  await settle();
  ends.get("b1")?.();
  await settle();
  assert.deepEqual(started.slice(3).toSorted(), ["a2", "b3"]);
  for (const end of ends.values()) end();
  await all;
});

Deno.test("forEachLimited() starts no further items after an exception, and rethrows it", async () => {
  const started: number[] = [];
  const work = async (item: number) => {
    started.push(item);
    await Promise.resolve();
    throw new Error("a mistake of the program");
  };
  const limits = { concurrency: 1, group: () => ({ name: "a", concurrency: 2 }) };
  await assert.rejects(() => forEachLimited([1, 2, 3], limits, work), /a mistake/);
  await settle();
  assert.deepEqual(started, [1]);
});

const GIB = 1024 ** 3;

Deno.test("VMs start together while memory holds them all, and then one after another", async () => {
  const { caller, calls, open } = byHand();
  const memory = new MemoryReservation(caller, () => 0);
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

Deno.test("without permission to read the memory, VMs start one after another, and a failed start blocks none", async () => {
  const { caller, open } = byHand();
  const memory = new MemoryReservation(caller);
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

Deno.test("reads at about the same time share one call, and each gets its result", async () => {
  const { caller, calls } = byHand();
  const vmsRead = [fetchVm(caller, 1), fetchVm(caller, 2), fetchVm(caller, 1)];
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
  const [one, two, again] = await Promise.all(vmsRead);
  assert.deepEqual([one, two?.name, again], [null, "b", null]);
  const [a, b] = await Promise.all(zvols);
  assert.deepEqual(a?.known && a.value.map(({ name }) => name), ["tank/a"]);
  assert.deepEqual(b, { known: true, value: [] });
  assert.deepEqual(await fetchDatasets(caller, []), { known: true, value: [] });
  assert.equal(calls.length, 2);
});
