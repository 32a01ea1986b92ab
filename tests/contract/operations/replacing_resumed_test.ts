/**
 * Protects disks when a replacement goes on after it ended half-way: it adopts only what still is its own, leaves alone what
 * somebody made meanwhile, and one that was cancelled loses nothing.
 */
import assert from "node:assert/strict";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { addByHand, outcomes, vmNamed } from "../../support/lab.ts";
import {
  changingCalls,
  contentOf,
  createWorkers,
  DATA,
  dataDisk,
  everything,
  identity,
  on,
  onEachRelease,
  replaceWorkers,
  ROOT,
} from "../../support/vms/replacing.ts";

onEachRelease(
  "a VM of the same name that somebody made meanwhile is left alone, and so is the kept disk",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    const before = dataDisk(simulator);
    const observer = on("remove", "done", () => addByHand(simulator, "worker02"));
    const result = await replaceWorkers(manager, ["worker02"], { observer });
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 left-behind"]);
    assert.match(
      result.vms[1]?.message ?? "",
      /already exists.*The old VM was removed, and the new one was not created/,
    );
    const stranger = identity(simulator, "worker02");
    const since = simulator.calls.length;
    const { id } = result.operation;
    const blocked = await (await manager.operations.resume(id))?.finished;
    assert.deepEqual(blocked?.vms.map(({ outcome }) => outcome), ["failed"]);
    assert.match(
      blocked?.vms[0]?.message ?? "",
      /another VM was named worker02 meanwhile; rename it, and resume again/,
    );
    assert.deepEqual(changingCalls(simulator, since), []);
    assert.deepEqual([identity(simulator, "worker02"), dataDisk(simulator)], [stranger, before]);
    const vm = vmNamed(simulator, "worker02") ?? assert.fail();
    vm.config.name = "database";
    const resumed = await (await manager.operations.resume(id))?.finished;
    assert.deepEqual(resumed?.vms.map(({ outcome }) => outcome), ["replaced"]);
    assert.deepEqual(identity(simulator, "database"), stranger);
  },
  { simulator: { foreignVms: 1 } },
);

onEachRelease(
  "a resumed replacement adopts no zvol that names another VM, and none that another VM uses",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    simulator.addFault({ method: "vm.create", action: "fail", times: Infinity });
    const { operation: { id } } = await replaceWorkers(manager);
    simulator.clearFaults();
    const data = simulator.store.datasets.get(DATA) ?? assert.fail();
    const own = { ...data.userProperties };
    const tries = [
      [
        () => data.userProperties[ZVOL_PROPERTIES.vm] = crypto.randomUUID(),
        /disk1 is no longer marked as its disk/,
      ],
      [() => {
        data.userProperties = own;
        addByHand(simulator, "taker", DATA);
      }, /disk1 is a disk of taker by now; remove it there/],
      [() => {
        for (const [device, { attributes }] of simulator.store.devices) {
          if (attributes.path === `/dev/zvol/${DATA}`) simulator.store.devices.delete(device);
        }
        simulator.store.datasets.delete(DATA);
      }, /its kept disk tank\/vms\/worker02-disk1 no longer exists/],
    ] as const;
    for (const [change, words] of tries) {
      change();
      const before = everything(simulator);
      const resumed = await (await manager.operations.resume(id))?.finished;
      assert.match(resumed?.vms[0]?.message ?? "", words);
      assert.equal(everything(simulator), before);
    }
  },
  { simulator: { foreignVms: 1 } },
);

onEachRelease(
  "a resumed replacement does not remove a zvol that somebody made under the name of the removed one",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    simulator.addFault({ method: "vm.create", action: "fail", times: Infinity });
    const { operation: { id } } = await replaceWorkers(manager);
    simulator.clearFaults();
    addDataset(simulator.store, { name: ROOT, type: "VOLUME", volsizeBytes: 7 });
    const before = everything(simulator);
    const resumed = await (await manager.operations.resume(id))?.finished;
    assert.match(resumed?.vms[0]?.message ?? "", /disk0 exists, and this replacement did not create it/);
    assert.equal(everything(simulator), before);
  },
);

for (const step of ["verify", "stop", "remove", "remove-disk0", "vm", "disk1", "mark-disk1"]) {
  onEachRelease(
    `a replacement cancelled after the step ${step} loses nothing, and can be resumed`,
    async (lab) => {
      const { simulator, manager } = lab;
      await createWorkers(manager);
      const before = identity(simulator, "worker02");
      const content = contentOf(simulator);
      const all = everything(simulator);
      const cancel = new AbortController();
      const observer = on(step, "done", () => cancel.abort());
      const result = await replaceWorkers(manager, ["worker02"], { observer, signal: cancel.signal });
      assert.equal(result.status, "cancelled");
      const isGone = !["verify", "stop"].includes(step);
      assert.equal(result.vms[1]?.outcome, isGone ? "cancelled-kept" : "cancelled");
      if (!isGone) assert.equal(everything(simulator), all);
      assert.deepEqual(contentOf(simulator), content);
      const resumed = await (await manager.operations.resume(result.operation.id))?.finished;
      assert.deepEqual(
        resumed?.vms.map(({ outcome }) => outcome),
        ["replaced"],
        JSON.stringify(resumed?.vms),
      );
      assert.deepEqual([identity(simulator, "worker02"), contentOf(simulator)], [before, content]);
    },
  );
}
