/**
 * Protects DHCP reservations: a VM's MACs depend on its NAS, not on how the NAS is reached. Against simulated NASes
 * over real sockets.
 */
import assert from "node:assert/strict";
import { loadConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import type { CreationPlan } from "../../../lib/plan/types.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_CONFIG, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { withFolder } from "../../support/program/program.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

/** May make VMs, and may not read the NAS's id. */
const MAKER = { username: "maker", password: "maker", roles: ["VM_DEVICE_WRITE", "DATASET_WRITE"] };

async function withManager<T>(
  host: string,
  work: (manager: VMManager) => Promise<T>,
  options: Partial<VMManagerOptions> = {},
): Promise<T> {
  const account = { username: "admin", password: "truenas", vncPassword: "display" };
  await using manager = new VMManager({ host, ...account, ...options });
  await manager.connect();
  return await work(manager);
}

function planOf(folder: string) {
  const configuration = loadConfiguration(`${folder}/config.yaml`);
  return (manager: VMManager) => manager.planCreation({ configuration });
}

function macsOf({ vms }: CreationPlan): string[] {
  return vms.flatMap(({ devices }) => devices.flatMap((it) => it.dtype === "NIC" ? [it.mac] : []));
}

function macsOn({ store }: Simulator, vm: string): string[] {
  const id = [...store.vms.values()].find(({ config }) => config.name === vm)?.id;
  return [...store.devices.values()].filter((it) => it.vm === id && it.attributes.dtype === "NIC")
    .map(({ attributes }) => String(attributes.mac));
}

Deno.test("the MACs of a plan do not depend on how TRUENAS_HOST is written (fault 25)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using nas = await startSimulator({ times: TEST_TIMES, unixPath: `${folder}/nas.sock` });
    const spellings = [nas.url, nas.url.replace("127.0.0.1", "localhost"), `unix:${folder}/nas.sock`];
    const plans = await Promise.all(spellings.map((host) => withManager(host, planOf(folder))));
    const [first, ...others] = plans.map(macsOf);
    assert.equal(new Set(first).size, 1 + 3 * 2);
    for (const other of others) assert.deepEqual(other, first);
    for (const { findings } of plans) assert.doesNotMatch(JSON.stringify(findings), /TRUENAS_HOST/);
  }));

Deno.test("two NASes reached over sockets give different MACs (fault 25)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    const macs = await Promise.all(["a", "b"].map(async (name) => {
      await using nas = await startSimulator({ times: TEST_TIMES, unixPath: `${folder}/${name}.sock` });
      nas.store.hostId = `id-of-${name}`;
      return macsOf(await withManager(`unix:${folder}/${name}.sock`, planOf(folder)));
    }));
    const [one, other] = macs;
    assert.ok(one !== undefined && other !== undefined);
    assert.equal(new Set([...one, ...other]).size, one.length + other.length);
  }));

Deno.test("an account that cannot read the NAS's ID is told what its MACs depend on (fault 25)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using nas = await startSimulator({ times: TEST_TIMES, accounts: [MAKER] });
    const { findings } = await withManager(nas.url, planOf(folder), MAKER);
    const told = findings.filter(({ message }) => message.includes("TRUENAS_HOST"));
    assert.deepEqual(told.map(({ severity, vms }) => [severity, vms]), [["warning", []]]);
    assert.match(told[0]?.message ?? "", /Grant the role READONLY_ADMIN/);
  }));

Deno.test("existing VMs keep their MACs when the NAS's ID becomes known, even with a missing NIC (fault 25)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using nas = await startSimulator({ times: TEST_TIMES, accounts: [MAKER] });
    const configuration = loadConfiguration(`${folder}/config.yaml`);
    await withManager(nas.url, (manager) => manager.createVmType(configuration, "worker", 5920), MAKER);
    const before = ["worker01", "worker02", "worker03"].map((name) => macsOn(nas, name));
    const kept = await withManager(nas.url, planOf(folder));
    assert.deepEqual(kept.vms.slice(1).map(({ action }) => action), ["keep", "keep", "keep"]);
    const [lost] = macsOn(nas, "worker02").slice(1);
    for (const { id, attributes } of nas.store.devices.values()) {
      if (attributes.mac === lost) nas.store.devices.delete(id);
    }
    for (const vm of nas.store.vms.values()) vm.state = "STOPPED";
    const result = await withManager(
      nas.url,
      (manager) => manager.createVmType(configuration, "worker", 5920),
    );
    assert.equal(result.status, "done");
    assert.deepEqual(["worker01", "worker02", "worker03"].map((name) => macsOn(nas, name)), before);
  }));

Deno.test("an unfinished VM is completed with its planned MACs, whoever completes it (fault 25)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using nas = await startSimulator({
      times: TEST_TIMES,
      accounts: [MAKER],
      unixPath: `${folder}/nas.sock`,
    });
    const kept = TEST_CONFIG.replace("controlplane:\n", "controlplane:\n  on_failure: keep\n");
    await Deno.writeTextFile(`${folder}/config.yaml`, kept);
    const configuration = loadConfiguration(`${folder}/config.yaml`);
    const request = { configuration, types: [{ type: "controlplane", startPort: 5910 }] };
    const isNic = (params: readonly unknown[]) => JSON.stringify(params).includes('"NIC"');
    nas.addFault({ method: "vm.device.create", action: "fail", matches: isNic });
    using journal = Journal.open(`${folder}/state`);
    const planned = await withManager(nas.url, async (manager) => {
      const plan = await manager.planCreation(request);
      assert.equal((await manager.create(request)).status, "failed");
      return macsOf(plan);
    }, { ...MAKER, journal });
    assert.deepEqual(macsOn(nas, "controlplane01"), [], "it has no card yet");
    const again = await withManager(`unix:${folder}/nas.sock`, (manager) => manager.create(request), {
      journal,
    });
    assert.equal(again.status, "done");
    assert.deepEqual(macsOn(nas, "controlplane01"), planned);
  }));
