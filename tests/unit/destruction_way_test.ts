/**
 * Protects the order in which VMs and their zvols go: where one VM is deleted at a time, VMs go before their zvols only
 * as far as that saves time, and only those whose zvols are known as theirs without them.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Circumstances, destructionSteps, waysTo } from "../../lib/operations/destruction_way.ts";
import type { DestructionVm } from "../../lib/plan/types.ts";

const SERIAL: Circumstances = { serialDeletes: true, mayDeleteZvols: true, callMs: 100, shutdown: false };

function vmOf(id: number, more: Partial<DestructionVm> = {}): DestructionVm {
  return {
    id,
    name: `worker${id}`,
    uuid: `u${id}`,
    state: "RUNNING",
    marked: true,
    marks: { description: true, zvols: "all", journal: true },
    zvols: [0, 1].map((n) => ({ name: `tank/worker${id}-disk${n}`, sizeBytes: 1 })),
    keeps: [],
    ...more,
  };
}

function vmsOf(count: number, more: Partial<DestructionVm> = {}): DestructionVm[] {
  return Array.from({ length: count }, (_, n) => vmOf(n + 1, more));
}

/** How many of them go before their zvols. */
function countFirst(vms: readonly DestructionVm[], circumstances: Partial<Circumstances> = {}): number {
  const wayTo = waysTo(vms, { ...SERIAL, ...circumstances });
  return vms.filter((vm) => wayTo(vm).zvols === "after").length;
}

Deno.test("zvols go with their VM where the NAS deletes several at once, and when there is only one", () => {
  const ways = (vms: DestructionVm[], serialDeletes: boolean) =>
    vms.map(waysTo(vms, { ...SERIAL, serialDeletes })).map(({ zvols }) => zvols);
  assert.deepEqual(ways(vmsOf(2), false), ["with", "with"]);
  const [zvol] = vmOf(1).zvols;
  assert.deepEqual(ways([vmOf(1, { zvols: zvol === undefined ? [] : [zvol] })], true), ["with"]);
  assert.deepEqual(ways([vmOf(1)], true), ["before"]);
});

Deno.test("the more of the time the deletions of VMs take, the more go before their zvols", () => {
  const vms = vmsOf(20);
  const counts = [1, 5, 20, 50, 100, 500].map((callMs) => countFirst(vms, { callMs }));
  assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
  assert.deepEqual([counts.at(0), counts.at(-1)], [0, 8]);
  assert.equal(countFirst(vmsOf(50)), 20);
});

Deno.test("no VM goes before its zvols unless these are known as its own, and may be deleted by name", () => {
  const none = (more: Partial<DestructionVm>) => assert.equal(countFirst(vmsOf(10, more)), 0);
  assert.equal(countFirst(vmsOf(10)), 4, "the premise");
  for (const zvols of ["some", "none", "unknown"] as const) {
    none({ marks: { description: true, zvols, journal: true } });
  }
  none({ keeps: [{ path: "/mnt/tank/file", because: "it is not a zvol" }] });
  none({ zvols: [] });
  none({ zvols: [{ name: "tank/a", sizeBytes: null }, { name: "tank/b", sizeBytes: 1 }] });
  none({ zvols: [{ name: "tank/shared", sizeBytes: 1 }] });
  assert.equal(countFirst(vmsOf(10), { mayDeleteZvols: false }), 0, "the account has no such right");
  assert.equal(countFirst(vmsOf(10), { shutdown: true }), 0, "which is off first is not known");
  assert.equal(countFirst(vmsOf(10), { callMs: 0 }), 0, "how long a call takes is not known");
});

Deno.test("at most two fifths go before their zvols, whatever a call takes", () => {
  fc.assert(fc.property(fc.nat(100), fc.nat(5_000), (count, callMs) => {
    assert.ok(countFirst(vmsOf(count), { callMs }) <= Math.ceil(count * 0.4));
  }));
});

Deno.test("the steps say in which order VM and zvols go", () => {
  const way = { shutdown: false } as const;
  assert.deepEqual(destructionSteps({ ...way, zvols: "with" }), ["look", "poweroff", "delete", "check"]);
  assert.deepEqual(destructionSteps({ shutdown: true, zvols: "before" }), [
    "look",
    "shutdown",
    "poweroff",
    "disks",
    "delete",
    "check",
  ]);
  assert.deepEqual(destructionSteps({ ...way, zvols: "after" }), [
    "look",
    "poweroff",
    "delete",
    "zvols",
    "check",
  ]);
});
