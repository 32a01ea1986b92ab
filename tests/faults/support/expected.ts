/** The expected state of the NAS after a disturbed run. */
import assert from "node:assert/strict";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { MINUTE_MS } from "./points.ts";

/** Each wait for the NAS lasted a minute of the operation's own clock. */
export function expectMinutes({ operations: { store } }: VMManager, at: string): void {
  for (const { id } of store.list()) {
    for (const event of store.get(id)?.since(0) ?? []) {
      if (event.type === "back") assert.ok(event.waitedMs >= MINUTE_MS, `${at}: ${event.waitedMs} ms`);
    }
  }
}

/** Everything that is on the NAS, as text. */
export function picture({ store }: Simulator): string {
  const vms = [...store.vms.values()].map(({ id, config, state }) => ({ id, config, state }));
  return JSON.stringify([vms, [...store.devices.values()], [...store.datasets.values()]], null, 1);
}

/** Our VMs are exactly as planned, each once, running, with its devices and zvols, and further devices of these kinds. */
export function expectPlanned(
  { store }: Simulator,
  count: number,
  at: string,
  further: readonly string[] = [],
): void {
  const ours = [...store.vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name));
  const names = ours.map(({ config }) => config.name).toSorted();
  assert.deepEqual(names, Array.from({ length: count }, (_, n) => `worker0${n + 1}`), at);
  for (const vm of ours) {
    const own = [...store.devices.values()].filter((device) => device.vm === vm.id);
    const kinds = own.map(({ attributes }) => attributes.dtype).toSorted();
    assert.equal(vm.state, "RUNNING", `${at}: ${vm.config.name} runs`);
    const expected = ["CDROM", "DISK", "DISK", "DISPLAY", "NIC", "NIC", ...further].toSorted();
    assert.deepEqual(kinds, expected, `${at}: ${vm.config.name}`);
    for (const n of [0, 1]) {
      const zvol = store.datasets.get(`tank/vms/${vm.config.name}-disk${n}`);
      assert.equal(zvol?.userProperties[ZVOL_PROPERTIES.vm], vm.config.uuid, `${at}: its zvol names it`);
    }
  }
}

/** No zvol is without a VM, and no device either. */
export function expectNoOrphans({ store }: Simulator, at: string): void {
  const used = new Set(
    [...store.devices.values()].map(({ attributes }) => String(attributes.path).replace("/dev/zvol/", "")),
  );
  for (const { name, type } of store.datasets.values()) {
    if (type === "VOLUME" && name !== "tank/vms/worker07-disk0") {
      assert.ok(used.has(name), `${at}: ${name} belongs to a VM`);
    }
  }
  for (const { vm, id } of store.devices.values()) {
    assert.ok(store.vms.has(vm), `${at}: device ${id} belongs to a VM`);
  }
}

/** What was there before is as it was. */
export function expectUntouched({ store }: Simulator, before: string, at: string): void {
  const [vms, devices, datasets] = JSON.parse(before) as [
    { id: number }[],
    { id: number }[],
    { name: string }[],
  ];
  for (const vm of vms) {
    const { id, config, state } = store.vms.get(vm.id) ?? {};
    assert.equal(JSON.stringify({ id, config, state }), JSON.stringify(vm), at);
  }
  for (const device of devices) {
    assert.equal(JSON.stringify(store.devices.get(device.id)), JSON.stringify(device), at);
  }
  for (const dataset of datasets) {
    assert.equal(JSON.stringify(store.datasets.get(dataset.name)), JSON.stringify(dataset), at);
  }
}

/** A disk of each worker has a snapshot, which is removed first. */
export function snapshotDisks({ store }: Simulator): void {
  for (
    const name of [...store.datasets.keys()].filter((name) => /^tank\/vms\/worker0[1-3]-disk0$/.test(name))
  ) {
    addSnapshot(store, `${name}@daily`);
  }
}

/** Every VM had a snapshot to remove, and none is left. */
export function expectSnapshotsGone({ vms }: OperationView, { store }: Simulator): void {
  const steps = vms.map(({ steps }) => steps.map(({ step }) => step));
  assert.ok(steps.every((names) => names.includes("snapshots")), "the premise");
  assert.equal(store.snapshots.size, 0);
}

/** No VM and no zvol was created twice under one identity, because each was verified before a retry. */
export function expectOnce({ calls }: Simulator, at: string): void {
  const asked = calls.flatMap(({ method, params, answer }) => {
    if (answer === undefined || "error" in answer) return [];
    const spec = params[0] as { uuid?: string; name?: string; user_properties?: unknown };
    if (method === "vm.create") return [`vm ${spec.uuid}`];
    return method === "pool.dataset.create"
      ? [`zvol ${spec.name} ${JSON.stringify(spec.user_properties)}`]
      : [];
  });
  assert.equal(new Set(asked).size, asked.length, `${at}: ${asked.join("\n")}`);
}
