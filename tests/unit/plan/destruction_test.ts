/**
 * Protects other VMs and zvols from a destruction: only a prefix followed by digits is selected, and nothing shared.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import type { Disk, Vm } from "../../../lib/inventory/inventory.ts";
import {
  DEFAULT_PREFIXES,
  type DestructionRequest,
  type JournalEvidence,
  planDestruction,
} from "../../../lib/plan/destruction.ts";
import { GIB } from "../../../lib/units.ts";
import { FOREIGN } from "./plan_samples.ts";

Deno.test("planDestruction() selects VMs by prefix and number, and keeps zvols that other VMs use", () => {
  const disk = (zvol: string | null, path = `/dev/zvol/${zvol}`) => ({
    deviceId: 1,
    path,
    zvol,
    sizeBytes: GIB,
    sparse: false,
    bus: "VIRTIO" as const,
    mark: null,
    order: 1,
  });
  const vms: Vm[] = [
    {
      ...FOREIGN,
      id: 1,
      name: "worker10",
      disks: [disk("tank/a"), disk("tank/shared"), disk(null, "/mnt/tank/raw.img")],
    },
    { ...FOREIGN, id: 2, name: "worker2", disks: [disk("tank/b")] },
    { ...FOREIGN, id: 3, name: "workerold", disks: [disk("tank/shared")] },
    { ...FOREIGN, id: 4, name: "workers" },
  ];
  const plan = planDestruction(vms, { prefixes: ["worker"], unmarked: "all" });
  assert.deepEqual(plan.vms.map(({ name }) => name), ["worker2", "worker10"]);
  assert.deepEqual(plan.vms[1]?.zvols.map(({ name, sizeBytes }) => [name, sizeBytes]), [["tank/a", GIB]]);
  assert.deepEqual(plan.vms[1]?.keeps.map(({ because }) => because), [
    "workerold also uses it",
    "it is not a zvol",
  ]);
  assert.deepEqual([plan.phrase, plan.totals], ["destroy 2 vms", {
    vms: 2,
    zvols: 2,
    zvolBytes: 2 * GIB,
    snapshots: 0,
  }]);
  const [first] = vms;
  assert.ok(first);
  assert.notEqual(
    planDestruction([{ ...first, state: "RUNNING" }], { prefixes: ["worker"], unmarked: "all" }).fingerprint,
    planDestruction([first], { prefixes: ["worker"], unmarked: "all" }).fingerprint,
  );
});

/** A disk on a zvol. */
function zvolDisk(zvol: string, sizeBytes: number | null = GIB): Disk {
  return {
    deviceId: 1,
    path: `/dev/zvol/${zvol}`,
    zvol,
    sizeBytes,
    sparse: false,
    bus: "VIRTIO" as const,
    mark: null,
    order: 1,
  };
}

const name = fc.oneof(
  fc.constantFrom("worker", "worker1x", "workers01", "Worker01", "my_worker01", "1", "controlplane_01"),
  fc.tuple(fc.constantFrom("worker", "controlplane", "w", "web", ""), fc.nat(120)).map((it) => it.join("")),
);
const prefix = fc.oneof(
  fc.constantFrom("worker", "w", "web", "", "work", ".*", "^", "1", "worker0"),
  fc.string(),
);

Deno.test("planDestruction() selects every VM named prefix and digits, and no other", () => {
  fc.assert(fc.property(fc.uniqueArray(name), fc.array(prefix), (names, prefixes) => {
    const vms = names.map((name, id) => ({ ...FOREIGN, id, name }));
    const meant = (name: string) =>
      prefixes.some((prefix) => {
        const digits = name.slice(prefix.length);
        return prefix !== "" && name === prefix + digits && digits !== "" && [...digits].every(isDigit);
      });
    const planned = planDestruction(vms, { prefixes, unmarked: "all" }).vms;
    assert.deepEqual(planned.map(({ name }) => name).toSorted(), names.filter(meant).toSorted());
    for (const { id, name } of planned) assert.equal(names[id], name, "the id is that VM's own");
  }));
});

function isDigit(char: string): boolean {
  return "0123456789".includes(char);
}

Deno.test("planDestruction() never removes a zvol of a VM that is kept", () => {
  const zvols = fc.uniqueArray(fc.constantFrom("tank/a", "tank/b", "tank/c", "tank/d"));
  const vm = fc.record({ name, zvols });
  const vms = fc.uniqueArray(vm, { selector: ({ name }) => name });
  fc.assert(fc.property(vms, (drawn) => {
    const all = drawn.map(({ name, zvols }, id) => ({
      ...FOREIGN,
      id,
      name,
      disks: zvols.map((zvol) => zvolDisk(zvol)),
    }));
    const plan = planDestruction(all, { prefixes: DEFAULT_PREFIXES, unmarked: "all" });
    const doomed = new Set(plan.vms.map(({ id }) => id));
    const used = all.filter(({ id }) => !doomed.has(id)).flatMap(({ disks }) =>
      disks.map(({ zvol }) => zvol)
    );
    const removed = plan.vms.flatMap(({ zvols }) => zvols.map(({ name }) => name));
    assert.ok(removed.every((zvol) => !used.includes(zvol)));
    for (const { id, zvols, keeps } of plan.vms) {
      assert.equal(zvols.length + keeps.length, all[id]?.disks.length, "every disk's fate is told");
    }
    assert.equal(plan.totals.zvols, new Set(removed).size, "a shared zvol goes once");
    assert.equal(plan.totals.zvolBytes, new Set(removed).size * GIB);
  }));
});

Deno.test("planDestruction() of nothing is an empty plan, and an unknown size counts as zero", () => {
  const nothing = planDestruction([{ ...FOREIGN, name: "workers" }], { prefixes: ["worker"] });
  assert.deepEqual([nothing.vms, nothing.phrase], [[], "destroy 0 vms"]);
  const one = planDestruction([{ ...FOREIGN, name: "worker01", disks: [zvolDisk("tank/a", null)] }], {
    prefixes: ["worker"],
    unmarked: "all",
  });
  assert.deepEqual([one.phrase, one.totals], ["destroy 1 vm", {
    vms: 1,
    zvols: 1,
    zvolBytes: 0,
    snapshots: 0,
  }]);
});

Deno.test("planDestruction() selects only VMs whose marks agree, unless others are named", () => {
  const ours = { ...FOREIGN, uuid: "u1", description: "lab [truenas-vm-manager]" };
  const own = { ...zvolDisk("tank/vms/worker01-disk0"), mark: { vm: "u1", operation: "op" } };
  const reasonFor = (vm: Partial<Vm>, journal?: JournalEvidence) =>
    planDestruction([{ ...ours, name: "worker01", ...vm }], { prefixes: ["worker"] }, journal).spared[0]
      ?.because ??
      null;
  assert.equal(reasonFor({}), null);
  assert.equal(reasonFor({ disks: [own] }), null);
  assert.match(reasonFor({ description: "" }) ?? "", /does not contain this program's mark/);
  assert.match(reasonFor({ disks: [own, zvolDisk("tank/data")] }) ?? "", /tank\/data was not created for it/);
  const others = { ...own, mark: { vm: "u2", operation: "op" } };
  assert.match(reasonFor({ disks: [others] }) ?? "", /was not created for it/);
  const seen = { uuids: new Set(["u1"]), zvols: new Set(["tank/data"]) };
  assert.equal(reasonFor({ disks: [zvolDisk("tank/data")] }, seen), null, "the journal saw both made");
  assert.equal(
    reasonFor({ disks: [zvolDisk("tank/data", null)] }),
    null,
    "what cannot be read speaks for nothing",
  );
});

Deno.test("planDestruction() keeps disks on request, with a different fingerprint", () => {
  const vm = { ...FOREIGN, name: "worker01", disks: [zvolDisk("tank/a")] };
  const plan = (request: Partial<DestructionRequest>) =>
    planDestruction([vm], { prefixes: ["worker"], unmarked: "all", ...request });
  assert.deepEqual(plan({ keepDisks: true }).vms[0]?.keeps, [
    { path: "/dev/zvol/tank/a", because: "you chose to keep disks" },
  ]);
  assert.equal(plan({ keepDisks: true }).totals.zvols, 0);
  const prints = [plan({}), plan({ keepDisks: true }), plan({ shutdown: true })].map(({ fingerprint }) =>
    fingerprint
  );
  assert.equal(new Set(prints).size, 3);
});
