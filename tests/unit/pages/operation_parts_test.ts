/** Protects the short texts on an operation's page: its progress, what was not done, and the names of steps. */
import assert from "node:assert/strict";
import { OperationLog } from "../../../lib/operations/record/log.ts";
import { OperationLogLine } from "../../../templates/parts/operation/log.tsx";
import {
  describeProgress,
  OperationNotices,
  OperationSummary,
} from "../../../templates/parts/operation/operation.tsx";
import { logOf } from "../operations/operation_samples.ts";
import { OpStrip } from "../../../templates/parts/list/op_strip.tsx";
import { Tasks } from "../../../templates/parts/frame/tasks.tsx";
import { timelineOf } from "../../../lib/operations/timeline.ts";
import { Axis } from "../../../templates/parts/operation/axis.tsx";
import { Waterfall } from "../../../templates/parts/operation/waterfall.tsx";
import { OperationVmRow } from "../../../templates/parts/operation/steps.tsx";

Deno.test("progress counts cancelled and failed VMs separately", () => {
  const progress = (...outcomes: readonly ("created" | "failed" | "cancelled")[]) => {
    const vms = outcomes.map((outcome, n) => ({ type: "vm", vm: n === 0 ? "a" : "b", outcome } as const));
    return describeProgress(logOf(vms).view);
  };
  assert.equal(progress(), "0 done, 2 to go");
  assert.equal(progress("failed"), "0 done, 1 failed, 1 to go");
  assert.equal(progress("created", "cancelled"), "1 done, 1 cancelled");
  assert.equal(progress("failed", "cancelled"), "0 done, 1 failed, 1 cancelled");
});

Deno.test("a step skipped before its call says so and shows no duration", () => {
  const step = (
    status: "running" | "skipped" | "done",
  ) => ({ type: "step", vm: "a", step: "vm", status } as const);
  const cell = (end: "skipped" | "done") => {
    const [vm] = logOf([step("running"), step(end)]).view.vms;
    assert.ok(vm);
    return String(OperationVmRow({ vm, kind: "create", columns: ["vm"], rollback: false, isAway: false }));
  };
  assert.match(cell("done"), /class="time"/);
  assert.doesNotMatch(cell("skipped"), /class="time"/);
  assert.match(cell("skipped"), /<span ?>Skipped<\/span>/);
});

Deno.test("a rollback that found nothing to remove is not shown as failed (fault 36)", () => {
  const [vm] = logOf([{ type: "vm", vm: "a", outcome: "failed", message: "Nothing was created" }]).view.vms;
  assert.ok(vm);
  const row = (kind: "undo" | "create") =>
    String(OperationVmRow({ vm, kind, columns: [], rollback: false, isAway: false }));
  assert.match(row("create"), /state bad/, "the premise");
  assert.doesNotMatch(row("undo"), /state bad/);
  assert.match(row("undo"), /Nothing left/);
});

const INTERRUPTED = "Done: vm (id 7), cdrom, disk0 (tank/a-disk0, 20 GiB). Unknown: nic1";

Deno.test("a VM whose creation was interrupted is not reported as failed or missing", () => {
  const { view } = logOf([{ type: "vm", vm: "a", outcome: "interrupted", message: INTERRUPTED }]);
  assert.equal(describeProgress(view), "0 done, 1 interrupted, 1 to go");
  const notices = String(OperationNotices({ view }));
  const labelled = "Done: VM (id 7), Install image, Disk 1 (tank/a-disk0, 20 GiB). Unknown: NIC 2";
  assert.ok(notices.includes(`a was interrupted. ${labelled}.`), notices);
  assert.doesNotMatch(notices, /not created/);
});

Deno.test("an action is told with its own word, whether it was done or not", () => {
  const log = new OperationLog("op", () => 1_000);
  const vms = ["a", "b"].map((name) => ({ name, steps: ["start"], summary: "stopped" }));
  log.append({ type: "started", kind: "act", title: "Start 2 VMs", vms });
  log.append({ type: "vm", vm: "a", outcome: "done" });
  log.append({ type: "vm", vm: "b", outcome: "out-of-memory", message: "Not enough memory" });
  const { view } = log;
  assert.match(String(OperationNotices({ view })), /b was not started\. Not enough memory/);
  assert.match(String(OperationSummary({ view, now: 1_000, mayChange: false })), /1 of 2 VMs started/);
});

Deno.test("the log and the rollback name steps as the table does", () => {
  const step = (
    step: string,
    status: "done" | "failed",
  ) => ({ type: "step", vm: "a", step, status } as const);
  const log = logOf([step("disk0", "failed"), step("undo-nic1", "done")]);
  const lines = log.since(0).map((event) => String(OperationLogLine({ event })));
  assert.match(lines[1] ?? "", /a Disk 1: failed/);
  assert.match(lines[2] ?? "", /a Undo NIC 2: done/);
  const [vm] = log.view.vms;
  assert.ok(vm);
  const row = String(OperationVmRow({ vm, kind: "create", columns: ["vm"], rollback: true, isAway: false }));
  assert.match(row, /<span ?>NIC 2<\/span>/);
});

Deno.test("a step whose effect could not be read is unknown, and only a refused one is failed", () => {
  const cell = (outcome: "unknown" | "not-done") => {
    const error = { message: "The connection was lost", outcome };
    const log = logOf([{ type: "step", vm: "a", step: "vm", status: "failed", error }]);
    const [vm] = log.view.vms;
    assert.ok(vm);
    const line = log.since(0).map((event) => String(OperationLogLine({ event }))).at(-1) ?? "";
    return {
      row: String(OperationVmRow({ vm, kind: "create", columns: ["vm"], rollback: false, isAway: false })),
      line,
    };
  };
  const [unknown, failed] = [cell("unknown"), cell("not-done")];
  assert.match(unknown.row, /state step warn.*data-status="failed".*<span ?>Unknown<\/span>/);
  assert.match(unknown.line, /a VM: unknown, The connection was lost/);
  assert.match(failed.row, /state step bad.*<span ?>Failed<\/span>/);
  assert.match(failed.line, /a VM: failed/);
});

Deno.test("the list, the tasks and the page count what is done alike, and a cancelled VM is not drawn as failed", () => {
  const vms = ["failed", "cancelled"] as const;
  const log = logOf(vms.map((outcome, n) => ({ type: "vm", vm: n === 0 ? "a" : "b", outcome })));
  const { view } = log;
  const count = "0 of 2 done, 1 failed, 1 cancelled";
  assert.ok(String(Tasks({ running: [view], now: 5_000 })).includes(count));
  const strip = String(OpStrip({ view }));
  assert.ok(strip.includes(count));
  const summary = String(OperationSummary({ view, now: 5_000, mayChange: true }));
  assert.match(summary, /0 of 2 VMs created .*0 done, 1 failed, 1 cancelled/);
  assert.match(strip, /id="strip-op-vm-a" class="bad"/);
  assert.match(strip, /id="strip-op-vm-b" class="warn"/);
});

Deno.test("steps that were skipped, or whose effect is unknown, are not counted as done, nor drawn as failed", () => {
  const error = { message: "The connection was lost", outcome: "unknown" } as const;
  const log = logOf([
    { type: "step", vm: "a", step: "vm", status: "running" },
    { type: "step", vm: "a", step: "vm", status: "failed", error },
    { type: "step", vm: "a", step: "start", status: "skipped" },
    { type: "step", vm: "b", step: "vm", status: "running" },
    { type: "step", vm: "b", step: "vm", status: "done" },
  ]);
  const summary = String(OperationSummary({ view: log.view, now: 5_000, mayChange: false }));
  assert.match(summary, /0 done, 2 to go · 1 of 4 steps</);
  const timeline = timelineOf(log.view, 5_000);
  assert.deepEqual(timeline.lanes.map(({ bars }) => bars.map(({ kind }) => kind)), [["unknown"], ["done"]]);
  const picture = String(Waterfall({ timeline, kind: "create" }));
  assert.match(picture, /class="unknown"/);
  assert.doesNotMatch(picture, /class="fail"/);
});

Deno.test("no line of the axis runs through a time, and on a desk near times stay", () => {
  const axis = (limitMs: number, nowMs: number | null) => {
    const timeline = {
      ...timelineOf(logOf([]).view, 1_000),
      lengthMs: 60_000,
      ticksMs: [0, 10_000, 20_000, 30_000, 40_000],
      limitMs,
      nowMs,
    };
    return [...String(Axis({ timeline })).matchAll(/class="(t-axis[^"]*)"[^>]*>([^<]+)</g)].map((
      [, sort, time],
    ) => `${time}${sort === "t-axis" ? "" : " only where there is room"}`);
  };
  assert.deepEqual(axis(9_500, null), ["0 s", "0:20", "0:30", "0:40"]);
  assert.deepEqual(axis(12_500, 34_000), [
    "0 s",
    "0:10 only where there is room",
    "0:20",
    "0:30 only where there is room",
    "0:40 only where there is room",
  ]);
});
