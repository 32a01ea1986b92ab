/**
 * Protects first configurations on CD-ROMs against everything that can happen to the calls: each call of creating two VMs with such a
 * seed, and of destroying them, is refused, loses its connection, or meets a NAS that restarts, and the program is killed at each.
 * After resuming, each guest has its own seed once; after rolling back or destroying, no file and no dataset of one is left.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import { addDataset, devicesOf } from "../../lib/simulator/store.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { expectNoOrphans, expectOnce, expectPlanned, expectUntouched, picture } from "./support/expected.ts";
import { connect, seededOnDisk, startNas } from "./support/lab.ts";
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const CHILD = fileURLToPath(new URL("./support/child.ts", import.meta.url));
const TYPES = [{ type: "worker", startPort: 5920 }];

/** The dataset of images stays, as it is meant to. */
async function start(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startNas(version);
  addDataset(simulator.store, { name: "tank/images", type: "FILESYSTEM" });
  addDataset(simulator.store, { name: "tank/images/seed-worker01-00000000", type: "FILESYSTEM" });
  return simulator;
}

async function attempt(
  run: () => Promise<{ readonly operation: OperationView }>,
): Promise<OperationView | null> {
  try {
    return (await run()).operation;
  } catch (error) {
    // A run whose first reading is struck sends nothing and says so by an error.
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

function create(manager: VMManager): Promise<OperationView | null> {
  return attempt(() => manager.create({ configuration: seededOnDisk(2), types: TYPES }));
}

async function count(version: SimulatedVersion, what: "create" | "destroy"): Promise<number> {
  await using simulator = await start(version);
  await using manager = await connect(simulator);
  if (what === "destroy") await create(manager);
  const { seen } = strike(simulator, { action: "fail", moment: "before", nth: Infinity, version });
  if (what === "create") assert.equal((await create(manager))?.status, "done", "the premise");
  else await manager.destroyManagedVms(["worker"]);
  return seen();
}

function seedFiles({ store }: Simulator): string[] {
  return [...store.files.keys()].filter((path) => path.endsWith("/seed.iso"));
}

/** Each guest finds its seed, and it is its own. */
function expectSeeded(simulator: Simulator, at: string): void {
  expectPlanned(simulator, 2, at, ["CDROM"]);
  const { store } = simulator;
  for (const { id, config } of store.vms.values()) {
    if (!/^worker0\d$/.test(config.name)) continue;
    const paths = devicesOf(store, id).map(({ attributes }) => String(attributes.path));
    const [path = ""] = paths.filter((it) => it.endsWith("/seed.iso"));
    const text = new TextDecoder().decode(store.files.get(path)?.head);
    assert.ok(text.includes(String(config.uuid)) && text.includes(config.name), `${at}: ${config.name}`);
  }
  assert.equal(seedFiles(simulator).length, 2, `${at}: each once`);
}

interface Settled {
  readonly simulator: Simulator;
  readonly manager: VMManager;
  readonly id: string | null;
  readonly then: "resume" | "roll back";
  readonly before: string;
  readonly at: string;
}

async function settle({ simulator, manager, id, then, before, at }: Settled): Promise<void> {
  if (then === "resume") {
    const resumed = id === null ? null : await (await manager.operations.resume(id))?.finished;
    assert.ok(!resumed || resumed.status === "done", `${at}: ${JSON.stringify(resumed)}`);
    if (id === null) await create(manager);
    expectSeeded(simulator, at);
  } else {
    const undone = id === null ? null : await (await manager.operations.rollBack(id))?.finished;
    assert.ok(!undone || undone.status === "done", `${at}: ${JSON.stringify(undone)}`);
    expectGone(simulator, before, at);
  }
  expectUntouched(simulator, before, at);
  expectNoOrphans(simulator, at);
  expectOnce(simulator, at);
}

function expectGone(simulator: Simulator, before: string, at: string): void {
  assert.equal(picture(simulator), before, at);
  assert.deepEqual(seedFiles(simulator), [], at);
}

async function disturb(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  await using simulator = await start(point.version);
  await using manager = await connect(simulator);
  const at = `seed disks, then ${then}: ${JSON.stringify(point)}`;
  const before = picture(simulator);
  const { back } = strike(simulator, point);
  const operation = await create(manager);
  if (!await back()) return false;
  simulator.clearFaults();
  if (then === "roll back" && operation?.status === "done") return true;
  await settle({ simulator, manager, id: operation?.id ?? null, then, before, at });
  return true;
}

async function kill(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    await using simulator = await start(point.version);
    const at = `seed disks, killed, then ${then}: ${JSON.stringify(point)}`;
    const before = picture(simulator);
    const args = ["run", "--no-prompt", "--allow-all", CHILD, simulator.url, folder, "seed-disks", "2"];
    if (!await killAtPoint(simulator, args, point)) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const [view] = manager.operations.store.list();
    if (view?.status === "done") return false;
    await settle({ simulator, manager, id: view?.id ?? null, then, before, at });
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function destroy(point: Point): Promise<boolean> {
  await using simulator = await start(point.version);
  await using manager = await connect(simulator);
  const at = `destroy seed disks: ${JSON.stringify(point)}`;
  const before = picture(simulator);
  assert.equal((await create(manager))?.status, "done", at);
  const { back } = strike(simulator, point);
  const operation = await attempt(() => manager.destroyManagedVms(["worker"]));
  if (!await back()) return false;
  simulator.clearFaults();
  const resumed = await (await manager.operations.resume(operation?.id ?? ""))?.finished;
  assert.ok(!resumed || resumed.status === "done", `${at}: ${JSON.stringify(resumed)}`);
  if (operation === null) await manager.destroyManagedVms(["worker"]);
  expectGone(simulator, before, at);
  return true;
}

const common = { moments: ["before", "middle", "after"], width: 2 } as const;

for (const then of ["resume", "roll back"] as const) {
  Deno.test(`a creation with seeds on CD-ROMs disturbed at any call, then ${then}`, () =>
    sweep({
      ...common,
      name: `seed disks, then ${then}`,
      count: (version) => count(version, "create"),
      actions: ["fail", "cut", "restart"],
      sample: 80,
      run: (point) => disturb(point, then),
    }));

  Deno.test(`a creation with seeds on CD-ROMs killed at any call, then ${then}`, () =>
    sweep({
      ...common,
      name: `seed disks killed, then ${then}`,
      count: (version) => count(version, "create"),
      actions: ["kill"],
      sample: 80,
      run: (point) => kill(point, then),
    }));
}

Deno.test("a destruction of VMs with seeds on CD-ROMs disturbed at any call, then resumed", () =>
  sweep({
    ...common,
    name: "destroy seed disks",
    count: (version) => count(version, "destroy"),
    actions: ["fail", "cut"],
    sample: 24,
    run: destroy,
  }));
