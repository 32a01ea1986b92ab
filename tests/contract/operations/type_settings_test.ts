/** Protects the choices of a VM type: each of its settings takes effect on the NAS. On two releases. */
import assert from "node:assert/strict";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { CONFIG, onEach, outcomes, vmNamed, workers } from "../../support/lab.ts";

onEach(
  "sparse zvols, fixed MACs and overrides are as the configuration says",
  async ({ simulator, manager }) => {
    const macs = ["02:00:5e:00:00:01", "02:00:5e:00:00:02"];
    const configuration = workers({
      count: 2,
      sparse: true,
      macs: { lan: macs },
      template: { vm: { shutdown_timeout: 30 }, disk: { type: "AHCI" }, nic: { type: "E1000" } },
    });
    assert.equal((await manager.createVmType(configuration, "worker", 5920)).status, "done");
    const vms = (await manager.list()).filter(({ name }) => name.startsWith("worker0"));
    assert.ok(vms.every(({ disks }) => disks.every(({ sparse }) => sparse === true)));
    assert.deepEqual(vms.map(({ nics }) => nics[0]?.mac), macs);
    assert.equal(vmNamed(simulator, "worker01")?.config.shutdown_timeout, 30);
    const own = [...simulator.store.devices.values()].filter(({ vm }) => vm === vms[0]?.id);
    assert.deepEqual(
      own.flatMap(({ attributes: { dtype, type } }) => dtype === "NIC" || dtype === "DISK" ? [type] : []),
      ["E1000", "E1000", "AHCI", "AHCI"],
    );
    const again = await manager.createVmType(configuration, "worker", 5920);
    assert.deepEqual(outcomes(again), ["worker01 kept", "worker02 kept"]);
    const thick = await manager.planCreation({
      configuration: {
        ...configuration,
        worker: { ...configuration.worker, sparse: false } as VmTypeSection,
      },
    });
    const differs = thick.vms.filter(({ action }) => action === "change");
    const [{ field, wanted, found } = assert.fail()] = differs[0]?.differences ?? [];
    assert.deepEqual([field, wanted, found], ["disk0", "thick", "sparse"]);
  },
);

onEach("a derived MAC stays the same when a VM is created again", async ({ manager }) => {
  const macs = async () =>
    (await manager.list()).filter(({ name }) => name === "worker01").flatMap(({ nics }) =>
      nics.map(({ mac }) => mac)
    );
  await manager.createVmType(workers({ count: 1 }), "worker", 5920);
  const first = await macs();
  await manager.destroyManagedVms(["worker"]);
  await manager.createVmType(workers({ count: 1 }), "worker", 5920);
  assert.deepEqual(await macs(), first);
  assert.equal(first.length, 2);
});

onEach(
  "a type's start, autostart, description and overcommit settings take effect",
  async ({ simulator, manager }) => {
    const { controlplane } = CONFIG;
    const quiet = {
      ...CONFIG,
      controlplane: { ...controlplane, start: false, autostart: false, description: "lab 7" },
    };
    assert.equal((await manager.createVmType(quiet, "controlplane", 5910)).status, "done");
    const [vm] = await manager.list();
    assert.deepEqual([vm?.state, vm?.autostart, vm?.description], [
      "STOPPED",
      false,
      "lab 7 [truenas-vm-manager]",
    ]);
    const tight = await manager.createVmType(CONFIG, "worker", 5920);
    assert.equal(tight.status, "failed", "2 GiB each do not fit in 1 GiB");
    const eager = { ...CONFIG, worker: { ...CONFIG.worker, overcommit: true } };
    assert.equal((await manager.createVmType(eager, "worker", 5920)).status, "done");
    const starts = simulator.calls.filter(({ method }) => method === "vm.start").map(({ params }) =>
      params[1]
    );
    assert.deepEqual(starts, [{ overcommit: true }, { overcommit: true }, { overcommit: true }]);
  },
  { simulator: { freeMemoryBytes: 1024 ** 3 } },
);

onEach("VMs of a type stay within its limit on parallel work", async ({ manager }) => {
  let under = 0;
  let most = 0;
  const observer = (event: { type: string; step?: string; status?: string }) => {
    if (event.type === "step" && event.step === "vm" && event.status === "running") {
      most = Math.max(most, ++under);
    }
    if (event.type === "vm") under--;
  };
  const result = await manager.createVmType(workers({ count: 5, parallel: 2 }), "worker", 5920, {
    observer,
  });
  assert.deepEqual([result.status, most], ["done", 2]);
});
