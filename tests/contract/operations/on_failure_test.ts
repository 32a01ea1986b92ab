/** Protects the choice of what becomes of a VM that cannot be created: `on_failure` keep and stop. On two releases. */
import assert from "node:assert/strict";
import { onEach, outcomes, vmNamed, workers, zvols } from "../../support/lab.ts";

onEach(
  "on_failure keep leaves the unfinished VM, to be resumed or rolled back",
  async ({ simulator, manager }) => {
    simulator.addFault({
      method: "vm.device.create",
      action: "fail",
      matches: (params) => JSON.stringify(params).includes("worker01-disk1"),
    });
    const kept = await manager.createVmType(workers({ count: 2, on_failure: "keep" }), "worker", 5920);
    assert.deepEqual(outcomes(kept), ["worker01 left-behind", "worker02 created"]);
    assert.match(
      kept.vms[0]?.message ?? "",
      /Its parts were kept as requested\. Left on the NAS: the VM worker01 \(id \d+\)/,
    );
    assert.ok(vmNamed(simulator, "worker01"));
    const orphans = await manager.planCleaning();
    assert.deepEqual(orphans.vms.map(({ name, because }) => [name, because]), [
      ["worker01", "an operation left it incomplete"],
    ]);
    const resumed = await (await manager.operations.resume(kept.operation.id))?.finished;
    assert.deepEqual(resumed?.vms.map(({ name, outcome }) => [name, outcome]), [["worker01", "created"]]);
    assert.equal(vmNamed(simulator, "worker01")?.state, "RUNNING");
    assert.equal(await manager.operations.resume(kept.operation.id), null, "it is settled");
    const { vms, zvols } = await manager.planCleaning();
    assert.deepEqual([vms, zvols], [[], { known: true, value: [] }]);
  },
);

onEach("on_failure stop rolls the VM back and starts no other", async ({ simulator, manager }) => {
  simulator.addFault({ method: "vm.start", action: "fail" });
  const configuration = workers({ count: 3, on_failure: "stop", parallel: 1 });
  const stopped = await manager.createVmType(configuration, "worker", 5920);
  assert.deepEqual(outcomes(stopped), [
    "worker01 rolled-back",
    "worker02 cancelled",
    "worker03 cancelled",
  ]);
  assert.match(
    stopped.vms[1]?.message ?? "",
    /Not started: worker01 failed and on_failure is stop/,
  );
  assert.deepEqual(zvols(simulator), []);
  const resumed = await (await manager.operations.resume(stopped.operation.id))?.finished;
  assert.equal(resumed?.status, "done");
  assert.equal(resumed?.vms.length, 3);
});
