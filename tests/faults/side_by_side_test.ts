/**
 * Protects two creations that run at once: the connection is cut, the NAS is away or the program is killed at calls of either.
 * Both end as planned, also when one is rolled back while the other is resumed, and none takes anything of the other.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { expectNoOrphans, expectOnce, expectPlanned, expectUntouched, picture } from "./support/expected.ts";
import { connect, createBoth, startNas, workers } from "./support/lab.ts";
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const CHILD = fileURLToPath(new URL("./support/child.ts", import.meta.url));
const COUNT = 2;

async function count(version: SimulatedVersion): Promise<number> {
  await using simulator = await startNas(version);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { action: "cut", moment: "before", nth: Infinity, version });
  await createBoth(manager, COUNT);
  return seen();
}

function controlplanes({ store }: Simulator): readonly string[] {
  return [...store.vms.values()].flatMap(({ config: { name }, state }) =>
    name.startsWith("controlplane") ? [`${name} ${state}`] : []
  ).toSorted();
}

/** All VMs are as planned, and no two displays have a port in common. */
async function expectBoth(simulator: Simulator, manager: VMManager, at: string): Promise<void> {
  expectPlanned(simulator, COUNT, at);
  assert.deepEqual(controlplanes(simulator), ["controlplane01 RUNNING"], at);
  const ports = [...simulator.store.devices.values()].flatMap(({ attributes: { port, web_port: web } }) =>
    port === undefined ? [] : [port, web]
  );
  assert.equal(new Set(ports).size, ports.length, `${at}: ${ports}`);
  const { vms } = await manager.planCreation({ configuration: workers(COUNT) });
  assert.ok(vms.every(({ action }) => action === "keep"), `${at}: planning again keeps all`);
}

async function heals(point: Point): Promise<boolean> {
  await using simulator = await startNas(point.version);
  const before = picture(simulator);
  await using manager = await connect(simulator);
  const { back } = strike(simulator, point);
  const at = JSON.stringify(point);
  const results = await createBoth(manager, COUNT);
  if (!await back()) return false;
  assert.deepEqual(results.map(({ status }) => status), ["done", "done"], at);
  await expectBoth(simulator, manager, at);
  expectUntouched(simulator, before, at);
  expectNoOrphans(simulator, at);
  expectOnce(simulator, at);
  return true;
}

/** After a kill, both are resumed by themselves, or the workers are rolled back beside the other one. */
async function killed(point: Point): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    await using simulator = await startNas(point.version);
    const before = picture(simulator);
    const args = ["run", "--no-prompt", "--allow-all", CHILD, simulator.url, folder, "both", String(COUNT)];
    if (!await killAtPoint(simulator, args, point)) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const { operations } = manager;
    const open = operations.store.list().filter(({ status }) => status === "interrupted");
    const ofWorkers = open.find(({ vms }) => vms[0]?.name === "worker01");
    const isUndone = point.nth % 2 === 1 && ofWorkers !== undefined;
    const at = `${isUndone ? "roll one back" : "resume"}: ${JSON.stringify(point)}`;
    const undone = isUndone ? operations.rollBack(ofWorkers.id) : null;
    await operations.resumeInterrupted();
    await (await undone)?.finished;
    if (isUndone) {
      const left = [...simulator.store.vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name));
      assert.deepEqual(left.map(({ config }) => config.name), [], at);
      expectNoOrphans(simulator, at);
    }
    await createBoth(manager, COUNT);
    await expectBoth(simulator, manager, at);
    expectUntouched(simulator, before, at);
    expectNoOrphans(simulator, at);
    expectOnce(simulator, at);
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("two creations at once that lose their connection at any call heal and end as planned", () =>
  sweep({
    name: "two creations at once, healed",
    actions: ["cut", "away"],
    moments: ["before", "middle", "after", "late"],
    width: 4,
    sample: 48,
    verb: "healed, 0 asked a person",
    count,
    run: heals,
  }));

Deno.test("two creations at once whose program is killed at any call are resumed or rolled back, each by itself", () =>
  sweep({
    name: "two creations at once, killed",
    actions: ["kill"],
    moments: ["before", "middle", "after", "late"],
    width: 2,
    sample: 49,
    count,
    run: killed,
  }));
