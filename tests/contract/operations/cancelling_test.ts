/** Protects cancelling: nothing new starts, nothing half-made stays, and what was untouched is spared. On two releases. */
import assert from "node:assert/strict";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { CONFIG, onEach, outcomes, vmNamed, vmNames, workers, zvols } from "../../support/lab.ts";

onEach("cancelling rolls back unfinished VMs and starts nothing new", async ({ simulator, manager }) => {
  const cancel = new AbortController();
  const observer = (event: OperationEvent) => {
    if (event.type === "step" && event.vm === "worker02" && event.step === "disk0") cancel.abort();
  };
  const result = await manager.createVmType(CONFIG, "worker", 5920, { observer, signal: cancel.signal });
  assert.equal(result.status, "cancelled");
  assert.deepEqual(outcomes(result), ["worker01 created", "worker02 cancelled", "worker03 cancelled"]);
  assert.deepEqual(vmNames(simulator), ["worker01"]);
  assert.equal(zvols(simulator).length, 2);
}, { manager: { parallel: 1 } });

onEach("cancelling a destruction spares every untouched VM", async ({ simulator, manager }) => {
  const configuration = workers({ count: 12 });
  await manager.createVmType(configuration, "worker", 5920);
  const before = zvols(simulator);
  // Ten go at once: when the first is there, two were not sent.
  const held = Promise.withResolvers<void>();
  const cancel = new AbortController();
  const matches = () => {
    cancel.abort();
    held.resolve();
    return true;
  };
  simulator.addFault({ method: "vm.poweroff", action: "hold", until: held.promise, matches });
  const result = await manager.destroyManagedVms(["worker"], { signal: cancel.signal });
  assert.equal(result.status, "cancelled");
  assert.deepEqual(new Set(result.vms.map(({ outcome }) => outcome)), new Set(["cancelled"]));
  assert.match(
    result.vms[0]?.message ?? "",
    /^Cancelled; it was powered off and nothing was removed/,
  );
  assert.match(result.vms[11]?.message ?? "", /^Cancelled; nothing was changed/);
  assert.deepEqual([vmNames(simulator).length, zvols(simulator)], [12, before]);
  assert.equal([...simulator.store.vms.values()].at(-1)?.state, "RUNNING");
});

onEach("a partly removed VM is removed completely after a cancellation", async ({ simulator, manager }) => {
  await manager.createVmType(workers({ count: 12 }), "worker", 5920);
  const cancel = new AbortController();
  const observer = (event: OperationEvent) => {
    if (event.type === "step" && event.step === "check" && event.status === "running") cancel.abort();
  };
  const result = await manager.destroyManagedVms(["worker"], { observer, signal: cancel.signal });
  assert.deepEqual(
    new Set(result.vms.map(({ outcome }) => outcome)),
    new Set(["destroyed", "cancelled"]),
  );
  const spared = result.vms.filter(({ outcome }) => outcome === "cancelled").map(({ name }) => name);
  assert.deepEqual(vmNames(simulator), spared);
  assert.deepEqual(
    zvols(simulator),
    spared.flatMap((name) => [`tank/vms/${name}-disk0`, `tank/vms/${name}-disk1`]),
  );
});

onEach(
  "a cancelled destruction reports a VM as powered off only if it is",
  async ({ simulator, manager }) => {
    await manager.createVmType(CONFIG, "controlplane", 5910);
    // The guest ignores the shutdown request, and the user cancels.
    simulator.addFault({ method: "vm.stop", action: "answer", result: 1 });
    simulator.addFault({
      method: "core.get_jobs",
      action: "answer",
      result: [{ id: 1, state: "SUCCESS" }],
    });
    const cancel = new AbortController();
    const observer = (event: OperationEvent) => {
      if (event.type === "step" && event.step === "shutdown" && event.status === "done") cancel.abort();
    };
    const options = { observer, signal: cancel.signal, shutdown: true };
    const result = await manager.destroyManagedVms(["controlplane"], options);
    assert.deepEqual(result.vms.map(({ message }) => message), [
      "Cancelled; nothing was changed",
    ]);
    assert.equal([...simulator.store.vms.values()].at(-1)?.state, "RUNNING");
  },
);

onEach("a cancelled creation that was kept can be resumed", async ({ simulator, manager }) => {
  const cancel = new AbortController();
  const result = await manager.createVmType(workers({ count: 2 }), "worker", 5920, {
    signal: cancel.signal,
    observer: (event) => {
      if (event.type === "step" && event.step === "disk0" && event.status === "done") {
        cancel.abort("keep");
      }
    },
  });
  assert.equal(result.status, "cancelled");
  assert.deepEqual(outcomes(result), ["worker01 cancelled-kept", "worker02 cancelled"]);
  const made = ["tank/vms/worker01-disk0", "tank/vms/worker01-disk1"];
  assert.deepEqual(zvols(simulator), made, "zvols are made ahead of their devices");
  for (const zvol of made) assert.match(result.vms[0]?.message ?? "", new RegExp(zvol));
  const resumed = await (await manager.operations.resume(result.operation.id))?.finished;
  assert.equal(resumed?.status, "done");
  assert.equal(zvols(simulator).length, 4);
  assert.ok(["worker01", "worker02"].every((name) => vmNamed(simulator, name)?.state === "RUNNING"));
}, { manager: { parallel: 1 } });
