/** Protects accounts and programs that may not do everything: they do what they may, and are told the rest. */
import assert from "node:assert/strict";
import { VMManager } from "../../../lib/vm_manager.ts";
import { CONFIG, credentials, onEach, vmNamed, vmNames, withLab, workers, zvols } from "../../support/lab.ts";

/** May not write datasets. */
const ROLES = ["VM_READ", "VM_WRITE", "VM_DEVICE_READ", "VM_DEVICE_WRITE", "DATASET_READ"];
const VMS = { username: "vms", password: "vms-pw" };

onEach(
  "an account without DATASET_WRITE creates thick zvols with their device, and no sparse ones",
  async ({ simulator, manager }) => {
    const result = await manager.createVmType(workers({ count: 2 }), "worker", 5920);
    assert.equal(result.status, "done", JSON.stringify(result.vms));
    assert.equal(zvols(simulator).length, 4);
    const plan = await manager.planDestruction({ prefixes: ["worker"] });
    assert.deepEqual(plan.vms.map(({ marks }) => marks), [
      { description: true, zvols: "none", journal: true },
      { description: true, zvols: "none", journal: true },
    ]);
    const sparse = await manager.createVmType(workers({ count: 3, sparse: true }), "worker", 5920);
    assert.match(sparse.vms[2]?.message ?? "", /grant it the role DATASET_WRITE, or turn sparse off/);
    assert.equal(vmNamed(simulator, "worker03"), undefined);
  },
  { simulator: { accounts: [{ ...VMS, roles: ROLES }] }, manager: VMS },
);

Deno.test("an account without permission to delete zvols destroys VMs together with their disks", async () => {
  await withLab(
    { simulator: { accounts: [{ ...VMS, roles: ROLES }] } },
    async ({ simulator, manager: maker }) => {
      await maker.createVmType(workers({ count: 5 }), "worker", 5920);
      await using manager = new VMManager({ ...credentials(simulator), ...VMS });
      await manager.connect();
      assert.equal((await manager.destroyManagedVms(["worker"])).status, "done");
      assert.deepEqual([vmNames(simulator), zvols(simulator)], [[], []]);
      assert.ok(simulator.calls.every(({ method }) => method !== "pool.dataset.delete"));
    },
  );
});

onEach("READ_ONLY and NO_DESTROY are enforced by method name", async ({ simulator, manager }) => {
  await manager.createVmType(CONFIG, "controlplane", 5910);
  const refused = await manager.destroyManagedVms(["controlplane"]);
  assert.match(refused.vms[0]?.message ?? "", /NO_DESTROY is set/);
  await using reader = new VMManager({ ...credentials(simulator), readOnly: true });
  await reader.connect();
  const created = await reader.createVmType(CONFIG, "worker", 5920);
  assert.equal(created.status, "failed");
  assert.match(created.vms[0]?.message ?? "", /READ_ONLY is set/);
  assert.deepEqual(vmNames(simulator), ["controlplane01"]);
}, { manager: { noDestroy: true } });

const VIEWER = { username: "viewer", password: "viewer-pw" };

onEach(
  "a read-only account gets the NAS's error for each VM, and warnings for unreadable parts",
  async ({ manager }) => {
    const plan = await manager.planCreation({ configuration: CONFIG });
    assert.ok(plan.findings.length > 0);
    assert.ok(
      plan.findings.every(({ severity, message }) =>
        severity === "warning" &&
        /not checked because|cannot read the NAS|does not have the role/.test(message)
      ),
    );
    const result = await manager.createVmType(CONFIG, "worker", 5920);
    assert.equal(result.status, "failed");
    assert.match(result.vms[0]?.message ?? "", /Not authorized/);
  },
  { simulator: { accounts: [{ ...VIEWER, roles: ["VM_READ", "VM_DEVICE_READ"] }] }, manager: VIEWER },
);
