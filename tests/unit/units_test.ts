/** Protects sizes, times and counts as people read them: rounded, but never beyond their unit. */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatMib,
  GIB,
  gibToBytes,
  KIB,
  MIB,
} from "../../lib/units.ts";

Deno.test("units are formatted as people write them", () => {
  assert.deepEqual([0, 1023, 1536, 20 * GIB].map(formatBytes), ["0 B", "1023 B", "1.5 KiB", "20 GiB"]);
  assert.deepEqual([512, 4096].map(formatMib), ["512 MiB", "4 GiB"]);
  assert.deepEqual([41, 400, 12_000, 102_000, 7_500_000].map(formatDuration), [
    "41 ms",
    "0.4 s",
    "12 s",
    "1 min 42 s",
    "2 h 5 min",
  ]);
  assert.deepEqual([formatCount(1, "VM"), formatCount(3, "VM"), formatCount(0, "entry", "entries")], [
    "1 VM",
    "3 VMs",
    "0 entries",
  ]);
});

Deno.test("formatBytes() switches to the larger unit at 1024", () => {
  assert.deepEqual([MIB - 1, GIB - 1, 1_024 * GIB - 1].map(formatBytes), ["1 MiB", "1 GiB", "1 TiB"]);
  fc.assert(fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (sizeBytes) => {
    const [value, unit] = formatBytes(sizeBytes).split(" ");
    assert.ok(Number(value) < KIB, `${sizeBytes} B as ${value} ${unit}`);
    assert.match(value ?? "", /^\d+(\.\d)?$/);
  }));
});

Deno.test("formatBytes() shows whole GiB as they were entered", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: KIB - 1 }), (gib) => {
    assert.equal(formatBytes(gibToBytes(gib)), `${gib} GiB`);
    assert.equal(formatMib(gib), `${gib} MiB`);
  }));
  assert.equal(formatBytes(1_024 ** 6), "1024 PiB", "there is no larger unit");
});

Deno.test("formatDuration() never shows 60 seconds or minutes", () => {
  fc.assert(fc.property(fc.nat({ max: 100_000_000 }), (durationMs) => {
    const text = formatDuration(durationMs);
    assert.doesNotMatch(text, /\b60 (s|min)\b/, `${durationMs} ms`);
    assert.match(text, /^\d+ ms$|^\d\.\d s$|^\d+ s$|^\d+ min( \d+ s)?$|^\d+ h( \d+ min)?$/);
  }));
  assert.equal(formatDuration(-5), "0 ms", "a clock that was set back");
});
