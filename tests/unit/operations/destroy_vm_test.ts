/**
 * Protects a destruction with unanswered calls: a disk that may have been removed is verified, and a VM is read before
 * anything is done to it.
 */
import assert from "node:assert/strict";
import { type Outcome, TrueNASError } from "../../../lib/errors/errors.ts";
import { destroyVm, destructionSteps } from "../../../lib/operations/steps/destroy_vm.ts";
import { NotSent } from "../../../lib/operations/limits/call_limiter.ts";
import { MemoryReservation } from "../../../lib/operations/limits/memory_reservation.ts";
import { OperationLog } from "../../../lib/operations/record/log.ts";
import type { DestructionVm } from "../../../lib/plan/types.ts";
import type { Caller } from "../../../lib/truenas/client.ts";
import { toVm } from "../../../lib/truenas/rows.ts";

const ZVOLS = ["tank/vms/a-disk0", "tank/vms/a-disk1"] as const;

const VM: DestructionVm = {
  id: 1,
  name: "a",
  uuid: "u",
  state: "STOPPED",
  marked: true,
  marks: { description: true, zvols: "all", journal: true },
  zvols: ZVOLS.map((name) => ({ name, sizeBytes: null, snapshots: [], dependants: [] })),
  keeps: [],
  blocked: [],
  after: [],
};

/** The VM as the NAS has it. */
function rowWith(zvols: readonly string[]) {
  return {
    id: 1,
    name: "a",
    uuid: "u",
    vcpus: 1,
    cores: 1,
    threads: 1,
    memory: 64,
    autostart: false,
    status: { state: "STOPPED" },
    devices: zvols.map((zvol, n) => ({
      id: 10 + n,
      vm: 1,
      order: null,
      attributes: { dtype: "DISK", path: `/dev/zvol/${zvol}` },
    })),
  };
}

/** A log in which the destruction has started. */
function startedLog(): OperationLog {
  const log = new OperationLog("op", () => 0);
  log.append({
    type: "started",
    kind: "destroy",
    title: "",
    vms: [{ name: "a", steps: destructionSteps(false, VM), summary: "" }],
  });
  return log;
}

const COMMON = {
  settle: { settleMs: 3, pollMs: 1 },
  outages: { givenUp: null, hasRestarted: false },
  signal: new AbortController().signal,
  resumed: false,
  shutdown: false,
  after: Promise.resolve(),
};

/** A NAS that answers each deletion of a device this way, and removes nothing. */
async function destroyWith(outcome: Outcome, isRecent = false) {
  const asked: string[] = [];
  const row = rowWith(ZVOLS);
  const zvols = ZVOLS.map((id) => ({ id, type: "VOLUME", user_properties: {} }));
  const caller = {
    call: (method: string) => {
      asked.push(method);
      if (method === "vm.query") return Promise.resolve([row]);
      if (method === "pool.snapshot.query") return Promise.resolve([]);
      if (method === "pool.dataset.query") return Promise.resolve(zvols);
      assert.equal(method, "vm.device.delete", "nothing else is sent");
      return Promise.reject(new TrueNASError(`${method}: ${outcome}`, { method, outcome }));
    },
  } as unknown as Caller;
  const log = startedLog();
  const recent = isRecent ? toVm(row) : null;
  const memory = new MemoryReservation(caller);
  await destroyVm({ ...COMMON, caller, cancellable: caller, memory, log, recent }, VM);
  const [view] = log.view.vms;
  const disks = view?.steps.find(({ step }) => step === "disks");
  const count = (name: string) => asked.filter((method) => method === name).length;
  return { disks, message: view?.message ?? "", count };
}

Deno.test("destroyVm() verifies a disk whose removal may have taken effect, and then stops", async () => {
  const unknown = await destroyWith("unknown");
  assert.deepEqual([unknown.disks?.status, unknown.disks?.error?.outcome], ["failed", "unknown"]);
  assert.equal(
    unknown.count("vm.query"),
    1 + 3 + 1,
    "before, for both disks until the time to settle is over, and for the end",
  );
  const refused = await destroyWith("not-done");
  assert.deepEqual([refused.disks?.status, refused.disks?.error?.outcome], ["failed", "not-done"]);
  assert.equal(refused.count("vm.query"), 1 + 1, "there is nothing to look for");
  for (const { count, message } of [unknown, refused]) {
    assert.equal(count("vm.device.delete"), 2);
    assert.match(message, /Left on the NAS: the VM \(stopped\), tank\/vms\/a-disk0, tank\/vms\/a-disk1$/);
  }
});

Deno.test("destroyVm() does not read a VM again that was read a moment ago", async () => {
  const { disks, count } = await destroyWith("not-done", true);
  assert.deepEqual([disks?.error?.outcome, count("vm.query")], ["not-done", 1], "for the end");
});

/** Destroys the VM on a NAS whose deletions `remove` answers; gives what was sent, and how it ended. */
async function destroyBy(
  vm: DestructionVm,
  remove: (device: number, isCancellable: boolean) => Promise<void>,
) {
  const left = new Set<string>(ZVOLS);
  let isThere = true;
  const callerOf = (isCancellable: boolean) => ({
    call: async (method: string, [id]: readonly unknown[]) => {
      if (method === "vm.query") return isThere ? [rowWith([...left])] : [];
      if (method === "pool.snapshot.query") return [];
      if (method === "pool.dataset.query") return [...left].map((name) => ({ id: name, type: "VOLUME" }));
      if (method === "vm.delete") return isThere = false;
      await remove(Number(id), isCancellable);
      return left.delete(ZVOLS[Number(id) - 10] ?? "");
    },
  } as unknown as Caller);
  const log = startedLog();
  const recent = toVm(rowWith(ZVOLS));
  const caller = callerOf(false);
  await destroyVm(
    { ...COMMON, caller, cancellable: callerOf(true), memory: new MemoryReservation(caller), log, recent },
    vm,
  );
  return log.view.vms[0]?.outcome;
}

Deno.test("destroyVm() removes the disks of a VM at the same time", async () => {
  const both = Promise.withResolvers<void>();
  const removing: number[] = [];
  const outcome = await destroyBy(VM, async (device) => {
    if (removing.push(device) === 2) both.resolve();
    await both.promise;
  });
  assert.deepEqual([outcome, removing], ["destroyed", [10, 11]]);
});

Deno.test("destroyVm() removes a clone before its origin", async () => {
  const [origin, clone] = VM.zvols;
  assert.ok(origin !== undefined && clone !== undefined);
  const dependants = [{ zvol: clone.name, origin: `${origin.name}@snap`, vm: "a" }];
  const removed: number[] = [];
  const outcome = await destroyBy({ ...VM, zvols: [{ ...origin, dependants }, clone] }, async (device) => {
    assert.ok(device === 11 || removed.includes(11), "the clone is gone by then");
    await Promise.resolve();
    removed.push(device);
  });
  assert.deepEqual([outcome, removed], ["destroyed", [11, 10]]);
});

Deno.test("destroyVm() finishes a VM whose first disk was removed when the second was cancelled", async () => {
  const givenUp = Promise.withResolvers<void>();
  const sent: string[] = [];
  const outcome = await destroyBy(VM, async (device, isCancellable) => {
    sent.push(`${device} ${isCancellable ? "cancellable" : "for sure"}`);
    if (!isCancellable) return;
    if (device === 10) return await givenUp.promise;
    givenUp.resolve();
    throw new NotSent("vm.device.delete");
  });
  assert.deepEqual([outcome, sent], ["destroyed", ["10 cancellable", "11 cancellable", "11 for sure"]]);
});

Deno.test("destroyVm() leaves a VM unchanged if all its disks were cancelled", async () => {
  const outcome = await destroyBy(VM, () => Promise.reject(new NotSent("vm.device.delete")));
  assert.equal(outcome, "cancelled");
});
