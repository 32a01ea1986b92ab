/** Six kinds of changes of VMs that exist, made in one operation, and how the NAS has to look before and after it. */
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { makeWorkers, pictureOf, TYPES, worker, workersOf } from "../../support/vms/changing.ts";
import { workers } from "./lab.ts";

/** How many VMs are changed. */
export const CHANGED = 2;

/** What the VMs are changed to: settings, NIC, display, a disk's bus and space, and a further disk. */
export function changedWorkers(): FlatConfiguration {
  const configuration = workers(CHANGED);
  const { worker } = configuration;
  assert.ok(worker !== undefined && "count" in worker);
  return {
    ...configuration,
    worker: {
      ...worker,
      memory: worker.memory + 512,
      autostart: false,
      network: { lan: "br1", storage: "br1" },
      disk: { ...worker.disk, logs: 5 },
      sparse: true,
      template: { display: { bind: "127.0.0.1" }, disk: { type: "AHCI" } },
    },
  };
}

/** Makes the VMs that are changed. */
export async function prepareChange(
  manager: VMManager,
  simulator: Simulator,
  state: "STOPPED" | "RUNNING",
): Promise<string> {
  await makeWorkers({ manager, simulator }, workers(CHANGED), state);
  return pictureOf(simulator);
}

/** Changes them; running ones are restarted. */
export async function change(manager: VMManager): Promise<OperationView> {
  const reconcile = {
    ...NOTHING_CHANGED,
    change: ["worker01", "worker02"],
    running: "restart",
  } as const;
  return (await manager.create({ configuration: changedWorkers(), types: TYPES, reconcile })).operation;
}

/** The VMs are as declared, with nothing twice. */
export async function expectChanged(
  manager: VMManager,
  simulator: Simulator,
  state: "STOPPED" | "RUNNING",
  at: string,
): Promise<void> {
  const { vms } = await manager.planCreation({ configuration: changedWorkers(), types: TYPES });
  assert.deepEqual(
    vms.map(({ action, differences }) => [action, differences]),
    [["keep", []], ["keep", []]],
    at,
  );
  for (const { config, state: found } of workersOf(simulator)) {
    const { id } = worker(simulator, config.name);
    const devices = [...simulator.store.devices.values()].filter(({ vm }) => vm === id);
    const kinds = devices.map(({ attributes }) => attributes.dtype).toSorted();
    assert.deepEqual(
      kinds,
      ["CDROM", "DISK", "DISK", "DISK", "DISPLAY", "NIC", "NIC"],
      `${at}: ${config.name}`,
    );
    // A NAS that restarts starts VMs by itself.
    if (state === "RUNNING" || !/"restart"/.test(at)) assert.equal(found, state, `${at}: ${config.name}`);
  }
}
