/**
 * Protects disks when replacing a VM goes wrong: what has changed since the plan was shown is left alone, a refusal before the
 * old VM is gone leaves it as it was, and one after that can be resumed; rolling back never touches a kept disk.
 */
import assert from "node:assert/strict";
import { fromFlat } from "../../../lib/configuration/flat_configuration.ts";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { credentials, outcomes, vmNamed, workers } from "../../support/lab.ts";
import {
  changingCalls,
  contentOf,
  createWorkers,
  DATA,
  everything,
  expectNotReplaced,
  identity,
  onEachRelease,
  planned,
  replaceWorkers,
  ROOT,
  SMALL,
} from "../../support/vms/replacing.ts";

const CHANGES: readonly [what: string, words: RegExp, change: (simulator: Simulator) => void][] = [
  [
    "a snapshot of the zvol that goes",
    /snapshot .*@late appeared after the list was shown/,
    ({ store }) => void addSnapshot(store, `${ROOT}@late`),
  ],
  ["a disk added by hand", /The disks of worker02 have changed since the plan was shown/, (simulator) => {
    const { store } = simulator;
    const id = ++store.lastDeviceId;
    addDataset(store, { name: "tank/VMs/more", type: "VOLUME", volsizeBytes: 1 });
    const attributes = { dtype: "DISK", path: "/dev/zvol/tank/VMs/more", type: "VIRTIO" };
    store.devices.set(id, { id, vm: vmNamed(simulator, "worker02")?.id ?? 0, order: 1100, attributes });
  }],
  ["a zvol of another VM under the same name", /The zvol .*disk0 has changed since/, ({ store }) => {
    Object.assign(store.datasets.get(ROOT)?.userProperties ?? {}, {
      [ZVOL_PROPERTIES.vm]: crypto.randomUUID(),
    });
  }],
  ["a zvol that has grown", /The zvol .*disk0 has changed since/, ({ store }) => {
    Object.assign(store.datasets.get(ROOT) ?? {}, { volsizeBytes: 30 * 2 ** 30 });
  }],
  ["a new name", /worker02 was renamed to database/, (simulator) => {
    Object.assign(vmNamed(simulator, "worker02")?.config ?? {}, { name: "database" });
  }],
  ["a shutdown", /worker02 is stopped, which has changed since/, (simulator) => {
    Object.assign(vmNamed(simulator, "worker02") ?? {}, { state: "STOPPED" });
  }],
  ["a mark that was removed", /worker02 has lost this program's mark since/, (simulator) => {
    Object.assign(vmNamed(simulator, "worker02")?.config ?? {}, { description: "mine now" });
  }],
];

for (const [what, words, change] of CHANGES) {
  onEachRelease(
    `a VM that changed since its plan was shown is left alone: ${what}`,
    async ({ simulator, manager }) => {
      await createWorkers(manager);
      let after = "";
      const since = simulator.calls.length;
      const observer = (event: OperationEvent) => {
        if (event.type !== "started") return;
        change(simulator);
        after = everything(simulator);
      };
      const result = await replaceWorkers(manager, ["worker02"], { observer });
      assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 failed"]);
      assert.match(result.vms[1]?.message ?? "", words);
      assert.deepEqual([changingCalls(simulator, since), everything(simulator)], [[], after]);
    },
  );
}

onEachRelease("a snapshot that was not shown makes another plan, which has to be confirmed", async (lab) => {
  const { simulator, manager } = lab;
  await createWorkers(manager);
  const { configuration, types } = SMALL;
  const reconcile = { ...NOTHING_CHANGED, replace: ["worker02"] };
  const request = { configuration: fromFlat(configuration), types, reconcile };
  const shown = await manager.operations.planCreation(request);
  addSnapshot(simulator.store, `${ROOT}@late`);
  const since = simulator.calls.length;
  const started = await manager.operations.startCreation(request, shown.fingerprint);
  assert.ok(!started.started);
  assert.deepEqual(changingCalls(simulator, since), []);
  const again = await manager.operations.startCreation(request, started.plan.fingerprint);
  assert.ok(again.started);
  const [, vm] = (await again.operation.finished).vms;
  assert.equal(vm?.outcome, "replaced");
  assert.equal(simulator.store.snapshots.size, 0);
});

const ROLES = [
  "VM_READ",
  "VM_WRITE",
  "VM_DEVICE_READ",
  "VM_DEVICE_WRITE",
  "DATASET_READ",
  "SNAPSHOT_READ",
  "SNAPSHOT_DELETE",
];
const NO_DELETE = { username: "nodelete", password: "pw-1" };
const NO_WRITE = { username: "nowrite", password: "pw-2" };
const ACCOUNTS = [
  { ...NO_DELETE, roles: [...ROLES, "DATASET_WRITE"] },
  { ...NO_WRITE, roles: [...ROLES, "DATASET_DELETE"] },
];

onEachRelease(
  "a program or account that may not delete or mark replaces nothing",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const cases = [
      [{ noDestroy: true }, /cannot be replaced: NO_DESTROY is set, so nothing can be deleted/],
      [{ readOnly: true }, /cannot be replaced: READ_ONLY is set/],
      [NO_DELETE, /cannot remove .*disk0 without the role DATASET_DELETE; grant the role/],
      [NO_WRITE, /cannot mark the kept disks for the new VM without the role DATASET_WRITE; grant the role/],
    ] as const;
    for (const [options, words] of cases) {
      await using other = new VMManager({ ...credentials(simulator), ...options });
      await other.connect();
      const vm = await planned(other);
      assert.equal(vm.action, "blocked", String(words));
      assert.match(vm.reasons.join(), words);
      await expectNotReplaced(simulator, other);
    }
  },
  { simulator: { accounts: ACCOUNTS } },
);

onEachRelease(
  "an old VM that cannot be deleted runs again, with everything it had",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const before = everything(simulator);
    simulator.addFault({ method: "vm.delete", action: "fail", times: Infinity });
    const result = await replaceWorkers(manager);
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 failed"]);
    assert.match(
      result.vms[1]?.message ?? "",
      /was not replaced and nothing was removed; it was started again$/,
    );
    assert.equal(everything(simulator), before);
    simulator.clearFaults();
    const resumed = await (await manager.operations.resume(result.operation.id))?.finished;
    assert.deepEqual(resumed?.vms.map(({ outcome }) => outcome), ["replaced"]);
  },
);

onEachRelease("a kept disk that cannot grow leaves the old VM running", async ({ simulator, manager }) => {
  await createWorkers(manager);
  const before = everything(simulator);
  simulator.addFault({ method: "pool.dataset.update", action: "fail", times: Infinity });
  const configuration = workers({ count: 2, disk: { root: 10, data: 60 } });
  const reconcile = { ...NOTHING_CHANGED, replace: ["worker02"] };
  const result = await manager.create({ ...SMALL, configuration, reconcile });
  assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 failed"]);
  assert.equal(everything(simulator), before);
});

onEachRelease(
  "a deletion of the VM that TrueNAS only claims leaves everything as it is",
  async ({ simulator, manager }) => {
    await createWorkers(manager);
    const before = everything(simulator);
    simulator.addFault({ method: "vm.delete", action: "answer", result: true, times: Infinity });
    const result = await replaceWorkers(manager);
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 failed"]);
    assert.match(
      result.vms[1]?.message ?? "",
      /reported success for vm.delete, but worker02 is stopped.*nothing was removed/,
    );
    assert.equal(everything(simulator), before);
  },
);

onEachRelease("rolling back turns off a new VM that started although its start was refused", async (lab) => {
  const { simulator, manager } = lab;
  await createWorkers(manager);
  const content = contentOf(simulator);
  simulator.addFault({ method: "vm.start", action: "fail", moment: "after" });
  const { operation } = await replaceWorkers(manager);
  assert.equal(vmNamed(simulator, "worker02")?.state, "RUNNING", "the premise");
  const undone = await (await manager.operations.rollBack(operation.id))?.finished;
  assert.equal(undone?.status, "done", JSON.stringify(undone?.vms));
  assert.equal(vmNamed(simulator, "worker02"), undefined);
  assert.deepEqual(contentOf(simulator), content);
});

const CLAIMED = [
  ["pool.dataset.delete", /reported success for pool.dataset.delete, but .*disk0 still exists/],
  ["pool.dataset.update", /reported success, but .*disk1 was not marked/],
] as const;

for (const [method, words] of CLAIMED) {
  onEachRelease(
    `a call that TrueNAS only claims to have done is noticed, and resumed: ${method}`,
    async (lab) => {
      const { simulator, manager } = lab;
      await createWorkers(manager);
      const content = contentOf(simulator);
      simulator.addFault({ method, action: "answer", result: {}, times: Infinity });
      const { operation } = await replaceWorkers(manager);
      assert.match(operation.vms[1]?.message ?? "", words);
      simulator.clearFaults();
      const resumed = await (await manager.operations.resume(operation.id))?.finished;
      assert.deepEqual(
        resumed?.vms.map(({ outcome }) => outcome),
        ["replaced"],
        JSON.stringify(resumed?.vms),
      );
      assert.deepEqual(contentOf(simulator), content);
    },
  );
}

const REFUSED = [
  ["pool.dataset.delete", "the differing zvol"],
  ["vm.create", "the new VM"],
  ["pool.dataset.create", "the new zvol"],
  ["vm.device.create", "a device"],
  ["pool.dataset.update", "the mark of the kept disk"],
  ["vm.start", "the start"],
] as const;

for (const [method, what] of REFUSED) {
  onEachRelease(`a refusal after the old VM is gone leaves the rest to be resumed: ${what}`, async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    const before = identity(simulator, "worker02");
    const content = contentOf(simulator);
    simulator.addFault({ method, action: "fail", times: Infinity });
    const result = await replaceWorkers(manager);
    assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 left-behind"]);
    assert.match(
      result.vms[1]?.message ?? "",
      /The old VM was removed, and the new one .*Kept: .*disk1\. Resume this operation to finish the replacement$/,
    );
    assert.deepEqual(contentOf(simulator), content);
    const { vms, zvols } = await manager.planCleaning();
    assert.ok(vms.every(({ zvols }) => zvols.every(({ name }) => name !== DATA)), "no orphan takes it along");
    const kept = zvols.known ? zvols.value.find(({ name }) => name === DATA) : undefined;
    assert.ok(kept === undefined || kept.blocked.join().includes("it was kept when its VM was replaced"));
    simulator.clearFaults();
    const resumed = await (await manager.operations.resume(result.operation.id))?.finished;
    assert.deepEqual(resumed?.vms.map(({ outcome }) => outcome), ["replaced"], JSON.stringify(resumed?.vms));
    assert.deepEqual(identity(simulator, "worker02"), before);
    assert.equal(vmNamed(simulator, "worker02")?.state, "RUNNING");
    assert.deepEqual(contentOf(simulator), content);
    assert.equal((await planned(manager)).action, "keep");
  });

  onEachRelease(`rolling back what a refusal left never touches the kept disk: ${what}`, async (lab) => {
    const { simulator, manager } = lab;
    await createWorkers(manager);
    const content = contentOf(simulator);
    simulator.addFault({ method, action: "fail", times: Infinity });
    const { operation } = await replaceWorkers(manager);
    simulator.clearFaults();
    const undone = await (await manager.operations.rollBack(operation.id))?.finished;
    if (method === "pool.dataset.delete") assert.equal(undone, undefined, "nothing was created");
    else {
      assert.equal(undone?.status, "done", JSON.stringify(undone?.vms));
      assert.match(
        undone?.vms[0]?.message ?? "",
        /The worker02 that was replaced and .*disk0 cannot be brought back\. Kept, and used by no VM: .*disk1$/,
      );
      assert.equal(vmNamed(simulator, "worker02"), undefined);
      assert.equal(simulator.store.datasets.get(ROOT), undefined);
    }
    assert.deepEqual(contentOf(simulator), content);
    const vm = await planned(manager);
    assert.equal(vm.action, "blocked");
    assert.match(
      vm.reasons.join(),
      /disk1 already exists: it was kept .* may contain data; (attach it to a VM|resume the operation \w+)/,
    );
  });
}
