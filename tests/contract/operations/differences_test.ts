/**
 * Protects the comparison of existing VMs with configuration and templates on every release: what was created as declared
 * does not differ, and each value that is declared otherwise later is named, and left as it is.
 */
import assert from "node:assert/strict";
import { planJson } from "../../../lib/inventory/json.ts";
import { SIMULATED_VERSIONS } from "../../../lib/simulator/types.ts";
import { outcomes, withLab, workers } from "../../support/lab.ts";

/** 25.04.0 and 25.04.1 have no VMs. */
const VERSIONS = SIMULATED_VERSIONS.filter((version) => version !== "25.04.0");

const AS_CREATED = {
  count: 2,
  threads: 2,
  cpu: 4,
  autostart: false,
  description: "lab 7",
  template: {
    vm: { cpu_mode: "HOST-MODEL" },
    display: { bind: "127.0.0.1" },
    nic: { type: "E1000" },
    disk: { type: "AHCI" },
  },
} as const;

for (const version of VERSIONS) {
  Deno.test(`a VM does not differ from what it was created from, and each later declaration is named, on ${version}`, () =>
    withLab({ simulator: { version } }, async ({ manager, simulator }) => {
      const created = workers(AS_CREATED);
      assert.equal((await manager.createVmType(created, "worker", 5920)).status, "done");
      const types = [{ type: "worker", startPort: 5920 }];
      const plan = async (configuration: typeof created) =>
        await manager.planCreation({ configuration, types });
      const same = await plan(created);
      assert.deepEqual(same.vms.map(({ action, differences }) => [action, differences]), [["keep", []], [
        "keep",
        [],
      ]]);
      const later = workers({
        count: 1,
        cpu: 4,
        disk: { root: 20, data: 60, logs: 5 },
        description: "lab 8",
      });
      const changed = await plan(later);
      const [first, surplus] = planJson(changed).vms as Record<string, unknown>[];
      assert.deepEqual([first?.action, surplus?.action, surplus?.name], ["change", "surplus", "worker02"]);
      const changes = first?.changes as { field: string; from: string; to: string; needsStop: boolean }[];
      assert.deepEqual(changes.map(({ field, from, to, needsStop }) => [field, from, to, needsStop]), [
        ["threads", "2", "1", true],
        ["cpu_mode", "HOST-MODEL", "HOST-PASSTHROUGH", true],
        ["autostart", "no", "yes", false],
        ["description", "lab 7", "lab 8", false],
        ["display.bind", "127.0.0.1", "0.0.0.0", true],
        ["nic0.model", "E1000", "VIRTIO", true],
        ["nic1.model", "E1000", "VIRTIO", true],
        ["disk0.bus", "AHCI", "VIRTIO", true],
        ["disk1", "50 GiB", "60 GiB", true],
        ["disk1.bus", "AHCI", "VIRTIO", true],
        ["disk2", null, "5 GiB", true],
      ]);
      const before = simulator.calls.length;
      const settings = await manager.createVmType(
        workers({ ...AS_CREATED, description: "lab 8" }),
        "worker",
        5920,
      );
      assert.deepEqual([settings.status, ...outcomes(settings)], ["done", "worker01 kept", "worker02 kept"]);
      assert.match(
        settings.vms[0]?.message ?? "",
        /not selected to be changed: description is lab 7, configured lab 8$/,
      );
      assert.equal(
        (await manager.createVmType(later, "worker", 5920)).status,
        "failed",
        "its hardware differs",
      );
      const writes = simulator.calls.slice(before).filter(({ method }) =>
        /\.(create|update|delete|start)$/.test(method)
      );
      assert.deepEqual(writes, []);
    }));
}
