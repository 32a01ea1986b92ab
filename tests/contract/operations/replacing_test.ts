/**
 * Protects what replacing a VM keeps: its MACs, ports, description and every disk that does not differ; only the differing
 * zvols and the VM go, with what was shown. On the oldest, a middle and the newest release.
 */
import assert from "node:assert/strict";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import type { PlannedVm } from "../../../lib/plan/types.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { type Lab, type LabOptions, outcomes, vmNamed, withLab, workers } from "../../support/lab.ts";

const VERSIONS = ["24.10", "25.10", "27.0"] as const;

function onEach(name: string, test: (lab: Lab) => Promise<void>, options: LabOptions = {}): void {
  for (const version of VERSIONS) {
    const simulator = { ...options.simulator, version };
    Deno.test(`${name} (${version})`, () => withLab({ ...options, simulator }, test));
  }
}

const TYPES = [{ type: "worker", startPort: 5920 }] as const;
const CREATED = workers({ count: 2, disk: { root: 20, data: 50 }, description: "lab 7" });
/** A smaller first disk, which only a new VM can have. */
const SMALLER = workers({ count: 2, disk: { root: 10, data: 50 }, description: "lab 7", memory: 4096 });

async function create(manager: VMManager): Promise<void> {
  const result = await manager.create({ configuration: CREATED, types: TYPES });
  assert.deepEqual(outcomes(result), ["worker01 created", "worker02 created"]);
}

const REQUEST = { configuration: SMALLER, types: TYPES };

function replace(manager: VMManager, ...names: readonly string[]) {
  return manager.create({ ...REQUEST, reconcile: { ...NOTHING_CHANGED, replace: names } });
}

async function planned(manager: VMManager, name = "worker02"): Promise<PlannedVm> {
  const vm = (await manager.planCreation(REQUEST)).vms.find((it) => it.name === name);
  assert.ok(vm !== undefined);
  return vm;
}

/** The identity of a VM that people and their networks know. */
function identity(simulator: Simulator, name: string) {
  const vm = vmNamed(simulator, name);
  assert.ok(vm !== undefined);
  const devices = [...simulator.store.devices.values()].filter((device) => device.vm === vm.id);
  const valuesOf = (key: string) => devices.flatMap(({ attributes }) => attributes[key] ?? []).toSorted();
  return {
    description: vm.config.description,
    macs: valuesOf("mac"),
    ports: [...valuesOf("port"), ...valuesOf("web_port")],
    attached: valuesOf("nic_attach"),
    paths: valuesOf("path"),
  };
}

onEach("a replaced VM keeps its MACs, ports, description and the disk that does not differ", async (lab) => {
  const { simulator, manager } = lab;
  await create(manager);
  const before = identity(simulator, "worker02");
  const old = vmNamed(simulator, "worker02");
  const data = simulator.store.datasets.get("tank/vms/worker02-disk1");
  assert.ok(old !== undefined && data !== undefined);
  const other = JSON.stringify([identity(simulator, "worker01"), vmNamed(simulator, "worker01")]);

  const vm = await planned(manager);
  assert.equal(vm.action, "replace");
  assert.deepEqual(vm.replacement?.zvols.map(({ name }) => name), ["tank/vms/worker02-disk0"]);
  assert.deepEqual(vm.replacement?.keeps.map(({ zvol }) => zvol), ["tank/vms/worker02-disk1"]);

  const result = await replace(manager, "worker02");
  assert.deepEqual(outcomes(result), ["worker01 kept", "worker02 replaced"]);
  assert.equal(result.status, "done");
  const made = vmNamed(simulator, "worker02");
  assert.ok(made !== undefined);
  assert.notEqual(made.id, old.id);
  assert.notEqual(made.config.uuid, old.config.uuid);
  assert.deepEqual(identity(simulator, "worker02"), before);
  assert.equal(made.state, "RUNNING");
  assert.equal(made.config.memory, 4096, "what else differs comes with the new VM");
  assert.equal(simulator.store.datasets.get("tank/vms/worker02-disk0")?.volsizeBytes, 10 * 2 ** 30);
  assert.equal(simulator.store.datasets.get("tank/vms/worker02-disk1"), data, "the very same zvol");
  for (const zvol of ["tank/vms/worker02-disk0", "tank/vms/worker02-disk1"]) {
    const properties = simulator.store.datasets.get(zvol)?.userProperties;
    assert.equal(properties?.[ZVOL_PROPERTIES.vm], made.config.uuid, zvol);
  }
  assert.equal(JSON.stringify([identity(simulator, "worker01"), vmNamed(simulator, "worker01")]), other);

  const [, kept] = (await manager.planCreation(REQUEST)).vms;
  assert.deepEqual([kept?.action, kept?.differences], ["keep", []], "nothing is left to do");
  const [destroyed] = (await manager.planDestruction({ prefixes: [], names: ["worker02"] })).vms;
  assert.deepEqual(destroyed?.marks, { description: true, zvols: "all", journal: true });
});
