/**
 * Protects the journal's promise for changes: the program is killed (SIGKILL, in its own process) at each call of changing
 * 2 VMs in six ways, stopped or restarted one after the other. Another program then opens the journal and goes on to
 * exactly what is declared, or rolls back to exactly what was there; VMs that ran run again.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import { pictureOf, workersOf } from "../support/vms/changing.ts";
import { change, expectChanged, prepareChange } from "./support/change_points.ts";
import { expectNoOrphans, expectOnce } from "./support/expected.ts";
import { connect, startNas } from "./support/lab.ts";
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const CHILD = fileURLToPath(new URL("./support/child.ts", import.meta.url));

type State = "STOPPED" | "RUNNING";

/** Kills the program, and has the next one end what it began; false when it was over before. */
async function survives(state: State, then: "resume" | "roll back", point: Point): Promise<boolean> {
  const at = `${state}, then ${then}: ${JSON.stringify(point)}`;
  const folder = await Deno.makeTempDir();
  try {
    await using simulator = await startNas(point.version);
    await using maker = await connect(simulator);
    const before = await prepareChange(maker, simulator, state);
    await maker.disconnect();
    const args = ["run", "--no-prompt", "--allow-all", CHILD, simulator.url, folder, "change"];
    if (!await killAtPoint(simulator, args, point)) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const [view] = manager.operations.store.list();
    if (view?.status === "done") return false;
    if (then === "resume") {
      const ended = view === undefined
        ? await change(manager)
        : await (await manager.operations.resume(view.id))?.finished;
      assert.equal(
        ended?.status,
        "done",
        `${at}: ${JSON.stringify(ended?.vms.map(({ message }) => message))}`,
      );
      await expectChanged(manager, simulator, state, at);
    } else if (view !== undefined) {
      let undone = await (await manager.operations.rollBack(view.id))?.finished;
      // A device can be removed only from a stopped VM, and nobody shuts one down for a rollback but a person.
      if (undone?.vms.some(({ message }) => /Shut it down and roll back again/.test(message ?? ""))) {
        for (const vm of workersOf(simulator)) vm.state = "STOPPED";
        undone = await (await manager.operations.rollBack(view.id))?.finished;
        for (const vm of workersOf(simulator)) vm.state = "RUNNING";
      }
      assert.ok(
        !undone || undone.status === "done",
        `${at}: ${JSON.stringify(undone?.vms.map(({ message }) => message))}`,
      );
      assert.equal(pictureOf(simulator), before, at);
    }
    assert.ok(workersOf(simulator).every((vm) => vm.state === state), `${at}: as before`);
    expectNoOrphans(simulator, at);
    expectOnce(simulator, at);
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function count(version: SimulatedVersion, state: State): Promise<number> {
  await using simulator = await startNas(version);
  await using manager = await connect(simulator);
  await prepareChange(manager, simulator, state);
  const { seen } = strike(simulator, { version, action: "kill", moment: "before", nth: Infinity });
  assert.equal((await change(manager)).status, "done");
  return seen();
}

for (const state of ["STOPPED", "RUNNING"] as const) {
  for (const then of ["resume", "roll back"] as const) {
    Deno.test(`after a kill at any call of changing ${state.toLowerCase()} VMs, the next program can ${then}`, () =>
      sweep({
        name: `kill, then ${then} the change of ${state.toLowerCase()} VMs`,
        actions: ["kill"],
        moments: ["before", "middle", "after", "late"],
        width: 2,
        sample: state === "RUNNING" ? 48 : 32,
        count: (version) => count(version, state),
        run: (point) => survives(state, then, point),
      }));
  }
}
