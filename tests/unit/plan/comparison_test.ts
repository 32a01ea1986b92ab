/** Protects existing VMs: matching ones are kept, differences are reported, and only our own are completed. */
import assert from "node:assert/strict";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { planJson } from "../../../lib/inventory/json.ts";
import { planCreation } from "../../../lib/plan/creation.ts";
import type { CreationInput } from "../../../lib/plan/creation_input.ts";
import type { PlannedVm } from "../../../lib/plan/types.ts";
import { GIB, MIB } from "../../../lib/units.ts";
import { input, inventory, made, TEMPLATES, withTypes, WORKER } from "./plan_samples.ts";

Deno.test("a VM that differs is changed only if it is selected; a VM with missing devices is completed only if it was created here", () => {
  const [planned] = planCreation(input()).vms;
  assert.ok(planned);
  const whole = made(planned, 1);
  const actionOf = (vm: Vm) => {
    const [found] = planCreation(input({ inventory: inventory({ vms: [vm] }) })).vms;
    assert.ok(found);
    return found;
  };
  assert.deepEqual(valuesOf(actionOf({ ...whole, memoryMib: 4096 })), [{
    field: "memory",
    wanted: "2 GiB",
    found: "4 GiB",
  }]);
  const lacking = { ...whole, state: "STOPPED", disks: whole.disks.slice(0, 1) };
  const unused = actionOf({ ...lacking, everStarted: false });
  assert.deepEqual([unused.action, unused.steps], ["complete", ["disk1", "start"]]);
  for (const everStarted of [true, null]) {
    const { action, steps, reasons } = actionOf({ ...lacking, everStarted });
    assert.deepEqual([action, steps], ["complete", ["disk1"]]);
    assert.deepEqual(reasons, ["missing: disk1", "it stays stopped because it may have run before"]);
  }
  assert.equal(actionOf({ ...lacking, description: "mine" }).action, "blocked");
  const running = actionOf({ ...lacking, state: "RUNNING" });
  assert.deepEqual([running.action, running.steps], ["change", []], "only if it is selected");
  assert.equal(
    actionOf({ ...whole, cdroms: [] }).action,
    "keep",
    "an installed VM without its disc is whole",
  );
});

/** The differing values. */
function valuesOf({ differences }: PlannedVm) {
  return differences.map(({ field, wanted, found }) => ({ field, wanted, found }));
}

/** What the plan says of a worker01 on the NAS. */
function planned(change: (whole: Vm) => Partial<Vm>, given: Partial<CreationInput> = {}) {
  const [wanted] = planCreation(input()).vms;
  assert.ok(wanted);
  const whole = made(wanted, 1);
  const vms = [{ ...whole, ...change(whole) }];
  const [found] = planCreation(input({ ...given, inventory: inventory({ vms }) })).vms;
  assert.ok(found);
  return found;
}

/** The plan for a worker of another type section. */
function plannedAs(section: Partial<VmTypeSection>, change: (whole: Vm) => Partial<Vm> = () => ({})) {
  return planned(change, { configuration: withTypes({ worker: { ...WORKER, ...section } }) });
}

Deno.test("premise: a VM that matches the plan is kept", () => {
  assert.deepEqual([planned(() => ({})).action, planned(() => ({})).vmId], ["keep", 1]);
});

Deno.test("all differences are reported at once, in terms of the configuration", () => {
  const differing = planned(({ disks, nics }) => ({
    vcpus: 8,
    memoryMib: 4096,
    disks: disks.map((disk, n) => n === 1 ? { ...disk, sizeBytes: 60 * GIB } : disk),
    nics: nics.map((nic, n) => n === 0 ? { ...nic, attach: "br9" } : nic),
  }));
  assert.equal(differing.action, "replace", "a disk is smaller");
  assert.deepEqual(differing.steps, []);
  assert.deepEqual(valuesOf(differing), [
    { field: "vcpus", wanted: "4", found: "8" },
    { field: "memory", wanted: "2 GiB", found: "4 GiB" },
    { field: "nic0", wanted: "br0", found: "br9" },
    { field: "disk1", wanted: "50 GiB", found: "60 GiB" },
  ]);
});

Deno.test("a difference that rounding would hide is reported", () => {
  assert.deepEqual(valuesOf(planned(() => ({ memoryMib: 2049 }))), [
    { field: "memory", wanted: "2048 MiB", found: "2049 MiB" },
  ]);
  const sizeOf = (sizeBytes: number) =>
    planned(({ disks }) => ({ disks: disks.map((disk, n) => n === 0 ? { ...disk, sizeBytes } : disk) }));
  assert.deepEqual(valuesOf(sizeOf(20 * GIB + MIB)), [
    { field: "disk0", wanted: "20480 MiB", found: "20481 MiB" },
  ]);
  assert.deepEqual(valuesOf(sizeOf(20 * GIB + 16_384)), [
    { field: "disk0", wanted: "20480 MiB", found: "21474852864 B" },
  ]);
});

Deno.test("a value that the NAS does not report is not a difference", () => {
  const silent = planned(({ disks, nics }) => ({
    disks: disks.map((disk) => ({ ...disk, sizeBytes: null })),
    nics: nics.map((nic) => ({ ...nic, attach: null })),
  }));
  assert.equal(silent.action, "keep");
});

Deno.test("missing devices of every kind are added, in the plan's order", () => {
  const unused = { state: "STOPPED", everStarted: false };
  const bare = planned(() => ({ ...unused, disks: [], nics: [], displays: [], cdroms: [] }));
  assert.equal(bare.action, "complete");
  assert.deepEqual(bare.steps, ["display", "cdrom", "nic0", "nic1", "disk0", "disk1", "start"]);
  assert.deepEqual(bare.reasons, ["missing: display, cdrom, nic0, nic1, disk0, disk1"]);
  const withoutDiscs = planned(({ disks }) => ({ ...unused, disks: disks.slice(1), cdroms: [] }));
  assert.deepEqual(withoutDiscs.steps, ["cdrom", "disk0", "start"]);
});

Deno.test("a VM created elsewhere is never completed, and a running VM only if it is selected", () => {
  const foreign = planned(() => ({ state: "STOPPED", description: "mine", nics: [] }));
  assert.deepEqual([foreign.action, foreign.steps], ["blocked", []]);
  assert.match(foreign.reasons.join(), /This program did not create the VM/);
  const running = planned(() => ({ nics: [] }));
  assert.deepEqual([running.action, running.steps, running.state], ["change", [], "RUNNING"]);
  assert.deepEqual(running.reasons, ["missing: nic0, nic1"]);
});

Deno.test("a VM that exists keeps its ports and MACs", () => {
  const own = planned(({ displays, nics }) => ({
    displays: displays.map((display) => ({ ...display, port: 5999, webPort: null })),
    nics: nics.map((nic) => ({ ...nic, mac: "00:a0:98:01:02:03" })),
  }));
  assert.equal(own.action, "keep");
  const [display] = own.devices;
  assert.deepEqual(display?.dtype === "DISPLAY" && [display.port, display.webPort], [5999, null]);
  const macs = own.devices.flatMap((device) => device.dtype === "NIC" ? [device.mac] : []);
  assert.deepEqual(macs, ["00:a0:98:01:02:03", "00:a0:98:01:02:03"]);
});

/** Each setting in which a VM can differ, and the difference. */
const SETTINGS: readonly (readonly [change: (whole: Vm) => Partial<Vm>, field: string, found: string])[] = [
  [() => ({ vcpus: 4, cores: 4, threads: 1 }), "threads", "1"],
  [() => ({ cpuMode: "CUSTOM" }), "cpu_mode", "CUSTOM"],
  [() => ({ autostart: false }), "autostart", "no"],
  [({ displays }) => ({ displays: displays.map((it) => ({ ...it, bind: "::1" })) }), "display.bind", "::1"],
  [({ cdroms }) => ({ cdroms: cdroms.map((it) => ({ ...it, path: "/mnt/b.iso" })) }), "cdrom", "/mnt/b.iso"],
  [
    ({ nics }) => ({ nics: nics.map((it, n) => n === 1 ? { ...it, model: "E1000" } : it) }),
    "nic1.model",
    "E1000",
  ],
  [
    ({ disks }) => ({ disks: disks.map((it, n) => n === 0 ? { ...it, bus: "AHCI" } : it) }),
    "disk0.bus",
    "AHCI",
  ],
];

Deno.test("each setting of configuration and templates is compared, in VMs that were created here only", () => {
  for (const [change, field, found] of SETTINGS) {
    const { action, differences } = planned(change);
    assert.deepEqual([action, ...differences.map((it) => [it.field, it.found, it.kind])], [
      "change",
      [field, found, "setting"],
    ]);
    const foreign = planned((whole) => ({ ...change(whole), description: "mine" }));
    assert.deepEqual([foreign.action, foreign.differences], ["keep", []], field);
  }
});

Deno.test("what neither configuration nor templates state is not compared", () => {
  const stated = {
    description: null,
    autostart: null,
    cpuMode: null,
    bind: null,
    nicModel: null,
    diskBus: null,
  };
  const templates = () => ({ ...TEMPLATES, stated });
  const compared = SETTINGS.map(([change]) =>
    planned(change, { templates }).differences.map(({ field }) => field)
  );
  assert.deepEqual(compared.flat(), ["threads", "cdrom"], "these are in the configuration");
  assert.equal(planned(() => ({ description: "my notes [truenas-vm-manager]" })).action, "keep");
});

Deno.test("a type's own settings precede the templates'", () => {
  assert.deepEqual(valuesOf(plannedAs({ autostart: false, description: "lab 7" })), [
    { field: "autostart", wanted: "no", found: "yes" },
    { field: "description", wanted: "lab 7", found: "" },
  ]);
  const described = () => ({ description: "lab 7 [truenas-vm-manager]", autostart: false });
  assert.equal(plannedAs({ autostart: false, description: "lab 7" }, described).action, "keep");
});

Deno.test("a larger disk needs a stop, a smaller one another VM, and nothing stops for what only the NAS looks at", () => {
  const natures = (vm: PlannedVm) =>
    vm.differences.map(({ field, needsStop, never }) => [field, needsStop, never]);
  assert.deepEqual(natures(plannedAs({ memory: 4096, disk: { root: 30, data: 40 }, autostart: false })), [
    ["memory", true, null],
    ["autostart", false, null],
    ["disk0", true, null],
    ["disk1", true, null],
  ]);
  const replaced = plannedAs({ disk: { root: 30, data: 40 } }).differences.map((
    it,
  ) => [it.change?.kind, it.replaces]);
  assert.deepEqual(replaced, [["grow", false], [undefined, true]]);
  const foreign = plannedAs({ memory: 4096 }, () => ({ description: "mine" }));
  assert.deepEqual(natures(foreign), [["memory", true, "this program did not create the VM"]]);
});

Deno.test("missing devices are named together with differing fields; only differing hardware prevents that they are added", () => {
  const lacking = ({ disks }: Vm) => ({ state: "STOPPED", disks: disks.slice(0, 1) });
  const larger = planned((whole) => ({ ...lacking(whole), memoryMib: 4096 }));
  assert.deepEqual([larger.action, larger.missing, larger.reasons, larger.steps], [
    "change",
    ["disk1"],
    ["missing: disk1"],
    [],
  ]);
  const renamed = planned((whole) => ({ ...lacking(whole), autostart: false }));
  assert.deepEqual([renamed.action, renamed.steps], ["change", ["disk1"]]);
  assert.deepEqual(renamed.differences.map(({ field }) => field), ["autostart"]);
});

Deno.test("a VM with another install image differs, unless it never started and gets the configured one", () => {
  const other = ({ cdroms }: Vm) => ({ cdroms: cdroms.map((it) => ({ ...it, path: "/mnt/b.iso" })) });
  const fresh = planned((whole) => ({ ...other(whole), state: "STOPPED", everStarted: false }));
  assert.deepEqual([fresh.action, fresh.steps, fresh.differences], ["complete", ["cdrom", "start"], []]);
});

Deno.test("the JSON of a plan has changes with both values, beside what it had before", () => {
  const [wanted] = planCreation(input()).vms;
  assert.ok(wanted);
  const whole = made(wanted, 1);
  const vms = [{ ...whole, memoryMib: 4096, disks: whole.disks.slice(0, 1) }];
  const plan = planCreation(input({ inventory: inventory({ vms }) }));
  const json = JSON.parse(JSON.stringify(planJson(plan)));
  assert.deepEqual(json.vms[0].changes, [
    { field: "memory", from: "4 GiB", to: "2 GiB", needsStop: true, never: null, replaces: false },
    { field: "disk1", from: null, to: "50 GiB", needsStop: true, never: null, replaces: false },
  ]);
  assert.deepEqual(json.problems, json.findings);
  for (const key of Object.keys(plan)) assert.ok(key in json, key);
  const [differing, create] = json.vms;
  assert.deepEqual([differing.action, create.action, create.changes], ["change", "create", []]);
  assert.equal(create.devices.length, 6);
});

Deno.test("VMs of a type above its count are surplus if they were created here as its VMs, and stay out of the plan", () => {
  const vms = planCreation(input({ configuration: withTypes({ worker: { ...WORKER, count: 4 } }) })).vms
    .map((vm, index) => made(vm, index + 1));
  const [, , third, fourth] = vms;
  assert.ok(third && fourth);
  const surplusOf = (others: readonly Vm[], given: Partial<CreationInput> = {}) => {
    const plan = planCreation(
      input({ ...given, inventory: inventory({ vms: [...vms.slice(0, 3), ...others] }) }),
    );
    assert.deepEqual(plan.vms.map(({ name, action }) => [name, action]), [["worker01", "keep"], [
      "worker02",
      "keep",
    ]]);
    return plan.surplus.map(({ name, count }) => [name, count]);
  };
  const both = [["worker03", 2], ["worker04", 2]];
  assert.deepEqual(surplusOf([fourth]), both);
  const cloned = { ...fourth, uuid: "another" };
  assert.deepEqual(surplusOf([cloned]), both.slice(0, 1), "the zvols of a clone do not name it");
  assert.deepEqual(surplusOf([{ ...fourth, description: "mine" }]), both.slice(0, 1));
  assert.deepEqual(surplusOf([{ ...fourth, name: "workerold" }]), both.slice(0, 1));
  assert.deepEqual(surplusOf([fourth], { single: new Set(["worker03"]) }), both.slice(1));
  const json = planJson(planCreation(input({ inventory: inventory({ vms }) })));
  const actions = (json.vms as { name: string; action: string; steps: string[] }[]).map((
    vm,
  ) => [vm.name, vm.action, vm.steps.length]);
  assert.deepEqual(actions.slice(2), [["worker03", "surplus", 0], ["worker04", "surplus", 0]]);
  const before = planCreation(input({ inventory: inventory({ vms: vms.slice(0, 2) }) })).fingerprint;
  assert.equal(planCreation(input({ inventory: inventory({ vms }) })).fingerprint, before);
});
