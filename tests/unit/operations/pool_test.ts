/** Protects the work on many VMs: all of it is done, and never more at a time than is allowed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eachLimited } from "../../../lib/operations/pool.ts";

Deno.test("eachLimited() works at everything, never at more than its width at once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), fc.integer({ min: 1, max: 5 }), async (items, width) => {
      let running = 0;
      let most = 0;
      const done: number[] = [];
      await eachLimited(items, { width }, async (item) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        done.push(item);
      });
      assert.deepEqual(done.toSorted(), items.toSorted());
      assert.ok(most <= width);
    }),
  );
});

Deno.test("eachLimited() begins in order of the list, and has nothing to do with an empty one", async () => {
  const started: number[] = [];
  await eachLimited([3, 1, 2], { width: 2 }, async (item) => {
    started.push(item);
    await Promise.resolve();
  });
  assert.deepEqual(started, [3, 1, 2]);
  await eachLimited([], { width: 2 }, () => assert.fail("there is no item"));
});

Deno.test("eachLimited() keeps each group to its own width, and lets others go on meanwhile", async () => {
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const items = ["a", "a", "a", "b", "b", "b"];
  await eachLimited(items, {
    width: 4,
    group: (item) => ({ name: item, width: item === "a" ? 1 : 2 }),
  }, async (item) => {
    running.set(item, (running.get(item) ?? 0) + 1);
    most.set(item, Math.max(most.get(item) ?? 0, running.get(item) ?? 0));
    await Promise.resolve();
    running.set(item, (running.get(item) ?? 0) - 1);
  });
  assert.deepEqual([...most], [["a", 1], ["b", 2]]);
});

Deno.test("eachLimited() begins nothing further when the work throws after all, and says so", async () => {
  const started: number[] = [];
  const work = async (item: number) => {
    started.push(item);
    await Promise.resolve();
    throw new Error("a mistake of the program");
  };
  await assert.rejects(() => eachLimited([1, 2, 3], { width: 1 }, work), /a mistake/);
  assert.deepEqual(started, [1]);
});

Deno.test("eachLimited() begins the next when one leaves its place, and waits for its end all the same", async () => {
  const ends: (() => void)[] = [];
  const started: number[] = [];
  let isOver = false;
  const all = eachLimited([1, 2, 3], { width: 1 }, async (item, leave) => {
    started.push(item);
    const { promise, resolve } = Promise.withResolvers<void>();
    ends.push(resolve);
    if (item === 1) {
      leave();
      leave();
    }
    await promise;
  }).then(() => isOver = true);
  assert.deepEqual(started, [1, 2], "left once, however often it is said");
  ends[1]?.();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(started, [1, 2, 3]);
  ends[2]?.();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(isOver, false);
  ends[0]?.();
  await all;
});
