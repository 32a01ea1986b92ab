/** Protects what people decide by before they save: every changed line is shown, with its number, and nothing else. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { countChanges, lineDiff } from "../../../lib/configuration/editing/line_diff.ts";

Deno.test("a changed line stands between those around it, with the numbers of both texts", () => {
  const parts = lineDiff("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nE\nE2\nf\n");
  assert.deepEqual(
    parts.map((part) => part.map(({ kind, text, before, after }) => [kind, text, before, after])),
    [[
      ["same", "b", 2, 2],
      ["same", "c", 3, 3],
      ["same", "d", 4, 4],
      ["removed", "e", 5, null],
      ["added", "E", null, 5],
      ["added", "E2", null, 6],
      ["same", "f", 6, 7],
    ]],
  );
  assert.deepEqual(countChanges(parts), { removed: 1, added: 2 });
});

Deno.test("line ends are no difference", () => {
  assert.deepEqual(lineDiff("a\r\nb", "a\nb\n"), []);
  assert.deepEqual(lineDiff("", ""), []);
});

Deno.test("the old and the new text can be made from the parts of a whole comparison", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c: 1", ""), { maxLength: 12 }).map((lines) =>
    lines.map((line) => `${line}\n`).join("")
  );
  fc.assert(fc.property(text, text, (before, after) => {
    const lines = lineDiff(before, after).flat();
    const side = (number: "before" | "after") => lines.filter((line) => line[number] !== null);
    for (const [number, whole] of [["before", before], ["after", after]] as const) {
      const all = whole.split("\n");
      for (const line of side(number)) assert.equal(line.text, all[(line[number] ?? 0) - 1]);
    }
    if (before === after) assert.deepEqual(lines, []);
  }));
});

Deno.test("texts that have nothing in common are compared in time", () => {
  const lines = (word: string) => Array.from({ length: 20_000 }, (_, n) => `${word}${n}\n`).join("");
  const started = performance.now();
  assert.deepEqual(countChanges(lineDiff(lines("a"), lines("b"))), { removed: 20_000, added: 20_000 });
  assert.ok(performance.now() - started < 2_000);
});
