/** A manager connected to a simulated NAS, and what is on that NAS. */
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../lib/configuration/flat_configuration.ts";
import { parseConfiguration } from "../../lib/configuration/load_configuration.ts";
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import type { RunResult } from "../../lib/operations/summary.ts";
import { type Simulator, startSimulator } from "../../lib/simulator/simulator.ts";
import { addDataset } from "../../lib/simulator/store.ts";
import type { SimulatorOptions } from "../../lib/simulator/types.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";
import { TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "./pages/dashboard.ts";

/** The default configuration of tests. */
export const CONFIG: FlatConfiguration = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

/** The same with other workers. */
export function workers(change: Partial<VmTypeSection>): FlatConfiguration {
  const { worker } = CONFIG;
  assert.ok(worker !== undefined && "count" in worker);
  return { ...CONFIG, worker: { ...worker, ...change } };
}

/** Both of them. */
export interface Lab {
  readonly simulator: Simulator;
  readonly manager: VMManager;
}

/** Options of both. */
export interface LabOptions {
  readonly simulator?: SimulatorOptions;
  readonly manager?: Partial<VMManagerOptions>;
}

/** Starts both, and waits until they are connected. */
export async function withLab(options: LabOptions, test: (lab: Lab) => Promise<void>): Promise<void> {
  await using simulator = await startSimulator({ times: TEST_TIMES, ...options.simulator });
  await using manager = new VMManager({ ...credentials(simulator), ...options.manager });
  await manager.connect();
  await test({ simulator, manager });
}

/** A test on an old and a new release. */
export function onEach(name: string, test: (lab: Lab) => Promise<void>, options: LabOptions = {}): void {
  for (const version of ["25.10", "27.0"] as const) {
    const simulator = { ...options.simulator, version };
    Deno.test(`${name} (${version})`, () => withLab({ ...options, simulator }, test));
  }
}

/** What another manager of this NAS needs. */
export function credentials({ url }: Simulator): VMManagerOptions {
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  return { host: url, ...account, settle: TEST_SETTLE, backoffMs: [10] };
}

/** `worker01 created` for each VM. */
export function outcomes({ vms }: RunResult): string[] {
  return vms.map(({ name, outcome }) => `${name} ${outcome}`);
}

/** The VM of this name on the NAS. */
export function vmNamed({ store }: Simulator, name: string) {
  return [...store.vms.values()].find(({ config }) => config.name === name);
}

/** The names of all VMs on the NAS. */
export function vmNames({ store }: Simulator): string[] {
  return [...store.vms.values()].map(({ config }) => config.name).toSorted();
}

/** The zvols where the configuration has them. */
export function zvols({ store }: Simulator): string[] {
  return [...store.datasets.keys()].filter((name) => name.startsWith("tank/vms/")).toSorted();
}

/** A VM that somebody made by hand, with a disk. */
export function addByHand({ store }: Simulator, name: string, zvol = `tank/VMs/${name}`): void {
  const [any] = store.vms.values();
  assert.ok(any !== undefined);
  const id = ++store.lastVmId;
  const config = { ...any.config, name, description: "by hand", uuid: crypto.randomUUID() };
  store.vms.set(id, { id, config, state: "RUNNING", everStarted: true });
  addDataset(store, { name: zvol, type: "VOLUME", volsizeBytes: 1 });
  const deviceId = ++store.lastDeviceId;
  const attributes = { dtype: "DISK", path: `/dev/zvol/${zvol}`, type: "VIRTIO" };
  store.devices.set(deviceId, { id: deviceId, vm: id, order: 1001, attributes });
}
