/**
 * Protects removing an image against everything that can happen to its calls: each is refused, loses its connection, or meets a
 * NAS that restarts, before, during and after its effect; and the program is killed. Afterwards it is removed again: no disk of a VM has lost its data,
 * nothing foreign is touched, and nothing of the image is left.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { FILE_PROPERTIES } from "../../lib/images/acquiring/image_files.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import { qcow2Head } from "../../lib/simulator/images/disk_image.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import { addDataset, addFile } from "../../lib/simulator/store.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { IMAGE, imageConfiguration } from "./support/image_configuration.ts";
import { connect, startNas } from "./support/lab.ts";
import { type Point, strike, sweep } from "./support/points.ts";

const VERSIONS = ["25.10", "27.0"] as const;
const CHILD = fileURLToPath(new URL("./support/remove_image_child.ts", import.meta.url));
const configuration = imageConfiguration(3);
const REQUEST = { image: "debian", only: [], promote: true };

/** Three VMs are clones of the image. */
async function startWithClones(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startNas(version);
  const { store } = simulator;
  simulator.setTimes({ convertMs: 5, deviceMs: 2 });
  addDataset(store, { name: "tank/images", type: "FILESYSTEM" });
  const userProperties = { [FILE_PROPERTIES.path]: IMAGE };
  addDataset(store, { name: "tank/images/files-debian", type: "FILESYSTEM", userProperties });
  addFile(store, IMAGE, { sizeBytes: 1_000_000, head: qcow2Head(2 * 1024 ** 3) });
  await using manager = await connect(simulator);
  assert.equal((await manager.operations.create({ configuration })).status, "done", "the premise");
  return simulator;
}

async function remove(manager: VMManager): Promise<string | null> {
  try {
    const { fingerprint: shown } = await manager.operations.planImageRemoval(REQUEST, configuration);
    const started = await manager.operations.startImageRemoval(REQUEST, { configuration, shown });
    return started.started ? (await started.operation.finished).status : null;
  } catch (error) {
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

function isOfImage(name: string): boolean {
  return name.startsWith("tank/images/");
}

/** What must stay as it is: a promotion changes only what a disk depends on. */
function rest({ store }: Simulator): string {
  const vms = [...store.vms.values()].map(({ id, config }) => ({ id, config }));
  const zvols = [...store.datasets.values()].filter(({ name }) => !isOfImage(name))
    .map(({ name, type, volsizeBytes, userProperties, content }) => ({
      name,
      type,
      volsizeBytes,
      userProperties,
      content,
    }));
  return JSON.stringify([vms, [...store.devices.values()], zvols], null, 1);
}

function expectData({ store }: Simulator, at: string): void {
  for (const vm of ["web01", "web02", "web03"]) {
    const disk = store.datasets.get(`tank/vms/${vm}-disk0`);
    assert.equal(disk?.content, IMAGE, `${at}: ${vm} has its data`);
    const origin = disk?.origin ?? null;
    assert.ok(origin === null || store.snapshots.has(origin), `${at}: ${origin} exists`);
  }
}

/** Removes what is left, and expects all of it to be gone. */
async function finish(
  { simulator, manager, before, at }: {
    readonly simulator: Simulator;
    readonly manager: VMManager;
    readonly before: string;
    readonly at: string;
  },
): Promise<void> {
  simulator.clearFaults();
  expectData(simulator, at);
  const left = await manager.operations.planImageRemoval(REQUEST, configuration);
  if (left.parts.length > 0) assert.equal(await remove(manager), "done", `${at}: it is removed again`);
  assert.deepEqual([...simulator.store.datasets.keys()].filter(isOfImage), [], at);
  assert.equal(rest(simulator), before, at);
  expectData(simulator, at);
}

async function count(version: SimulatedVersion): Promise<number> {
  await using simulator = await startWithClones(version);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { action: "fail", moment: "before", nth: Infinity, version });
  assert.equal(await remove(manager), "done", "the premise");
  return seen();
}

async function disturb(point: Point): Promise<boolean> {
  await using simulator = await startWithClones(point.version);
  await using manager = await connect(simulator);
  const at = `removing an image: ${JSON.stringify(point)}`;
  const before = rest(simulator);
  const { back } = strike(simulator, point);
  await remove(manager);
  if (!await back()) return false;
  await finish({ simulator, manager, before, at });
  return true;
}

async function killed(point: Point): Promise<boolean> {
  await using simulator = await startWithClones(point.version);
  const at = `removing an image, killed: ${JSON.stringify(point)}`;
  const before = rest(simulator);
  const folder = await Deno.makeTempDir();
  try {
    const { struck, hasStruck } = strike(simulator, point);
    const args = ["run", "--no-prompt", "--allow-all", CHILD, simulator.url, folder];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).spawn();
    const isStruck = await Promise.race([struck.then(() => true), child.status.then(() => false)]);
    if (isStruck) child.kill("SIGKILL");
    await child.status;
    if (!hasStruck()) return false;
    simulator.clearFaults();
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const [view] = manager.operations.store.list();
    assert.ok(view === undefined || ["interrupted", "done"].includes(view.status), `${at}: ${view?.status}`);
    await finish({ simulator, manager, before, at });
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("removing an image survives a kill at every call", async () => {
  await sweep({
    name: "removing an image, killed",
    actions: ["kill"],
    moments: ["before", "after"],
    versions: VERSIONS,
    sample: 16,
    width: 2,
    count,
    run: killed,
  });
});

Deno.test("removing an image survives every refusal, cut and restart", async () => {
  await sweep({
    name: "removing an image",
    actions: ["fail", "cut", "restart"],
    moments: ["before", "middle", "after"],
    versions: VERSIONS,
    sample: 16,
    width: 4,
    count,
    run: disturb,
  });
});
