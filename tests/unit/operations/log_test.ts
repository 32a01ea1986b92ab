/** Protects the log of an operation: a watcher continues after the last event it saw, and is released at the end. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { fact, logOf } from "./operation_samples.ts";

Deno.test("follow() yields past and future events from any position, and ends with the operation", async () => {
  const log = logOf([]);
  const seen: number[] = [];
  const watching = (async () => {
    for await (const { seq } of log.follow(0, AbortSignal.timeout(5_000))) seen.push(seq);
  })();
  await Promise.resolve();
  log.append({ type: "vm", vm: "a", outcome: "created" });
  await Promise.resolve();
  log.append({ type: "vm", vm: "b", outcome: "created" });
  log.append({ type: "finished", status: "done" });
  await watching;
  assert.deepEqual(seen, [1, 2, 3, 4]);
  const later: OperationEvent[] = [];
  for await (const event of log.follow(2, AbortSignal.timeout(5_000))) later.push(event);
  assert.deepEqual(later.map(({ seq }) => seq), [3, 4]);
});

Deno.test("follow() yields pending events before it ends on abort, so the last event is not lost", async () => {
  const log = logOf([]);
  const reader = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { type } of log.follow(0, reader.signal)) seen.push(type);
  })();
  await Promise.resolve();
  log.append({ type: "finished", status: "done" });
  reader.abort();
  await watching;
  assert.equal(seen.at(-1), "finished");
  const running = logOf([]);
  const before = running.view.lastSeq;
  const told: number[] = [];
  for await (const { seq } of running.follow(0, AbortSignal.abort())) told.push(seq);
  assert.equal(told.at(-1) ?? 0, before, "an operation that goes on holds nobody");
});

Deno.test("append() numbers events without gaps and notifies observers of each", () => {
  fc.assert(fc.property(fc.array(fact), (facts) => {
    const log = logOf([]);
    const observed: number[] = [];
    log.observe(({ seq }) => observed.push(seq));
    for (const it of facts) log.append(it);
    const all = log.since(0);
    assert.deepEqual(all.map(({ seq }) => seq), all.map((_, index) => index + 1));
    assert.deepEqual(observed, all.slice(1).map(({ seq }) => seq));
    assert.equal(log.view.lastSeq, all.length);
  }));
});

Deno.test("since() continues after any position, and is empty at the end", () => {
  const log = logOf([{ type: "finished", status: "done" }]);
  const seqsAfter = (seq: number) => log.since(seq).map(({ seq }) => seq);
  assert.deepEqual([-3, 0, 1, 2, 99].map(seqsAfter), [[1, 2], [1, 2], [2], [], []]);
});

Deno.test("follow() from a future position continues at the end", async () => {
  const log = logOf([{ type: "vm", vm: "a", outcome: "created" }]);
  const events = log.follow(99, AbortSignal.timeout(5_000));
  const next = events.next();
  log.append({ type: "finished", status: "done" });
  assert.deepEqual([(await next).value?.seq, (await events.next()).done], [3, true]);
});

Deno.test("aborting a waiting follow() leaves no watcher behind", async () => {
  const log = logOf([]);
  const reader = new AbortController();
  const events = log.follow(1, reader.signal);
  const next = events.next();
  reader.abort();
  assert.equal((await next).done, true);
  log.append({ type: "finished", status: "done" });
});

Deno.test("follow() gives a slow reader every event once", async () => {
  const log = logOf([]);
  const seen: number[] = [];
  for await (const { seq } of log.follow(0, AbortSignal.timeout(5_000))) {
    seen.push(seq);
    if (seq === 1) {
      log.append({ type: "vm", vm: "a", outcome: "created" });
      log.append({ type: "finished", status: "done" });
    }
  }
  assert.deepEqual(seen, [1, 2, 3]);
});
