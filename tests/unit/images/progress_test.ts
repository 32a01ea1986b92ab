/** Protects the progress of a transfer: soon after the first bytes, then each second, and in tenths on the command line. */
import assert from "node:assert/strict";
import { type AcquireWork, reportProgress } from "../../../lib/images/acquiring/transfer.ts";
import { progressTo } from "../../../lib/command_line/terminal/terminal.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";

const MIB = 1024 ** 2;

/** What is reported when the bytes arrive at these times. */
function reported(arrivals: readonly (readonly [ms: number, mib: number])[], totalBytes: number | null) {
  const events: OperationEvent[] = [];
  const log = {
    append: (event: object) => events.push({ seq: events.length, at: 0, ...event } as OperationEvent),
  };
  let [now, bytes] = [0, 0];
  const work = { context: { log, vmName: "debian" }, step: "download" } as unknown as AcquireWork;
  const report = reportProgress(work, { lengthBytes: totalBytes, received: () => bytes }, () => now);
  for (const [ms, mib] of arrivals) {
    [now, bytes] = [ms, mib * MIB];
    report();
  }
  return events;
}

function printed(events: readonly OperationEvent[]): readonly string[] {
  const lines: string[] = [];
  const print = progressTo({
    print: () => {},
    printFile: () => {},
    notify: (text) => lines.push(text),
    ask: null,
    json: false,
  });
  events.forEach(print);
  return lines;
}

Deno.test("a transfer tells its bytes and rate soon after the first ones, and then each second", () => {
  const events = reported(
    [[10, 0], [300, 0], [320, 8], [400, 10], [1_000, 20], [1_330, 29], [1_400, 30]],
    100 * MIB,
  );
  assert.deepEqual(events.map((event) => event.type === "progress" ? event.transfer?.bytes : null), [
    8 * MIB,
    29 * MIB,
  ]);
  assert.deepEqual(printed(events), [
    "debian download: 8 MiB of 100 MiB, 25 MiB/s",
    "debian download: 29 MiB of 100 MiB, 20.8 MiB/s",
  ]);
});

Deno.test("the command line tells each tenth of a transfer once, also of the second one and of one without a size", () => {
  const sized = reported([[1_000, 11], [2_000, 12], [3_000, 25]], 100 * MIB);
  const second = sized.map((event) => ({ ...event, vm: "talos" }));
  assert.equal(printed(sized).length, 2);
  assert.equal(printed([...sized, ...second]).length, 4);
  assert.deepEqual(printed(reported([[1_000, 5], [2_000, 50], [3_000, 105]], null)), [
    "debian download: 5 MiB, 5 MiB/s",
    "debian download: 105 MiB, 55 MiB/s",
  ]);
});
