/** Protects the choice of which VMs run: a VM that somebody stopped is not started again. On several releases. */
import assert from "node:assert/strict";
import type { ActionRequest } from "../../../lib/operations/steps/act_on_vm.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { credentials, onEach, outcomes, vmNamed, withLab, workers } from "../../support/lab.ts";
import { openSession } from "../../support/session.ts";

function action(action: "start" | "stop", name: string, id = 0): ActionRequest {
  return { action, name, id, state: action === "start" ? "STOPPED" : "RUNNING", overcommit: false };
}

onEach(
  "a VM that never started is started by the next plan; one that somebody stopped stays stopped",
  async ({ simulator, manager }) => {
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
  },
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
      await using another = new VMManager(credentials(simulator));
      await another.connect();
      const result = await another.createVmType(workers({ count: 2 }), "worker", 5920);
      assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 created"]);
      const states = ["worker01", "worker02"].map((name) => vmNamed(simulator, name)?.state);
      assert.deepEqual(states, ["STOPPED", "STOPPED"]);
    }));
}
