/** Protects messages from values that would fill them: of a long one, they show how it begins and how long it is. */
import assert from "node:assert/strict";
import { show } from "../../lib/inputs.ts";

Deno.test("a message repeats a name as it is, and only the beginning of a longer text", () => {
  assert.equal(show("n".repeat(150)), `"${"n".repeat(150)}"`);
  assert.equal(show("x".repeat(10_000)), `"${"x".repeat(40)}…" (10000 characters)`);
});
