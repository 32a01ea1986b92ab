/** Protects the work on many VMs: all of it is done, and never more at a time than is allowed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eachLimited } from "../../lib/operations/pool.ts";

Deno.test("eachLimited() works at everything, never at more than its width at once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), fc.integer({ min: 1, max: 5 }), async (items, width) => {
      let running = 0;
      let most = 0;
      const done: number[] = [];
      await eachLimited(items, width, async (item) => {
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
  const begun: number[] = [];
  await eachLimited([3, 1, 2], 2, async (item) => {
    begun.push(item);
    await Promise.resolve();
  });
  assert.deepEqual(begun, [3, 1, 2]);
  await eachLimited([], 2, () => assert.fail("there is no item"));
});
