/** Protects resources in use from being listed as orphans: only marked resources that belong to nothing are listed. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { MARK } from "../../../lib/inventory/marks.ts";
import { findOrphans, type OrphanFacts } from "../../../lib/plan/orphans.ts";
import { dataset, FOREIGN, UNKNOWN } from "./plan_samples.ts";

const NONE = new Set<string>();

function facts(given: Partial<OrphanFacts>): OrphanFacts {
  return {
    vms: [],
    zvols: { known: true, value: [] },
    unfinished: NONE,
    running: { operations: NONE, uuids: NONE },
    journal: { uuids: NONE, zvols: NONE },
    left: [],
    ...given,
  };
}

function zvol(name: string, vm = "u1", operation = "op1") {
  return dataset(name, { type: "VOLUME", volsizeBytes: 5, mark: { vm, operation } });
}

function withDisk(name: string, zvols: readonly string[], fields: Partial<Vm> = {}): Vm {
  const disks = zvols.map((it) => ({
    deviceId: 1,
    path: `/dev/zvol/${it}`,
    zvol: it,
    sizeBytes: 5,
    sparse: false,
    bus: "VIRTIO" as const,
    mark: { vm: fields.uuid ?? "", operation: "op1" },
    order: 1,
  }));
  return { ...FOREIGN, id: 7, name, disks, ...fields };
}

Deno.test("findOrphans() lists marked zvols that no VM uses, with the VM they were created for", () => {
  const zvols = { known: true, value: [zvol("tank/a"), zvol("tank/b"), zvol("tank/c", "u9")] } as const;
  const vms = [withDisk("worker01", ["tank/a"], { uuid: "u1" })];
  const plan = findOrphans(facts({ vms, zvols }));
  assert.ok(plan.zvols.known);
  assert.deepEqual(plan.zvols.value.map(({ name, madeFor }) => [name, madeFor]), [
    ["tank/b", "worker01"],
    ["tank/c", null],
  ]);
  assert.deepEqual([plan.vms, plan.phrase], [[], "destroy 2 disks"]);
  assert.equal(findOrphans(facts({ vms, zvols, left: ["tank/b"] })).phrase, "destroy 1 disk");
});

Deno.test("a zvol is not an orphan while a disk of its VM is missing, because it may be that disk, renamed (fault 5)", () => {
  const zvols = { known: true, value: [zvol("tank/renamed")] } as const;
  const whole = withDisk("worker01", ["tank/a"], { uuid: "u1" });
  const lost = { ...whole, disks: whole.disks.map((disk) => ({ ...disk, sizeBytes: null })) };
  const found = (vm: Vm) => findOrphans(facts({ vms: [vm], zvols })).phrase;
  assert.deepEqual([found(whole), found(lost)], ["destroy 1 disk", "destroy 0 disks"]);
});

Deno.test("findOrphans() ignores resources of a running operation", () => {
  const zvols = { known: true, value: [zvol("tank/a", "u1", "now")] } as const;
  const half = { ...FOREIGN, id: 7, name: "worker01", uuid: "u1", description: MARK };
  assert.equal(findOrphans(facts({ vms: [half], zvols })).vms.length, 1, "the premise");
  const running = { operations: new Set(["now"]), uuids: new Set(["u1"]) };
  const plan = findOrphans(facts({ vms: [half], zvols, running }));
  assert.deepEqual([plan.vms, plan.zvols], [[], { known: true, value: [] }]);
});

Deno.test("findOrphans() lists unfinished VMs with their zvols, each once", () => {
  const zvols = { known: true, value: [zvol("tank/a")] } as const;
  const half = withDisk("worker01", ["tank/a"], { uuid: "u1", description: MARK });
  assert.deepEqual(findOrphans(facts({ vms: [half], zvols })).vms, [], "a VM with a disk counts as whole");
  const plan = findOrphans(facts({ vms: [half], zvols, unfinished: new Set(["u1"]) }));
  assert.deepEqual(plan.vms.map(({ name, because, zvols }) => [name, because, zvols.length]), [
    ["worker01", "an operation left it incomplete", 1],
  ]);
  assert.deepEqual([plan.zvols, plan.phrase], [{ known: true, value: [] }, "destroy 1 vm and 1 disk"]);
});

Deno.test("findOrphans() says if zvols cannot be read, and lists nothing unmarked", () => {
  assert.deepEqual(findOrphans(facts({ zvols: UNKNOWN })).zvols, UNKNOWN);
  const bare = { ...FOREIGN, name: "worker01", uuid: "u1" };
  const plan = findOrphans(facts({
    vms: [bare],
    unfinished: new Set(["u1"]),
    zvols: { known: true, value: [dataset("tank/x", { type: "VOLUME" })] },
  }));
  assert.deepEqual([plan.vms, plan.zvols], [[], { known: true, value: [] }]);
});

Deno.test("findOrphans() never lists a zvol that a VM uses", () => {
  const names = fc.uniqueArray(fc.constantFrom("tank/a", "tank/b", "tank/c", "tank/d"));
  const vm = fc.record({ zvols: names, marked: fc.boolean(), uuid: fc.constantFrom("u1", "u2", "u3") });
  fc.assert(fc.property(fc.array(vm), names, fc.subarray(["u1", "u2"]), (drawn, there, unfinished) => {
    const vms = drawn.map(({ zvols, marked, uuid }, id) =>
      withDisk(`worker${id}`, zvols, { id, uuid, description: marked ? MARK : "" })
    );
    const zvols = { known: true, value: there.map((name) => zvol(name)) } as const;
    const plan = findOrphans(facts({ vms, zvols, unfinished: new Set(unfinished) }));
    const used = vms.flatMap(({ disks }) => disks.map((disk) => disk.zvol));
    assert.ok(plan.zvols.known && plan.zvols.value.every(({ name }) => !used.includes(name)));
    for (const { id, zvols } of plan.vms) {
      assert.equal(vms[id]?.description, MARK);
      const others = vms.filter((other) => other.id !== id).flatMap(({ disks }) =>
        disks.map((it) => it.zvol)
      );
      assert.ok(zvols.every(({ name }) => !others.includes(name)), "a shared zvol stays");
    }
  }));
});
