/**
 * Protects resources created elsewhere, and the user's choices: marks on VMs and zvols, sparse zvols, fixed MACs,
 * overrides, failures, cancelling, kept disks and orphans. On two releases.
 */
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { isMarked, markedDescription, ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import type { ActionRequest } from "../../../lib/operations/steps/act_on_vm.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import type { RunResult } from "../../../lib/operations/summary.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "../../support/dashboard.ts";
import { openSession } from "../../support/session.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const CONFIG: FlatConfiguration = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

interface Lab {
  readonly simulator: Simulator;
  readonly manager: VMManager;
}

interface LabOptions {
  readonly simulator?: SimulatorOptions;
  readonly manager?: Partial<VMManagerOptions>;
}

async function withLab(options: LabOptions, test: (lab: Lab) => Promise<void>): Promise<void> {
  await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 1, ...options.simulator });
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  await using manager = new VMManager({
    host: simulator.url,
    ...account,
    settle: TEST_SETTLE,
    backoffMs: [10],
    ...options.manager,
  });
  await manager.connect();
  await test({ simulator, manager });
}

function onEach(name: string, test: (version: SimulatedVersion) => Promise<void>): void {
  for (const version of ["25.10", "27.0"] as const) Deno.test(`${name} (${version})`, () => test(version));
}

function workers(change: Partial<VmTypeSection>): FlatConfiguration {
  const { worker } = CONFIG;
  assert.ok(worker !== undefined && "count" in worker);
  return { ...CONFIG, worker: { ...worker, ...change } };
}

function outcomes({ vms }: RunResult): string[] {
  return vms.map(({ name, outcome }) => `${name} ${outcome}`);
}

function vmNamed({ store }: Simulator, name: string) {
  return [...store.vms.values()].find(({ config }) => config.name === name);
}

function zvols({ store }: Simulator): string[] {
  return [...store.datasets.keys()].filter((name) => name.startsWith("tank/vms/")).toSorted();
}

function action(action: "start" | "stop", name: string, id = 0): ActionRequest {
  return { action, name, id, state: action === "start" ? "STOPPED" : "RUNNING", overcommit: false };
}

/** A VM that somebody made by hand, with a disk. */
function addByHand({ store }: Simulator, name: string, zvol = `tank/VMs/${name}`): void {
  const [any] = store.vms.values();
  assert.ok(any !== undefined);
  const id = ++store.lastVmId;
  const config = { ...any.config, name, description: "by hand", uuid: crypto.randomUUID() };
  store.vms.set(id, { id, config, state: "RUNNING", everStarted: true });
  addDataset(store, { name: zvol, type: "VOLUME", volsizeBytes: 1 });
  const deviceId = ++store.lastDeviceId;
  const attributes = { dtype: "DISK", path: `/dev/zvol/${zvol}`, type: "VIRTIO" };
  store.devices.set(deviceId, { id: deviceId, vm: id, order: 1001, attributes });
}

onEach(
  "VMs and zvols created elsewhere survive creation, failure, rollback and destruction",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      for (const name of ["workerold", "workers", "worker01"]) addByHand(simulator, name);
      addDataset(simulator.store, { name: "tank/vms/worker02-disk0", type: "VOLUME", volsizeBytes: 7 });
      const before = JSON.stringify([[...simulator.store.vms], [...simulator.store.devices]]);
      const data = JSON.stringify(simulator.store.datasets.get("tank/vms/worker02-disk0"));
      simulator.addFault({
        method: "vm.start",
        action: "fail",
        matches: ([id]) => simulator.store.vms.get(Number(id))?.config.name === "worker03",
      });
      const failed = await manager.createVmType(workers({ count: 4 }), "worker", 5920);
      assert.deepEqual(outcomes(failed), [
        "worker01 failed",
        "worker02 failed",
        "worker03 rolled-back",
        "worker04 created",
      ]);
      assert.match(
        failed.vms[1]?.message ?? "",
        /zvol tank\/vms\/worker02-disk0 already exists: it may contain data/,
      );
      const undone = await (await manager.operations.rollBack(failed.operation.id))?.finished;
      assert.equal(undone?.status, "done", "worker04 goes as well, for the whole was rolled back");
      await manager.createVmType(workers({ count: 4 }), "worker", 5920);
      const destroyed = await manager.destroyManagedVms(["worker"]);
      assert.deepEqual(outcomes(destroyed), ["worker03 destroyed", "worker04 destroyed"]);
      assert.equal(JSON.stringify([[...simulator.store.vms], [...simulator.store.devices]]), before);
      assert.equal(JSON.stringify(simulator.store.datasets.get("tank/vms/worker02-disk0")), data);
      assert.deepEqual(zvols(simulator), ["tank/vms/worker02-disk0"]);
    }),
);

onEach(
  "created VMs are marked in their description, and their zvols name them",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const result = await manager.createVmType(workers({ count: 1 }), "worker", 5920);
      const vm = vmNamed(simulator, "worker01");
      assert.ok(isMarked(String(vm?.config.description)));
      for (const zvol of zvols(simulator)) {
        assert.deepEqual(simulator.store.datasets.get(zvol)?.userProperties, {
          [ZVOL_PROPERTIES.vm]: vm?.config.uuid,
          [ZVOL_PROPERTIES.operation]: result.operation.id,
        });
      }
      const [planned] = (await manager.planDestruction({ prefixes: ["worker"] })).vms;
      assert.deepEqual(planned?.marks, { description: true, zvols: "all", journal: true });
    }),
);

onEach(
  "a clone of our VM, and a VM with a foreign disk, are spared until they are named",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 2 }), "worker", 5920);
      addByHand(simulator, "worker09");
      const clone = vmNamed(simulator, "worker09");
      assert.ok(clone);
      clone.config.description = markedDescription("a clone");
      const own = vmNamed(simulator, "worker02");
      addDataset(simulator.store, { name: "tank/vms/data", type: "VOLUME", volsizeBytes: 1 });
      const id = ++simulator.store.lastDeviceId;
      const attributes = { dtype: "DISK", path: "/dev/zvol/tank/vms/data" };
      simulator.store.devices.set(id, { id, vm: own?.id ?? 0, order: 1100, attributes });
      const plan = await manager.planDestruction({ prefixes: ["worker"] });
      assert.deepEqual(plan.vms.map(({ name }) => name), ["worker01"]);
      assert.deepEqual(plan.spared.map(({ name, because }) => [name, because]), [
        ["worker02", "its disk tank/vms/data was not created for it"],
        ["worker09", "its disk tank/VMs/worker09 was not created for it"],
      ]);
      const named = await manager.planDestruction({ prefixes: ["worker"], unmarked: ["worker09"] });
      assert.deepEqual(named.vms.map(({ name, marked }) => [name, marked]), [["worker01", true], [
        "worker09",
        false,
      ]]);
    }),
);

onEach(
  "sparse zvols, fixed MACs and overrides are as the configuration says",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
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
      const differs = thick.vms.filter(({ action }) => action === "differs");
      assert.deepEqual(differs[0]?.differences[0], { field: "disk0", wanted: "thick", found: "sparse" });
    }),
);

onEach(
  "a derived MAC stays the same when a VM is created again",
  (version) =>
    withLab({ simulator: { version } }, async ({ manager }) => {
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
    }),
);

onEach(
  "on_failure keep leaves the unfinished VM, to be resumed or rolled back",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
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
    }),
);

onEach(
  "on_failure stop rolls the VM back and starts no other",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
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
    }),
);

onEach(
  "a cancelled creation that was kept can be resumed",
  (version) =>
    withLab({ simulator: { version }, manager: { parallel: 1 } }, async ({ simulator, manager }) => {
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
    }),
);

onEach(
  "kept disks become orphans with their sizes, and a confirmed plan removes them",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
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
      assert.equal(plan.phrase, "destroy 2 zvols");
      const one = await manager.planCleaning(["tank/vms/worker01-disk0"]);
      assert.equal(one.phrase, "destroy 1 zvol");
      const stale = await manager.operations.startCleaning([], one.fingerprint);
      assert.equal(stale.started, false, "another set than the one that was shown");
      const started = await manager.operations.startCleaning(["tank/vms/worker01-disk0"], one.fingerprint);
      assert.ok(started.started);
      assert.equal((await started.operation.finished).status, "done");
      assert.deepEqual(zvols(simulator), ["tank/vms/worker01-disk0"]);
    }),
);

onEach(
  "an orphan that came into use after the list was shown is kept",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 1, disk: { root: 1 } }), "worker", 5920);
      await manager.destroyManagedVms(["worker"], { keepDisks: true });
      simulator.addFault({
        method: "pool.dataset.query",
        moment: "before",
        action: "fail",
        matches: (params) => {
          if (!JSON.stringify(params).includes("worker01-disk0")) return false;
          if (vmNamed(simulator, "thief") === undefined) {
            addByHand(simulator, "thief", "tank/vms/worker01-disk0");
          }
          return false;
        },
      });
      const plan = await manager.planCleaning();
      const started = await manager.operations.startCleaning([], plan.fingerprint);
      assert.ok(started.started);
      const view = await started.operation.finished;
      assert.equal(view.status, "failed");
      assert.match(
        view.vms[0]?.message ?? "",
        /The zvol has changed since the list was shown/,
      );
      assert.deepEqual(zvols(simulator), ["tank/vms/worker01-disk0"]);
    }),
);

onEach(
  "cancelling a removal of orphans keeps those not yet started",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
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
    }),
);

onEach(
  "a resumed destruction spares a disk that another VM now uses, and its VM",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 2, disk: { root: 1, data: 1 } }), "worker", 5920);
      const before = zvols(simulator);
      const cancel = new AbortController();
      const observer = (event: OperationEvent) => {
        if (event.type === "step" && event.step === "poweroff" && event.status === "running") cancel.abort();
      };
      const options = { observer, signal: cancel.signal };
      const cancelled = await manager.destroyManagedVms(["worker"], options);
      assert.deepEqual(outcomes(cancelled), ["worker01 cancelled", "worker02 cancelled"]);
      // A person takes worker01's second disk for another VM.
      const { store } = simulator;
      for (const [id, { attributes }] of store.devices) {
        if (attributes.path === "/dev/zvol/tank/vms/worker01-disk1") store.devices.delete(id);
      }
      addByHand(simulator, "precious", "tank/vms/worker01-disk1");
      const resumed = await (await manager.operations.resume(cancelled.operation.id))?.finished;
      assert.equal(resumed?.status, "partly-done");
      assert.match(
        resumed?.vms[0]?.message ?? "",
        /precious now uses a disk of worker01. Neither was changed/,
      );
      assert.equal(resumed?.vms[1]?.outcome, "destroyed");
      assert.deepEqual(zvols(simulator), before.filter((name) => name.includes("worker01")));
      assert.notEqual(vmNamed(simulator, "worker01"), undefined);
    }),
);

onEach(
  "an account without DATASET_WRITE creates thick zvols with their device, and no sparse ones",
  (version) => {
    const roles = ["VM_READ", "VM_WRITE", "VM_DEVICE_READ", "VM_DEVICE_WRITE", "DATASET_READ"];
    const accounts = [{ username: "vms", password: "vms-pw", roles }];
    return withLab({
      simulator: { version, accounts },
      manager: { username: "vms", password: "vms-pw" },
    }, async ({ simulator, manager }) => {
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
    });
  },
);

onEach(
  "a VM that never started is started by the next plan; one that somebody stopped stays stopped",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 1, start: false }), "worker", 5920);
      const plan = await manager.planCreation({ configuration: workers({ count: 1 }) });
      const [vm] = plan.vms.filter(({ type }) => type === "worker");
      assert.deepEqual([vm?.action, vm?.reasons, vm?.steps], ["complete", ["it has never been started"], [
        "start",
      ]]);
      await manager.createVmType(workers({ count: 1 }), "worker", 5920);
      const made = vmNamed(simulator, "worker01");
      assert.ok(made?.state === "RUNNING");
      made.state = "STOPPED";
      assert.deepEqual(outcomes(await manager.createVmType(workers({ count: 1 }), "worker", 5920)), [
        "worker01 kept",
      ]);
    }),
);

async function rename(simulator: Simulator, from: string, to: string): Promise<void> {
  const vm = vmNamed(simulator, from);
  assert.ok(vm !== undefined && vm.state !== "SUSPENDED");
  const somebody = await openSession(simulator.url);
  if (vm.state === "RUNNING") await somebody.call("vm.poweroff", [vm.id]);
  // Up to 25.10 an error follows where it never started, although it is done.
  await somebody.call("vm.update", [vm.id, { name: to }]).catch(() => {});
  await somebody.close();
  assert.equal(vm.config.name, to, "the premise");
}

onEach(
  "zvols of a VM renamed in TrueNAS are not orphans, and a plan names their VM (fault 5)",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 2 }), "worker", 5920);
      await rename(simulator, "worker01", "web");
      assert.deepEqual((await manager.planCleaning()).zvols, { known: true, value: [] });
      const { vms } = await manager.planCreation({ configuration: workers({ count: 2 }) });
      const [blocked, kept] = vms.filter(({ type }) => type === "worker");
      assert.deepEqual([blocked?.action, kept?.action], ["blocked", "keep"]);
      assert.match(
        blocked?.reasons[0] ?? "",
        /tank\/vms\/worker01-disk0 already exists: it is a disk of the VM web, which was renamed; rename web back/,
      );
      const destroyed = await manager.destroyManagedVms(["worker"]);
      assert.deepEqual(outcomes(destroyed), ["worker02 destroyed"]);
      assert.deepEqual(zvols(simulator), ["tank/vms/worker01-disk0", "tank/vms/worker01-disk1"]);
      const web = await manager.planDestruction({ prefixes: [], names: ["web"] });
      assert.deepEqual(web.vms[0]?.zvols.map(({ name }) => name), zvols(simulator), "they go with it");
    }),
);

onEach(
  "a VM renamed to a planned name keeps its disks and gets no others (fault 5)",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 2, start: false }), "worker", 5920);
      await manager.destroyManagedVms([], { names: ["worker01"] });
      await rename(simulator, "worker02", "worker01");
      const before = zvols(simulator);
      const result = await manager.createVmType(workers({ count: 1, start: false }), "worker", 5920);
      assert.deepEqual(outcomes(result), ["worker01 kept"]);
      assert.deepEqual(zvols(simulator), before);
    }),
);

onEach(
  "resources added to a VM are rolled back even after the VM was renamed (fault 5)",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const { store } = simulator;
      await manager.createVmType(workers({ count: 1, start: false }), "worker", 5920);
      const zvol = "tank/vms/worker01-disk1";
      const disk = [...store.devices.values()].find(({ attributes }) =>
        attributes.path === `/dev/zvol/${zvol}`
      );
      assert.ok(disk !== undefined && store.devices.delete(disk.id) && store.datasets.delete(zvol));
      simulator.addFault({ method: "vm.start", action: "fail" });
      const left = await manager.createVmType(workers({ count: 1, on_failure: "keep" }), "worker", 5920);
      assert.deepEqual([outcomes(left), zvols(simulator).length], [["worker01 left-behind"], 2]);
      await rename(simulator, "worker01", "web");
      const undone = await (await manager.operations.rollBack(left.operation.id))?.finished;
      assert.equal(undone?.status, "done", JSON.stringify(undone?.vms));
      assert.deepEqual(zvols(simulator), ["tank/vms/worker01-disk0"]);
      const disks = [...store.devices.values()].filter(({ vm, attributes }) =>
        vm === vmNamed(simulator, "web")?.id && attributes.dtype === "DISK"
      );
      assert.equal(disks.length, 1, "no disk of it is without its zvol");
    }),
);

for (const version of ["25.10", "26.0", "27.0"] as const) {
  Deno.test(`create does not start a VM that has run before, whoever started and stopped it (${version}) (fault 39)`, () =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const configuration = workers({ count: 3 });
      await manager.createVmType(workers({ count: 3, start: false }), "worker", 5920);
      const ids = ["worker01", "worker02", "worker03"].map((name) => vmNamed(simulator, name)?.id ?? 0);
      await manager.changes.act("start", [action("start", "worker01", ids[0])]).finished;
      await manager.changes.act("stop", [action("stop", "worker01", ids[0])]).finished;
      const somebody = await openSession(simulator.url);
      await somebody.call("vm.start", [ids[1] ?? 0]);
      await somebody.call("vm.poweroff", [ids[1] ?? 0]);
      await somebody.close();
      const states = () => ids.map((id) => simulator.store.vms.get(id)?.state);
      assert.deepEqual(states(), ["STOPPED", "STOPPED", "STOPPED"], "the premise: all are stopped");
      const { vms } = await manager.planCreation({ configuration });
      assert.deepEqual(
        vms.filter(({ type }) => type === "worker").map(({ action, steps }) => [action, steps]),
        [["keep", []], ["keep", []], ["complete", ["start"]]],
      );
      await manager.createVmType(configuration, "worker", 5920);
      assert.deepEqual(states(), ["STOPPED", "STOPPED", "RUNNING"]);
    }));

  Deno.test(`a VM without a record of having run stays stopped (${version}) (fault 39)`, () =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers({ count: 2, start: false }), "worker", 5920);
      const lacking = vmNamed(simulator, "worker02");
      const nic = [...simulator.store.devices.values()].findLast(({ vm, attributes }) =>
        vm === lacking?.id && attributes.dtype === "NIC"
      );
      assert.ok(nic !== undefined && simulator.store.devices.delete(nic.id));
      await using another = new VMManager({
        host: simulator.url,
        ...{ username: "admin", password: "truenas", vncPassword: "pw", settle: TEST_SETTLE },
      });
      await another.connect();
      const result = await another.createVmType(workers({ count: 2 }), "worker", 5920);
      assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 created"]);
      const states = ["worker01", "worker02"].map((name) => vmNamed(simulator, name)?.state);
      assert.deepEqual(states, ["STOPPED", "STOPPED"]);
    }));
}

onEach(
  "VMs of a type stay within its limit on parallel work",
  (version) =>
    withLab({ simulator: { version } }, async ({ manager }) => {
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
    }),
);
