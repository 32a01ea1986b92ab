/** Applies a second configuration to VMs that were made from a first one. */
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import type { RunResult } from "../../../lib/operations/summary.ts";
import { NOTHING_CHANGED, type Reconciling } from "../../../lib/plan/changes.ts";
import type { PlannedVm } from "../../../lib/plan/types.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { StoredDevice, StoredVm } from "../../../lib/simulator/store.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";

/** The workers only. */
export const TYPES = [{ type: "worker", startPort: 5920 }] as const;

/** The plan for the workers. */
export async function planned(
  manager: VMManager,
  configuration: FlatConfiguration,
): Promise<readonly PlannedVm[]> {
  return (await manager.planCreation({ configuration, types: TYPES })).vms;
}

/** Changes every worker that the plan would change. */
export async function applyAll(
  manager: VMManager,
  configuration: FlatConfiguration,
  how: Partial<Reconciling> = {},
): Promise<RunResult> {
  const vms = await planned(manager, configuration);
  const change = vms.filter(({ action }) => action === "change").map(({ name }) => name);
  const reconcile = { ...NOTHING_CHANGED, change, ...how };
  return await manager.create({ configuration, types: TYPES, reconcile });
}

/** Makes workers, and switches them off unless they are to run. */
export async function makeWorkers(
  { manager, simulator }: { readonly manager: VMManager; readonly simulator: Simulator },
  configuration: FlatConfiguration,
  state: StoredVm["state"] = "STOPPED",
): Promise<void> {
  assert.equal((await manager.create({ configuration, types: TYPES })).status, "done");
  for (const vm of workersOf(simulator)) vm.state = state;
}

/** The workers on the NAS. */
export function workersOf({ store }: Simulator): StoredVm[] {
  return [...store.vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name))
    .toSorted((a, b) => a.config.name < b.config.name ? -1 : 1);
}

/** The worker of this name. */
export function worker(simulator: Simulator, name = "worker01"): StoredVm {
  return workersOf(simulator).find(({ config }) => config.name === name) ?? assert.fail(`no ${name}`);
}

/** A worker's devices of one type, by id. */
export function devicesOf(simulator: Simulator, dtype: string, name = "worker01"): StoredDevice[] {
  const { id } = worker(simulator, name);
  return [...simulator.store.devices.values()].filter((it) => it.vm === id && it.attributes.dtype === dtype);
}

/** Everything of the workers and their disks, as text. */
export function pictureOf(simulator: Simulator): string {
  const vms = workersOf(simulator).map(({ runsWithMib: _runsWith, starts: _starts, ...vm }) => vm);
  const devices = [...simulator.store.devices.values()].filter(({ vm }) => vms.some(({ id }) => id === vm))
    .toSorted((a, b) => a.vm - b.vm || a.order - b.order)
    // A device that was added for a while can have moved others up, which changes nothing about their order.
    .map(({ order: _order, ...device }) => device);
  const zvols = [...simulator.store.datasets.values()].filter(({ name }) => /^tank\/vms\/worker/.test(name));
  return JSON.stringify([vms, devices, zvols], sorted, 1);
}

/** The order of keys says nothing. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1));
}

/** The calls that changed something, by method. */
export function writes({ calls }: Simulator, from = 0): string[] {
  return calls.slice(from).map(({ method }) => method)
    .filter((method) => /\.(create|update|delete|start|stop|poweroff)$/.test(method));
}
