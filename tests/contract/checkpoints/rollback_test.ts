/**
 * Protects rollbacks and removals: only stopped VMs, only snapshots that were shown and confirmed, one by one and never
 * recursively, proven by reading; and that a VM that ran runs again.
 */
import assert from "node:assert/strict";
import { addClone, addHold, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import {
  contents,
  goBack,
  listed,
  onReleases,
  remove,
  snapshots,
  states,
  take,
  write,
} from "../../support/vms/checkpoints.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { addByHand, vmNamed } from "../../support/lab.ts";

const DISKS = ["worker01-disk0", "worker01-disk1", "worker02-disk0", "worker02-disk1"];

onReleases(
  "a rollback brings every disk back, and VMs that ran run again",
  async ({ manager, simulator }) => {
    for (const disk of DISKS) write(simulator, disk, "good");
    await take(manager, "first");
    for (const disk of DISKS) write(simulator, disk, "broken");
    const plan = await manager.checkpoints.planRollback({
      checkpoint: "first",
      names: null,
      discardNewer: false,
    });
    assert.deepEqual([plan.phrase, plan.newer], ["roll back 2 vms", 0]);
    const view = await goBack(manager, "first");
    assert.deepEqual([view.kind, view.status], ["rollback", "done"], JSON.stringify(view));
    assert.deepEqual(view.vms[0]?.steps.map(({ step }) => step), [
      "verify",
      "stop",
      "rollback",
      "check",
      "start",
    ]);
    assert.match(
      view.vms[0]?.message ?? "",
      /As in first: no later snapshot is left, and nothing was written since/,
    );
    assert.deepEqual(contents(simulator), ["good", "good", "good", "good"]);
    assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  },
);

onReleases("single VMs can be rolled back", async ({ manager, simulator }) => {
  for (const disk of DISKS) write(simulator, disk, "good");
  await take(manager, "first");
  for (const disk of DISKS) write(simulator, disk, "broken");
  const stopped = vmNamed(simulator, "worker02");
  assert.ok(stopped !== undefined);
  stopped.state = "STOPPED";
  const view = await goBack(manager, "first", { names: ["worker02"] });
  assert.deepEqual(view.vms.map(({ name, steps }) => [name, steps.map(({ step }) => step)]), [
    ["worker02", ["verify", "rollback", "check"]],
  ]);
  assert.deepEqual(contents(simulator), ["broken", "broken", "good", "good"]);
  assert.deepEqual(states(simulator), ["RUNNING", "STOPPED"], "one that was off stays off");
});

onReleases("later snapshots go only when that was asked for, one by one", async ({ manager, simulator }) => {
  await take(manager, "first");
  write(simulator, "worker01-disk0", "later");
  await take(manager, "second");
  addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
  const blocked = await manager.checkpoints.planRollback({
    checkpoint: "first",
    names: null,
    discardNewer: false,
  });
  assert.equal(blocked.newer, 5);
  assert.match(blocked.vms[0]?.blocked.join() ?? "", /3 later snapshots would be lost; tick/);
  const refused = await manager.checkpoints.startRollback(
    { checkpoint: "first", names: null, discardNewer: false },
    blocked.fingerprint,
  );
  assert.equal(refused.started, false);
  const before = simulator.calls.length;
  const view = await goBack(manager, "first", { discardNewer: true });
  assert.equal(view.status, "done");
  assert.equal(snapshots(simulator).length, 4);
  const sent = simulator.calls.slice(before).filter(({ method }) =>
    /snapshot\.(rollback|delete|destroy)/.test(method)
  );
  assert.equal(sent.length, 5 + 4);
  const text = JSON.stringify(sent.map(({ params }) => params));
  assert.doesNotMatch(text, /true/, "neither recursive, recursive_clones nor force is ever sent");
});

onReleases("clones and holds of later snapshots block", async ({ manager, simulator }) => {
  await take(manager, "first");
  addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
  addHold(simulator.store, "tank/vms/worker01-disk0@daily");
  addSnapshot(simulator.store, "tank/vms/worker02-disk0@daily");
  addClone(simulator.store, "tank/vms/worker02-disk0@daily", "tank/vms/copy");
  const plan = await manager.checkpoints.planRollback({
    checkpoint: "first",
    names: null,
    discardNewer: true,
  });
  assert.match(plan.vms[0]?.blocked.join() ?? "", /daily has a hold/);
  assert.match(plan.vms[1]?.blocked.join() ?? "", /tank\/vms\/copy is a clone of the later snapshot/);
  assert.deepEqual(plan.problems.map(({ message }) => message), ["None of these VMs can be rolled back"]);
});

onReleases(
  "a snapshot that appears after the list was shown is never removed",
  async ({ manager, simulator }) => {
    await take(manager, "first");
    write(simulator, "worker01-disk0", "later");
    const request = { checkpoint: "first", names: ["worker01"], discardNewer: true };
    const { fingerprint } = await manager.checkpoints.planRollback(request);
    const started = await manager.checkpoints.startRollback(request, fingerprint, {
      observer: (event) => {
        if (event.type === "step" && event.step === "stop" && event.status === "done") {
          addSnapshot(simulator.store, "tank/vms/worker01-disk0@precious");
        }
      },
    });
    assert.ok(started.started);
    const view = await started.operation.finished;
    assert.equal(view.status, "failed");
    assert.match(
      view.vms[0]?.message ?? "",
      /precious was taken after the list was shown.* No disk was rolled back, and it was started again/,
    );
    assert.ok(simulator.store.snapshots.has("tank/vms/worker01-disk0@precious"));
    assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  },
);

onReleases("a VM that somebody starts meanwhile is not rolled back", async ({ manager, simulator }) => {
  write(simulator, "worker01-disk0", "good");
  await take(manager, "first");
  write(simulator, "worker01-disk0", "in use");
  const vm = vmNamed(simulator, "worker01");
  assert.ok(vm !== undefined);
  vm.state = "STOPPED";
  const request = { checkpoint: "first", names: ["worker01"], discardNewer: false };
  const { fingerprint } = await manager.checkpoints.planRollback(request);
  const started = await manager.checkpoints.startRollback(request, fingerprint, {
    observer: (event) => {
      if (event.type === "step" && event.step === "verify" && event.status === "done") vm.state = "RUNNING";
    },
  });
  assert.ok(started.started);
  const view = await started.operation.finished;
  assert.match(
    view.vms[0]?.message ?? "",
    /worker01 is running, and only the disks of a stopped VM can be rolled back/,
  );
  assert.equal(contents(simulator)[0], "in use");
});

onReleases("a refused rollback leaves the VM as it was, running", async ({ manager, simulator }) => {
  write(simulator, "worker01-disk0", "good");
  await take(manager, "first");
  for (const disk of DISKS) write(simulator, disk, "later");
  simulator.addFault({
    action: "fail",
    times: Infinity,
    methods: (method) => method.endsWith("snapshot.rollback"),
  });
  const view = await goBack(manager, "first", { names: ["worker01"] });
  assert.equal(view.status, "failed");
  assert.match(view.vms[0]?.message ?? "", /No disk was rolled back, and it was started again/);
  assert.deepEqual(contents(simulator), ["later", "later", "later", "later"]);
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  simulator.clearFaults();
  assert.equal(await manager.operations.resume(view.id), null, "it needs its phrase again");
});

onReleases("a rollback that fails half-way keeps the VM off, and is finished by resuming", async (
  { manager, simulator },
) => {
  for (const disk of DISKS) write(simulator, disk, "good");
  await take(manager, "first");
  for (const disk of DISKS) write(simulator, disk, "later");
  simulator.addFault({
    action: "fail",
    times: Infinity,
    methods: (method) => method.endsWith("snapshot.rollback"),
    matches: ([id]) => String(id).includes("worker01-disk1"),
  });
  const view = await goBack(manager, "first", { names: ["worker01"] });
  assert.match(view.vms[0]?.message ?? "", /tank\/vms\/worker01-disk0. It stays off; resume this operation/);
  assert.deepEqual(states(simulator), ["STOPPED", "RUNNING"]);
  simulator.clearFaults();
  assert.equal((await (await manager.operations.resume(view.id))?.finished)?.status, "done");
  assert.deepEqual(contents(simulator), ["good", "good", "later", "later"]);
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
});

onReleases("a little that was written does not pass for a rollback that was lost", async (
  { manager, simulator },
) => {
  write(simulator, "worker01-disk0", "good");
  await take(manager, "first");
  write(simulator, "worker01-disk0", "later", 64 * 1024);
  simulator.addFault({ action: "cut", methods: (method) => method.endsWith("snapshot.rollback") });
  const view = await goBack(manager, "first", { names: ["worker01"] });
  assert.equal(view.status, "done", JSON.stringify(view.vms));
  assert.equal(contents(simulator)[0], "good");
});

onReleases(
  "a VM that was off and that somebody started is not shut down, also after a restart of the NAS",
  async (
    { manager, simulator },
  ) => {
    write(simulator, "worker01-disk0", "good");
    await take(manager, "first");
    write(simulator, "worker01-disk0", "in use");
    const vm = vmNamed(simulator, "worker01");
    assert.ok(vm !== undefined);
    vm.state = "STOPPED";
    vm.config.autostart = true;
    let back: Promise<void> = Promise.resolve();
    const matches = () => {
      back = simulator.goAway().then(() => simulator.comeBack({ restarted: true }));
      return true;
    };
    simulator.addFault({ action: "cut", methods: (method) => method.endsWith("snapshot.rollback"), matches });
    const view = await goBack(manager, "first", { names: ["worker01"] });
    await back;
    assert.equal(view.status, "failed", JSON.stringify(view.vms));
    assert.match(view.vms[0]?.message ?? "", /worker01 is running, and only the disks of a stopped VM/);
    assert.equal(vm.state, "RUNNING");
    assert.equal(contents(simulator)[0], "in use");
  },
);

onReleases("a VM whose disks were rolled back is only started when that is resumed", async (
  { manager, simulator },
) => {
  write(simulator, "worker01-disk0", "good");
  await take(manager, "first");
  write(simulator, "worker01-disk0", "later");
  simulator.addFault({ action: "fail", times: Infinity, method: "vm.start" });
  const view = await goBack(manager, "first", { names: ["worker01"] });
  assert.match(view.vms[0]?.message ?? "", /Its disks were rolled back/);
  assert.deepEqual(states(simulator), ["STOPPED", "RUNNING"]);
  simulator.clearFaults();
  write(simulator, "worker01-disk0", "of today");
  const resumed = await (await manager.operations.resume(view.id))?.finished;
  assert.deepEqual(resumed?.vms.map(({ outcome, steps }) => [outcome, steps.map(({ step }) => step)]), [
    ["done", ["start"]],
  ]);
  assert.equal(contents(simulator)[0], "of today");
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
});

onReleases("a disk that another VM uses is not rolled back", async ({ manager, simulator }) => {
  await take(manager, "first");
  addByHand(simulator, "other", "tank/vms/worker01-disk0");
  const plan = await manager.checkpoints.planRollback({
    checkpoint: "first",
    names: null,
    discardNewer: false,
  });
  assert.match(plan.vms[0]?.blocked.join() ?? "", /worker01-disk0 is used by other too/);
});

onReleases("a checkpoint is removed, and nothing else", async ({ manager, simulator }) => {
  await take(manager, "first");
  await take(manager, "second");
  addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
  const { phrase } = await manager.checkpoints.planRemoval("first");
  assert.equal(phrase, "remove first");
  const view = await remove(manager, "first");
  assert.deepEqual([view.kind, view.status], ["remove-checkpoint", "done"]);
  assert.deepEqual((await listed(manager)).map(({ name }) => name), ["second"]);
  assert.ok(simulator.store.snapshots.has("tank/vms/worker01-disk0@daily"));
});

for (const isMarked of [true, false]) {
  const mark = isMarked ? "with the same mark" : "without a mark";
  onReleases(
    `a snapshot that has become another one ${mark} is not removed`,
    async ({ manager, simulator }) => {
      const name = "tank/vms/worker01-disk0@checkpoint-first";
      await take(manager, "first");
      const { userProperties = {} } = simulator.store.snapshots.get(name) ?? {};
      const view = await removeAfter(manager, () => {
        simulator.store.snapshots.delete(name);
        addSnapshot(simulator.store, name, isMarked ? userProperties : {});
      });
      assert.deepEqual(view.vms.map(({ outcome }) => outcome), ["failed", "destroyed"]);
      assert.match(view.vms[0]?.message ?? "", /is no longer the snapshot that was shown/);
      assert.ok(simulator.store.snapshots.has(name));
    },
  );
}

onReleases("a snapshot that is held or cloned meanwhile is left alone, and nothing is sent", async (
  { manager, simulator },
) => {
  await take(manager, "first");
  let before = 0;
  const view = await removeAfter(manager, () => {
    before = simulator.calls.length;
    addHold(simulator.store, "tank/vms/worker01-disk0@checkpoint-first");
    addClone(simulator.store, "tank/vms/worker02-disk0@checkpoint-first", "tank/vms/copy");
  });
  assert.match(view.vms[0]?.message ?? "", /has a hold \(truenas\). It was not removed; release it/);
  assert.match(view.vms[1]?.message ?? "", /tank\/vms\/copy is a clone of .* promote the clone/);
  assert.deepEqual(simulator.calls.slice(before).filter(({ method }) => method.endsWith(".delete")), []);
});

/** Removes the checkpoint `first`, while somebody else does something once it has started. */
async function removeAfter({ checkpoints }: VMManager, meanwhile: () => void) {
  const { fingerprint } = await checkpoints.planRemoval("first");
  const observer = (event: OperationEvent) => event.type === "started" && meanwhile();
  const started = await checkpoints.startRemoval("first", fingerprint, { observer });
  assert.ok(started.started);
  return await started.operation.finished;
}

onReleases("a disk that grew is as large as in the checkpoint again", async ({ manager, simulator }) => {
  await take(manager, "first");
  const dataset = simulator.store.datasets.get("tank/vms/worker01-disk0");
  assert.ok(dataset !== undefined);
  const { volsizeBytes } = dataset;
  dataset.volsizeBytes *= 2;
  write(simulator, "worker01-disk0", "more");
  await goBack(manager, "first");
  assert.equal(dataset.volsizeBytes, volsizeBytes);
});
