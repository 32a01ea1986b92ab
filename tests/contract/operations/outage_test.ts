/**
 * Protects an operation while the NAS is away: it says that it waits and for how long, goes on by itself, ends as it is when
 * nobody waits any longer, and sends nothing to another NAS. The fault sweep tries every call; here is what people are told.
 */
import assert from "node:assert/strict";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import type { RunResult } from "../../../lib/operations/summary.ts";
import { Metrics } from "../../../lib/observability/metrics.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { soon, until } from "../../support/deadline.ts";
import { expectPlanned } from "../../faults/support/expected.ts";
import { connect, startNas, workers } from "../../faults/support/lab.ts";

/** Longer than any of these outages, and shorter than a test that hangs. */
const WAIT_MS = 20_000;

/** Starts a creation, and takes the NAS away when it creates its first zvol. */
async function interrupted(
  simulator: Simulator,
  manager: VMManager,
): Promise<{ readonly ended: Promise<RunResult>; readonly id: string }> {
  const struck = Promise.withResolvers<void>();
  const matches = () => {
    struck.resolve();
    return true;
  };
  simulator.addFault({ method: "pool.dataset.create", action: "cut", times: 1, matches });
  const ended = manager.createVmType(workers(1), "worker", 5920);
  await soon(struck.promise, "the first zvol is requested");
  await simulator.goAway();
  await until(
    "the operation waits",
    () => manager.operations.store.list()[0]?.status === "waiting",
    (look) => manager.operations.store.onEvent(look),
  );
  return { ended, id: manager.operations.store.list()[0]?.id ?? "" };
}

function eventsOf(manager: VMManager, type: OperationEvent["type"]): readonly OperationEvent[] {
  const [view] = manager.operations.store.list();
  const log = manager.operations.store.get(view?.id ?? "");
  return (log?.since(0) ?? []).filter((event) => event.type === type);
}

Deno.test("an operation whose NAS is away waits, says since when and until when, and goes on by itself", async () => {
  await using simulator = await startNas("25.10");
  const metrics = new Metrics();
  await using manager = await connect(simulator, { metrics, waitMs: WAIT_MS });
  const { ended } = await interrupted(simulator, manager);
  assert.match(metrics.render(), /^truenas_vm_manager_operations_waiting 1$/m);
  const [view] = manager.operations.store.list();
  assert.match(view?.waiting?.message ?? "", /nothing is listening there/);
  const patienceMs = (view?.waiting?.until ?? 0) - (view?.waiting?.since ?? 0);
  assert.ok(patienceMs <= WAIT_MS && patienceMs > WAIT_MS - 1_000, `${patienceMs} ms`);
  await simulator.comeBack();
  const { status, operation } = await soon(ended, "the operation ends");
  assert.deepEqual([status, operation.waiting, operation.gaveUp], ["done", null, false]);
  assert.equal(eventsOf(manager, "waiting").length, 1, "all calls share one wait");
  assert.match(metrics.render(), /^truenas_vm_manager_operations_waiting 0$/m);
  assert.match(metrics.render(), /^truenas_vm_manager_healed_total\{step="\w+"\} \d+$/m);
  expectPlanned(simulator, 1, "after the outage");
});

Deno.test("when nobody waits any longer, everything stays, and the operation can be resumed later", async () => {
  for (const how of ["stopped", "too late"] as const) {
    await using simulator = await startNas("27.0");
    await using manager = await connect(simulator, { waitMs: how === "stopped" ? WAIT_MS : 300 });
    const { ended, id } = await interrupted(simulator, manager);
    if (how === "stopped") assert.ok(manager.operations.stopWaiting(id));
    const { status, vms } = await soon(ended, "the operation ends");
    assert.equal(status, "interrupted");
    const why = how === "stopped" ? /^Waiting for the NAS was stopped/ : /^The NAS did not answer for 0\.3 s/;
    assert.match(vms[0]?.message ?? "", why);
    await simulator.comeBack();
    const resumed = await (await manager.operations.resume(id))?.finished;
    assert.equal(resumed?.status, "done", how);
    expectPlanned(simulator, 1, how);
  }
});

Deno.test("a cancelled wait ends as it is, because nothing can be rolled back without the NAS", async () => {
  await using simulator = await startNas("25.10");
  await using manager = await connect(simulator, { waitMs: WAIT_MS });
  const { ended, id } = await interrupted(simulator, manager);
  manager.operations.cancel(id);
  assert.equal((await soon(ended, "the operation ends")).status, "interrupted");
  await simulator.comeBack();
  assert.equal((await (await manager.operations.rollBack(id))?.finished)?.status, "done");
});

Deno.test("a NAS that comes back as another one gets no call", async () => {
  await using simulator = await startNas("25.10");
  await using manager = await connect(simulator, { waitMs: WAIT_MS });
  const { ended } = await interrupted(simulator, manager);
  simulator.store.hostId = "0".repeat(64);
  const before = simulator.calls.length;
  await simulator.comeBack();
  const { status, vms } = await soon(ended, "the operation ends");
  assert.equal(status, "interrupted");
  assert.match(vms[0]?.message ?? "", /is another NAS now than when this began/);
  const sent = simulator.calls.slice(before).map(({ method }) => method);
  assert.ok(
    sent.every((method) => !/create|delete|update|start/.test(method) || /^core\./.test(method)),
    `${sent}`,
  );
});

Deno.test("VMs that a restart of the NAS stopped are started again, and say so", async () => {
  await using simulator = await startNas("25.10");
  await using manager = await connect(simulator, { waitMs: WAIT_MS });
  const { worker, ...others } = workers(2);
  assert.ok(worker !== undefined && "count" in worker);
  // The NAS starts neither by itself, and the first one runs before the second one is created.
  const configuration = { ...others, worker: { ...worker, autostart: false, parallel: 1 } };
  let creations = 0;
  const ended = manager.createVmType(configuration, "worker", 5920, {
    observer: (event) => {
      if (event.type === "step" && event.step === "vm" && event.status === "running") creations++;
    },
  });
  await until(
    "the second VM is created",
    () => creations === 2,
    (look) => manager.operations.store.onEvent(look),
  );
  await simulator.goAway();
  await simulator.comeBack({ restarted: true });
  const { status, operation } = await soon(ended, "the operation ends");
  assert.equal(status, "done");
  expectPlanned(simulator, 2, "after the restart");
  const start = operation.vms[0]?.steps.find(({ step }) => step === "start");
  assert.match(start?.healing ?? "", /the NAS has restarted, which stopped the VM; it was started again/);
});
