/** VMs with data on their disks, to be checkpointed and rolled back. */
import assert from "node:assert/strict";
import type { CheckpointWish } from "../../../lib/checkpoints/checkpoints.ts";
import type { RollbackRequest } from "../../../lib/checkpoints/plan/rolling_back.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { overwrite } from "../../../lib/simulator/zfs/zfs.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { type Lab, withLab, workers } from "../lab.ts";

const MIB = 1024 ** 2;

/** The oldest, a usual and the newest release, which differ in how snapshots are read and made. */
export const CHECKPOINT_RELEASES = ["24.10", "25.10", "27.0"] as const satisfies readonly SimulatedVersion[];

/** A test on each of these releases with two workers that run. */
export function onReleases(name: string, test: (lab: Lab) => Promise<void>): void {
  for (const version of CHECKPOINT_RELEASES) {
    Deno.test(`${name} (${version})`, () =>
      withLab({ simulator: { version } }, async (lab) => {
        await createWorkers(lab.manager);
        await test(lab);
      }));
  }
}

/** Creates two workers with two disks each. */
export async function createWorkers(manager: VMManager): Promise<void> {
  const types = [{ type: "worker", startPort: 5920 }];
  const { status } = await manager.create({ configuration: workers({ count: 2 }), types });
  assert.equal(status, "done", "the premise");
}

/** Something writes to a disk of a worker. */
export function write({ store }: Simulator, zvol: string, content: string, bytes = 64 * MIB): void {
  const dataset = store.datasets.get(`tank/vms/${zvol}`);
  assert.ok(dataset !== undefined, zvol);
  overwrite(store, dataset, content, bytes);
}

/** What is on the disks of the workers. */
export function contents({ store }: Simulator): readonly (string | null)[] {
  const zvols = [...store.datasets.values()].filter(({ name }) => /^tank\/vms\/worker0[12]-disk/.test(name));
  return zvols.toSorted((a, b) => a.name < b.name ? -1 : 1).map(({ content }) => content);
}

/** The names of all snapshots. */
export function snapshots({ store }: Simulator): readonly string[] {
  return [...store.snapshots.keys()].toSorted();
}

/** The states of the workers. */
export function states({ store }: Simulator): readonly string[] {
  const all = [...store.vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name));
  return all.toSorted((a, b) => a.config.name < b.config.name ? -1 : 1).map(({ state }) => state);
}

/** Takes a checkpoint of the workers. */
export async function take(
  { checkpoints }: VMManager,
  name: string,
  wish: Partial<CheckpointWish> = {},
): Promise<OperationView> {
  const wanted = { name, select: { types: ["worker"] }, ...wish };
  const plan = await checkpoints.planCheckpoint(wanted);
  assert.deepEqual(plan.problems, []);
  const started = await checkpoints.startCheckpoint(wanted, plan.fingerprint);
  assert.ok(started.started);
  return await started.operation.finished;
}

/** Rolls back to a checkpoint. */
export async function goBack(
  { checkpoints }: VMManager,
  checkpoint: string,
  request: Partial<RollbackRequest> = {},
): Promise<OperationView> {
  const wanted = { checkpoint, names: null, discardNewer: false, ...request };
  const plan = await checkpoints.planRollback(wanted);
  assert.deepEqual(plan.problems, []);
  const started = await checkpoints.startRollback(wanted, plan.fingerprint);
  assert.ok(started.started);
  return await started.operation.finished;
}

/** Removes a checkpoint. */
export async function remove({ checkpoints }: VMManager, name: string): Promise<OperationView> {
  const plan = await checkpoints.planRemoval(name);
  assert.deepEqual(plan.problems, []);
  const started = await checkpoints.startRemoval(name, plan.fingerprint);
  assert.ok(started.started);
  return await started.operation.finished;
}

/** The checkpoints that are listed. */
export async function listed({ checkpoints }: VMManager) {
  const read = await checkpoints.list();
  assert.ok(read.known, JSON.stringify(read));
  return read.value;
}
