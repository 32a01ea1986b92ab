/**
 * Protects VMs made from an image against everything that can happen to the calls: each call of creating two of them is
 * refused, loses its connection, or meets a NAS that restarts, before, during and after its effect; and the program is killed
 * at each. Afterwards the operation is resumed or rolled back: each disk is a whole clone of its own, or nothing is left but a
 * golden zvol that is whole.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ZVOL_PROPERTIES } from "../../lib/inventory/marks.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import { qcow2Head } from "../../lib/simulator/images/disk_image.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import { addDataset, addFile } from "../../lib/simulator/store.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { IMAGE, imageConfiguration } from "./support/image_configuration.ts";
import { expectNoOrphans, picture } from "./support/expected.ts";
import { connect, startNas } from "./support/lab.ts";
import { type Point, strike, sweep } from "./support/points.ts";

const GIB = 1024 ** 3;
const VERSIONS = ["24.10", "25.10", "27.0"] as const;
const CHILD = fileURLToPath(new URL("./support/image_child.ts", import.meta.url));
const NEVER: Omit<Point, "version"> = { action: "fail", moment: "before", nth: Infinity };

async function startWithImage(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startNas(version);
  simulator.setTimes({ convertMs: 10, deviceMs: 2 });
  addDataset(simulator.store, { name: "tank/images", type: "FILESYSTEM" });
  addFile(simulator.store, IMAGE, { sizeBytes: 1_000_000, head: qcow2Head(2 * GIB) });
  return simulator;
}

async function create(manager: VMManager): Promise<OperationView | null> {
  try {
    return (await manager.operations.create({ configuration: imageConfiguration(2) })).operation;
  } catch (error) {
    // A run whose first reading is struck sends nothing and says so by an error.
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

async function count(version: SimulatedVersion): Promise<number> {
  await using simulator = await startWithImage(version);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { ...NEVER, version });
  assert.equal((await create(manager))?.status, "done", "the premise");
  return seen();
}

/** Two VMs run, each with a clone of its own that is whole. */
function expectMade({ store }: Simulator, at: string): void {
  const vms = [...store.vms.values()].filter(({ config }) => config.name.startsWith("web0"));
  assert.deepEqual(vms.map(({ config }) => config.name).toSorted(), ["web01", "web02"], at);
  for (const { config, state } of vms) {
    const disk = store.datasets.get(`tank/vms/${config.name}-disk0`);
    assert.equal(state, "RUNNING", `${at}: ${config.name}`);
    assert.deepEqual([disk?.content, disk?.volsizeBytes], [IMAGE, 20 * GIB], `${at}: ${config.name}`);
    assert.match(disk?.origin ?? "", /^tank\/images\/debian-\w+@ready$/, at);
    assert.equal(disk?.userProperties[ZVOL_PROPERTIES.vm], config.uuid, at);
  }
}

function isGolden(name: string): boolean {
  return name.startsWith("tank/images/");
}

/** What is on the NAS besides golden zvols, of which only whole ones may stay. */
function rest(simulator: Simulator, at: string): string {
  const { datasets } = simulator.store;
  for (const { name, content, userProperties } of datasets.values()) {
    if (!isGolden(name)) continue;
    assert.deepEqual([content, Object.values(userProperties)], [IMAGE, [IMAGE]], `${at}: ${name} is whole`);
  }
  const [vms, devices, all] = JSON.parse(picture(simulator)) as [unknown, unknown, { name: string }[]];
  return JSON.stringify([vms, devices, all.filter(({ name }) => !isGolden(name))], null, 1);
}

/** Goldens are no VM's, so they are left out of what must belong to one. */
function expectNoLeftovers(simulator: Simulator, at: string): void {
  const { datasets } = simulator.store;
  const goldens = [...datasets.values()].filter(({ name }) => isGolden(name));
  for (const { name } of goldens) datasets.delete(name);
  expectNoOrphans(simulator, at);
  for (const golden of goldens) datasets.set(golden.name, golden);
}

async function settle(
  { simulator, manager, id, then, before, at }: {
    readonly simulator: Simulator;
    readonly manager: VMManager;
    readonly id: string;
    readonly then: "resume" | "roll back";
    readonly before: string;
    readonly at: string;
  },
): Promise<void> {
  if (then === "resume") {
    const resumed = await (await manager.operations.resume(id))?.finished;
    assert.ok(resumed === undefined || resumed.status === "done", `${at}: ${JSON.stringify(resumed)}`);
    await create(manager);
    expectMade(simulator, at);
  } else {
    const undone = await (await manager.operations.rollBack(id))?.finished;
    assert.ok(undone === undefined || undone.status === "done", `${at}: ${JSON.stringify(undone)}`);
    assert.equal(rest(simulator, at), before, at);
  }
  expectNoLeftovers(simulator, at);
  const { vms, zvols } = await manager.planCleaning();
  assert.deepEqual([vms, zvols], [[], { known: true, value: [] }], `${at}: there are no orphans`);
}

async function disturb(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  await using simulator = await startWithImage(point.version);
  await using manager = await connect(simulator);
  const at = `images, then ${then}: ${JSON.stringify(point)}`;
  const before = rest(simulator, at);
  const { back } = strike(simulator, point);
  const operation = await create(manager);
  if (!await back()) return false;
  simulator.clearFaults();
  if (operation?.status === "done") expectMade(simulator, at);
  else await settle({ simulator, manager, id: operation?.id ?? "", then, before, at });
  return true;
}

async function killed(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  await using simulator = await startWithImage(point.version);
  const at = `images killed, then ${then}: ${JSON.stringify(point)}`;
  const before = rest(simulator, at);
  const folder = await Deno.makeTempDir();
  try {
    const { struck, hasStruck } = strike(simulator, point);
    const args = ["run", "--no-prompt", "--allow-all", CHILD, simulator.url, folder];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).spawn();
    const ended = child.status;
    const isStruck = await Promise.race([struck.then(() => true), ended.then(() => false)]);
    if (isStruck) child.kill("SIGKILL");
    await ended;
    simulator.clearFaults();
    if (!hasStruck()) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const [view] = manager.operations.store.list();
    if (view?.status === "done") return false;
    await settle({ simulator, manager, id: view?.id ?? "", then, before, at });
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const then of ["resume", "roll back"] as const) {
  Deno.test(`two VMs from an image survive every refusal, cut and restart, then ${then}`, async () => {
    await sweep({
      name: `images, then ${then}`,
      actions: ["fail", "cut", "restart"],
      moments: ["before", "middle", "after"],
      versions: VERSIONS,
      sample: 14,
      width: 8,
      count,
      run: (point) => disturb(point, then),
    });
  });

  Deno.test(`two VMs from an image survive a kill at every call, then ${then}`, async () => {
    await sweep({
      name: `images killed, then ${then}`,
      actions: ["kill"],
      moments: ["before", "after"],
      versions: VERSIONS,
      sample: 40,
      width: 2,
      count,
      run: (point) => killed(point, then),
    });
  });
}
