/**
 * Protects VMs beyond a type's count: the plan names those that were created here, nothing selects them, and only their own
 * names destroy them. On the oldest, a middle and the newest release.
 */
import assert from "node:assert/strict";
import { planJson } from "../../../lib/inventory/json.ts";
import { MARK, ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import { addByHand, outcomes, vmNamed, vmNames, workers } from "../../support/lab.ts";
import { changingCalls, onEachRelease } from "../../support/vms/replacing.ts";

const TYPES = [{ type: "worker", startPort: 5920 }] as const;
const FEWER = { configuration: workers({ count: 1 }), types: TYPES };

onEachRelease(
  "surplus VMs are proposed with what they are, and a creation never touches them",
  async (lab) => {
    const { simulator, manager } = lab;
    await manager.create({ configuration: workers({ count: 3 }), types: TYPES });
    const plan = await manager.planCreation(FEWER);
    assert.deepEqual(plan.surplus.map(({ name, count, state }) => [name, count, state]), [
      ["worker02", 1, "RUNNING"],
      ["worker03", 1, "RUNNING"],
    ]);
    const json = planJson(plan).vms as Record<string, unknown>[];
    assert.deepEqual(json.map(({ name, action }) => [name, action]), [
      ["worker01", "keep"],
      ["worker02", "surplus"],
      ["worker03", "surplus"],
    ]);
    const since = simulator.calls.length;
    assert.deepEqual(outcomes(await manager.create(FEWER)), ["worker01 kept"]);
    // A selection cannot name them either.
    for (const selected of [{ change: ["worker02"] }, { replace: ["worker02"] }]) {
      const reconcile = { ...NOTHING_CHANGED, ...selected };
      await assert.rejects(
        manager.create({ ...FEWER, reconcile }),
        /worker02 was selected .*not in the plan/,
      );
    }
    assert.deepEqual(changingCalls(simulator, since), []);
    const destroyed = await manager.destroyManagedVms([], { names: ["worker03"] });
    assert.deepEqual(outcomes(destroyed), ["worker03 destroyed"]);
    assert.deepEqual(vmNames(simulator), ["worker01", "worker02"]);
  },
);

onEachRelease(
  "a VM beyond the count whose marks do not agree is never proposed",
  async ({ simulator, manager }) => {
    await manager.create({ configuration: workers({ count: 4 }), types: TYPES });
    const describe = (name: string, text: (old: string) => string) => {
      const vm = vmNamed(simulator, name) ?? assert.fail();
      vm.config.description = text(String(vm.config.description));
    };
    describe("worker02", (old) => old.replace(MARK, "mine now"));
    const zvol = simulator.store.datasets.get("tank/vms/worker03-disk1") ?? assert.fail();
    zvol.userProperties[ZVOL_PROPERTIES.vm] = crypto.randomUUID();
    addByHand(simulator, "worker05");
    const { surplus } = await manager.planCreation(FEWER);
    assert.deepEqual(surplus.map(({ name }) => name), ["worker04"]);
    const { vms, spared } = await manager.planDestruction({ prefixes: [], names: ["worker02", "worker03"] });
    assert.deepEqual([vms, spared.map(({ name }) => name)], [[], ["worker02", "worker03"]]);
  },
);
