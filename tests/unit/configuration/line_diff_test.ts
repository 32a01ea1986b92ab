/** Protects what people decide by before they save: every changed line is shown, with its number, and nothing else. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
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

Deno.test("texts that differ in too many lines are not compared line by line, which would take too long", () => {
  const lines = (count: number, word: string) =>
    Array.from({ length: count }, (_, n) => `${word}${n}\n`).join("");
  const compare = (changed: number) =>
    lineDiff(`same\n${lines(changed, "a")}`, `same\n${lines(changed, "b")}`);
  const few = compare(500);
  assert.deepEqual(countChanges(few), { removed: 500, added: 500 });
  assert.equal(few[0]?.[0]?.kind, "same", "the common line is found");
  // From here on even the common line is shown as replaced: the work no longer grows with the texts.
  assert.deepEqual(countChanges(compare(501)), { removed: 502, added: 502 });
  assert.deepEqual(countChanges(compare(20_000)), { removed: 20_001, added: 20_001 });
});
