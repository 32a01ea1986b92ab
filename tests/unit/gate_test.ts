/** Protects what may be done only so often at once: nobody is let through early, and nobody waits for ever. */
import assert from "node:assert/strict";
import { Gate } from "../../lib/operations/gate.ts";

Deno.test("Gate lets so many through at once, in order, also when one of them fails", async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const work = ends.map(({ promise }, n) =>
    gate.through(async () => {
      begun.push(n);
      await promise;
      return n;
    })
  );
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.reject(new Error("one fails"));
  await assert.rejects(work[1] ?? Promise.resolve(), /one fails/);
  assert.deepEqual(begun, [0, 1, 2]);
  for (const { resolve } of ends) resolve();
  assert.deepEqual(await Promise.all([work[0], work[2], work[3]]), [0, 2, 3]);
  assert.deepEqual(begun, [0, 1, 2, 3]);
});
