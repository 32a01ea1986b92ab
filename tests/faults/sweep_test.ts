/**
 * Protects the promise that nothing half-made is left: for each call of a creation of 2 VMs with 2 disks and of a
 * destruction of 3, and before, in the middle of and after its effect, the NAS refuses the call or the connection is
 * cut. Afterwards every VM is either whole and running or wholly gone, no zvol is orphaned, and what is somebody
 * else's is as it was.
 */
import assert from "node:assert/strict";
import { type Configuration, parseConfiguration } from "../../lib/config.ts";
import { type Simulator, startSimulator } from "../../lib/simulator/simulator.ts";
import type { FaultMoment, SimulatedVersion } from "../../lib/simulator/types.ts";
import { type RunResult, VMManager } from "../../lib/vm_manager.ts";
import { TEST_CONFIG } from "../support/dashboard.ts";

const PARSED = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;
const TIMES = { callMs: 0, zvolMs: 1, startMs: 0, shutdownMs: 0, deleteRunningMs: 1 } as const;
const MOMENTS: readonly FaultMoment[] = ["before", "middle", "after"];
const FOREIGN_VMS = 5;

interface Point {
  readonly version: SimulatedVersion;
  readonly action: "fail" | "cut";
  readonly moment: FaultMoment;
  /** The call's place among those of the run that is disturbed. */
  readonly nth: number;
}

function configurationOf(count: number): Configuration {
  const { worker } = PARSED;
  assert.ok(worker !== undefined && "count" in worker);
  return { ...PARSED, worker: { ...worker, count } };
}

async function withNas<T>(
  version: SimulatedVersion,
  test: (simulator: Simulator, manager: VMManager) => Promise<T>,
): Promise<T> {
  await using simulator = await startSimulator({ version, times: TIMES, foreignVms: FOREIGN_VMS });
  await using manager = new VMManager({
    host: simulator.url,
    username: "admin",
    password: "truenas",
    vncPassword: "pw",
    settle: { settleMs: 60, lookMs: 10 },
    backoffMs: [1],
  });
  await manager.connect();
  await manager.live.ready();
  return await test(simulator, manager);
}

/** Lets the nth call of the run from now on be struck. */
function strike(simulator: Simulator, { action, moment, nth }: Point): () => boolean {
  let seen = 0;
  let struck = false;
  for (const method of new Set(METHODS)) {
    simulator.addFault({
      method,
      times: Infinity,
      moment,
      action,
      matches: () => {
        struck ||= seen === nth;
        return seen++ === nth;
      },
    });
  }
  return () => struck;
}

const METHODS = [
  "vm.query",
  "vm.get_instance",
  "vm.create",
  "vm.start",
  "vm.poweroff",
  "vm.delete",
  "vm.device.create",
  "vm.device.query",
  "vm.device.nic_attach_choices",
  "vm.device.bind_choices",
  "vm.get_available_memory",
  "vm.maximum_supported_vcpus",
  "filesystem.stat",
  "pool.dataset.query",
  "pool.dataset.delete",
] as const;

function expectWhole(simulator: Simulator, at: string): void {
  const { vms, devices, datasets } = simulator.store;
  const ours = [...vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name));
  for (const vm of ours) {
    const own = [...devices.values()].filter((device) => device.vm === vm.id);
    assert.equal(vm.state, "RUNNING", `${at}: ${vm.config.name} is whole`);
    assert.equal(own.length, 6, `${at}: ${vm.config.name} has its devices`);
  }
  const used = new Set(
    [...devices.values()].map(({ attributes }) => String(attributes.path).replace("/dev/zvol/", "")),
  );
  for (const { name, type } of datasets.values()) {
    if (type === "VOLUME") assert.ok(used.has(name), `${at}: ${name} belongs to a VM`);
  }
  for (const { vm, id } of devices.values()) assert.ok(vms.has(vm), `${at}: device ${id} belongs to a VM`);
}

function expectForeign(simulator: Simulator, at: string): void {
  const foreign = [...simulator.store.vms.values()].filter(({ config }) => !/^worker\d+$/.test(config.name));
  assert.equal(foreign.length, FOREIGN_VMS, at);
  for (const { config } of foreign) {
    assert.ok(simulator.store.datasets.has(`tank/VMs/${config.name}-data`), at);
  }
}

async function create(point: Point): Promise<boolean> {
  return await withNas(point.version, async (simulator, manager) => {
    const at = `create ${JSON.stringify(point)}`;
    const struck = strike(simulator, point);
    const result = await attempt(() => manager.createVmType(configurationOf(2), "worker", 5920));
    if (!struck()) return false;
    simulator.clearFaults();
    expectWhole(simulator, at);
    expectForeign(simulator, at);
    for (const { name, outcome } of result?.vms ?? []) {
      const exists = [...simulator.store.vms.values()].some(({ config }) => config.name === name);
      assert.equal(
        exists,
        outcome === "created",
        `${at}: ${name} is ${outcome}`,
      );
    }
    return true;
  });
}

async function destroy(point: Point): Promise<boolean> {
  return await withNas(point.version, async (simulator, manager) => {
    const at = `destroy ${JSON.stringify(point)}`;
    await manager.createVmType(configurationOf(3), "worker", 5920);
    const struck = strike(simulator, point);
    const result = await attempt(() => manager.destroyManagedVms(["worker"]));
    if (!struck()) return false;
    simulator.clearFaults();
    expectForeign(simulator, at);
    for (const { name, outcome, message } of result?.vms ?? []) {
      const exists = [...simulator.store.vms.values()].some(({ config }) => config.name === name);
      const zvols = [...simulator.store.datasets.keys()].filter((zvol) =>
        zvol.startsWith(`tank/vms/${name}-`)
      );
      if (outcome === "destroyed") assert.deepEqual([exists, zvols], [false, []], `${at}: ${name} is gone`);
      else assert.ok(message !== null && message !== "", `${at}: ${name} is ${outcome}, and says why`);
    }
    // Whatever was left is removed by doing it again.
    const again = await manager.destroyManagedVms(["worker"]);
    assert.equal(again.status, "done", at);
    return true;
  });
}

/** A run whose first reading is struck sends nothing and says so by an error. */
async function attempt(run: () => Promise<RunResult>): Promise<RunResult | null> {
  try {
    return await run();
  } catch (error) {
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

async function sweep(name: string, run: (point: Point) => Promise<boolean>): Promise<void> {
  let tried = 0;
  for (const version of ["25.10", "27.0"] as const) {
    for (const action of ["fail", "cut"] as const) {
      for (const moment of MOMENTS) {
        for (let nth = 0; await run({ version, action, moment, nth }); nth++) tried++;
      }
    }
  }
  assert.ok(tried > 100, "the sweep reached the run");
  const text = new TextEncoder().encode(`${name}: ${tried} points tried, ${tried} survived\n`);
  await Deno.stdout.write(text);
}

Deno.test("createVmType() leaves nothing half-made, at whatever point it is disturbed", () =>
  sweep("create", create));

Deno.test("destroyManagedVms() removes or names everything, at whatever point it is disturbed", () =>
  sweep("destroy", destroy));
