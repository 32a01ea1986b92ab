/** Protects zvols that belong to no VM: only what was listed, and is still unused, is removed. On two releases. */
import assert from "node:assert/strict";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { addByHand, onEach, vmNamed, workers, zvols } from "../../support/lab.ts";

onEach(
  "kept disks become orphans with their sizes, and a confirmed plan removes them",
  async ({ simulator, manager }) => {
    await manager.createVmType(workers({ count: 1 }), "worker", 5920);
    const destroyed = await manager.destroyManagedVms(["worker"], { keepDisks: true, shutdown: true });
    assert.equal(destroyed.status, "done");
    const steps = destroyed.operation.vms[0]?.steps.map(({ step, status }) => `${step} ${status}`);
    assert.deepEqual(steps, [
      "verify done",
      "shutdown done",
      "poweroff skipped",
      "delete done",
      "check done",
    ]);
    assert.equal(vmNamed(simulator, "worker01"), undefined);
    assert.equal(zvols(simulator).length, 2, "the disks stay");
    const plan = await manager.planCleaning();
    assert.ok(plan.zvols.known);
    assert.deepEqual(plan.zvols.value.map(({ name, sizeBytes, madeFor }) => [name, sizeBytes, madeFor]), [
      ["tank/vms/worker01-disk0", 20 * 1024 ** 3, null],
      ["tank/vms/worker01-disk1", 50 * 1024 ** 3, null],
    ]);
    assert.equal(plan.phrase, "destroy 2 disks");
    const one = await manager.planCleaning(["tank/vms/worker01-disk0"]);
    assert.equal(one.phrase, "destroy 1 disk");
    const stale = await manager.operations.startCleaning([], one.fingerprint);
    assert.equal(stale.started, false, "another set than the one that was shown");
    const started = await manager.operations.startCleaning(["tank/vms/worker01-disk0"], one.fingerprint);
    assert.ok(started.started);
    assert.equal((await started.operation.finished).status, "done");
    assert.deepEqual(zvols(simulator), ["tank/vms/worker01-disk0"]);
  },
);

onEach("an orphan that came into use after the list was shown is kept", async ({ simulator, manager }) => {
  await manager.createVmType(workers({ count: 1, disk: { root: 1, data: 1 } }), "worker", 5920);
  await manager.destroyManagedVms(["worker"], { keepDisks: true });
  const [taken, replaced] = ["tank/vms/worker01-disk0", "tank/vms/worker01-disk1"] as const;
  const observer = (event: OperationEvent) => {
    if (event.type !== "step" || event.step !== "verify" || event.status !== "running") return;
    if (event.vm === taken) addByHand(simulator, "thief", taken);
    else addDataset(simulator.store, { name: replaced, type: "VOLUME", volsizeBytes: 1 });
  };
  const plan = await manager.planCleaning();
  const started = await manager.operations.startCleaning([], plan.fingerprint, { observer });
  assert.ok(started.started);
  const view = await started.operation.finished;
  assert.equal(view.status, "failed");
  assert.deepEqual(view.vms.map(({ message }) => message), [
    "thief now uses the zvol. It was not changed",
    "The zvol has changed since the list was shown. It was not removed; open Orphans again",
  ]);
  assert.deepEqual(zvols(simulator), [taken, replaced]);
}, { simulator: { foreignVms: 1 } });

onEach("cancelling a removal of orphans keeps those not yet started", async ({ simulator, manager }) => {
  await manager.createVmType(workers({ count: 12, disk: { root: 1 } }), "worker", 5920);
  await manager.destroyManagedVms(["worker"], { keepDisks: true });
  const cancel = new AbortController();
  const held = Promise.withResolvers<void>();
  const matches = () => {
    cancel.abort();
    held.resolve();
    return true;
  };
  simulator.addFault({ method: "pool.dataset.delete", action: "hold", until: held.promise, matches });
  const plan = await manager.planCleaning();
  const started = await manager.operations.startCleaning([], plan.fingerprint, { signal: cancel.signal });
  assert.ok(started.started);
  const { status, vms } = await started.operation.finished;
  assert.equal(status, "cancelled");
  const kept = vms.filter(({ outcome }) => outcome === "cancelled").map(({ name }) => name);
  assert.ok(kept.length >= 2, "ten were sent at most");
  assert.deepEqual(zvols(simulator), kept);
});
