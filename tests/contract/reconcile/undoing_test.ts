/**
 * Protects what a change that fails leaves: the values from before, which stand in the journal before each call; what
 * somebody else has changed meanwhile is never overwritten, neither by the change nor by taking it back.
 */
import assert from "node:assert/strict";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { GIB } from "../../../lib/units.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import {
  applyAll,
  devicesOf,
  makeWorkers,
  pictureOf,
  planned,
  TYPES,
  worker,
  writes,
} from "../../support/vms/changing.ts";
import { type Lab, outcomes, withLab, workers } from "../../support/lab.ts";

const MANY: Partial<VmTypeSection> = {
  memory: 4096,
  autostart: false,
  sparse: true,
  disk: { root: 20, data: 60, logs: 5 },
  network: { lan: "br1", storage: "br1" },
  template: { display: { bind: "127.0.0.1" }, disk: { type: "AHCI" } },
};

/** On the oldest, the newest, and those between that take changes of devices in another way. */
function onReleases(name: string, test: (lab: Lab) => Promise<void>): void {
  for (const version of ["24.10", "25.04.2", "25.10", "27.0"] as const) {
    Deno.test(`${name} (${version})`, () => withLab({ simulator: { version } }, test));
  }
}

/** Refuses the nth changing call from now on. */
function refuseNth(simulator: Simulator, nth: number): void {
  let seen = 0;
  simulator.addFault({
    action: "fail",
    times: Infinity,
    methods: (method) => /^(vm|pool)\.(\w+\.)?(update|create|delete)$/.test(method),
    matches: () => seen++ === nth,
  });
}

const BEFORE = workers({ count: 1 });
const AFTER = workers({ count: 1, ...MANY });

onReleases("a change of which the NAS refuses any one call leaves the VM exactly as it was", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, BEFORE);
  const before = pictureOf(simulator);
  let nth = 0;
  for (;; nth++) {
    simulator.clearFaults();
    refuseNth(simulator, nth);
    const result = await applyAll(manager, AFTER);
    const [vm] = result.vms;
    if (result.status === "done") break;
    assert.equal(vm?.outcome, nth === 0 ? "failed" : "rolled-back", `${nth}: ${vm?.message}`);
    assert.match(vm?.message ?? "", nth === 0 ? /Nothing was changed$/ : /Changed back: .*memory, autostart/);
    assert.equal(pictureOf(simulator), before, `${nth}: ${vm?.message}`);
  }
  assert.equal(nth, 10, "the premise: each call was refused once");
  const [again] = await planned(manager, AFTER);
  assert.equal(again?.action, "keep");
});

onReleases("the journal has the old value before the call that changes it", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 1 }));
  const seen: unknown[] = [];
  simulator.addFault({
    action: "fail",
    method: "vm.update",
    matches: () => {
      const { vms } = manager.operations.claiming[0]?.view ?? assert.fail("nothing runs");
      seen.push(vms[0]?.steps.find(({ step }) => step === "change")?.evidence?.changed);
      return true;
    },
  });
  assert.equal((await applyAll(manager, workers({ count: 1, memory: 4096 }))).status, "failed");
  assert.deepEqual(seen, [{ kind: "settings", set: { memory: 4096 }, was: { memory: 2048 } }]);
});

onReleases("a rollback restores what was changed, from the journal, also while the VM runs", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 2 }));
  const before = pictureOf(simulator);
  refuseWorker02(simulator);
  const { disk: _disk, ...change } = MANY;
  const result = await applyAll(manager, workers({ count: 2, ...change }));
  assert.deepEqual([result.status, ...outcomes(result)], [
    "partly-done",
    "worker01 changed",
    "worker02 failed",
  ]);
  worker(simulator).state = "RUNNING";
  simulator.clearFaults();
  const undone = await (await manager.operations.rollBack(result.operation.id))?.finished;
  assert.equal(undone?.status, "done", undone?.vms[0]?.message ?? "");
  assert.match(
    undone?.vms[0]?.message ?? "",
    /^Rolled back on request. Changed back: .*display, memory, autostart$/,
  );
  worker(simulator).state = "STOPPED";
  assert.equal(pictureOf(simulator), before);
});

onReleases(
  "a rollback leaves what somebody else has changed since, and says what a disk cannot do",
  async (lab) => {
    const { simulator, manager } = lab;
    await makeWorkers(lab, workers({ count: 2 }));
    refuseWorker02(simulator);
    const change = { memory: 4096, disk: { root: 20, data: 60 }, network: { lan: "br1", storage: "br1" } };
    const result = await applyAll(manager, workers({ count: 2, ...change }));
    worker(simulator).config.memory = 6144;
    simulator.clearFaults();
    const undone = await (await manager.operations.rollBack(result.operation.id))?.finished;
    const [vm] = undone?.vms ?? [];
    assert.equal(vm?.outcome, "left-behind");
    assert.match(vm?.message ?? "", /Changed back: nic0/);
    assert.match(vm?.message ?? "", /disk1 keeps its 60 GiB, because a disk cannot be made smaller/);
    assert.match(
      vm?.message ?? "",
      /memory was not changed back: memory is 6144, which somebody else has set since/,
    );
    assert.equal(worker(simulator).config.memory, 6144);
    assert.equal(devicesOf(simulator, "NIC")[0]?.attributes.nic_attach, "br0");
  },
);

/** worker02 is refused each change. */
function refuseWorker02(simulator: Simulator): void {
  const { id } = worker(simulator, "worker02");
  simulator.addFault({ action: "fail", times: Infinity, method: "vm.update", matches: ([of]) => of === id });
}

/** What somebody else does at the last moment, and what is then said. */
const MEANWHILE: readonly (readonly [
  change: Partial<VmTypeSection>,
  method: string,
  meddle: (simulator: Simulator) => void,
  says: RegExp,
])[] = [
  [{ memory: 4096 }, "vm.update", (nas) => worker(nas).config.memory = 3072, /memory is 3072 now/],
  [
    { network: { lan: "br1", storage: "br1" } },
    "vm.device.update",
    (nas) => Object.assign(devicesOf(nas, "NIC")[0]?.attributes ?? {}, { nic_attach: "eno1" }),
    /nic_attach is eno1 now/,
  ],
  [
    { disk: { root: 20, data: 60 } },
    "pool.dataset.update",
    (nas) =>
      Object.assign(nas.store.datasets.get("tank/vms/worker01-disk1") ?? {}, { volsizeBytes: 55 * GIB }),
    /worker01-disk1 has 55 GiB now/,
  ],
  [{ memory: 4096 }, "vm.update", (nas) => worker(nas).config.name = "mine", /renamed to mine/],
  [
    { memory: 4096 },
    "vm.update",
    (nas) => worker(nas).config.description = "mine",
    /no longer has this program's mark/,
  ],
  [{ memory: 4096 }, "vm.update", (nas) => worker(nas).config.uuid = crypto.randomUUID(), /no longer exists/],
  [
    { memory: 4096 },
    "vm.update",
    (nas) => worker(nas).state = "RUNNING",
    /is now running, and the plan showed it stopped/,
  ],
];

for (const [index, [change, method, meddle, says]] of MEANWHILE.entries()) {
  onReleases(
    `two people change one VM: the second finds it, and overwrites nothing, ${index + 1}`,
    async (lab) => {
      const { simulator, manager } = lab;
      await makeWorkers(lab, BEFORE);
      const configuration = workers({ count: 1, ...change });
      const [vm] = await planned(manager, configuration);
      assert.equal(vm?.action, "change");
      const before = simulator.calls.length;
      const result = await withMeddling(manager, configuration, () => meddle(simulator));
      assert.deepEqual(outcomes(result), ["worker01 failed"]);
      assert.match(result.vms[0]?.message ?? "", says);
      assert.match(result.vms[0]?.message ?? "", /[Nn]othing was|not changed/);
      assert.equal(writes(simulator, before).filter((it) => it === method).length, 0);
    },
  );
}

/** Changes worker01, of which somebody else changes something after the plan was made. */
async function withMeddling(manager: VMManager, configuration: typeof BEFORE, meddle: () => void) {
  let isDone = false;
  const reconcile = { change: ["worker01"], running: "at-next-start", atATime: 1, replace: [] } as const;
  return await manager.create({ configuration, types: TYPES, reconcile }, {
    observer: ({ type }) => {
      // The plan was made before the first event.
      if (type === "started" && !isDone) meddle();
      isDone = true;
    },
  });
}

onReleases("what somebody else has already set is not set again, and not taken back", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, BEFORE);
  const before = simulator.calls.length;
  const configuration = workers({ count: 1, memory: 4096, disk: { root: 20, data: 60 } });
  simulator.addFault({ action: "fail", method: "pool.dataset.update" });
  const result = await withMeddling(manager, configuration, () => worker(simulator).config.memory = 4096);
  assert.deepEqual(outcomes(result), ["worker01 failed"]);
  assert.equal(worker(simulator).config.memory, 4096);
  assert.ok(!writes(simulator, before).includes("vm.update"));
});

for (const version of ["24.10", "25.10", "27.0"] as const) {
  const poolFreeBytes = 100 * GIB;
  Deno.test(`a disk that cannot grow as far as declared is refused before anything is sent, on ${version}`, () =>
    withLab({ simulator: { version, poolFreeBytes } }, async (lab) => {
      const { simulator, manager } = lab;
      await makeWorkers(lab, BEFORE);
      const before = pictureOf(simulator);
      const calls = simulator.calls.length;
      const [vm] = await planned(manager, workers({ count: 1, memory: 4096, disk: { root: 20, data: 80 } }));
      assert.equal(vm?.action, "blocked");
      assert.match(
        vm?.reasons.join() ?? "",
        /worker01-disk1 cannot grow to 80 GiB: tank\/vms has 30 GiB left, and TrueNAS limits/,
      );
      const result = await applyAll(
        manager,
        workers({ count: 1, memory: 4096, disk: { root: 20, data: 80 } }),
      );
      assert.deepEqual(outcomes(result), ["worker01 failed"]);
      assert.deepEqual([pictureOf(simulator), writes(simulator, calls)], [before, []]);
      const [fits] = await planned(manager, workers({ count: 1, disk: { root: 20, data: 64 } }));
      assert.equal(fits?.action, "change", "as far as the NAS allows");
      assert.equal(
        (await applyAll(manager, workers({ count: 1, disk: { root: 20, data: 64 } }))).status,
        "done",
      );
    }));

  Deno.test(`a pool that filled up after the plan refuses the growth at its step, and the rest is taken back, on ${version}`, () =>
    withLab({ simulator: { version, poolFreeBytes } }, async (lab) => {
      const { simulator, manager } = lab;
      await makeWorkers(lab, BEFORE);
      const before = pictureOf(simulator);
      const configuration = workers({ count: 1, memory: 4096, disk: { root: 20, data: 64 } });
      const result = await withMeddling(
        manager,
        configuration,
        () =>
          void addDataset(simulator.store, { name: "tank/VMs/full", type: "VOLUME", volsizeBytes: 29 * GIB }),
      );
      assert.deepEqual(outcomes(result), ["worker01 rolled-back"]);
      assert.match(result.vms[0]?.message ?? "", /80%|80 %/);
      assert.equal(pictureOf(simulator), before);
    }));
}
