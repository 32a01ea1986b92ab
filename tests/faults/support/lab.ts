/** The NAS of a sweep, what is created on it, and the manager that does it. */
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { markedDescription } from "../../../lib/inventory/marks.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import type { RunResult } from "../../../lib/operations/summary.ts";
import { type FlatCreationRequest, VMManager } from "../../../lib/vm_manager.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const TIMES = {
  callMs: 0,
  zvolMs: 1,
  startMs: 0,
  shutdownMs: 0,
  deleteRunningMs: 1,
  pingSecondMs: 5,
} as const;

/** Much longer than a call that continues on its own takes (30 ms), even on a busy machine. */
const SETTLE = { settleMs: 400, pollMs: 10 } as const;

const PARSED = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

/** So many workers with two disks and two NICs each. */
export function workers(count: number): FlatConfiguration {
  const { worker } = PARSED;
  assert.ok(worker !== undefined && "count" in worker);
  return { ...PARSED, worker: { ...worker, count } };
}

/** The same with a first configuration (seed), and nobody who waits until they answer. */
export function seeded(count: number): FlatConfiguration {
  const { worker, ...others } = workers(count);
  assert.ok(worker !== undefined && "count" in worker);
  return {
    ...others,
    worker: { ...worker, seed: { kind: "cloud-init", user: "admin" }, ready: { when: "none" } },
  };
}

/** The same on a CD-ROM, because they have static addresses. */
export function seededOnDisk(count: number): FlatConfiguration {
  const { worker, ...others } = seeded(count);
  assert.ok(worker !== undefined && "count" in worker);
  const [lan = ""] = Object.keys(worker.network);
  return { ...others, worker: { ...worker, addresses: { [lan]: { range: "10.0.0.21-29/24" } } } };
}

/** Replaces so many workers, because their first disk has to become smaller; their second disk stays. */
export function replacing(count: number): FlatCreationRequest {
  const { worker, ...others } = workers(count);
  assert.ok(worker !== undefined && "count" in worker);
  const replace = Array.from({ length: count }, (_, n) => `worker0${n + 1}`);
  return {
    configuration: { ...others, worker: { ...worker, disk: { ...worker.disk, root: 10 } } },
    types: [{ type: "worker", startPort: 5920 }],
    reconcile: { ...NOTHING_CHANGED, replace },
  };
}

/** Creates so many workers and a control plane, by two operations at once. */
export function createBoth(manager: VMManager, count: number): Promise<readonly RunResult[]> {
  const configuration = workers(count);
  return Promise.all(
    ["worker", "controlplane"].map((type) => manager.createVmType(configuration, type, 5920)),
  );
}

/** A NAS on which others have VMs with names like ours, and a zvol with data under a name of ours. */
export async function startNas(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startSimulator({ version, times: TIMES, foreignVms: 2, hostname: ownAddress() });
  for (const name of ["workerold", "workers"]) addForeignVm(simulator, name, "made by hand");
  addForeignVm(simulator, "worker77_copy", markedDescription("a clone"));
  addDataset(simulator.store, { name: "tank/vms/worker07-disk0", type: "VOLUME", volsizeBytes: 1 });
  // A restart of the NAS leaves these VMs as they were, so that what differs afterwards is a change of ours.
  for (const vm of simulator.store.vms.values()) vm.config.autostart = vm.state === "RUNNING";
  return simulator;
}

/** An address of this machine whose ports are given to nobody else while the NAS is away. */
function ownAddress(): string {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
  return `127.${a}.${b}.${(c % 250) + 2}`;
}

/** Puts a VM with a disk there that this program did not make. */
export function addForeignVm({ store }: Simulator, name: string, description: string): void {
  const zvol = `tank/VMs/${name}-data`;
  const [template] = store.vms.values();
  assert.ok(template !== undefined, "there is a VM to take the fields from");
  const id = ++store.lastVmId;
  const config = { ...template.config, name, description, uuid: crypto.randomUUID() };
  store.vms.set(id, { id, config, state: "STOPPED", everStarted: true });
  addDataset(store, { name: zvol, type: "VOLUME", volsizeBytes: 1 });
  const deviceId = ++store.lastDeviceId;
  const attributes = { dtype: "DISK", path: `/dev/zvol/${zvol}`, type: "VIRTIO" };
  store.devices.set(deviceId, { id: deviceId, vm: id, order: 1001, attributes });
}

/** How a manager works in these tests. */
export function managerOptions({ url }: Pick<Simulator, "url">): VMManagerOptions {
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  return { host: url, ...account, settle: SETTLE, backoffMs: [1] };
}

/** A manager that is connected. */
export async function connect(
  simulator: Simulator,
  options: Partial<VMManagerOptions> = {},
): Promise<VMManager> {
  const manager = new VMManager({ ...managerOptions(simulator), ...options });
  await manager.connect();
  await manager.inventory.live.ready();
  return manager;
}
