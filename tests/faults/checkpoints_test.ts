/**
 * Protects checkpoints against everything that can happen to the calls: each call of taking one with a shutdown, of rolling
 * back past later snapshots, and of removing one is refused, loses its connection or meets a NAS that restarts; and the
 * program is killed at each. Afterwards the operation is resumed, or a taking is rolled back: the checkpoint is whole or
 * gone, disks are as in it, VMs that ran run, and what others made is untouched.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { markOf } from "../../lib/checkpoints/checkpoint.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import { addSnapshot } from "../../lib/simulator/zfs/zfs.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { contents, snapshots, states, take, write } from "../support/vms/checkpoints.ts";
import { carryOut, type Work } from "./support/checkpoint_work.ts";
import { expectUntouched, picture } from "./support/expected.ts";
import { connect, startNas, workers } from "./support/lab.ts";
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const VERSIONS = ["24.10", "25.10", "27.0"] as const;
const CHILD = fileURLToPath(new URL("./support/checkpoint_child.ts", import.meta.url));
const NEVER: Omit<Point, "version"> = { action: "fail", moment: "before", nth: Infinity };
const DISKS = ["worker01-disk0", "worker01-disk1", "worker02-disk0", "worker02-disk1"];
const CHECKPOINT = DISKS.map((disk) => `tank/vms/${disk}@checkpoint-first`);
/** Somebody else's snapshots: older ones stay whatever happens, and a later one goes only with a rollback. */
const FOREIGN = "tank/vms/worker01-disk0@older";
const LATER = "tank/vms/worker01-disk0@later";

/** Two workers that run, with a checkpoint to roll back to or to remove. */
async function prepare(simulator: Simulator, work: Work): Promise<void> {
  await using manager = await connect(simulator);
  const types = [{ type: "worker", startPort: 5920 }];
  const { status } = await manager.create({ configuration: workers(2), types });
  assert.equal(status, "done", "the premise");
  addSnapshot(simulator.store, FOREIGN);
  for (const disk of DISKS) write(simulator, disk, "good");
  if (work === "take") return;
  assert.equal((await take(manager, "first")).status, "done", "the premise");
  for (const disk of DISKS) write(simulator, disk, "broken");
  addSnapshot(simulator.store, LATER);
}

async function attempt(work: Work, manager: VMManager): Promise<OperationView | null> {
  try {
    return await carryOut(work, manager);
  } catch (error) {
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

async function count(work: Work, version: Point["version"]): Promise<number> {
  await using simulator = await startNas(version);
  await prepare(simulator, work);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { ...NEVER, version });
  assert.equal((await attempt(work, manager))?.status, "done", "the premise");
  return seen();
}

function expectDone(work: Work, simulator: Simulator, at: string): void {
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"], `${at}: VMs that ran run`);
  const kept = work === "remove" ? [LATER] : CHECKPOINT;
  assert.deepEqual(snapshots(simulator), [...kept, FOREIGN].toSorted(), at);
  const now = work === "remove" ? "broken" : "good";
  assert.deepEqual(contents(simulator), DISKS.map(() => now), at);
  if (work !== "take") return;
  for (const name of CHECKPOINT) {
    const { userProperties = {} } = simulator.store.snapshots.get(name) ?? {};
    assert.equal(markOf({ name, own: userProperties })?.note, "all well", `${at}: ${name} is marked`);
  }
}

/** The snapshots that existed before, and no others. */
function expectNothing(work: Work, simulator: Simulator, at: string): void {
  const before = work === "take" ? [FOREIGN] : [...CHECKPOINT, FOREIGN, LATER];
  assert.deepEqual(snapshots(simulator), before.toSorted(), at);
  assert.deepEqual(contents(simulator), DISKS.map(() => work === "take" ? "good" : "broken"), at);
}

interface Settling {
  readonly work: Work;
  readonly then: "resume" | "roll back";
  readonly simulator: Simulator;
  readonly manager: VMManager;
  readonly view: OperationView | null;
  readonly at: string;
}

async function settle({ work, then, simulator, manager, view, at }: Settling): Promise<void> {
  if (view === null) return expectNothing(work, simulator, at);
  if (view.status === "done") return expectDone(work, simulator, at);
  if (then === "roll back") {
    const undone = await (await manager.operations.rollBack(view.id))?.finished;
    assert.ok(undone === undefined || undone.status === "done", `${at}: ${JSON.stringify(undone)}`);
    expectNothing(work, simulator, at);
    return assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"], `${at}: VMs that ran run`);
  }
  const resumed = await (await manager.operations.resume(view.id))?.finished;
  // VMs of which nothing was changed yet are rolled back anew, as a person does with the phrase.
  const isAnew = work === "roll back" && !areAllDone([view, ...(resumed === undefined ? [] : [resumed])]);
  const ended = isAnew ? await carryOut(work, manager) : resumed;
  assert.equal(ended?.status, "done", `${at}: ${JSON.stringify([resumed, ended])}`);
  expectDone(work, simulator, at);
}

function areAllDone(views: readonly OperationView[]): boolean {
  const done = views.flatMap(({ vms }) => vms.filter(({ outcome }) => outcome === "done"));
  return new Set(done.map(({ name }) => name)).size === views[0]?.vms.length;
}

async function disturb(work: Work, then: Settling["then"], point: Point): Promise<boolean> {
  await using simulator = await startNas(point.version);
  const before = picture(simulator);
  await prepare(simulator, work);
  await using manager = await connect(simulator);
  const at = `${work}, then ${then}: ${JSON.stringify(point)}`;
  const { hasStruck, back } = strike(simulator, point);
  const view = await attempt(work, manager);
  if (!hasStruck()) return false;
  await back();
  simulator.clearFaults();
  await settle({ work, then, simulator, manager, view, at });
  if (point.action !== "restart") expectUntouched(simulator, before, at);
  return true;
}

async function killed(work: Work, then: Settling["then"], point: Point): Promise<boolean> {
  await using simulator = await startNas(point.version);
  await prepare(simulator, work);
  const at = `${work} killed, then ${then}: ${JSON.stringify(point)}`;
  const folder = await Deno.makeTempDir();
  try {
    const args = ["run", "--no-check", "--no-prompt", "--allow-all", CHILD, simulator.url, folder, work];
    if (!await killAtPoint(simulator, args, point)) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const [view = null] = manager.operations.store.list();
    await settle({ work, then, simulator, manager, view, at });
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CASES = [["take", "resume"], ["take", "roll back"], ["roll back", "resume"], [
  "remove",
  "resume",
]] as const;

for (const [work, then] of CASES) {
  Deno.test(`${work}: every refusal, cut and restart heals, then ${then}`, async () => {
    await sweep({
      name: `checkpoint ${work}, then ${then}`,
      actions: ["fail", "cut", "restart"],
      moments: ["before", "middle", "after"],
      versions: VERSIONS,
      sample: 24,
      width: 6,
      count: (version) => count(work, version),
      run: (point) => disturb(work, then, point),
    });
  });

  Deno.test(`${work}: a kill at every call is found out, then ${then}`, async () => {
    await sweep({
      name: `checkpoint ${work} killed, then ${then}`,
      actions: ["kill"],
      moments: ["before", "after"],
      versions: VERSIONS,
      sample: 40,
      width: 2,
      count: (version) => count(work, version),
      run: (point) => killed(work, then, point),
    });
  });
}
