/**
 * Protects the promise that nothing unfinished is left: each call of creating 2 VMs with 2 disks and of destroying 3 is
 * refused by the NAS or loses its connection, before, during and after its effect. The operation is then resumed or
 * rolled back: the NAS is exactly as planned, or exactly as before, no call took effect twice, and resources created
 * elsewhere are unchanged.
 */
import assert from "node:assert/strict";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { RunResult } from "../../lib/operations/summary.ts";
import {
  expectNoOrphans,
  expectOnce,
  expectPlanned,
  expectSnapshotsGone,
  expectUntouched,
  picture,
  snapshotDisks,
} from "./support/expected.ts";
import { connect, startNas, workers } from "./support/lab.ts";
import { type Point, strike, sweep } from "./support/points.ts";

const MOMENTS = ["before", "middle", "after"] as const;
const NEVER: Omit<Point, "version"> = { action: "fail", moment: "before", nth: Infinity };

/** A run whose first reading is struck sends nothing and says so by an error. */
async function attempt(run: () => Promise<RunResult>): Promise<RunResult | null> {
  try {
    return await run();
  } catch (error) {
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

async function countCreation(version: SimulatedVersion): Promise<number> {
  await using simulator = await startNas(version);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { ...NEVER, version });
  await manager.createVmType(workers(2), "worker", 5920);
  return seen();
}

async function create(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  await using simulator = await startNas(point.version);
  await using manager = await connect(simulator);
  const at = `create, then ${then}: ${JSON.stringify(point)}`;
  const before = picture(simulator);
  const { hasStruck } = strike(simulator, point);
  const result = await attempt(() => manager.createVmType(workers(2), "worker", 5920));
  if (!hasStruck()) return false;
  simulator.clearFaults();
  expectNoOrphans(simulator, at);
  for (const { name, outcome } of result?.vms ?? []) {
    const exists = [...simulator.store.vms.values()].some(({ config }) => config.name === name);
    assert.equal(exists, outcome === "created", `${at}: ${name} is ${outcome}`);
  }
  const id = result?.operation.id ?? "";
  if (then === "resume") {
    const resumed = await (await manager.operations.resume(id))?.finished;
    assert.ok(resumed === undefined || resumed.status === "done", `${at}: ${JSON.stringify(resumed)}`);
    if (result === null) await manager.createVmType(workers(2), "worker", 5920);
    expectPlanned(simulator, 2, at);
    const again = await manager.createVmType(workers(2), "worker", 5920);
    assert.ok(again.vms.every(({ outcome }) => outcome === "kept"), `${at}: planning again keeps all`);
  } else if (result?.status !== "done") {
    const undone = await (await manager.operations.rollBack(id))?.finished;
    assert.ok(undone === undefined || undone.status === "done", `${at}: ${JSON.stringify(undone)}`);
    assert.equal(picture(simulator), before, at);
  }
  expectUntouched(simulator, before, at);
  expectNoOrphans(simulator, at);
  expectOnce(simulator, at);
  return true;
}

async function countDestruction(version: SimulatedVersion): Promise<number> {
  await using simulator = await startNas(version);
  await using manager = await connect(simulator);
  await manager.createVmType(workers(3), "worker", 5920);
  const { seen } = strike(simulator, { ...NEVER, version });
  snapshotDisks(simulator);
  const { operation } = await manager.destroyManagedVms(["worker"]);
  expectSnapshotsGone(operation, simulator);
  return seen();
}

async function destroy(point: Point): Promise<boolean> {
  await using simulator = await startNas(point.version);
  await using manager = await connect(simulator);
  const at = `destroy ${JSON.stringify(point)}`;
  const before = picture(simulator);
  await manager.createVmType(workers(3), "worker", 5920);
  const { hasStruck } = strike(simulator, point);
  snapshotDisks(simulator);
  const result = await attempt(() => manager.destroyManagedVms(["worker"]));
  if (!hasStruck()) return false;
  simulator.clearFaults();
  expectUntouched(simulator, before, at);
  for (const { name, outcome, message } of result?.vms ?? []) {
    const exists = [...simulator.store.vms.values()].some(({ config }) => config.name === name);
    const zvols = [...simulator.store.datasets.keys()].filter((zvol) => zvol.startsWith(`tank/vms/${name}-`));
    if (outcome === "destroyed") assert.deepEqual([exists, zvols], [false, []], `${at}: ${name} is gone`);
    else assert.ok(message !== null && message !== "", `${at}: ${name} is ${outcome}, and says why`);
  }
  const resumed = await (await manager.operations.resume(result?.operation.id ?? ""))?.finished;
  // Snapshots that could not be read for the plan were not shown, so that they are not removed.
  const isUnread = resumed?.vms.some(({ message }) =>
    message?.includes("because snapshots could not be read")
  );
  assert.ok(
    isUnread || resumed === undefined || resumed.status === "done",
    `${at}: ${JSON.stringify(resumed)}`,
  );
  if (result === null || isUnread) {
    assert.equal((await manager.destroyManagedVms(["worker"])).status, "done", at);
  }
  assert.equal(picture(simulator), before, at);
  return true;
}

const common = { actions: ["fail", "cut"], moments: MOMENTS, width: 4, sample: 8 } as const;

Deno.test("a creation disturbed at any call is resumed to exactly the plan", () =>
  sweep({
    ...common,
    name: "create, then resume",
    count: countCreation,
    run: (point) => create(point, "resume"),
  }));

Deno.test("a creation disturbed at any call is rolled back to exactly the state before", () =>
  sweep({
    ...common,
    name: "create, then roll back",
    count: countCreation,
    run: (point) => create(point, "roll back"),
  }));

Deno.test("a destruction disturbed at any call is resumed and removes exactly its VMs", () =>
  sweep({ ...common, name: "destroy, then resume", count: countDestruction, run: destroy }));
