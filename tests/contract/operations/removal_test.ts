/**
 * Protects data from a destruction: zvols are removed one by one and never recursively, only after the snapshots that
 * were shown, and nothing that others depend on is removed. The simulated NAS destroys what each release really
 * destroys, over real sockets.
 */
import assert from "node:assert/strict";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { addClone, addHold, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_SETTLE, TEST_TIMES } from "../../support/pages/dashboard.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const VERSIONS: readonly SimulatedVersion[] = ["24.10", "25.04.2", "25.10", "26.0", "27.0"];

const CONFIG = parseConfiguration(
  `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
controlplane: { count: 0, memory: 64, cpu: 1 }
worker: { count: 2, memory: 64, cpu: 1, disk: { root: 1, data: 1 }, network: { lan: br0 } }
`,
  "config.yaml",
).configuration;

interface Lab {
  readonly simulator: Simulator;
  readonly manager: VMManager;
}

const ACCOUNT = { username: "lab", password: "lab-pw" };

interface LabOptions extends Partial<VMManagerOptions> {
  readonly roles?: readonly string[];
}

/** A NAS with worker01 and worker02, and a manager whose account has these roles. */
async function withWorkers(
  version: SimulatedVersion,
  test: (lab: Lab) => Promise<void>,
  { roles = ["FULL_ADMIN"], ...options }: LabOptions = {},
): Promise<void> {
  await using simulator = await startSimulator({
    version,
    times: TEST_TIMES,
    accounts: [{ ...ACCOUNT, roles }],
  });
  const common = { host: simulator.url, vncPassword: "display-secret", settle: TEST_SETTLE, backoffMs: [20] };
  await using maker = new VMManager({ ...common, username: "admin", password: "truenas" });
  await maker.connect();
  assert.equal((await maker.createVmType(CONFIG, "worker", 5920)).status, "done");
  await using manager = new VMManager({ ...common, ...ACCOUNT, connectionWaitMs: 200, ...options });
  await manager.connect();
  await test({ simulator, manager });
  for (const { method, params: [, sent] } of simulator.calls) {
    const { recursive, zvols } = Object(sent);
    assert.ok(recursive !== true && zvols !== true, `${method} is never recursive`);
  }
}

function onEach(name: string, test: (version: SimulatedVersion) => Promise<void>): void {
  for (const version of VERSIONS) Deno.test(`${name} (${version})`, () => test(version));
}

function vms({ store }: Simulator): string[] {
  return [...store.vms.values()].map(({ config, state }) => `${config.name} ${state}`);
}

function zvols({ store }: Simulator): string[] {
  return [...store.datasets.keys()].filter((name) => name.startsWith("tank/vms/")).toSorted();
}

const [DISK, DATA] = ["tank/vms/worker02-disk0", "tank/vms/worker02-disk1"] as const;

onEach(
  "a zvol with a clone is kept with its VM, and the others are removed (fault 40)",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      addSnapshot(simulator.store, `${DISK}@web1`);
      addClone(simulator.store, `${DISK}@web1`, "tank/vms/web1-disk0");
      const plan = await manager.planDestruction({ prefixes: ["worker"] });
      const [, blocked] = plan.vms;
      assert.match(
        blocked?.blocked.join() ?? "",
        /web1-disk0 is a clone that depends on .*worker02-disk0.*promote the clone/,
      );
      assert.deepEqual([plan.phrase, plan.totals.vms, plan.totals.zvols], ["destroy 1 vm", 1, 2]);
      const result = await manager.destroyManagedVms(["worker"]);
      assert.equal(result.status, "partly-done");
      assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["destroyed", "failed"]);
      assert.match(
        result.vms[1]?.message ?? "",
        /^Not destroyed: .*web1-disk0 is a clone/,
      );
      assert.deepEqual(vms(simulator), ["worker02 RUNNING"]);
      assert.deepEqual(zvols(simulator), ["tank/vms/web1-disk0", DISK, DATA].toSorted());
    }),
);

onEach(
  "listed snapshots are removed one by one before their zvol (fault 2)",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      for (const name of ["daily", "weekly"]) addSnapshot(simulator.store, `${DISK}@${name}`);
      const plan = await manager.planDestruction({ prefixes: ["worker"] });
      assert.equal(plan.totals.snapshots, 2);
      const shown = plan.vms[1]?.zvols.flatMap(({ snapshots }) => snapshots ?? []).map(({ name }) => name);
      assert.deepEqual(shown, [`${DISK}@daily`, `${DISK}@weekly`]);
      const before = simulator.calls.length;
      const result = await manager.destroyPlanned(plan);
      assert.equal(result.status, "done", JSON.stringify(result.vms));
      assert.deepEqual([vms(simulator), zvols(simulator), simulator.store.snapshots.size], [[], [], 0]);
      const namespace = ["24.10", "25.04.2"].includes(version) ? "zfs.snapshot" : "pool.snapshot";
      const deleted = simulator.calls.slice(before).filter(({ method }) => method === `${namespace}.delete`);
      assert.deepEqual(deleted.map(({ params }) => params), [
        [`${DISK}@daily`, { defer: false, recursive: false }],
        [`${DISK}@weekly`, { defer: false, recursive: false }],
      ]);
    }),
);

onEach(
  "a held snapshot blocks its VM, with a remedy (fault 2)",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      addSnapshot(simulator.store, `${DISK}@keep`);
      addHold(simulator.store, `${DISK}@keep`);
      const result = await manager.destroyManagedVms(["worker"]);
      assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["destroyed", "failed"]);
      assert.match(
        result.vms[1]?.message ?? "",
        /snapshot .*@keep has a hold \(truenas\); release it in TrueNAS/,
      );
      assert.deepEqual(vms(simulator), ["worker02 RUNNING"]);
      assert.ok(simulator.store.snapshots.has(`${DISK}@keep`));
    }),
);

onEach(
  "a snapshot that appeared after the list was shown is not deleted (fault 2)",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      const plan = await manager.planDestruction({ prefixes: ["worker"] });
      addSnapshot(simulator.store, `${DISK}@late`);
      const result = await manager.destroyPlanned(plan);
      assert.match(
        result.vms[1]?.message ?? "",
        /@late appeared after the list was shown.*worker02 was not changed/,
      );
      assert.deepEqual(vms(simulator), ["worker02 RUNNING"]);
      assert.ok(simulator.store.snapshots.has(`${DISK}@late`));
    }),
);

onEach(
  "a snapshot that appears while a VM is destroyed is not deleted (fault 2)",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      simulator.addFault({
        method: "vm.poweroff",
        matches: () => {
          if (!simulator.store.snapshots.has(`${DATA}@late`)) addSnapshot(simulator.store, `${DATA}@late`);
          return false;
        },
        action: "fail",
      });
      const result = await manager.destroyManagedVms(["worker"]);
      assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["destroyed", "failed"]);
      const { message } = result.vms[1] ?? {};
      assert.match(message ?? "", /The zvol .*worker02-disk1 was not removed: The snapshot .*@late appeared/);
      assert.match(message ?? "", /Left on the NAS: the VM \(stopped\), tank\/vms\/worker02-disk1$/);
      assert.deepEqual([vms(simulator), zvols(simulator)], [["worker02 STOPPED"], [DATA]]);
    }),
);

for (const version of VERSIONS.slice(1)) {
  Deno.test(`if snapshots cannot be read, the zvol's removal is tried and the rest is reported (fault 2) (${version})`, () => {
    const roles = ["VM_READ", "VM_WRITE", "VM_DEVICE_READ", "VM_DEVICE_WRITE", "DATASET_READ"];
    return withWorkers(version, async ({ simulator, manager }) => {
      addSnapshot(simulator.store, `${DISK}@unseen`);
      addClone(simulator.store, `${DISK}@unseen`, "tank/vms/web1-disk0");
      const plan = await manager.planDestruction({ prefixes: ["worker"] });
      assert.match(plan.notices.join(), /Snapshots could not be read/);
      const result = await manager.destroyManagedVms(["worker"]);
      assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["destroyed", "failed"]);
      assert.deepEqual(zvols(simulator), ["tank/vms/web1-disk0", DISK, DATA].toSorted());
    }, { roles });
  });
  Deno.test(`an invisible snapshot keeps its zvol, and the result names it (fault 2) (${version})`, () => {
    const roles = ["VM_READ", "VM_WRITE", "VM_DEVICE_READ", "VM_DEVICE_WRITE", "DATASET_READ"];
    return withWorkers(version, async ({ simulator, manager }) => {
      addSnapshot(simulator.store, `${DATA}@unseen`);
      const result = await manager.destroyManagedVms(["worker"]);
      assert.match(
        result.vms[1]?.message ?? "",
        /The zvol .*worker02-disk1 was not removed: /,
      );
      assert.match(
        result.vms[1]?.message ?? "",
        /Left on the NAS: the VM \(stopped\), tank\/vms\/worker02-disk1$/,
      );
      assert.ok(simulator.store.snapshots.has(`${DATA}@unseen`));
    }, { roles });
  });
}

for (const version of ["25.10", "27.0"] as const) {
  Deno.test(`without SNAPSHOT_DELETE a VM with snapshots is kept, and the plan says so (fault 43) (${version})`, () => {
    const roles = ["VM_WRITE", "VM_DEVICE_WRITE", "DATASET_READ", "SNAPSHOT_READ"];
    return withWorkers(version, async ({ simulator, manager }) => {
      addSnapshot(simulator.store, `${DISK}@daily`);
      const plan = await manager.planDestruction({ prefixes: ["worker"] });
      assert.match(
        plan.vms[1]?.blocked.join() ?? "",
        /has 1 snapshot, which the account cannot delete without the role SNAPSHOT_DELETE/,
      );
      const result = await manager.destroyPlanned(plan);
      assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["destroyed", "failed"]);
      assert.deepEqual(vms(simulator), ["worker02 RUNNING"]);
    }, { roles });
  });
}

onEach(
  "an orphan with a clone is kept, and the others are removed (fault 2)",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      assert.equal((await manager.destroyManagedVms(["worker"], { keepDisks: true })).status, "done");
      addSnapshot(simulator.store, `${DISK}@web1`);
      addClone(simulator.store, `${DISK}@web1`, "tank/vms/web1-disk0");
      addSnapshot(simulator.store, `${DATA}@daily`);
      const plan = await manager.planCleaning();
      assert.equal(plan.phrase, "destroy 3 disks");
      const started = await manager.operations.startCleaning([], plan.fingerprint);
      assert.ok(started.started);
      const { status, vms: ends } = await started.operation.finished;
      assert.equal(status, "partly-done", JSON.stringify(ends));
      assert.deepEqual(zvols(simulator), ["tank/vms/web1-disk0", DISK].toSorted());
      assert.match(
        ends.find(({ name }) => name === DISK)?.message ?? "",
        /^Not removed: .*is a clone/,
      );
    }),
);

for (const version of ["24.10", "25.04.2", "25.10"] as const) {
  Deno.test(`a clone that failed halfway is found, shown and removed (fault 45) (${version})`, () =>
    withWorkers(version, async ({ simulator, manager }) => {
      const vm = (await manager.list()).find(({ name }) => name === "worker02");
      assert.ok(vm);
      simulator.addFault({ method: "vm.clone", moment: "middle", action: "fail" });
      const before = zvols(simulator);
      const [problem] = await manager.changes.change(vm, { kind: "clone", name: "web9" }).problems;
      assert.match(
        problem?.message ?? "",
        /TrueNAS left the incomplete VM web9; remove it on the Orphans page/,
      );
      const plan = await manager.planCleaning();
      assert.deepEqual(plan.vms.map(({ name, because }) => [name, because]), [
        ["web9", "an operation left it incomplete"],
      ]);
      assert.equal(plan.vms[0]?.zvols.length, 2);
      const started = await manager.operations.startCleaning([], plan.fingerprint);
      assert.ok(started.started);
      const { status, vms: ends } = await started.operation.finished;
      assert.equal(status, "done", JSON.stringify(ends));
      assert.deepEqual(vms(simulator), ["worker01 RUNNING", "worker02 RUNNING"]);
      assert.deepEqual(zvols(simulator), before, "the disks that it was cloned from are there");
    }));
}

onEach(
  "a clone whose answer was lost is found, marked and reported as done",
  (version) =>
    withWorkers(version, async ({ simulator, manager }) => {
      const vm = (await manager.list()).find(({ name }) => name === "worker02");
      assert.ok(vm);
      simulator.addFault({ method: "vm.clone", moment: "after", action: "cut" });
      assert.deepEqual(await manager.changes.change(vm, { kind: "clone", name: "web9" }).problems, []);
      const plan = await manager.planDestruction({ prefixes: [], names: ["web9"] });
      const marks = plan.vms.map(({ name, marks }) => [name, marks.description, marks.zvols]);
      assert.deepEqual(marks, [["web9", true, "all"]]);
    }),
);

Deno.test("a clone left unfinished by a lost connection is found and removed", () =>
  withWorkers("25.10", async ({ simulator, manager }) => {
    const vm = (await manager.list()).find(({ name }) => name === "worker02");
    assert.ok(vm);
    simulator.addFault({ method: "vm.clone", moment: "after", action: "cut" });
    // The program of the NAS ends after the last disk and before the display.
    const devices = simulator.store.devices;
    const set = devices.set.bind(devices);
    devices.set = (id, device) => device.attributes.dtype === "DISPLAY" ? devices : set(id, device);
    const [problem] = await manager.changes.change(vm, { kind: "clone", name: "web9" }).problems;
    assert.match(
      problem?.message ?? "",
      /TrueNAS left the incomplete VM web9; remove it on the Orphans page/,
    );
    const plan = await manager.planCleaning();
    assert.deepEqual(plan.vms.map(({ name }) => name), ["web9"]);
  }));

const THREE = { ...CONFIG, worker: { ...CONFIG.worker, count: 3 } } as typeof CONFIG;

/** The end of worker03, of which a device cannot be made; without a device, which cannot be started. */
async function endOfThird({ simulator, manager }: Lab, device: string): Promise<string> {
  const matches = (params: readonly unknown[]) => JSON.stringify(params).includes(device);
  const method = device === "" ? "vm.start" : "vm.device.create";
  simulator.addFault({ method, action: "fail", matches });
  const result = await manager.createVmType(THREE, "worker", 5920);
  return result.vms.find(({ name }) => name === "worker03")?.message ?? "";
}

onEach(
  "a rollback that leaves a zvol names the zvol, not the removed VM (fault 44)",
  (version) =>
    withWorkers(version, async (lab) => {
      const { simulator } = lab;
      const error = { errno: 16, errname: "EBUSY", reason: "[EBUSY] dataset is busy" };
      simulator.addFault({ method: "pool.dataset.delete", action: "fail", times: Infinity, error });
      const message = await endOfThird(lab, "worker03-disk1");
      assert.match(message, /Left on the NAS: the zvol tank\/vms\/worker03-disk1$/);
      assert.deepEqual(vms(simulator).length, 2, "the VM is removed");
    }),
);

onEach(
  "a zvol without an owner is kept, and the result names it (fault 3)",
  (version) =>
    withWorkers(version, async (lab) => {
      const { simulator } = lab;
      simulator.addFault({
        method: "vm.device.create",
        action: "fail",
        times: Infinity,
        matches: (params) => {
          for (const [name, dataset] of simulator.store.datasets) {
            if (name.startsWith("tank/vms/worker03")) dataset.userProperties = {};
          }
          return JSON.stringify(params).includes("worker03-disk1");
        },
      });
      const result = await lab.manager.createVmType(THREE, "worker", 5920);
      const end = result.vms.find(({ name }) => name === "worker03");
      assert.equal(end?.outcome, "left-behind");
      assert.match(
        end?.message ?? "",
        /Left on the NAS: .*worker03-disk1, which is not marked as created here/,
      );
      assert.doesNotMatch(end?.message ?? "", /nothing is left/);
    }),
);

for (const version of VERSIONS.slice(1)) {
  Deno.test(`if zvols cannot be read, a rollback does not claim that nothing is left (fault 3) (${version})`, () =>
    withWorkers(version, async (lab) => {
      const message = await endOfThird(lab, "");
      assert.match(
        message,
        /Removed again: the VM.*; whether a zvol is left could not be checked because/,
      );
      assert.doesNotMatch(message, /nothing is left/);
      assert.deepEqual(zvols(lab.simulator).filter((name) => name.includes("worker03")), []);
      const unseen = await endOfThird(lab, "worker03-disk1");
      assert.match(
        unseen,
        /Left on the NAS: possibly the zvol tank\/vms\/worker03-disk1; zvols could not be read/,
      );
      assert.equal(vms(lab.simulator).length, 2, "the VM is removed all the same");
    }, { roles: ["VM_READ", "VM_WRITE", "VM_DEVICE_READ", "VM_DEVICE_WRITE"] }));
  Deno.test(`without DATASET_DELETE, the plan says what may be left (fault 43) (${version})`, () =>
    withWorkers(version, async ({ manager }) => {
      const plan = await manager.planCreation({ configuration: THREE });
      assert.match(
        plan.findings.map(({ message }) => message).join(),
        /does not have the role DATASET_DELETE/,
      );
      assert.ok(manager.connection.missingRoles.some(({ role }) => role === "DATASET_DELETE"));
    }, { roles: ["VM_WRITE", "VM_DEVICE_WRITE", "DATASET_WRITE"] }));
  Deno.test(`the plan says if the account cannot create VMs (${version})`, () =>
    withWorkers(version, async ({ manager }) => {
      const plan = await manager.planCreation({ configuration: THREE });
      const said = plan.findings.map(({ message }) => message).join();
      assert.match(said, /refuse .* does not have the roles VM_WRITE and VM_DEVICE_WRITE\. Grant them/);
    }, { roles: ["READONLY_ADMIN"] }));
}
