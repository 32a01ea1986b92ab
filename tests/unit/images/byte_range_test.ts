/** Protects fetches in parts: rclone takes a large file in several ranges. */
import assert from "node:assert/strict";
import { parseRange } from "../../../lib/images/offering/byte_range.ts";

const CASES = [
  [undefined, null],
  ["bytes=0-", { from: 0, to: 100 }],
  ["bytes=10-19", { from: 10, to: 20 }],
  ["bytes=90-1000", { from: 90, to: 100 }],
  ["bytes=-10", { from: 90, to: 100 }],
  ["bytes=-1000", { from: 0, to: 100 }],
  ["bytes=99-99", { from: 99, to: 100 }],
  ["bytes=100-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=20-10", null],
  ["bytes=0-1,5-6", null],
  ["bytes=-", null],
  ["lines=1-2", null],
] as const;

Deno.test.each(CASES)("parseRange() of %s in 100 bytes", (header, range) => {
  assert.deepEqual(parseRange(header, 100), range);
});
