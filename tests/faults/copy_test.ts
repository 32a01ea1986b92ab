/**
 * Protects copying a VM from a checkpoint against everything that can happen to its calls: each is refused, loses its
 * connection, or meets a NAS that restarts, before, during and after its effect. Afterwards it is resumed: the copy is whole,
 * and the VM that it came from is as it was.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import { overwrite } from "../../lib/simulator/zfs/zfs.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { expectNoOrphans } from "./support/expected.ts";
import { connect, startNas, workers } from "./support/lab.ts";
import { type Point, strike, sweep } from "./support/points.ts";

const VERSIONS = ["25.10", "27.0"] as const;
const SOURCES = [0, 1].map((n) => ({
  snapshot: `tank/vms/worker01-disk${n}@checkpoint-first`,
  sizeBytes: 1,
}));

const { configuration } = parseConfigurationFile({
  text: `
storage: { pool_path: tank/vms }
copy: { count: 1, memory: 256, cpu: 1, start: false, cdrom: none, disk: { a: 200, b: 201 }, network: { lan: br0 } }
`,
  source: "config.yaml",
});
const [a, b] = SOURCES;
assert.ok(a !== undefined && b !== undefined);
const REQUEST = {
  configuration,
  types: [{ type: "copy", startPort: 5990, name: "copy" }],
  sources: { copy: { a, b } },
};

/** A worker with data, and a checkpoint of it. */
async function startWithCheckpoint(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startNas(version);
  await using manager = await connect(simulator);
  const made = await manager.createVmType(workers(1), "worker", 5920);
  assert.equal(made.status, "done", "the premise");
  for (const n of [0, 1]) {
    const disk = simulator.store.datasets.get(`tank/vms/worker01-disk${n}`);
    assert.ok(disk !== undefined);
    overwrite(simulator.store, disk, `data ${n}`, 1);
  }
  const wish = { name: "first", select: { types: ["worker"] } };
  const { fingerprint } = await manager.checkpoints.planCheckpoint(wish);
  const taken = await manager.checkpoints.startCheckpoint(wish, fingerprint);
  assert.ok(taken.started);
  assert.equal((await taken.operation.finished).status, "done", "the premise");
  return simulator;
}

async function copy({ operations }: VMManager): Promise<OperationView | null> {
  try {
    const { fingerprint } = await operations.planCreation(REQUEST);
    const started = await operations.startCreation(REQUEST, fingerprint);
    return started.started ? await started.operation.finished : null;
  } catch (error) {
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

/** The VM that is copied; its disks only, because a NAS that restarts stops it. */
function original({ store }: Simulator): string {
  const disks = [...store.datasets.values()].filter(({ name }) => !name.includes("/copy-"));
  return JSON.stringify([
    [...store.vms.values()].filter(({ config }) => config.name !== "copy").map(({ id, config }) => ({
      id,
      config,
    })),
    disks.map((
      { name, content, volsizeBytes, userProperties },
    ) => [name, content, volsizeBytes, userProperties]),
    [
      ...store.snapshots.keys(),
    ],
  ]);
}

async function count(version: SimulatedVersion): Promise<number> {
  await using simulator = await startWithCheckpoint(version);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { action: "fail", moment: "before", nth: Infinity, version });
  assert.equal((await copy(manager))?.status, "done", "the premise");
  return seen();
}

async function disturb(point: Point): Promise<boolean> {
  await using simulator = await startWithCheckpoint(point.version);
  await using manager = await connect(simulator);
  const at = `copying a VM: ${JSON.stringify(point)}`;
  const before = original(simulator);
  const { back } = strike(simulator, point);
  const view = await copy(manager);
  if (!await back()) return false;
  simulator.clearFaults();
  expectNoOrphans(simulator, at);
  if (view?.status !== "done") {
    const resumed = view === null ? null : await manager.operations.resume(view.id);
    const again = resumed === null ? await copy(manager) : await resumed.finished;
    assert.equal(again?.status, "done", `${at}: ${JSON.stringify(again?.vms)}`);
  }
  const copies = [0, 1].map((n) => simulator.store.datasets.get(`tank/vms/copy-disk${n}`));
  assert.deepEqual(copies.map((disk) => [disk?.content, disk?.origin]), [
    ["data 0", a?.snapshot],
    ["data 1", b?.snapshot],
  ], at);
  assert.deepEqual(copies.map((disk) => disk?.volsizeBytes), [200 * 1024 ** 3, 201 * 1024 ** 3], at);
  assert.equal(
    [...simulator.store.vms.values()].filter(({ config }) => config.name === "copy").length,
    1,
    at,
  );
  assert.equal(original(simulator), before, at);
  return true;
}

Deno.test("copying a VM from a checkpoint survives every refusal, cut and restart", async () => {
  await sweep({
    name: "copying a VM",
    actions: ["fail", "cut", "restart"],
    moments: ["before", "middle", "after"],
    versions: VERSIONS,
    sample: 16,
    width: 4,
    count,
    run: disturb,
  });
});
