/** Protects what is read from fields: sizes with their units, and messages that do not repeat a long value whole. */
import assert from "node:assert/strict";
import { gibOf, mibOf, show } from "../../lib/inputs.ts";

Deno.test("a message repeats a name as it is, and only the beginning of a longer text", () => {
  assert.equal(show("n".repeat(150)), `"${"n".repeat(150)}"`);
  assert.equal(show("x".repeat(10_000)), `"${"x".repeat(40)}…" (10000 characters)`);
});

Deno.test("a size is read with or without a unit, and what is none is left as it was typed", () => {
  assert.deepEqual(["4 GiB", "2.5G", "512 mib", "1T", "2048", "", "much", "-1"].map(mibOf), [
    4096,
    2560,
    512,
    1_048_576,
    2048,
    undefined,
    "much",
    -1,
  ]);
  assert.deepEqual(["20", "20 GiB", "1 TiB", "512 MiB", "", "1 PiB"].map(gibOf), [
    20,
    20,
    1024,
    0.5,
    undefined,
    "1 PiB",
  ]);
});
