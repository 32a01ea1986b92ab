/** Protects the mark in the description of created VMs: it is found again, next to the user's own text. */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import { isMarked, MARK, markedDescription } from "../../lib/inventory/marks.ts";

Deno.test("markedDescription() keeps the user's text and adds the mark", () => {
  assert.equal(markedDescription(""), MARK);
  assert.equal(markedDescription("Build farm"), `Build farm ${MARK}`);
  fc.assert(fc.property(fc.string(), (description) => {
    const marked = markedDescription(description);
    assert.ok(isMarked(marked) && marked.startsWith(description));
  }));
});

Deno.test("isMarked() is false for descriptions without the mark", () => {
  for (const description of ["", "truenas-vm-manager", "made by hand"]) assert.ok(!isMarked(description));
});
