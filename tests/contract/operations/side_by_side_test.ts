/**
 * Protects operations that run at the same time: what one has for itself no other gets, the others do not wait for it, and one
 * that needs it waits and is planned again. On two releases.
 */
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import { fromFlat } from "../../../lib/configuration/flat_configuration.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { repeatedly } from "../../support/deadline.ts";
import { CONFIG, type Lab, onEach, outcomes, vmNamed, vmNames, workers, zvols } from "../../support/lab.ts";

/** Two VMs of each type. */
const TWO: FlatConfiguration = {
  ...workers({ count: 2 }),
  controlplane: { ...Object(CONFIG.controlplane), count: 2 },
};

/** Holds the calls of a method for VMs or disks of this name, until it is released. */
function hold(
  { simulator }: Lab,
  method: string,
  name: string,
): Disposable & { readonly release: () => void } {
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const matches = (params: readonly unknown[]) => JSON.stringify(params).includes(name);
  simulator.addFault({ method, action: "hold", until, times: Infinity, matches });
  return { release, [Symbol.dispose]: release };
}

/** Resolves when so many operations run. */
async function untilRunning({ manager: { operations } }: Lab, count: number): Promise<void> {
  await repeatedly(`${count} run`, () => Promise.resolve(operations.claiming.length === count || null));
}

function attributes({ store }: Simulator, keys: readonly string[]): readonly string[] {
  return [...store.devices.values()].flatMap((device) =>
    keys.flatMap((key) => key in device.attributes ? [String(device.attributes[key])] : [])
  );
}

function assertDistinct(found: readonly string[], count: number): void {
  assert.deepEqual([found.length, new Set(found).size], [count, count], found.join(", "));
}

onEach("two creations of different types run at once and end as planned", async (lab) => {
  const { simulator, manager } = lab;
  using held = hold(lab, "vm.create", "");
  // The same first port, so that only the claims keep them apart.
  const first = manager.createVmType(TWO, "controlplane", 5910);
  const second = manager.createVmType(TWO, "worker", 5910);
  await untilRunning(lab, 2);
  held.release();
  assert.deepEqual(outcomes(await first), ["controlplane01 created", "controlplane02 created"]);
  assert.deepEqual(outcomes(await second), ["worker01 created", "worker02 created"]);
  assertDistinct(attributes(simulator, ["port", "web_port"]), 8);
  assertDistinct(attributes(simulator, ["mac"]), 6);
  const { vms } = await manager.planCreation({ configuration: TWO });
  assert.deepEqual(vms.map(({ action }) => action), ["keep", "keep", "keep", "keep"]);
});

onEach("a port that the NAS refuses is not replaced by one of another operation", async (lab) => {
  const { simulator, manager } = lab;
  using held = hold(lab, "vm.create", "");
  const first = manager.createVmType(TWO, "controlplane", 5910);
  const second = manager.createVmType(TWO, "worker", 5911);
  await untilRunning(lab, 2);
  simulator.store.servicePorts.set(5910, "a service");
  simulator.store.servicePorts.set(5911, "a service");
  held.release();
  assert.deepEqual([(await first).status, (await second).status], ["done", "done"]);
  const ports = attributes(simulator, ["port", "web_port"]);
  assertDistinct(ports, 8);
  assert.ok(!ports.includes("5910") && !ports.includes("5911"));
  const refused = simulator.calls.filter(({ method, answer }) =>
    method === "vm.device.create" && JSON.stringify(answer ?? null).includes("in use")
  );
  assert.equal(refused.length, 0, "no display was refused because of the other operation");
});

onEach("a MAC address of a running creation is taken, although the NAS does not show it yet", async (lab) => {
  const { simulator, manager } = lab;
  using held = hold(lab, "vm.create", "");
  const macs = { lan: ["02:00:00:00:00:01"] };
  const first = manager.createVmType(workers({ count: 1, macs }), "worker", 5910);
  await untilRunning(lab, 1);
  const other = { ...CONFIG, web: { ...Object(CONFIG.worker), count: 1, macs } };
  const second = await manager.createVmType(other, "web", 5910);
  assert.deepEqual(outcomes(second), ["web01 failed"]);
  assert.match(second.vms[0]?.message ?? "", /02:00:00:00:00:01 already belongs to worker01/);
  held.release();
  assert.equal((await first).status, "done");
  assert.deepEqual(vmNames(simulator), ["worker01"]);
});

onEach("a creation of the same VMs waits for the first one, and is planned again", async (lab) => {
  const { simulator, manager } = lab;
  using held = hold(lab, "vm.create", "worker");
  const first = manager.createVmType(TWO, "worker", 5910);
  await untilRunning(lab, 1);
  const again = manager.create({ configuration: TWO });
  const other = { ...CONFIG, web: { ...Object(CONFIG.worker), count: 1 } };
  const web = await manager.createVmType(other, "web", 5910);
  assert.deepEqual(outcomes(web), ["web01 created"], "another one does not wait");
  assert.deepEqual(vmNames(simulator), ["web01"]);
  held.release();
  assert.equal((await first).status, "done");
  assert.deepEqual(outcomes(await again), [
    "controlplane01 created",
    "controlplane02 created",
    "worker01 kept",
    "worker02 kept",
  ]);
});

onEach("what was confirmed is refused with the VM that a running operation works on", async (lab) => {
  const { manager } = lab;
  const configuration = fromFlat(TWO);
  const plan = await manager.planCreation({ configuration: TWO });
  using held = hold(lab, "vm.start", "");
  const first = manager.createVmType(TWO, "worker", 5910);
  await untilRunning(lab, 1);
  const started = await manager.operations.startCreation({ configuration }, plan.fingerprint);
  assert.ok(!started.started);
  assert.deepEqual([started.overlap?.both, started.overlap?.title], ["worker01", "Create 2 VMs"]);
  const cleaning = await manager.planCleaning();
  const cleaned = await manager.operations.startCleaning([], cleaning.fingerprint);
  assert.ok(!cleaned.started);
  assert.deepEqual([cleaned.overlap?.both, cleaned.overlap?.title], [null, "Create 2 VMs"]);
  held.release();
  assert.equal((await first).status, "done");
});

onEach("VMs are destroyed while others are created", async (lab) => {
  const { simulator, manager } = lab;
  await manager.createVmType(TWO, "controlplane", 5910);
  using held = hold(lab, "vm.create", "worker");
  const creation = manager.createVmType(TWO, "worker", 5910);
  await untilRunning(lab, 1);
  const destroyed = await manager.destroyManagedVms(["controlplane"]);
  assert.deepEqual(outcomes(destroyed), ["controlplane01 destroyed", "controlplane02 destroyed"]);
  const all = manager.destroyManagedVms();
  held.release();
  assert.deepEqual(outcomes(await creation), ["worker01 created", "worker02 created"]);
  assert.deepEqual(outcomes(await all), ["worker01 destroyed", "worker02 destroyed"], "it waited for them");
  assert.deepEqual([vmNames(simulator), zvols(simulator)], [[], []]);
});

onEach("a rollback waits for a creation of the same VMs, and removes none of theirs", async (lab) => {
  const { simulator, manager } = lab;
  simulator.addFault({ method: "vm.start", action: "fail", times: Infinity });
  const failed = await manager.createVmType(
    workers({ count: 2, on_failure: "keep" }),
    "worker",
    5910,
  );
  assert.equal(failed.status, "failed");
  simulator.clearFaults();
  using held = hold(lab, "vm.start", "");
  const resumed = await manager.operations.resume(failed.operation.id);
  const again = manager.createVmType(TWO, "worker", 5910);
  const cleaning = await manager.planCleaning();
  assert.equal((await manager.operations.startCleaning([], cleaning.fingerprint)).started, false);
  held.release();
  assert.equal((await resumed?.finished)?.status, "done");
  assert.deepEqual(outcomes(await again), ["worker01 kept", "worker02 kept"]);
  assert.equal(await manager.operations.rollBack(failed.operation.id), null, "it was resumed");
  assert.equal(vmNames(simulator).length, 2);
});

onEach("another operation gets no memory of a VM that is restarted", async (lab) => {
  const { simulator, manager } = lab;
  const first = workers({ count: 1, memory: 4096 });
  assert.equal((await manager.createVmType(first, "worker", 5910)).status, "done");
  using held = hold(lab, "vm.update", "");
  const after = workers({
    count: 1,
    memory: 4096,
    autostart: false,
    network: { lan: "br1", storage: "br1" },
  });
  const reconcile = { change: ["worker01"], running: "restart", atATime: 1, replace: [] } as const;
  const restart = manager.create({
    configuration: after,
    types: [{ type: "worker", startPort: 5910 }],
    reconcile,
  });
  await repeatedly(
    "it is off",
    () => Promise.resolve(vmNamed(simulator, "worker01")?.state === "STOPPED" || null),
  );
  const before = simulator.calls.length;
  const other = manager.createVmType(
    { ...CONFIG, web: { ...Object(after.worker), network: { lan: "br0" } } },
    "web",
    5910,
  );
  await repeatedly("the memory is read for the other VM", () => {
    const reads = simulator.calls.slice(before).filter(({ method }) => method === "vm.get_available_memory");
    return Promise.resolve(reads.some(({ answer }) => answer !== undefined) || null);
  });
  // A start that does not wait is sent during these readings.
  for (let n = 0; n < 5; n++) await manager.list();
  held.release();
  assert.deepEqual(outcomes(await restart), ["worker01 changed"]);
  assert.deepEqual(outcomes(await other), ["web01 rolled-back"], "there is memory for one of them");
  assert.equal(vmNamed(simulator, "worker01")?.state, "RUNNING");
}, { simulator: { freeMemoryBytes: 6 * 2 ** 30 } });

onEach("a VM that an operation is working on is neither acted on nor changed by itself", async (lab) => {
  const { simulator, manager } = lab;
  await manager.createVmType(TWO, "worker", 5910);
  using held = hold(lab, "vm.delete", "");
  const destruction = manager.destroyManagedVms(["worker"]);
  await untilRunning(lab, 1);
  const { id, config: { name } } = vmNamed(simulator, "worker01") ?? assert.fail();
  const request = { action: "start", id, name, state: "STOPPED", overcommit: false } as const;
  const acted = await manager.changes.act("start", [request]).finished;
  const words = /^Another operation is working on worker01: Destroy 2 VMs and 4 disks\. Nothing was changed/;
  assert.match(acted.vms[0]?.message ?? "", words);
  assert.deepEqual([acted.status, acted.vms[0]?.steps[0]?.status], ["failed", "skipped"]);
  const change = { kind: "add-nic", attach: "br0", mac: "02:00:00:00:00:01" } as const;
  const [problem] = await manager.changes.change({ id, name, uuid: null }, change).problems;
  assert.match(problem?.message ?? "", words);
  held.release();
  assert.equal((await destruction).status, "done");
});
