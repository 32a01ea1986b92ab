/**
 * Protects what is said of a destruction whose disks go beside each other (when one of them may be gone and another
 * certainly is not, the step is of unknown outcome, and is looked after), and that a VM is looked at before.
 */
import assert from "node:assert/strict";
import { type Outcome, TrueNASError } from "../../lib/errors.ts";
import { destroyVm } from "../../lib/operations/destroy_vm.ts";
import { destructionSteps } from "../../lib/operations/destruction_way.ts";
import { OperationLog } from "../../lib/operations/log.ts";
import type { DestructionVm } from "../../lib/plan/types.ts";
import type { Caller } from "../../lib/truenas/client.ts";
import { toVm } from "../../lib/truenas/rows.ts";

const ZVOLS = ["tank/vms/a-disk0", "tank/vms/a-disk1"] as const;

const VM: DestructionVm = {
  id: 1,
  name: "a",
  uuid: "u",
  state: "STOPPED",
  marked: true,
  marks: { description: true, zvols: "all", journal: true },
  zvols: ZVOLS.map((name) => ({ name, sizeBytes: null })),
  keeps: [],
};

/** A NAS whose answers to the two deletions of devices are these, and in which nothing goes. */
async function destroyWith(outcomes: readonly [Outcome, Outcome], isSeen = false) {
  const asked: string[] = [];
  const row = {
    id: 1,
    name: "a",
    uuid: "u",
    vcpus: 1,
    cores: 1,
    threads: 1,
    memory: 64,
    autostart: false,
    status: { state: "STOPPED" },
    devices: ZVOLS.map((zvol, n) => ({
      id: 10 + n,
      vm: 1,
      order: null,
      attributes: { dtype: "DISK", path: `/dev/zvol/${zvol}` },
    })),
  };
  const caller = {
    call: (method: string, [id]: readonly unknown[]) => {
      asked.push(method);
      if (method === "vm.query") return Promise.resolve([row]);
      assert.equal(method, "vm.device.delete", "nothing else is sent");
      const outcome = outcomes[Number(id) - 10] ?? "not-done";
      return Promise.reject(new TrueNASError(`${method}: ${outcome}`, { method, outcome }));
    },
  } as unknown as Caller;
  const log = new OperationLog("op", () => 0);
  const way = { shutdown: false, zvols: "before" } as const;
  log.append({
    type: "started",
    kind: "destroy",
    title: "",
    vms: [{ name: "a", steps: destructionSteps(way), summary: "" }],
  });
  const signal = new AbortController().signal;
  const settle = { settleMs: 3, lookMs: 1 };
  await destroyVm({
    caller,
    going: caller,
    firstLooks: caller,
    lastLooks: caller,
    leave: () => {},
    log,
    settle,
    signal,
    resumed: false,
    seen: isSeen ? toVm(row) : null,
    ...way,
  }, VM);
  const disks = log.view.vms[0]?.steps.find(({ step }) => step === "disks");
  return { disks, looks: asked.filter((method) => method === "vm.query").length };
}

Deno.test("destroyVm() looks after disks when any of their calls may have happened", async () => {
  for (const outcomes of [["not-done", "unknown"], ["unknown", "not-done"]] as const) {
    const { disks, looks } = await destroyWith(outcomes);
    assert.deepEqual([disks?.status, disks?.error?.outcome], ["failed", "unknown"], outcomes.join());
    assert.equal(looks, 1 + 3, "before, and until the time to settle is over");
  }
  const { disks, looks } = await destroyWith(["not-done", "not-done"]);
  assert.deepEqual([disks?.status, disks?.error?.outcome], ["failed", "not-done"]);
  assert.equal(looks, 1, "there is nothing to look for");
});

Deno.test("destroyVm() does not look again at a VM that was read a moment ago", async () => {
  const { disks, looks } = await destroyWith(["not-done", "not-done"], true);
  assert.deepEqual([disks?.error?.outcome, looks], ["not-done", 0]);
});
