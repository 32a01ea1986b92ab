/**
 * Protects first configurations by URL against everything that can happen to the calls: each call of creating two VMs with a seed is
 * refused, loses its connection, or meets a NAS that restarts, and the program is killed at each. After resuming, each guest finds
 * its own seed where its SMBIOS says, and nowhere is more than one address; after rolling back nothing is left.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { seedArgumentOf, withSeedArgument } from "../../lib/first_boot/command_line_args.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import { type ListeningPathServer, startPathServer } from "../../lib/secret_paths/path_server.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { expectNoOrphans, expectOnce, expectPlanned, expectUntouched, picture } from "./support/expected.ts";
import { connect, seeded, startNas } from "./support/lab.ts";
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const CHILD = fileURLToPath(new URL("./support/child.ts", import.meta.url));
const TYPES = [{ type: "worker", startPort: 5920 }];

function listen(port = 0): Promise<ListeningPathServer> {
  return startPathServer({ host: "127.0.0.1", port });
}

async function create(manager: VMManager): Promise<OperationView | null> {
  try {
    return (await manager.create({ configuration: seeded(2), types: TYPES })).operation;
  } catch (error) {
    // A run whose first reading is struck sends nothing and says so by an error.
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

async function count(version: SimulatedVersion): Promise<number> {
  await using simulator = await startNas(version);
  await using paths = await listen();
  await using manager = await connect(simulator, { paths, simulated: true });
  const { seen } = strike(simulator, { action: "fail", moment: "before", nth: Infinity, version });
  assert.equal((await create(manager))?.status, "done", "the premise");
  return seen();
}

/** Each guest finds its seed, and it is its own. */
async function expectSeeded(simulator: Simulator, at: string): Promise<void> {
  for (const { config } of simulator.store.vms.values()) {
    if (!/^worker0\d$/.test(config.name)) continue;
    const args = String(config.command_line_args);
    const url = seedArgumentOf(args)?.url ?? "";
    assert.equal(args, withSeedArgument("", url), `${at}: one address`);
    const response = await fetch(`${url}meta-data`);
    assert.equal(response.status, 200, `${at}: ${config.name}`);
    assert.match(await response.text(), new RegExp(String(config.uuid)), at);
  }
}

async function settle(
  { simulator, manager, id, then, before, at }: {
    readonly simulator: Simulator;
    readonly manager: VMManager;
    readonly id: string | null;
    readonly then: "resume" | "roll back";
    readonly before: string;
    readonly at: string;
  },
): Promise<void> {
  if (then === "resume") {
    const resumed = id === null ? null : await (await manager.operations.resume(id))?.finished;
    assert.ok(!resumed || resumed.status === "done", `${at}: ${JSON.stringify(resumed)}`);
    if (id === null) await create(manager);
    await manager.serveSeedsAgain();
    expectPlanned(simulator, 2, at);
    await expectSeeded(simulator, at);
  } else {
    const undone = id === null ? null : await (await manager.operations.rollBack(id))?.finished;
    assert.ok(!undone || undone.status === "done", `${at}: ${JSON.stringify(undone)}`);
    assert.equal(picture(simulator), before, at);
    assert.deepEqual([...manager.seeds?.all ?? []], [], `${at}: nothing is served`);
  }
  expectUntouched(simulator, before, at);
  expectNoOrphans(simulator, at);
  expectOnce(simulator, at);
}

async function disturb(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  await using simulator = await startNas(point.version);
  await using paths = await listen();
  await using manager = await connect(simulator, { paths, simulated: true });
  const at = `seeds, then ${then}: ${JSON.stringify(point)}`;
  const before = picture(simulator);
  const { back } = strike(simulator, point);
  const operation = await create(manager);
  if (!await back()) return false;
  simulator.clearFaults();
  if (then === "roll back" && operation?.status === "done") return true;
  await settle({ simulator, manager, id: operation?.id ?? null, then, before, at });
  return true;
}

/** The next program listens where the killed one did. */
async function kill(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    await using simulator = await startNas(point.version);
    const at = `seeds, killed, then ${then}: ${JSON.stringify(point)}`;
    const before = picture(simulator);
    const free = await listen();
    const { port } = free;
    await free[Symbol.asyncDispose]();
    const args = [
      "run",
      "--no-prompt",
      "--allow-all",
      CHILD,
      simulator.url,
      folder,
      "seeds",
      "2",
      String(port),
    ];
    if (!await killAtPoint(simulator, args, point)) return false;
    using journal = Journal.open(folder);
    await using paths = await listen(port);
    await using manager = await connect(simulator, { journal, paths, simulated: true });
    const [view] = manager.operations.store.list();
    if (view?.status === "done") return false;
    await settle({ simulator, manager, id: view?.id ?? null, then, before, at });
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const common = { count, moments: ["before", "middle", "after"], width: 2 } as const;

for (const then of ["resume", "roll back"] as const) {
  Deno.test(`a creation with seeds disturbed at any call, then ${then}`, () =>
    sweep({
      ...common,
      name: `seeds, then ${then}`,
      actions: ["fail", "cut", "restart"],
      sample: 60,
      run: (point) => disturb(point, then),
    }));

  Deno.test(`a creation with seeds killed at any call, then ${then}`, () =>
    sweep({
      ...common,
      name: `seeds killed, then ${then}`,
      actions: ["kill"],
      sample: 64,
      run: (point) => kill(point, then),
    }));
}
