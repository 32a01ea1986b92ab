/**
 * Protects the plan of a creation: a pure function whose names, ports, MACs, zvols and orders never collide, and which
 * keeps existing VMs.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { planCreation } from "../../../lib/plan/creation.ts";
import { GIB } from "../../../lib/units.ts";
import {
  dataset,
  FOREIGN,
  input,
  inventory,
  made,
  UNKNOWN,
  withTypes,
  WORKER,
  zvolsOf,
} from "./plan_samples.ts";

Deno.test("planCreation() plans every VM with its devices and steps", () => {
  const plan = planCreation(input());
  assert.deepEqual(plan.findings, []);
  assert.deepEqual(
    plan.vms.map(({ name, action, vcpus, cores, threads }) => [name, action, vcpus, cores, threads]),
    [
      ["worker01", "create", 4, 2, 2],
      ["worker02", "create", 4, 2, 2],
    ],
  );
  assert.deepEqual(plan.vms[0]?.steps, ["vm", "display", "cdrom", "nic0", "nic1", "disk0", "disk1", "start"]);
  assert.deepEqual(zvolsOf(plan), [
    "tank/vms/worker01-disk0",
    "tank/vms/worker01-disk1",
    "tank/vms/worker02-disk0",
    "tank/vms/worker02-disk1",
  ]);
  assert.deepEqual(plan.totals, { vms: 2, vcpus: 8, memoryMib: 4096, zvols: 4, zvolBytes: 140 * GIB });
});

Deno.test("planning again after applying keeps everything; a higher count or a gap adds only missing VMs", () => {
  const first = planCreation(input());
  const vms = first.vms.map((vm, index) => made(vm, index + 1));
  const again = planCreation(input({ inventory: inventory({ vms }) }));
  assert.deepEqual(again.vms.map(({ action, steps }) => [action, steps]), [["keep", []], ["keep", []]]);
  assert.equal(again.totals.vms, 0);
  const [one, two] = vms;
  assert.ok(one && two);
  const gap = planCreation(input({ inventory: inventory({ vms: [two] }) }));
  assert.deepEqual(gap.vms.map(({ name, action }) => [name, action]), [["worker01", "create"], [
    "worker02",
    "keep",
  ]]);
  const more = planCreation(
    input({ configuration: withTypes({ worker: { ...WORKER, count: 4 } }), inventory: inventory({ vms }) }),
  );
  assert.deepEqual(more.vms.map(({ action }) => action), ["keep", "keep", "create", "create"]);
  assert.deepEqual(more.vms[2]?.devices[0], {
    step: "display",
    order: 1004,
    dtype: "DISPLAY",
    port: 5922,
    webPort: 7922,
    bind: "0.0.0.0",
  });
});

Deno.test("a VM with an error is blocked, and the others are planned", () => {
  const given = inventory({
    datasets: { known: true, value: [dataset("tank/vms"), dataset("tank/vms/worker01-disk0")] },
  });
  const plan = planCreation(
    input({ inventory: given, places: new Map([["worker.disk.root", { line: 12, column: 5 }]]) }),
  );
  assert.deepEqual(plan.vms.map(({ action }) => action), ["blocked", "create"]);
  assert.equal(plan.findings[0]?.line, 12);
  assert.equal(plan.totals.vms, 1);
});

Deno.test("equal plans have equal fingerprints, and different plans different ones", () => {
  assert.equal(planCreation(input()).fingerprint, planCreation(input()).fingerprint);
  const other = inventory({ nicChoices: UNKNOWN });
  assert.notEqual(planCreation(input()).fingerprint, planCreation(input({ inventory: other })).fingerprint);
});

Deno.test("names, ports, MACs, zvols and device orders never collide, whatever exists or is requested", () => {
  const foreign = fc.uniqueArray(fc.integer({ min: 5900, max: 6010 }), { maxLength: 60 });
  const shape = fc.record({
    count: fc.integer({ min: 0, max: 20 }),
    disks: fc.integer({ min: 0, max: 4 }),
    nics: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(fc.property(foreign, shape, shape, (ports, a, b) => {
    const section = ({ count, disks, nics }: typeof a) => ({
      count,
      memory: 20,
      cpu: 1,
      disk: Object.fromEntries(Array.from({ length: disks }, (_, n) => [`d${n}`, 1])),
      network: Object.fromEntries(Array.from({ length: nics }, (_, n) => [`n${n}`, "br0"])),
    });
    const vms = ports.map((port, id) => ({
      ...FOREIGN,
      id,
      name: `other${id}`,
      displays: [{ deviceId: 1, type: "SPICE", bind: "::", port, webPort: null }],
    }));
    const configuration = {
      storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" },
      types: { a: section(a), b: section(b) },
    };
    const types = [{ type: "a", startPort: 5910 }, { type: "b", startPort: 5920 }];
    const plan = planCreation(input({ configuration, types, inventory: inventory({ vms }) }));
    const devices = plan.vms.flatMap((vm) => vm.devices);
    const used = devices.flatMap((device) =>
      device.dtype === "DISPLAY" ? [device.port, device.webPort ?? -1] : []
    );
    assert.equal(new Set(used).size, used.length, "no two displays share a port");
    assert.ok(used.every((port) => !ports.includes(port)), "nobody else's port is taken");
    assert.ok(!used.includes(6000));
    assert.equal(new Set(plan.vms.map(({ name }) => name)).size, a.count + b.count);
    const macs = devices.flatMap((device) => device.dtype === "NIC" ? [device.mac] : []);
    assert.equal(new Set(macs).size, macs.length);
    assert.equal(new Set(zvolsOf(plan)).size, zvolsOf(plan).length);
    for (const vm of plan.vms) {
      assert.equal(new Set(vm.devices.map(({ order }) => order)).size, vm.devices.length);
    }
  }));
});

Deno.test("planCreation() does not change its arguments", () => {
  const given = input();
  const before = structuredClone({ ...given, templates: null, places: null });
  planCreation(given);
  assert.deepEqual({ ...given, templates: null, places: null }, before);
});

Deno.test("planCreation() without VMs has no findings, even on an empty NAS", () => {
  const none = withTypes({ worker: { ...WORKER, count: 0 } });
  const bare = inventory({ datasets: UNKNOWN, nicChoices: UNKNOWN, availableMemoryBytes: UNKNOWN });
  assert.ok(planCreation(input({ inventory: bare })).findings.length > 0, "the premise");
  const plan = planCreation(input({ configuration: none, inventory: bare }));
  assert.deepEqual([plan.vms, plan.findings, plan.totals.vms], [[], [], 0]);
});

Deno.test("whatever planCreation() plans is kept by the next plan once applied", () => {
  const shape = fc.record({
    count: fc.integer({ min: 0, max: 8 }),
    memory: fc.integer({ min: 20, max: 2_000 }),
    cpu: fc.integer({ min: 1, max: 16 }),
    disk: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.integer({ min: 1, max: 9 }), { maxKeys: 3 }),
    network: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.constantFrom("br0", "br1"), { maxKeys: 3 }),
  });
  fc.assert(fc.property(shape, shape, (controlplane, worker) => {
    const configuration = withTypes({ controlplane, worker });
    const types = [{ type: "controlplane", startPort: 5910 }, { type: "worker", startPort: 5920 }];
    const plan = planCreation(input({ configuration, types }));
    assert.deepEqual(plan.findings, []);
    const vms = plan.vms.map((vm, index) => made(vm, index + 1));
    const again = planCreation(input({ configuration, types, inventory: inventory({ vms }) }));
    assert.ok(again.vms.every(({ action, steps }) => action === "keep" && steps.length === 0));
    assert.equal(again.totals.vms, 0);
  }));
});

Deno.test("a type with a name is that one VM, with ports, MACs and zvols of its own", () => {
  const types = [{ type: "worker", startPort: 5930, name: "mail" }];
  const plan = planCreation(input({ types }));
  assert.deepEqual(plan.vms.map(({ name, type, action }) => [name, type, action]), [[
    "mail",
    "worker",
    "create",
  ]]);
  assert.deepEqual(zvolsOf(plan), ["tank/vms/mail-disk0", "tank/vms/mail-disk1"]);
  assert.notDeepEqual(planCreation(input()).vms[0]?.devices, plan.vms[0]?.devices);
});
