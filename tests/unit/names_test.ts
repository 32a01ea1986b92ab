/** Protects the names of VMs and zvols and their MACs: TrueNAS accepts them, and each is unique. */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import {
  compareNames,
  deriveMac,
  firstDisplayPort,
  isVmName,
  matchesPrefix,
  typeOf,
  vmName,
  zvolName,
  zvolOfPath,
} from "../../lib/inventory/names.ts";

Deno.test("matchesPrefix() matches only the prefix followed by digits", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (name, prefix) => {
    assert.equal(
      matchesPrefix(name, prefix),
      prefix !== "" && name.startsWith(prefix) && /^[0-9]+$/.test(name.slice(prefix.length)),
    );
  }));
  fc.assert(fc.property(fc.stringMatching(/^[a-z_]{1,9}$/), fc.integer({ min: 1, max: 99 }), (type, n) => {
    assert.ok(matchesPrefix(vmName(type, n), type));
    assert.ok(isVmName(vmName(type, n)));
  }));
});

Deno.test("deriveMac() is stable, unicast, locally administered, and different for every NIC", () => {
  const seed = { nasId: "nas", vm: "worker01", nic: "lan" };
  assert.equal(deriveMac(seed), deriveMac({ ...seed }));
  assert.match(deriveMac(seed), /^02(:[0-9a-f]{2}){5}$/);
  for (const other of [{ nasId: "b" }, { vm: "worker02" }, { nic: "wan" }]) {
    assert.notEqual(deriveMac(seed), deriveMac({ ...seed, ...other }));
  }
});

Deno.test("display ports start at 5910 and 5920, and continue in tens for further types", () => {
  const types = ["gpu", "controlplane", "worker", "db"];
  assert.deepEqual(types.map((type) => firstDisplayPort(type, types)), [5930, 5910, 5920, 5940]);
});

Deno.test("isVmName() accepts the names that TrueNAS accepts", () => {
  for (const name of ["a", "Worker_01", "9", "x".repeat(150)]) assert.ok(isVmName(name), name);
  for (const name of ["", "worker-7", "wörker", "a b", "a.b", "a\n", "x".repeat(151)]) {
    assert.ok(!isVmName(name), JSON.stringify(name));
  }
});

Deno.test("VM names and zvols are unique, whatever the types are called", () => {
  const type = fc.stringMatching(/^[a-z0-9_]{1,4}$/);
  const number = fc.integer({ min: 1, max: 99 });
  fc.assert(fc.property(type, number, type, number, (type, n, otherType, otherN) => {
    const same = type === otherType && n === otherN;
    assert.equal(vmName(type, n) === vmName(otherType, otherN), same);
  }));
  const vm = fc.stringMatching(/^[A-Za-z0-9_]{1,6}$/);
  fc.assert(fc.property(vm, fc.nat(20), vm, fc.nat(20), (vm, n, otherVm, otherN) => {
    const same = vm === otherVm && n === otherN;
    assert.equal(zvolName("tank/vms", vm, n) === zvolName("tank/vms", otherVm, otherN), same);
  }));
});

Deno.test("zvolOfPath() recognises a zvol by its device path alone", () => {
  assert.equal(zvolOfPath("/dev/zvol/tank/a+b"), "tank/a b");
  assert.equal(zvolOfPath("/mnt/tank/x"), null);
  assert.equal(zvolOfPath(`/dev/zvol/${zvolName("tank/vms", "worker01", 0)}`), "tank/vms/worker01-disk0");
});

Deno.test("deriveMac() gives every NIC its own unicast address", () => {
  const vms = Array.from({ length: 99 }, (_, n) => vmName("worker", n + 1));
  const macs = vms.flatMap((vm) => ["lan", "wan"].map((nic) => deriveMac({ nasId: "nas.lan", vm, nic })));
  assert.equal(new Set(macs).size, 198);
  // Bit 0 of the first octet marks a group address, bit 1 one that no vendor has given out.
  for (const mac of macs) assert.equal(parseInt(mac.slice(0, 2), 16) & 0b11, 0b10);
  const [joined, apart] = [{ vm: "ab", nic: "c" }, { vm: "a", nic: "bc" }];
  assert.notEqual(deriveMac({ nasId: "nas", ...joined }), deriveMac({ nasId: "nas", ...apart }));
});

Deno.test("typeOf() finds the VM type of a name", () => {
  assert.deepEqual(["worker01", "gpu_12", "worker", "01", ""].map(typeOf), [
    "worker",
    "gpu_",
    null,
    null,
    null,
  ]);
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9_]{0,8}[a-z_]$/), fc.integer({ min: 1, max: 99 }), (type, n) => {
      assert.equal(typeOf(vmName(type, n)), type);
    }),
  );
});

Deno.test("compareNames() sorts digits as numbers and ignores case", () => {
  const names = ["worker10", "Worker2", "worker02", "a", "", "B", "worker", "worker2b", "a_1"];
  assert.deepEqual(names.toSorted(compareNames), [
    "",
    "a",
    "a_1",
    "B",
    "worker",
    "worker02",
    "Worker2",
    "worker2b",
    "worker10",
  ]);
});

Deno.test("compareNames() orders all names, and treats no two different names as equal", () => {
  fc.assert(fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
    assert.equal(Math.sign(compareNames(a, b)), 0 - Math.sign(compareNames(b, a)));
    assert.equal(compareNames(a, b) === 0, a === b);
    if (compareNames(a, b) <= 0 && compareNames(b, c) <= 0) assert.ok(compareNames(a, c) <= 0);
  }));
});
