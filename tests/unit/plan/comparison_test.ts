/** Protects existing VMs: matching ones are kept, differences are reported, and only our own are completed. */
import assert from "node:assert/strict";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { planCreation } from "../../../lib/plan/creation.ts";
import { GIB, MIB } from "../../../lib/units.ts";
import { input, inventory, made } from "./plan_samples.ts";

Deno.test("a VM that differs is left unchanged with the reasons; a VM with missing devices is completed only if it was created here", () => {
  const [planned] = planCreation(input()).vms;
  assert.ok(planned);
  const whole = made(planned, 1);
  const actionOf = (vm: Vm) => {
    const [found] = planCreation(input({ inventory: inventory({ vms: [vm] }) })).vms;
    assert.ok(found);
    return found;
  };
  assert.deepEqual(actionOf({ ...whole, memoryMib: 4096 }).differences, [{
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
  assert.match(actionOf({ ...lacking, state: "RUNNING" }).reasons.join(), /stop it first/);
  assert.equal(
    actionOf({ ...whole, cdroms: [] }).action,
    "keep",
    "an installed VM without its disc is whole",
  );
});

/** What the plan says of a worker01 on the NAS. */
function planned(change: (whole: Vm) => Partial<Vm>) {
  const [wanted] = planCreation(input()).vms;
  assert.ok(wanted);
  const whole = made(wanted, 1);
  const vms = [{ ...whole, ...change(whole) }];
  const [found] = planCreation(input({ inventory: inventory({ vms }) })).vms;
  assert.ok(found);
  return found;
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
  assert.equal(differing.action, "differs");
  assert.deepEqual(differing.steps, []);
  assert.deepEqual(differing.differences, [
    { field: "vcpus", wanted: "4", found: "8" },
    { field: "memory", wanted: "2 GiB", found: "4 GiB" },
    { field: "nic0", wanted: "br0", found: "br9" },
    { field: "disk1", wanted: "50 GiB", found: "60 GiB" },
  ]);
});

Deno.test("a difference that rounding would hide is reported", () => {
  assert.deepEqual(planned(() => ({ memoryMib: 2049 })).differences, [
    { field: "memory", wanted: "2048 MiB", found: "2049 MiB" },
  ]);
  const sizeOf = (sizeBytes: number) =>
    planned(({ disks }) => ({ disks: disks.map((disk, n) => n === 0 ? { ...disk, sizeBytes } : disk) }));
  assert.deepEqual(sizeOf(20 * GIB + MIB).differences, [
    { field: "disk0", wanted: "20480 MiB", found: "20481 MiB" },
  ]);
  assert.deepEqual(sizeOf(20 * GIB + 16_384).differences, [
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

Deno.test("a VM created elsewhere is never completed, and a running VM only after it is stopped", () => {
  const foreign = planned(() => ({ state: "STOPPED", description: "mine", nics: [] }));
  assert.deepEqual([foreign.action, foreign.steps], ["blocked", []]);
  assert.match(foreign.reasons.join(), /This program did not create the VM/);
  const running = planned(() => ({ nics: [] }));
  assert.deepEqual([running.action, running.steps], ["blocked", []]);
  assert.match(running.reasons.join(), /The VM is running; stop it first/);
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
