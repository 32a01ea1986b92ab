/** Protects pages from waiting for data that was just read, and from showing data that is too old. */
import assert from "node:assert/strict";
import { TimedCache } from "../../lib/inventory/cache.ts";

Deno.test("a fresh value is reused, an older one is returned and refreshed, an old one is read again first", async () => {
  let [now, reads, fails] = [0, 0, false];
  const read = () => fails ? Promise.reject(new Error("the NAS is away")) : Promise.resolve(++reads);
  const remembered = new TimedCache(read, { freshMs: 5, staleMs: 30 }, () => now);
  assert.equal(remembered.peek(), null, "looking reads nothing");
  assert.deepEqual([await remembered.get("a"), await remembered.get("a")], [1, 1]);
  now = 6;
  assert.equal(await remembered.get("a"), 1, "at once, and read meanwhile");
  await Promise.resolve();
  assert.equal(await remembered.get("a"), 2);
  now = 100;
  assert.equal(await remembered.get("a"), 3, "it was too old to be given out");
  assert.equal(await remembered.get("b"), 4, "another question has another answer");
  now = 106;
  fails = true;
  assert.equal(await remembered.get("b"), 4, "a failure in the background is nobody's");
  now = 200;
  await assert.rejects(remembered.get("b"), /the NAS is away/);
  assert.equal(remembered.peek(), 4, "a look may show what is old");
});

Deno.test("simultaneous requests share one read", async () => {
  let reads = 0;
  const remembered = new TimedCache(() => Promise.resolve(++reads), { freshMs: 5, staleMs: 30 }, () => 0);
  assert.deepEqual(await Promise.all([remembered.get("a"), remembered.get("a"), remembered.get("a")]), [
    1,
    1,
    1,
  ]);
});
