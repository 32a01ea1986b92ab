/**
 * Protects what replacing a VM keeps: its MACs, ports, description and every disk that does not differ; only the differing
 * zvols and the VM go, with what was shown. On the oldest, a middle and the newest release.
 */
import assert from "node:assert/strict";
import { MARK, ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import { addClone, addHold, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { addByHand, outcomes, vmNamed, workers } from "../../support/lab.ts";
import {
  changingCalls,
  createWorkers,
  DATA,
  everything,
  expectNotReplaced,
  identity,
  LARGE,
  onEachRelease,
  planned,
  replaceWorkers,
  ROOT,
  SMALL,
} from "../../support/vms/replacing.ts";

onEachRelease(
  "a replaced VM keeps its MACs, ports, description and the disk that does not differ",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    const before = identity(simulator, "worker02");
    const old = vmNamed(simulator, "worker02");
    const data = simulator.store.datasets.get(DATA);
    assert.ok(old !== undefined && data !== undefined);
    const other = JSON.stringify([identity(simulator, "worker01"), vmNamed(simulator, "worker01")]);

    const vm = await planned(manager);
    assert.equal(vm.action, "replace");
    assert.deepEqual(vm.replacement?.zvols.map(({ name }) => name), [ROOT]);
    assert.deepEqual(vm.replacement?.keeps.map(({ zvol }) => zvol), [DATA]);

    const result = await replaceWorkers(manager);
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 replaced"]);
    assert.equal(result.status, "done");
    const made = vmNamed(simulator, "worker02");
    assert.ok(made !== undefined);
    assert.notEqual(made.id, old.id);
    assert.notEqual(made.config.uuid, old.config.uuid);
    assert.deepEqual(identity(simulator, "worker02"), before);
    assert.equal(made.state, "RUNNING");
    assert.equal(made.config.memory, 4096, "what else differs comes with the new VM");
    assert.equal(simulator.store.datasets.get(ROOT)?.volsizeBytes, 10 * 2 ** 30);
    assert.equal(simulator.store.datasets.get(DATA), data, "the very same zvol");
    for (const zvol of [ROOT, DATA]) {
      const properties = simulator.store.datasets.get(zvol)?.userProperties;
      assert.equal(properties?.[ZVOL_PROPERTIES.vm], made.config.uuid, zvol);
    }
    assert.equal(JSON.stringify([identity(simulator, "worker01"), vmNamed(simulator, "worker01")]), other);

    const [, kept] = (await manager.planCreation(SMALL)).vms;
    assert.deepEqual([kept?.action, kept?.differences], ["keep", []], "nothing is left to do");
    const [destroyed] = (await manager.planDestruction({ prefixes: [], names: ["worker02"] })).vms;
    assert.deepEqual(destroyed?.marks, { description: true, zvols: "all", journal: true });
  },
);

onEachRelease(
  "a stopped VM that is replaced stays stopped, and nothing is left to do",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const { id, name, state } = (await manager.list()).find((vm) => vm.name === "worker02") ?? assert.fail();
    await manager.changes.act("poweroff", [{ action: "poweroff", id, name, state, overcommit: false }])
      .finished;
    const result = await replaceWorkers(manager);
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 replaced"]);
    assert.equal(vmNamed(simulator, "worker02")?.state, "STOPPED");
    assert.deepEqual([(await planned(manager)).action, (await planned(manager)).steps], ["keep", []]);
  },
);

onEachRelease(
  "a plan alone, and a creation that selects nothing, replace no VM",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const since = simulator.calls.length;
    const before = everything(simulator);
    await planned(manager);
    assert.deepEqual(outcomes(await replaceWorkers(manager, [])), ["worker01 kept", "worker02 kept"]);
    assert.deepEqual([changingCalls(simulator, since), everything(simulator)], [[], before]);
  },
);

onEachRelease(
  "snapshots of the zvol that goes are shown and go with it, those of a kept zvol stay",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    for (const zvol of [ROOT, DATA]) addSnapshot(simulator.store, `${zvol}@daily`);
    const vm = await planned(manager);
    assert.deepEqual(vm.replacement?.zvols.map(({ snapshots }) => snapshots?.map((it) => it.name)), [[
      `${ROOT}@daily`,
    ]]);
    assert.ok(vm.replacement?.steps.includes("snapshots"));
    assert.deepEqual(outcomes(await replaceWorkers(manager)), ["worker01 kept", "worker02 replaced"]);
    assert.deepEqual([...simulator.store.snapshots.keys()], [`${DATA}@daily`]);
  },
);

onEachRelease(
  "a clone or a hold of the zvol that goes prevents the replacement, with words",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    addSnapshot(simulator.store, `${ROOT}@daily`);
    addClone(simulator.store, `${ROOT}@daily`, "tank/VMs/web");
    const vm = await planned(manager);
    assert.equal(vm.action, "blocked");
    assert.match(
      vm.reasons.join(),
      /cannot be replaced: tank\/VMs\/web is a clone that depends on .*disk0; promote/,
    );
    await expectNotReplaced(simulator, manager);
    simulator.store.datasets.delete("tank/VMs/web");
    addHold(simulator.store, `${ROOT}@daily`);
    assert.match((await planned(manager)).reasons.join(), /has a hold .*; release it/);
  },
);

onEachRelease(
  "what a VM got by hand comes along, and what cannot come along prevents the replacement",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    const vm = (await manager.list()).find(({ name }) => name === "worker02") ?? assert.fail();
    const { id, name, uuid } = vm;
    const own = { id, name, uuid };
    const extra = "tank/vms/worker02-disk2";
    await manager.changes.change(own, { kind: "add-disk", zvol: extra, sizeBytes: 2 ** 30, sparse: false })
      .finished;
    await manager.changes.change(own, { kind: "add-nic", attach: "br1", mac: "02:00:00:00:00:77" }).finished;
    const before = identity(simulator, "worker02");
    const zvol = simulator.store.datasets.get(extra);
    const device = ++simulator.store.lastDeviceId;
    const attributes = { dtype: "PCI", pptdev: "pci_0000_01_00_0" };
    simulator.store.devices.set(device, { id: device, vm: vm.id, order: 1100, attributes });
    assert.match((await planned(manager)).reasons.join(), /would not have the PCI device pci_0000_01_00_0/);
    simulator.store.devices.delete(device);
    assert.deepEqual(outcomes(await replaceWorkers(manager)), ["worker01 kept", "worker02 replaced"]);
    assert.deepEqual(identity(simulator, "worker02"), before);
    assert.equal(simulator.store.datasets.get(extra), zvol);
  },
);

onEachRelease(
  "a VM with a disk of somebody else, and one that is suspended, are not replaced",
  async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    const vm = vmNamed(simulator, "worker02") ?? assert.fail();
    vm.state = "SUSPENDED";
    assert.match((await planned(manager)).reasons.join(), /it is suspended; resume it or power it off first/);
    vm.state = "RUNNING";
    const root = simulator.store.datasets.get(ROOT) ?? assert.fail();
    root.userProperties[ZVOL_PROPERTIES.vm] = crypto.randomUUID();
    const plan = await planned(manager);
    assert.equal(plan.action, "blocked");
    assert.match(plan.reasons.join(), /its disk tank\/vms\/worker02-disk0 was not created for it/);
    await expectNotReplaced(simulator, manager);
  },
);

onEachRelease(
  "a VM without this program's mark stays as it is, however it differs",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const vm = vmNamed(simulator, "worker02") ?? assert.fail();
    vm.config.description = String(vm.config.description).replace(MARK, "");
    const plan = await planned(manager);
    assert.deepEqual([plan.action, plan.replacement], ["blocked", null]);
    await expectNotReplaced(simulator, manager);
  },
);

onEachRelease(
  "a bridge that is gone prevents the replacement before anything is removed",
  async ({ manager }) => {
    await createWorkers(manager);
    const change = { count: 2, disk: { root: 10, data: 50 }, network: { lan: "br7", storage: "br1" } };
    const request = { ...SMALL, configuration: workers(change) };
    const vm = await planned(manager, request);
    assert.equal(vm.action, "blocked");
    assert.match(vm.reasons.join(), /cannot be replaced: The NAS has no bridge or interface br7/);
  },
);

onEachRelease("the memory and the space of the old VM count as free for the new one", async ({ manager }) => {
  await createWorkers(manager);
  assert.equal((await planned(manager)).action, "replace");
}, { simulator: { freeMemoryBytes: 7 * 2 ** 30, poolFreeBytes: 260 * 2 ** 30 } });

onEachRelease(
  "somebody else's VMs and zvols are not touched by replacing",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    for (const name of ["workerold", "worker02copy"]) addByHand(simulator, name);
    const before = [identity(simulator, "workerold"), identity(simulator, "worker02copy")];
    await replaceWorkers(manager);
    assert.deepEqual([identity(simulator, "workerold"), identity(simulator, "worker02copy")], before);
    assert.deepEqual(
      outcomes(await manager.create(LARGE)),
      ["worker01 kept", "worker02 kept"],
      "it grows only on request",
    );
  },
  { simulator: { foreignVms: 1 } },
);

onEachRelease(
  "a kept disk that is configured larger grows, and keeps what is on it",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const request = { ...SMALL, configuration: workers({ count: 2, disk: { root: 10, data: 60 } }) };
    const vm = await planned(manager, request);
    assert.deepEqual(vm.replacement?.resizes.map(({ what }) => what), [["disk1 50 GiB → 60 GiB"]]);
    const data = simulator.store.datasets.get(DATA);
    const reconcile = { ...NOTHING_CHANGED, replace: ["worker02"] };
    const result = await manager.create({ ...request, reconcile });
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 replaced"]);
    assert.equal(simulator.store.datasets.get(DATA), data);
    assert.equal(data?.volsizeBytes, 60 * 2 ** 30);
    assert.equal((await planned(manager, request)).action, "keep");
  },
);
