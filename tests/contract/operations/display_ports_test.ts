/**
 * Protects displays on a NAS whose own services use ports: the next free ports are tried in the same operation, the
 * journal records them, and later plans skip the used ones. Over real sockets, on old and new releases.
 */
import assert from "node:assert/strict";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "../../support/pages/dashboard.ts";

const { configuration } = parseConfiguration(TEST_CONFIG, "config.yaml");

function managerOf(simulator: Simulator): VMManager {
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  return new VMManager({ host: simulator.url, ...account, settle: TEST_SETTLE, backoffMs: [10] });
}

function portsOf({ store }: Simulator): unknown[][] {
  const displays = [...store.devices.values()].filter(({ attributes }) => attributes.dtype === "DISPLAY");
  return displays.map(({ attributes }) => [attributes.port, attributes.web_port]);
}

for (const version of ["24.10", "25.10", "27.0"] as const) {
  Deno.test(`a display port used by a NAS service is skipped in the same operation and in later plans, on ${version} (fault 26)`, async () => {
    await using simulator = await startSimulator({ version, times: TEST_TIMES });
    simulator.store.servicePorts.set(5920, "a service").set(5921, "a service").set(7925, "another");
    await using manager = managerOf(simulator);
    await manager.connect();
    const details: string[] = [];
    const created = await manager.createVmType(configuration, "worker", 5920, {
      observer: (event) => {
        if (event.type === "step" && event.step === "display" && event.status === "done") {
          details.push(event.detail ?? "");
        }
      },
    });
    assert.equal(created.status, "done", JSON.stringify(created.vms));
    const used = portsOf(simulator).flat();
    assert.equal(new Set(used).size, 6, "each port once");
    for (const port of [5920, 5921, 7925]) assert.ok(!used.includes(port), `${port}`);
    const why = /^port 59\d\d, because another service on the NAS uses port 592[0-9] or its web port$/;
    assert.equal(details.filter((detail) => why.test(detail)).length, 2, details.join("\n"));

    const again = await manager.planCreation({ configuration });
    assert.deepEqual(again.vms.filter(({ type }) => type === "worker").map(({ action }) => action), [
      "keep",
      "keep",
      "keep",
    ]);
    assert.equal((await manager.destroyManagedVms(["worker"])).status, "done");
    const later = await manager.planCreation({ configuration, types: [{ type: "worker", startPort: 5920 }] });
    const planned = later.vms.flatMap(({ devices }) =>
      devices.flatMap((device) => device.dtype === "DISPLAY" ? [device.port] : [])
    );
    assert.equal(planned.length, 3);
    assert.ok(!planned.includes(5920) && !planned.includes(5921), "the plan has learnt it");
  });
}

Deno.test("a display on a port other than planned is found and removed by a rollback (fault 26)", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await using manager = managerOf(simulator);
  await manager.connect();
  const one = { ...configuration, worker: { ...configuration.worker, count: 1, start: false } };
  const request = {
    configuration: one as typeof configuration,
    types: [{ type: "worker", startPort: 5920 }],
  };
  assert.equal((await manager.create(request)).status, "done");
  for (const [id, { attributes }] of simulator.store.devices) {
    if (attributes.dtype === "DISPLAY" || attributes.path === "/dev/zvol/tank/vms/worker01-disk1") {
      simulator.store.devices.delete(id);
    }
  }
  simulator.store.datasets.delete("tank/vms/worker01-disk1");
  simulator.store.servicePorts.set(5920, "a service");
  simulator.addFault({
    method: "vm.device.create",
    action: "fail",
    matches: (params) => JSON.stringify(params).includes("worker01-disk1"),
  });
  const before = simulator.calls.length;
  const failed = await manager.create(request);
  assert.equal(failed.vms[0]?.outcome, "rolled-back", JSON.stringify(failed.vms));
  const sent = simulator.calls.slice(before).filter(({ method }) => method === "vm.device.create");
  assert.ok(sent.some(({ params }) => JSON.stringify(params).includes('"port":5921')), "the premise");
  assert.deepEqual(portsOf(simulator), [], "the display is gone again");
});
