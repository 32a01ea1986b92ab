/**
 * Protects changes of VMs that run: they are changed for their next start without a second of downtime, or restarted one
 * after another, the next only when the one before is back; a VM that is shut down for a change that fails runs again.
 */
import assert from "node:assert/strict";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { RunResult } from "../../../lib/operations/summary.ts";
import type { Lab } from "../../support/lab.ts";
import { outcomes, withLab, workers } from "../../support/lab.ts";
import {
  applyAll,
  devicesOf,
  makeWorkers,
  pictureOf,
  planned,
  worker,
  workersOf,
  writes,
} from "../../support/vms/changing.ts";

function onReleases(name: string, test: (lab: Lab) => Promise<void>, freeMemoryBytes = 64 * 2 ** 30): void {
  for (const version of ["24.10", "25.10", "27.0"] as const) {
    Deno.test(`${name} (${version})`, () => withLab({ simulator: { version, freeMemoryBytes } }, test));
  }
}

const CHANGE: Partial<VmTypeSection> = {
  memory: 4096,
  autostart: false,
  disk: { root: 20, data: 60, logs: 5 },
  network: { lan: "br1", storage: "br1" },
};

function messages({ vms }: RunResult): string {
  return vms.map(({ message }) => message ?? "").join("\n");
}

onReleases("running VMs are changed for their next start, and none is shut down", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 2 }), "RUNNING");
  const before = simulator.calls.length;
  const result = await applyAll(manager, workers({ count: 2, ...CHANGE }), { running: "at-next-start" });
  assert.deepEqual(
    [result.status, ...outcomes(result)],
    ["done", "worker01 changed", "worker02 changed"],
    messages(result),
  );
  assert.match(messages(result), /memory 2 GiB → 4 GiB.*added disk2\. It takes effect at its next start$/m);
  assert.deepEqual(workersOf(simulator).map(({ state, config }) => [state, config.memory]), [[
    "RUNNING",
    4096,
  ], ["RUNNING", 4096]]);
  assert.ok(!writes(simulator, before).some((method) => /stop|poweroff|start/.test(method)));
  const again = await planned(manager, workers({ count: 2, ...CHANGE }));
  assert.deepEqual(again.map(({ action }) => action), ["keep", "keep"]);
});

onReleases("what takes effect at once shuts nothing down, also when a restart is allowed", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 1 }), "RUNNING");
  const before = simulator.calls.length;
  const result = await applyAll(manager, workers({ count: 1, autostart: false, sparse: true }), {
    running: "restart",
  });
  assert.deepEqual(outcomes(result), ["worker01 changed"], messages(result));
  assert.doesNotMatch(messages(result), /next start/);
  assert.deepEqual([...new Set(writes(simulator, before))].toSorted(), ["pool.dataset.update", "vm.update"]);
});

for (const atATime of [1, 2]) {
  onReleases(
    `running VMs are restarted ${atATime} at a time, each when the one before is back`,
    async (lab) => {
      const { simulator, manager } = lab;
      await makeWorkers(lab, workers({ count: 4 }), "RUNNING");
      const off: number[] = [];
      const watch = () => off.push(workersOf(simulator).filter(({ state }) => state !== "RUNNING").length);
      for (const method of ["vm.update", "vm.start", "vm.stop"]) {
        simulator.addFault({
          action: "hold",
          until: Promise.resolve(),
          times: Infinity,
          method,
          matches: () => (watch(), false),
        });
      }
      const result = await applyAll(manager, workers({ count: 4, ...CHANGE }), {
        running: "restart",
        atATime,
      });
      assert.equal(result.status, "done", messages(result));
      assert.deepEqual(outcomes(result), [
        "worker01 changed",
        "worker02 changed",
        "worker03 changed",
        "worker04 changed",
      ]);
      assert.equal(Math.max(...off), atATime);
      assert.ok(
        workersOf(simulator).every(({ state, config }) => state === "RUNNING" && config.memory === 4096),
      );
      const steps = result.operation.vms[0]?.steps.map(({ step }) => step);
      assert.deepEqual(steps, ["stop", "change", "change-nic0", "disk2", "change-disk1", "start"]);
    },
  );
}

onReleases(
  "a VM that does not come back stops the restarts of the others, and is told to be off",
  async (lab) => {
    const { simulator, manager } = lab;
    await makeWorkers(lab, workers({ count: 3 }), "RUNNING");
    const { id } = worker(simulator, "worker02");
    simulator.addFault({ action: "fail", times: Infinity, method: "vm.start", matches: ([of]) => of === id });
    const result = await applyAll(manager, workers({ count: 3, ...CHANGE }), { running: "restart" });
    assert.deepEqual([result.status, ...outcomes(result)], [
      "partly-done",
      "worker01 changed",
      "worker02 left-behind",
      "worker03 failed",
    ], messages(result));
    assert.match(messages(result), /worker02 is off and did not start again: .*\. Start it on its page/);
    assert.match(messages(result), /^Not restarted, because worker02 did not start\. Nothing was changed$/m);
    assert.deepEqual(workersOf(simulator).map(({ state }) => state), ["RUNNING", "STOPPED", "RUNNING"]);
    assert.equal(worker(simulator, "worker02").config.memory, 2048, "it has its former values");
  },
);

onReleases(
  "a VM whose change is refused after it was shut down gets its values back and runs again",
  async (lab) => {
    const { simulator, manager } = lab;
    await makeWorkers(lab, workers({ count: 2 }), "RUNNING");
    const before = pictureOf(simulator);
    simulator.addFault({ action: "fail", times: Infinity, method: "vm.device.update" });
    const result = await applyAll(
      manager,
      workers({ count: 2, memory: 4096, network: { lan: "br1", storage: "br1" } }),
      { running: "restart" },
    );
    assert.deepEqual([result.status, ...outcomes(result)], [
      "failed",
      "worker01 rolled-back",
      "worker02 failed",
    ], messages(result));
    assert.match(messages(result), /Changed back: memory/);
    assert.match(messages(result), /because worker01 failed/);
    assert.equal(pictureOf(simulator), before);
  },
);

onReleases("a suspended VM is not restarted, and says what to do", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 1 }), "SUSPENDED");
  const before = pictureOf(simulator);
  const result = await applyAll(manager, workers({ count: 1, memory: 4096 }), { running: "restart" });
  assert.deepEqual(outcomes(result), ["worker01 failed"]);
  assert.match(
    messages(result),
    /worker01 is suspended, so it cannot be restarted; resume it or power it off first/,
  );
  assert.equal(pictureOf(simulator), before);
});

onReleases("a VM that would not start again for lack of memory is not shut down", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 1 }), "RUNNING");
  const before = pictureOf(simulator);
  const result = await applyAll(manager, workers({ count: 1, memory: 8192 }), { running: "restart" });
  assert.deepEqual(outcomes(result), ["worker01 failed"], messages(result));
  assert.match(messages(result), /would not start again: it needs 6 GiB more memory, and 4 GiB are free/);
  assert.equal(pictureOf(simulator), before);
}, 6 * 2 ** 30);

onReleases(
  "without a selection nothing that exists is changed, and the result says what differs",
  async (lab) => {
    const { simulator, manager } = lab;
    await makeWorkers(lab, workers({ count: 1 }), "RUNNING");
    const before = pictureOf(simulator);
    const result = await applyAll(manager, workers({ count: 1, memory: 4096 }), { change: [] });
    assert.deepEqual([result.status, ...outcomes(result)], ["done", "worker01 kept"]);
    assert.match(messages(result), /not selected to be changed: memory is 2 GiB, configured 4 GiB/);
    assert.equal(pictureOf(simulator), before);
    await assert.rejects(
      applyAll(manager, workers({ count: 1 }), { change: ["worker01", "worker09"] }),
      /worker01 was selected to change, which the plan says to keep.*[\s\S]*worker09 was selected to change, which is not in the plan/,
    );
  },
);

onReleases("a cancelled restart gives the VM its former values and starts it again", async (lab) => {
  const { simulator, manager } = lab;
  await makeWorkers(lab, workers({ count: 2 }), "RUNNING");
  const before = pictureOf(simulator);
  simulator.addFault({
    action: "hold",
    until: Promise.resolve(),
    method: "vm.device.update",
    matches: () => {
      const { id } = manager.operations.claiming[0] ?? assert.fail("nothing runs");
      return manager.operations.cancel(id);
    },
  });
  const configuration = workers({ count: 2, memory: 4096, network: { lan: "br1", storage: "br1" } });
  const result = await applyAll(manager, configuration, { running: "restart" });
  assert.deepEqual([result.status, ...outcomes(result)], [
    "cancelled",
    "worker01 cancelled",
    "worker02 cancelled",
  ], messages(result));
  assert.equal(pictureOf(simulator), before);
  assert.ok(devicesOf(simulator, "NIC").length === 2);
});
