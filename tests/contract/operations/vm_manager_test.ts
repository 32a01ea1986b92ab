/**
 * Protects the library's promises on two simulated releases, over real sockets: groups are created once, a failure
 * affects only its VM and is undone, resources created elsewhere are not touched, and invalid input sends nothing.
 */
import assert from "node:assert/strict";
import { ConfigurationError, TrueNASError } from "../../../lib/errors/errors.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { CONFIG, credentials, onEach, outcomes, vmNames, withLab, zvols } from "../../support/lab.ts";

onEach(
  "createVmType() creates every VM of a type, running with its devices",
  async ({ simulator, manager }) => {
    const events: OperationEvent[] = [];
    const result = await manager.createVmType(CONFIG, "worker", 5920, {
      observer: (event) => events.push(event),
    });
    assert.equal(result.status, "done");
    assert.deepEqual(outcomes(result), ["worker01 created", "worker02 created", "worker03 created"]);
    const vms = await manager.list();
    assert.deepEqual(vms.map(({ state }) => state), ["RUNNING", "RUNNING", "RUNNING"]);
    assert.deepEqual(vms.map(({ displays }) => displays[0]?.port), [5920, 5921, 5922]);
    assert.equal(new Set(vms.flatMap(({ nics }) => nics.map(({ mac }) => mac))).size, 6);
    for (const { disks, cdroms } of vms) {
      const [root] = disks;
      const [cdrom] = cdroms;
      assert.ok(root !== undefined && cdrom !== undefined);
      assert.ok(root.order < cdrom.order, "the disk boots before the CD-ROM");
    }
    assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index + 1));
    const of = (status: string) =>
      events.filter((event) => event.type === "step" && event.status === status).length;
    assert.equal(of("running"), of("done"));
    assert.equal(simulator.connections, 1);
  },
);

onEach(
  "a second createVmType() changes nothing, and a higher count creates only the new VMs",
  async ({ simulator, manager }) => {
    await manager.createVmType(CONFIG, "worker", 5920);
    const calls = simulator.calls.length;
    const again = await manager.createVmType(CONFIG, "worker", 5920);
    assert.deepEqual(outcomes(again), ["worker01 kept", "worker02 kept", "worker03 kept"]);
    assert.ok(simulator.calls.slice(calls).every(({ method }) => !/create|start|delete/.test(method)));
    const worker = CONFIG.worker;
    assert.ok(worker !== undefined && "count" in worker);
    const more = await manager.createVmType({ ...CONFIG, worker: { ...worker, count: 5 } }, "worker", 5920);
    assert.deepEqual(outcomes(more).slice(3), ["worker04 created", "worker05 created"]);
    assert.deepEqual(vmNames(simulator), ["worker01", "worker02", "worker03", "worker04", "worker05"]);
  },
);

onEach("two simultaneous runs are serialised, and ports never collide", async ({ manager }) => {
  const results = await Promise.all([
    manager.createVmType(CONFIG, "controlplane", 5920),
    manager.createVmType(CONFIG, "worker", 5920),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["done", "done"]);
  const ports = (await manager.list()).flatMap(({ displays }) =>
    displays.flatMap(({ port, webPort }) => [port, webPort])
  );
  assert.equal(new Set(ports).size, 8);
});

onEach("an existing zvol blocks only its VM and keeps its data", async ({ simulator, manager }) => {
  const existing = "tank/vms/worker02-disk0";
  addDataset(simulator.store, {
    name: existing,
    type: "VOLUME",
    volsizeBytes: 1024 ** 3,
    sparse: false,
    userProperties: {},
    createdAt: 0,
  });
  const result = await manager.createVmType(CONFIG, "worker", 5920);
  assert.equal(result.status, "partly-done");
  assert.deepEqual(outcomes(result), ["worker01 created", "worker02 failed", "worker03 created"]);
  assert.match(result.vms[1]?.message ?? "", /already exists/);
  await manager.destroyManagedVms();
  assert.deepEqual(zvols(simulator), [existing]);
});

const NO_MEMORY = { errno: 12, errname: "ENOMEM", reason: "[ENOMEM] Cannot guarantee memory for guest" };

for (
  const [method, step, error] of [
    ["vm.start", "start", NO_MEMORY],
    ["pool.dataset.create", "disk0", { errno: 16, errname: "EBUSY", reason: "[EBUSY] pool is busy" }],
  ] as const
) {
  onEach(
    `a refusal of ${method} that passes by itself is repeated, and told`,
    async ({ simulator, manager }) => {
      simulator.addFault({ method, times: 2, action: "fail", error });
      const { status, operation } = await manager.createVmType(CONFIG, "controlplane", 5910);
      assert.equal(status, "done");
      const healed = operation.vms.flatMap(({ steps }) => steps).find((it) => it.step === step);
      assert.equal(healed?.healed, 2);
      assert.match(healed?.healing ?? "", /it was sent again$/);
    },
  );
}

onEach(
  "a VM that does not fit in memory is removed, and the others continue",
  async ({ simulator, manager }) => {
    let refused: unknown = null;
    simulator.addFault({
      method: "vm.start",
      times: Infinity,
      matches: ([id]) => (refused ??= id) === id,
      action: "fail",
      error: NO_MEMORY,
    });
    const result = await manager.createVmType(CONFIG, "worker", 5920);
    assert.equal(result.vms.filter(({ outcome }) => outcome === "created").length, 2);
    assert.equal(result.vms.filter(({ outcome }) => outcome === "rolled-back").length, 1);
    assert.equal(vmNames(simulator).length, 2);
    assert.equal(zvols(simulator).length, 4);
  },
);

onEach(
  "destroyManagedVms() destroys VMs named prefix and number, and nothing else",
  async ({ simulator, manager }) => {
    const everything = () => [vmNames(simulator), [...simulator.store.datasets.keys()].toSorted()];
    const before = everything();
    assert.ok(before[0]?.includes("workerold"), "there is a VM that only looks like ours");
    await manager.createVmType(CONFIG, "worker", 5920);
    await manager.createVmType(CONFIG, "controlplane", 5910);
    const result = await manager.destroyManagedVms();
    assert.equal(result.status, "done");
    assert.equal(result.vms.length, 4);
    assert.deepEqual(everything(), before);
    assert.deepEqual((await manager.destroyManagedVms()).vms, []);
  },
  { simulator: { foreignVms: 5 } },
);

onEach("destroyManagedVms() names whatever it could not remove", async ({ simulator, manager }) => {
  await manager.createVmType(CONFIG, "controlplane", 5910);
  const error = { errno: 16, errname: "EBUSY", reason: "[EBUSY] dataset is busy" };
  simulator.addFault({ method: "vm.delete", times: Infinity, action: "fail", error });
  const result = await manager.destroyManagedVms(["controlplane"]);
  assert.equal(result.status, "failed");
  assert.match(result.vms[0]?.message ?? "", /dataset is busy/);
  assert.deepEqual(vmNames(simulator), ["controlplane01"]);
});

onEach("a VM is checked again when its turn comes", async ({ simulator, manager }) => {
  await manager.createVmType(CONFIG, "worker", 5920);
  const observer = (event: OperationEvent) => {
    if (event.type !== "step" || event.vm !== "worker01" || event.step !== "poweroff") return;
    for (const vm of simulator.store.vms.values()) {
      if (vm.config.name === "worker02") vm.config.name = "precious";
    }
  };
  const result = await manager.destroyManagedVms(["worker"], { observer });
  assert.deepEqual(outcomes(result), ["worker01 destroyed", "worker02 failed", "worker03 destroyed"]);
  assert.match(result.vms[1]?.message ?? "", /has changed since the list was shown \(now precious/);
  assert.deepEqual(vmNames(simulator), ["precious"]);
}, { manager: { parallel: 1 } });

onEach("VMs are checked again if reading them for the plan took too long", async ({ simulator, manager }) => {
  await manager.createVmType(CONFIG, "controlplane", 5910);
  let readings = 0;
  const clock = () => {
    if (readings++ === 0) return 0;
    // A second later, when the VMs have been read, another one has the name.
    for (const vm of simulator.store.vms.values()) vm.config.name = "precious";
    return 1_050;
  };
  await using slow = new VMManager({ ...credentials(simulator), clock });
  await slow.connect();
  const result = await slow.destroyManagedVms(["controlplane"]);
  assert.match(result.vms[0]?.message ?? "", /has changed since the list was shown \(now precious/);
  assert.deepEqual(vmNames(simulator), ["precious"]);
});

Deno.test("invalid input is rejected before anything is sent", () =>
  withLab({}, async ({ simulator, manager }) => {
    const sent = simulator.calls.length;
    const { storage: _storage, ...withoutStorage } = CONFIG;
    const wrong: readonly (readonly [unknown, string, number, RegExp])[] = [
      [CONFIG, "gpu", 5930, /There is no VM type "gpu"/],
      [withoutStorage, "worker", 5920, /storage section is missing/],
      [{ ...CONFIG, worker: { ...CONFIG.worker, memory: "2048" } }, "worker", 5920, /whole number/],
      [null, "worker", 5920, /sections/],
      [CONFIG, "worker", 0, /display port/],
      [CONFIG, "worker", 5899, /display port must be a whole number from 5900 to 65535, found 5899/],
    ];
    for (const [config, type, port, message] of wrong) {
      await assert.rejects(manager.createVmType(config, type, port), (error) => {
        assert.ok(error instanceof ConfigurationError && error instanceof TrueNASError);
        assert.match(error.message, message);
        return true;
      });
    }
    assert.equal(simulator.calls.length, sent);
  }));
