/**
 * Protects the journal's promise: the program is killed (SIGKILL, in its own process) at each call of creating 2 VMs
 * with 2 disks and of destroying 3, before, during and after the call's effect, and, where the NAS continues calls on
 * its own, with a later effect. Another program then opens the journal and resumes the operation or rolls it back, and
 * the NAS is exactly as planned, or exactly as before.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
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
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const CHILD = fileURLToPath(new URL("./support/child.ts", import.meta.url));
const MOMENTS = ["before", "middle", "after", "late"] as const;
const NEVER: Omit<Point, "version"> = { action: "kill", moment: "before", nth: Infinity };

/** Kills the program at the point; false when it was over before. */
function killAt(
  simulator: Simulator,
  folder: string,
  what: "create" | "destroy",
  point: Point,
): Promise<boolean> {
  // When it connects, and for its plan.
  if (what === "destroy") snapshotDisks(simulator);
  const args = ["run", "--no-prompt", "--allow-all", CHILD, simulator.url, folder, what, "2"];
  return killAtPoint(simulator, args, point);
}

async function withFolder<T>(test: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The next program, on the journal that the killed one left; false when the operation was over before the kill. */
async function withSuccessor(
  simulator: Simulator,
  folder: string,
  work: (manager: VMManager, operation: string | null) => Promise<void>,
): Promise<boolean> {
  using journal = Journal.open(folder);
  await using manager = await connect(simulator, { journal });
  const [view] = manager.operations.store.list();
  if (view?.status === "done") return false;
  if (view !== undefined) assert.equal(view.status, "interrupted");
  await work(manager, view?.id ?? null);
  return true;
}

async function count(version: SimulatedVersion, what: "create" | "destroy"): Promise<number> {
  await using simulator = await startNas(version);
  await using manager = await connect(simulator);
  if (what === "destroy") await manager.createVmType(workers(3), "worker", 5920);
  const { seen } = strike(simulator, { ...NEVER, version });
  if (what === "create") await manager.createVmType(workers(2), "worker", 5920);
  else {
    snapshotDisks(simulator);
    const { operation } = await manager.destroyManagedVms(["worker"]);
    expectSnapshotsGone(operation, simulator);
  }
  return seen();
}

function create(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  return withFolder(async (folder) => {
    await using simulator = await startNas(point.version);
    const before = picture(simulator);
    const at = `create, then ${then}: ${JSON.stringify(point)}`;
    if (!await killAt(simulator, folder, "create", point)) return false;
    const tried = await withSuccessor(simulator, folder, async (manager, operation) => {
      if (then === "resume") {
        const resumed = operation === null
          ? null
          : await (await manager.operations.resume(operation))?.finished;
        if (operation === null) await manager.createVmType(workers(2), "worker", 5920);
        else assert.equal(resumed?.status, "done", `${at}: ${JSON.stringify(resumed)}`);
        expectPlanned(simulator, 2, at);
        const again = await manager.createVmType(workers(2), "worker", 5920);
        assert.ok(again.vms.every(({ outcome }) => outcome === "kept"), `${at}: planning again keeps all`);
      } else {
        const undone = operation === null
          ? null
          : await (await manager.operations.rollBack(operation))?.finished;
        assert.ok(!undone || undone.status === "done", `${at}: ${JSON.stringify(undone)}`);
        assert.equal(picture(simulator), before, at);
      }
      const { vms, zvols } = await manager.planCleaning();
      assert.deepEqual([vms, zvols], [[], { known: true, value: [] }], `${at}: there are no orphans`);
    });
    expectUntouched(simulator, before, at);
    expectNoOrphans(simulator, at);
    expectOnce(simulator, at);
    return tried;
  });
}

function destroy(point: Point): Promise<boolean> {
  return withFolder(async (folder) => {
    await using simulator = await startNas(point.version);
    const before = picture(simulator);
    const at = `destroy ${JSON.stringify(point)}`;
    await using maker = await connect(simulator);
    await maker.createVmType(workers(3), "worker", 5920);
    await maker.disconnect();
    if (!await killAt(simulator, folder, "destroy", point)) return false;
    return await withSuccessor(simulator, folder, async (manager, operation) => {
      const resumed = operation === null
        ? null
        : await (await manager.operations.resume(operation))?.finished;
      if (operation === null) await manager.destroyManagedVms(["worker"]);
      else assert.equal(resumed?.status, "done", `${at}: ${JSON.stringify(resumed)}`);
      assert.equal(picture(simulator), before, at);
    });
  });
}

const common = { actions: ["kill"], moments: MOMENTS, width: 2, sample: 12 } as const;

Deno.test("after a kill at any call of a creation, the next program resumes it to exactly the plan", () =>
  sweep({
    ...common,
    name: "kill, then resume the creation",
    count: (version) => count(version, "create"),
    run: (point) => create(point, "resume"),
  }));

Deno.test("after a kill at any call of a creation, the next program rolls it back to exactly the state before", () =>
  sweep({
    ...common,
    name: "kill, then roll the creation back",
    count: (version) => count(version, "create"),
    run: (point) => create(point, "roll back"),
  }));

Deno.test("after a kill at any call of a destruction, the next program finishes it", () =>
  sweep({
    ...common,
    name: "kill, then resume the destruction",
    count: (version) => count(version, "destroy"),
    run: destroy,
  }));
