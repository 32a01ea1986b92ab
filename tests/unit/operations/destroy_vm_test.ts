/**
 * Protects what is said of a destruction whose calls are not answered: a disk that may be gone is looked after, and a VM
 * is looked at before anything is done to it.
 */
import assert from "node:assert/strict";
import { type Outcome, TrueNASError } from "../../../lib/errors/errors.ts";
import { destroyVm, destructionSteps } from "../../../lib/operations/steps/destroy_vm.ts";
import { OperationLog } from "../../../lib/operations/log.ts";
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

/** A NAS that answers each deletion of a device so, and in which nothing goes. */
async function destroyWith(outcome: Outcome, isSeen = false) {
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
  const log = new OperationLog("op", () => 0);
  log.append({
    type: "started",
    kind: "destroy",
    title: "",
    vms: [{ name: "a", steps: destructionSteps(false, VM), summary: "" }],
  });
  await destroyVm({
    caller,
    cancellable: caller,
    firstLooks: caller,
    lastLooks: caller,
    leave: () => {},
    log,
    settle: { settleMs: 3, pollMs: 1 },
    signal: new AbortController().signal,
    resumed: false,
    shutdown: false,
    after: Promise.resolve(),
    seen: isSeen ? toVm(row) : null,
  }, VM);
  const [view] = log.view.vms;
  const disks = view?.steps.find(({ step }) => step === "disks");
  const count = (name: string) => asked.filter((method) => method === name).length;
  return { disks, message: view?.message ?? "", count };
}

Deno.test("destroyVm() looks after a disk whose call may have happened, and goes no further", async () => {
  const unknown = await destroyWith("unknown");
  assert.deepEqual([unknown.disks?.status, unknown.disks?.error?.outcome], ["failed", "unknown"]);
  assert.equal(
    unknown.count("vm.query"),
    1 + 3 + 1,
    "before, until the time to settle is over, and for the end",
  );
  const refused = await destroyWith("not-done");
  assert.deepEqual([refused.disks?.status, refused.disks?.error?.outcome], ["failed", "not-done"]);
  assert.equal(refused.count("vm.query"), 1 + 1, "there is nothing to look for");
  for (const { count, message } of [unknown, refused]) {
    assert.equal(count("vm.device.delete"), 1);
    assert.match(message, /Left on the NAS: the VM \(stopped\), tank\/vms\/a-disk0, tank\/vms\/a-disk1$/);
  }
});

Deno.test("destroyVm() does not look again at a VM that was read a moment ago", async () => {
  const { disks, count } = await destroyWith("not-done", true);
  assert.deepEqual([disks?.error?.outcome, count("vm.query")], ["not-done", 1], "for the end");
});
