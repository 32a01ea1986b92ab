/**
 * Protects the steps of a VM: each is in the log before it begins and after it ended, and a call whose outcome is not
 * known is looked after before it counts as failed.
 */
import assert from "node:assert/strict";
import {
  type Outcome,
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
} from "../../../lib/errors/errors.ts";
import { OperationLog } from "../../../lib/operations/log.ts";
import {
  describeError,
  pause,
  pollUntil,
  runStep,
  type StepAction,
  StepFailure,
} from "../../../lib/operations/steps/run_step.ts";

const SETTLE = { settleMs: 3, pollMs: 1 };

function error(outcome: Outcome): TrueNASError {
  return new TrueNASError("vm.start: it was lost", { method: "vm.start", outcome });
}

/** Runs a step and gives what came of it, and what the log has of it. */
async function run(action: Pick<StepAction<string>, "run" | "verify">) {
  const log = new OperationLog("op", () => 0);
  const step = { vm: "a", step: "start", method: "vm.start", detail: (result: string) => result } as const;
  const result = await runStep(log, { ...step, ...action }, SETTLE).catch((error: unknown) => error);
  const facts = log.since(0).map((event) =>
    event.type === "step"
      ? [event.status, event.method ?? event.detail ?? event.error?.outcome]
      : [event.type]
  );
  return { result, facts };
}

Deno.test("runStep() logs a step before it begins and after it is done", async () => {
  const log = new OperationLog("op", () => 0);
  const seenFromWithin: unknown[] = [];
  await runStep(log, {
    vm: "a",
    step: "start",
    method: "vm.start",
    run: () => {
      seenFromWithin.push(...log.since(0).map((event) => event.type === "step" && event.status));
      return Promise.resolve(1);
    },
    verify: () => assert.fail("it is not looked for what was answered"),
    detail: (result) => `id ${result}`,
  }, SETTLE);
  assert.deepEqual(seenFromWithin, ["running"]);
  assert.deepEqual(log.since(1).map(({ seq: _seq, at: _at, ...fact }) => fact), [
    { type: "step", vm: "a", step: "start", status: "done", detail: "id 1" },
  ]);
});

Deno.test("runStep() does not look for what was surely not done", async () => {
  const refused = error("not-done");
  const { result, facts } = await run({
    run: () => Promise.reject(refused),
    verify: () => assert.fail("a refusal is an answer"),
  });
  assert.ok(result instanceof StepFailure);
  assert.deepEqual([result.step, result.cause], ["start", refused]);
  assert.deepEqual(result.logged, {
    message: "vm.start: it was lost",
    method: "vm.start",
    outcome: "not-done",
  });
  assert.deepEqual(facts, [["running", "vm.start"], ["failed", "not-done"]]);
});

Deno.test("runStep() counts as done what is seen on the NAS, even when it shows late", async () => {
  for (const showsAtLook of [1, 3]) {
    let looks = 0;
    const { result, facts } = await run({
      run: () => Promise.reject(error("unknown")),
      verify: () => Promise.resolve(++looks === showsAtLook ? "found" : null),
    });
    assert.deepEqual([result, looks], ["found", showsAtLook]);
    assert.deepEqual(facts, [["running", "vm.start"], ["done", "found"]]);
  }
});

Deno.test("runStep() fails with the outcome unknown when nothing shows, or when looking fails as well", async () => {
  const looks: readonly (() => Promise<null>)[] = [
    () => Promise.resolve(null),
    () => Promise.reject(error("not-done")),
  ];
  for (const look of looks) {
    const { result, facts } = await run({ run: () => Promise.reject(error("unknown")), verify: look });
    assert.ok(result instanceof StepFailure);
    assert.deepEqual(facts, [["running", "vm.start"], ["failed", "unknown"]]);
  }
});

Deno.test("lookUntil() looks at once, then as often as the time allows, and at least once", async () => {
  const looksIn = async (settleMs: number, pollMs: number) => {
    let looks = 0;
    const seen = await pollUntil(() => Promise.resolve(looks++ < 0 ? "never" : null), {
      settleMs,
      pollMs: pollMs,
    });
    assert.equal(seen, null);
    return looks;
  };
  assert.deepEqual([await looksIn(3, 1), await looksIn(5, 2), await looksIn(0, 1)], [3, 3, 1]);
  let looks = 0;
  assert.equal(
    await pollUntil(() => Promise.resolve(++looks), { settleMs: 1_000_000, pollMs: 1_000_000 }),
    1,
  );
});

Deno.test("pause() lets others run", async () => {
  const order: string[] = [];
  const paused = pause(0).then(() => order.push("after"));
  order.push("before");
  await paused;
  assert.deepEqual(order, ["before", "after"]);
});

Deno.test("describeError() keeps method and outcome, and knows nothing of an error that is not ours", () => {
  const refusal = { code: 1, errno: 14, errname: "EFAULT", reason: "Busy", fields: [] };
  assert.deepEqual(describeError(new TrueNASCallError("vm.stop", refusal)), {
    message: 'vm.stop: TrueNAS refused: "Busy"',
    method: "vm.stop",
    outcome: "not-done",
  });
  const lost = new TrueNASConnectionError("Lost", { failure: "lost", remedy: "Wait.", outcome: "unknown" });
  assert.deepEqual(describeError(lost), { message: "Lost", outcome: "unknown" });
  assert.deepEqual(describeError(new RangeError("odd")), { message: "odd", outcome: "unknown" });
  assert.deepEqual(describeError("thrown text"), { message: "thrown text", outcome: "unknown" });
});
