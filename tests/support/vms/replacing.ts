/** Workers that only replacing settles: their first disk has to become smaller. */
import assert from "node:assert/strict";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import type { PlannedVm } from "../../../lib/plan/types.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import type { RunOptions } from "../../../lib/operations/runner.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { type Lab, type LabOptions, outcomes, vmNamed, withLab, workers } from "../lab.ts";

/** The oldest release, a middle one and the newest. */
const VERSIONS = ["24.10", "25.10", "27.0"] as const;

/** A test on each of them. */
export function onEachRelease(
  name: string,
  test: (lab: Lab) => Promise<void>,
  options: LabOptions = {},
): void {
  for (const version of VERSIONS) {
    const simulator = { ...options.simulator, version };
    Deno.test(`${name} (${version})`, () => withLab({ ...options, simulator }, test));
  }
}

const TYPES = [{ type: "worker", startPort: 5920 }] as const;
const COMMON = { count: 2, description: "lab 7" } as const;
/** As they are created. */
export const LARGE = { configuration: workers({ ...COMMON, disk: { root: 20, data: 50 } }), types: TYPES };
/** With more memory besides. */
export const SMALL = {
  configuration: workers({ ...COMMON, disk: { root: 10, data: 50 }, memory: 4096 }),
  types: TYPES,
};

/** The zvol that goes when worker02 is replaced. */
export const ROOT = "tank/vms/worker02-disk0";
/** The zvol that stays. */
export const DATA = "tank/vms/worker02-disk1";

/** Creates both. */
export async function createWorkers(manager: VMManager): Promise<void> {
  const result = await manager.create(LARGE);
  assert.deepEqual(outcomes(result), ["worker01 created", "worker02 created"]);
}

/** Replaces those with these names. */
export function replaceWorkers(
  manager: VMManager,
  names: readonly string[] = ["worker02"],
  options: RunOptions = {},
) {
  return manager.create({ ...SMALL, reconcile: { ...NOTHING_CHANGED, replace: names } }, options);
}

/** Selecting worker02 is refused, or nothing comes of it: no call changes anything. */
export async function expectNotReplaced(simulator: Simulator, manager: VMManager): Promise<void> {
  const [before, since] = [everything(simulator), simulator.calls.length];
  const outcome = await replaceWorkers(manager).then(({ vms }) => vms[1]?.outcome, (error) => {
    if (error instanceof ConfigurationError) return "failed";
    throw error;
  });
  assert.notEqual(outcome, "replaced");
  assert.deepEqual([changingCalls(simulator, since), everything(simulator)], [[], before]);
}

/** What the plan says about worker02. */
export async function planned(manager: VMManager, request = SMALL): Promise<PlannedVm> {
  const vm = (await manager.planCreation(request)).vms.find(({ name }) => name === "worker02");
  assert.ok(vm !== undefined);
  return vm;
}

/** What people and their networks know of a VM. */
export function identity(simulator: Simulator, name: string) {
  const vm = vmNamed(simulator, name);
  assert.ok(vm !== undefined, name);
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

/** Everything on the NAS, as text. */
export function everything({ store }: Simulator): string {
  const vms = [...store.vms.values()].map(({ id, config, state }) => ({ id, config, state }));
  const rest = [[...store.devices.values()], [...store.datasets.values()], [...store.snapshots.values()]];
  return JSON.stringify([vms, ...rest], null, 1);
}

/** Calls that change something, since there were so many. */
export function changingCalls({ calls }: Simulator, since: number): readonly string[] {
  return calls.slice(since).map(({ method }) => method)
    .filter((method) => /\.(create|update|delete|start|stop|poweroff)$/.test(method));
}

/** Does something when a step of worker02 reaches a status. */
export function on(step: string, status: string, act: () => void): (event: OperationEvent) => void {
  return (event) => {
    if (event.type === "step" && event.vm === "worker02" && event.step === step && event.status === status) {
      act();
    }
  };
}

/** Everything of the kept disk. */
export function dataDisk({ store }: Simulator): string {
  return JSON.stringify(store.datasets.get(DATA));
}

/** Apart from its mark, which names the VM that has it. */
export function contentOf({ store }: Simulator): unknown {
  const { userProperties: _marks, ...content } = store.datasets.get(DATA) ??
    assert.fail("the kept disk is gone");
  return content;
}
