/** Protects what is drawn of an operation: text never takes more columns than there are, and nothing is drawn too often. */
import assert from "node:assert/strict";
import { table } from "../../lib/command_line/terminal/terminal.ts";
import { redrawn } from "../../lib/command_line/terminal/drawing.ts";
import { liveProgress } from "../../lib/command_line/terminal/live_progress.ts";
import { fitted, isolated, widthOf } from "../../lib/command_line/terminal/text_width.ts";
import type { OperationEvent } from "../../lib/operations/types.ts";
import fc from "../support/packages/fast_check.ts";

Deno.test("widthOf() counts the columns of letters, marks and emoji", () => {
  const widths = { worker01: 8, "日本語": 6, "e\u0301": 1, "🚀": 2, "עברית": 5, "a\u202Eb": 2, "": 0 };
  for (const [text, width] of Object.entries(widths)) assert.equal(widthOf(text), width, text);
});

Deno.test("fitted() takes no more columns than there are, and shows that something is missing", () => {
  assert.equal(fitted("worker01", 8), "worker01");
  assert.equal(fitted("worker01", 7), "worker…");
  assert.equal(fitted("日本語", 4), "日…");
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.nat(30), (text, columns) => {
    assert.ok(widthOf(fitted(text, columns)) <= columns);
  }));
});

Deno.test("isolated() keeps a name from turning the rest of its line around", () => {
  assert.equal(isolated("worker01"), "worker01");
  assert.equal(isolated("\u202Eworker01"), "worker01");
  assert.equal(isolated("עברית"), "\u2068עברית\u2069");
});

Deno.test("redrawn() goes up by the rows that a narrower window has made of the lines", () => {
  const line = "ab\x1b[50G0:01";
  const taken = (columns: number) => redrawn([line, line], { text: "", lines: [], columns });
  assert.ok(taken(80).includes("\x1b[2A"));
  assert.ok(taken(40).includes("\x1b[4A"));
  const told = redrawn([line], { text: "told\n", lines: [line], columns: 80 });
  assert.ok(told.includes("\x1b[1A\r\x1b[Jtold\n"));
});

Deno.test("a thousand events at once are drawn once, and the end takes it away", async () => {
  const frames: (readonly string[])[] = [];
  const screen = {
    size: () => ({ columns: 80, rows: 24 }),
    draw: (lines: readonly string[]) => void frames.push(lines),
  };
  using live = liveProgress({ ...screen, colors: false });
  const steps = Array.from({ length: 1_000 }, (_, index) => `step${index}`);
  const tell = (event: object, seq: number) => live.observe({ ...event, seq, at: 0 } as OperationEvent);
  tell({
    type: "started",
    kind: "create",
    title: "Create 1 VM",
    vms: [{ name: "worker01", steps, summary: "" }],
  }, 1);
  steps.forEach((step, index) => tell({ type: "step", vm: "worker01", step, status: "done" }, index + 2));
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve);
  await promise;
  assert.deepEqual(frames.length, 1);
  assert.match(frames[0]?.[1] ?? "", /1000\/1000/);
  tell({ type: "finished", status: "done" }, 2_000);
  assert.deepEqual(frames.at(-1), []);
});

Deno.test("columns of a table stand below each other whatever letters they have", () => {
  const lines = table(["VM", "STATE"], [["节点01", "RUNNING"], ["node1", "STOPPED"]]).split("\n");
  assert.deepEqual(lines, ["VM      STATE", "节点01  RUNNING", "node1   STOPPED"]);
});
