/** Protects the memory of a VM that is shut down for a change: no other start gets it before the VM runs again. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { NotSent } from "../../../lib/operations/limits/call_limiter.ts";
import { MemoryReservation } from "../../../lib/operations/limits/memory_reservation.ts";
import type { Caller } from "../../../lib/truenas/client.ts";

const GIB = 1024 ** 3;

/** A NAS with so much free memory, which a VM takes when it starts. */
function nas(freeGib: number) {
  const state = { freeGib };
  const call = () => Promise.resolve(state.freeGib * GIB);
  const memory = new MemoryReservation({ call } as unknown as Caller, () => 0);
  const started: string[] = [];
  const run = (name: string, gib: number) => () => {
    started.push(name);
    state.freeGib -= gib;
    return Promise.resolve();
  };
  return { state, memory, started, run };
}

Deno.test("the memory of a VM that is shut down is given to no other VM until it runs again", async () => {
  const { state, memory, started, run } = nas(3);
  const kept = memory.keep();
  kept.begin({ memoryMib: 4096, moreMib: 0 });
  const small = memory.start(2048, run("small", 2));
  await sleep(1);
  assert.deepEqual(started, [], "while it is being shut down, not even what is free");
  state.freeGib += 4;
  kept.freed();
  const other = memory.start(4096, run("other", 4));
  await sleep(1);
  assert.deepEqual(started, [], "nothing tells them that more is free now");
  await kept.start(4096, run("itself", 4));
  kept.end();
  await small;
  assert.deepEqual(started.slice(0, 2), ["itself", "small"]);
  await other;
  assert.deepEqual(started, ["itself", "small", "other"], "with nothing kept, the NAS decides");
});

Deno.test("a VM that keeps nothing starts like any other, and what was kept ends once", async () => {
  const { memory, started, run } = nas(8);
  const kept = memory.keep();
  kept.freed();
  await kept.start(1024, run("plain", 1));
  kept.end();
  kept.end();
  await memory.start(1024, run("other", 1));
  assert.deepEqual(started, ["plain", "other"]);
});

Deno.test("what other VMs are to have in addition is not free for one that would need more", async () => {
  const { state, memory, run } = nas(3);
  const [first, second] = [memory.keep(), memory.keep()];
  first.begin({ memoryMib: 4096, moreMib: 2048 });
  assert.equal(await second.freeBytes(2048), GIB, "the first one still has its own memory");
  state.freeGib += 2;
  first.freed();
  assert.equal(await second.freeBytes(2048), GIB);
  await first.start(4096, run("first", 4));
  first.end();
  assert.equal(await second.freeBytes(1024), GIB);
  second.end();
});

Deno.test("a start that waits for kept memory can be cancelled", async () => {
  const { memory, started, run } = nas(1);
  const kept = memory.keep();
  kept.begin({ memoryMib: 4096, moreMib: 0 });
  const cancel = new AbortController();
  const waiting = memory.start(1024, run("other", 1), cancel.signal);
  await sleep(1);
  cancel.abort();
  await assert.rejects(waiting, NotSent);
  kept.end();
  await memory.start(1024, run("third", 1));
  assert.deepEqual(started, ["third"]);
});
