/**
 * Protects the promise that an operation goes on by itself: the connection is cut at each call of creating 4 VMs with
 * 8 disks, of changing one in every way, and of destroying 4, before, during and after the call's effect, for a moment, for
 * so long that the operation waits, for a minute of its own clock, and by a restart of the NAS. Each operation ends as planned without a person, no call
 * takes effect twice, and resources created elsewhere are unchanged.
 */
import assert from "node:assert/strict";
import process from "node:process";
import type { OperationView } from "../../lib/operations/types.ts";
import { isGood } from "../../lib/operations/summary.ts";
import type { VmChange } from "../../lib/operations/steps/change_vm.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import { change, expectChanged, prepareChange } from "./support/change_points.ts";
import {
  expectMinutes,
  expectNoOrphans,
  expectOnce,
  expectPlanned,
  expectUntouched,
  picture,
} from "./support/expected.ts";
import { connect, startNas, workers } from "./support/lab.ts";
import { type Point, SkippingClock, strike, sweep } from "./support/points.ts";

const NEVER: Omit<Point, "version"> = { action: "cut", moment: "before", nth: Infinity };

/** What is done, and how the NAS has to look afterwards. */
interface Work {
  readonly prepare?: (manager: VMManager, simulator: Simulator) => Promise<unknown>;
  readonly run: (manager: VMManager) => Promise<OperationView>;
  readonly expect: (
    simulator: Simulator,
    before: string,
    at: string,
    manager: VMManager,
  ) => void | Promise<void>;
}

const COUNT = 4;

const CREATION: Work = {
  run: async (manager) => (await manager.createVmType(workers(COUNT), "worker", 5920)).operation,
  expect: (simulator, _before, at) => expectPlanned(simulator, COUNT, at),
};

const DESTRUCTION: Work = {
  prepare: (manager) => manager.createVmType(workers(COUNT), "worker", 5920),
  run: async (manager) => (await manager.destroyManagedVms(["worker"])).operation,
  expect: ({ store }, _before, at) =>
    assert.ok([...store.vms.values()].every(({ config }) => !/^worker\d+$/.test(config.name)), at),
};

/** Connects, does the work with a disturbance, and checks the result; false when the work was over before. */
async function heals({ prepare, run, expect }: Work, point: Point): Promise<boolean> {
  await using simulator = await startNas(point.version);
  const clock = new SkippingClock();
  await using manager = await connect(simulator, { now: clock.now });
  const before = picture(simulator);
  await prepare?.(manager, simulator);
  const operations = () => manager.operations.store.list();
  const { back } = strike(simulator, point, { clock, operations });
  const at = JSON.stringify(point);
  const view = await run(manager);
  if (!await back()) return false;
  const bad = view.vms.filter(({ outcome }) => !isGood(view.kind, outcome));
  if (point.action === "minute") expectMinutes(manager, at);
  assert.equal(view.status, "done", `${at}: ${bad.map(({ name, message }) => `${name}: ${message}`)}`);
  await expect(simulator, before, at, manager);
  // After a restart others' VMs are stopped.
  if (point.action !== "restart") expectUntouched(simulator, before, at);
  expectNoOrphans(simulator, at);
  expectOnce(simulator, at);
  return true;
}

async function countCalls({ prepare, run }: Work, version: SimulatedVersion): Promise<number> {
  await using simulator = await startNas(version);
  await using manager = await connect(simulator);
  await prepare?.(manager, simulator);
  const { seen } = strike(simulator, { ...NEVER, version });
  await run(manager);
  return seen();
}

/** Every change of a VM, made one after another; the VM is stopped, so that each is possible. */
const CHANGES: readonly VmChange[] = [
  {
    kind: "settings",
    name: "worker01",
    description: "",
    cores: 1,
    threads: 1,
    memoryMib: 4096,
    autostart: false,
  },
  { kind: "add-disk", zvol: "tank/vms/worker01-disk2", sizeBytes: 2 ** 30, sparse: false },
  { kind: "grow-disk", zvol: "tank/vms/worker01-disk0", sizeBytes: 40 * 2 ** 30 },
  { kind: "add-nic", attach: "br1", mac: "02:00:00:00:00:77" },
  { kind: "attach-iso", path: "/mnt/tank/iso/talos.iso", first: true },
];

const CHANGE: Work = {
  prepare: async (manager) => {
    await manager.createVmType(workers(1), "worker", 5920);
    const { id, name, state } = await worker01(manager);
    const request = { action: "poweroff", id, name, state, overcommit: false } as const;
    await manager.changes.act("poweroff", [request]).finished;
  },
  run: async (manager) => {
    const vm = await worker01(manager);
    let view: OperationView | null = null;
    for (const change of CHANGES) {
      view = await manager.changes.change(vm, change).finished;
      if (view.status !== "done") return view;
    }
    assert.ok(view !== null);
    return view;
  },
  expect: ({ store }, _before, at) => {
    const vm = [...store.vms.values()].find(({ config }) => config.name === "worker01");
    assert.deepEqual([vm?.config.memory, vm?.config.autostart], [4096, false], at);
    const devices = [...store.devices.values()].filter((device) => device.vm === vm?.id);
    const kinds = devices.map(({ attributes }) => attributes.dtype).toSorted();
    const expected = ["CDROM", "CDROM", "DISK", "DISK", "DISK", "DISPLAY", "NIC", "NIC", "NIC"];
    assert.deepEqual(kinds, expected, at);
    assert.equal(store.datasets.get("tank/vms/worker01-disk0")?.volsizeBytes, 40 * 2 ** 30, at);
  },
};

async function worker01(manager: VMManager) {
  const vm = (await manager.list()).find(({ name }) => name === "worker01");
  assert.ok(vm !== undefined);
  return vm;
}

/** VMs that are changed in six ways by one operation. */
function reconciling(state: "STOPPED" | "RUNNING"): Work {
  return {
    prepare: (manager, simulator) => prepareChange(manager, simulator, state),
    run: async (manager) => {
      const view = await change(manager);
      // A NAS that restarts between plan and operation has started the VMs, which another plan says.
      const isOutdated = view.vms.some(({ message }) => /the plan showed it stopped/.test(message ?? ""));
      return isOutdated ? await change(manager) : view;
    },
    expect: (simulator, _before, at, manager) => expectChanged(manager, simulator, state, at),
  };
}

const WORKS = {
  creation: CREATION,
  change: CHANGE,
  destruction: DESTRUCTION,
  "change of stopped VMs": reconciling("STOPPED"),
  "rolling restart": reconciling("RUNNING"),
};

const ALL = process.env.FAULTS === "all";
const versions: readonly SimulatedVersion[] = ALL ? ["24.10", "25.10", "26.0", "27.0"] : ["25.10", "27.0"];

for (const [name, work] of Object.entries(WORKS)) {
  Deno.test(`a ${name} that loses its connection at any call heals and ends as planned`, () =>
    sweep({
      name: `${name}, healed`,
      versions,
      actions: ["cut", "away", "minute", "restart"],
      moments: ["before", "middle", "after", "late"],
      width: ALL ? 10 : 4,
      sample: 24,
      verb: "healed, 0 asked a person",
      count: (version) => countCalls(work, version),
      run: (point) => heals(work, point),
    }));
}
