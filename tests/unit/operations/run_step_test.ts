/**
 * Protects the steps of a VM: each is logged before it starts and after it ends, and a call with an unknown outcome is
 * verified before it counts as failed.
 */
import assert from "node:assert/strict";
import {
  type Outcome,
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
} from "../../../lib/errors/errors.ts";
import { OperationLog } from "../../../lib/operations/record/log.ts";
import {
  describeError,
  pause,
  pollUntil,
  runStep,
  type Step,
  StepFailure,
} from "../../../lib/operations/steps/run_step.ts";

const SETTLE = { settleMs: 3, pollMs: 1 };

function error(outcome: Outcome): TrueNASError {
  return new TrueNASError("vm.start: it was lost", { method: "vm.start", outcome });
}

/** Runs a step; returns its result and what was logged. */
async function run(action: Pick<Step<string>, "call" | "verify">) {
  const log = new OperationLog("op", () => 0);
  const step = { step: "start", method: "vm.start", detail: (result: string) => result } as const;
  const result = await runStep({ vmName: "a", log, settle: SETTLE }, { ...step, ...action }).catch((
    error: unknown,
  ) => error);
  const facts = log.since(0).map((event) =>
    event.type === "step"
      ? [event.status, event.method ?? event.detail ?? event.error?.outcome]
      : event.type === "healed"
      ? [event.type, event.message]
      : [event.type]
  );
  return { result, facts };
}

Deno.test("runStep() logs a step before it starts and after it is done", async () => {
  const log = new OperationLog("op", () => 0);
  const seenFromWithin: unknown[] = [];
  await runStep({ vmName: "a", log, settle: SETTLE }, {
    step: "start",
    method: "vm.start",
    call: () => {
      seenFromWithin.push(...log.since(0).map((event) => event.type === "step" && event.status));
      return Promise.resolve(1);
    },
    verify: () => assert.fail("an answered call is not verified"),
    detail: (result) => `id ${result}`,
  });
  assert.deepEqual(seenFromWithin, ["running"]);
  assert.deepEqual(log.since(1).map(({ seq: _seq, at: _at, ...fact }) => fact), [
    { type: "step", vm: "a", step: "start", status: "done", detail: "id 1" },
  ]);
});

Deno.test("runStep() does not verify a call that was refused", async () => {
  const refused = error("not-done");
  const { result, facts } = await run({
    call: () => Promise.reject(refused),
    verify: () => assert.fail("a refusal is an answer"),
  });
  assert.ok(result instanceof StepFailure);
  assert.deepEqual([result.message, result.cause], ["vm.start: it was lost", refused]);
  assert.deepEqual(facts, [["running", "vm.start"], ["failed", "not-done"]]);
});

Deno.test("runStep() counts a call as done if its effect is on the NAS, even if that appears late", async () => {
  for (const appearsAtPoll of [1, 3]) {
    let polls = 0;
    const { result, facts } = await run({
      call: () => Promise.reject(error("unknown")),
      verify: () => Promise.resolve(++polls === appearsAtPoll ? "found" : null),
    });
    assert.deepEqual([result, polls], ["found", appearsAtPoll]);
    const healed = ["healed", "vm.start: it was lost; its effect was found on the NAS"];
    assert.deepEqual(facts, [["running", "vm.start"], healed, ["done", "found"]]);
  }
});

const LOST = new TrueNASConnectionError("vm.start: lost", {
  method: "vm.start",
  outcome: "unknown",
  failure: "lost",
  remedy: "",
});
const LOST_AND_SENT = ["healed", "vm.start: the connection was lost; it was sent again"];

Deno.test("runStep() sends a call again when the NAS shows that it was lost with the connection", async () => {
  let calls = 0;
  const { result, facts } = await run({
    call: () => ++calls < 3 ? Promise.reject(LOST) : Promise.resolve("done"),
    verify: () => Promise.resolve(null),
  });
  assert.deepEqual([result, calls], ["done", 3]);
  assert.deepEqual(facts, [["running", "vm.start"], LOST_AND_SENT, LOST_AND_SENT, ["done", "done"]]);
});

Deno.test("runStep() does not send a call again whose effect cannot be read, or that may still be running", async () => {
  for (
    const [failure, verify] of [
      [LOST, () => Promise.reject(error("not-done"))],
      [error("unknown"), () => Promise.resolve(null)],
    ] as const
  ) {
    let calls = 0;
    const { result } = await run({
      call: () => {
        calls++;
        return Promise.reject(failure);
      },
      verify,
    });
    assert.ok(result instanceof StepFailure);
    assert.equal(calls, 1);
  }
});

Deno.test("runStep() counts a refusal of a repeated call as done if the first one took effect late", async () => {
  let [calls, polls] = [0, 0];
  const { result } = await run({
    call: () => Promise.reject(++calls === 1 ? LOST : error("not-done")),
    verify: () => Promise.resolve(++polls > 3 ? "late" : null),
  });
  assert.deepEqual([result, calls], ["late", 2]);
});

Deno.test("runStep() fails with an unknown outcome if there is no effect, or if verification fails too", async () => {
  const verifiers: readonly (() => Promise<null>)[] = [
    () => Promise.resolve(null),
    () => Promise.reject(error("not-done")),
  ];
  for (const verify of verifiers) {
    const { result, facts } = await run({ call: () => Promise.reject(error("unknown")), verify });
    assert.ok(result instanceof StepFailure);
    assert.deepEqual(facts, [["running", "vm.start"], ["failed", "unknown"]]);
  }
});

Deno.test("pollUntil() polls immediately, then as often as the time allows, and at least once", async () => {
  const pollsIn = async (settleMs: number, pollMs: number) => {
    let polls = 0;
    const seen = await pollUntil(() => Promise.resolve(polls++ < 0 ? "never" : null), {
      settleMs,
      pollMs: pollMs,
    });
    assert.equal(seen, null);
    return polls;
  };
  assert.deepEqual([await pollsIn(3, 1), await pollsIn(5, 2), await pollsIn(0, 1)], [3, 3, 1]);
  let polls = 0;
  assert.equal(
    await pollUntil(() => Promise.resolve(++polls), { settleMs: 1_000_000, pollMs: 1_000_000 }),
    1,
  );
});

Deno.test("pause() lets other work run", async () => {
  const order: string[] = [];
  const paused = pause(0).then(() => order.push("after"));
  order.push("before");
  await paused;
  assert.deepEqual(order, ["before", "after"]);
});

Deno.test("describeError() keeps method and outcome, and reports an unknown outcome for other errors", () => {
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
