/**
 * Protects checkpoints: one snapshot of each zvol under one name, marked so that the NAS alone tells what they are, taken
 * with or without a shutdown, listed with what changed since, expired by count and age, and nobody else's ever touched.
 */
import assert from "node:assert/strict";
import { CHECKPOINT_PROPERTY, markProperties } from "../../../lib/checkpoints/checkpoint.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import { addClone, addHold, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import {
  createWorkers,
  goBack,
  listed,
  onReleases,
  snapshots,
  states,
  take,
} from "../../support/vms/checkpoints.ts";
import { addByHand, credentials, vmNamed, withLab } from "../../support/lab.ts";
import { VMManager } from "../../../lib/vm_manager.ts";

const ALL = ["worker01-disk0", "worker01-disk1", "worker02-disk0", "worker02-disk1"];

onReleases("a checkpoint has one snapshot of each zvol under one name", async ({ manager, simulator }) => {
  addByHand(simulator, "workerold");
  const view = await take(manager, "before-upgrade", { note: "v1.13, all well" });
  assert.deepEqual([view.kind, view.status], ["checkpoint", "done"]);
  assert.deepEqual(snapshots(simulator), ALL.map((disk) => `tank/vms/${disk}@checkpoint-before-upgrade`));
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"], "they ran on");
  const { vms } = await manager.checkpoints.planCheckpoint({ name: "x", select: { types: ["worker"] } });
  assert.deepEqual(vms.map(({ name }) => name), ["worker01", "worker02"], "nobody else's VM");
});

onReleases("another program reads the checkpoint from the NAS alone", async ({ manager, simulator }) => {
  await take(manager, "before-upgrade", { note: "v1.13" });
  await using other = new VMManager(credentials(simulator));
  await other.connect();
  const [checkpoint, ...others] = await listed(other);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [checkpoint?.name, checkpoint?.note, checkpoint?.isWhole, checkpoint?.wanted],
    ["before-upgrade", "v1.13", true, 2],
  );
  assert.ok(Math.abs((checkpoint?.takenAt ?? 0) - Date.now()) < 60_000);
  assert.deepEqual(checkpoint?.vms.map(({ name, running, changes }) => [name, running, changes]), [
    ["worker01", true, []],
    ["worker02", true, []],
  ]);
});

onReleases("VMs are shut down first and started afterwards when asked", async ({ manager, simulator }) => {
  const seen: string[] = [];
  const { startCheckpoint, planCheckpoint } = manager.checkpoints;
  const wish = { name: "quiet", shutdown: true, select: { types: ["worker"] } };
  const { fingerprint } = await planCheckpoint.call(manager.checkpoints, wish);
  const started = await startCheckpoint.call(manager.checkpoints, wish, fingerprint, {
    observer: (event) => {
      if (event.type === "step" && event.step === "snapshot" && event.status === "running") {
        seen.push(vmNamed(simulator, event.vm)?.state ?? "");
      }
    },
  });
  assert.ok(started.started);
  const view = await started.operation.finished;
  assert.deepEqual(view.vms[0]?.steps.map(({ step, status }) => [step, status]), [
    ["stop", "done"],
    ["snapshot", "done"],
    ["start", "done"],
  ]);
  assert.deepEqual(seen, ["STOPPED", "STOPPED"]);
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  assert.equal((await listed(manager))[0]?.vms[0]?.running, false);
});

onReleases("what changed since is listed", async ({ manager, simulator }) => {
  await take(manager, "first");
  const { store } = simulator;
  const one = vmNamed(simulator, "worker01");
  const two = vmNamed(simulator, "worker02");
  assert.ok(one !== undefined && two !== undefined);
  one.config.memory = 4096;
  for (const [id, { vm, attributes }] of store.devices) {
    if (vm === one.id && attributes.path === "/dev/zvol/tank/vms/worker01-disk1") store.devices.delete(id);
  }
  store.vms.delete(two.id);
  const [checkpoint] = await listed(manager);
  assert.deepEqual(checkpoint?.vms.map(({ changes }) => changes), [
    ["the disk tank/vms/worker01-disk1 was detached", "memory: then 2 GiB, now 4 GiB"],
    ["the VM no longer exists"],
  ]);
});

onReleases(
  "a name that is taken or wrong is refused before anything is sent",
  async ({ manager, simulator }) => {
    await take(manager, "first");
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@checkpoint-theirs");
    for (
      const [name, said] of [
        ["first", /a checkpoint called first already/],
        ["theirs", /tank\/vms\/worker01-disk0@checkpoint-theirs exists, and was not made here/],
        ["", /Enter a name/],
        ["a/b", /letters, digits, dots/],
        ["x".repeat(10_000), /at most 60 characters; this one has 10000/],
      ] as const
    ) {
      const { problems } = await manager.checkpoints.planCheckpoint({ name, select: { types: ["worker"] } });
      assert.deepEqual(problems.map(({ field }) => field), ["name"]);
      assert.match(problems[0]?.message ?? "", said);
    }
    const { problems } = await manager.checkpoints.planCheckpoint({ name: "x", select: { names: ["none"] } });
    assert.deepEqual(problems.map(({ message }) => message), ["No VM matches none"]);
  },
);

onReleases("a failed snapshot undoes that VM's and leaves the others", async ({ manager, simulator }) => {
  simulator.addFault({
    action: "fail",
    methods: (method) => method.endsWith("snapshot.create"),
    matches: ([spec]) => (spec as { dataset: string }).dataset === "tank/vms/worker02-disk1",
  });
  const view = await take(manager, "first", { shutdown: true });
  assert.deepEqual([view.status, view.vms.map(({ outcome }) => outcome)], ["partly-done", [
    "done",
    "rolled-back",
  ]]);
  assert.deepEqual(snapshots(simulator), ALL.slice(0, 2).map((disk) => `tank/vms/${disk}@checkpoint-first`));
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"], "both run again");
  assert.equal((await listed(manager))[0]?.isWhole, false);
  const resumed = await (await manager.operations.resume(view.id))?.finished;
  assert.equal(resumed?.status, "done", JSON.stringify(resumed));
  const [checkpoint] = await listed(manager);
  assert.deepEqual([checkpoint?.isWhole, checkpoint?.operation], [true, view.id]);
});

onReleases("earlier checkpoints expire only once the new one is whole", async ({ manager, simulator }) => {
  await take(manager, "earlier");
  const earlier = snapshots(simulator);
  simulator.addFault({
    action: "fail",
    methods: (method) => method.endsWith("snapshot.create"),
    matches: ([spec]) => (spec as { dataset: string }).dataset === "tank/vms/worker02-disk1",
  });
  const view = await take(manager, "first", { shutdown: true, keeping: { keep: 1 } });
  assert.deepEqual(view.vms.map(({ outcome }) => outcome), ["done", "rolled-back"], JSON.stringify(view.vms));
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"], "both run again");
  assert.deepEqual(snapshots(simulator).filter((name) => name.endsWith("-earlier")), earlier);
  const resumed = await (await manager.operations.resume(view.id))?.finished;
  assert.equal(resumed?.status, "done", JSON.stringify(resumed));
  const [checkpoint] = await listed(manager);
  assert.deepEqual([checkpoint?.name, checkpoint?.isWhole], ["first", true]);
  assert.deepEqual(snapshots(simulator).filter((name) => name.endsWith("-earlier")), earlier.slice(0, 2));
  await take(manager, "second", { keeping: { keep: 1 } });
  assert.deepEqual(
    (await listed(manager)).map(({ name }) => name),
    ["second"],
    "the next one takes the rest",
  );
});

onReleases("a VM runs again even where its snapshots cannot be removed", async ({ manager, simulator }) => {
  const fail = (methods: (method: string) => boolean) =>
    simulator.addFault({ action: "fail", times: Infinity, methods });
  const isDeletion = (method: string) => /snapshot\.(delete|destroy)$/.test(method);
  fail((method) => method === "vm.start");
  fail(isDeletion);
  const view = await take(manager, "first", { shutdown: true });
  assert.deepEqual(view.vms.map(({ outcome }) => outcome), ["left-behind", "left-behind"]);
  assert.deepEqual(states(simulator), ["STOPPED", "STOPPED"], "the premise");
  simulator.clearFaults();
  fail(isDeletion);
  const undone = await (await manager.operations.rollBack(view.id))?.finished;
  assert.deepEqual(undone?.vms.map(({ outcome }) => outcome), ["left-behind", "left-behind"]);
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  simulator.addFault({
    action: "fail",
    times: Infinity,
    methods: (method) => method.endsWith("snapshot.create"),
    matches: ([spec]) => (spec as { dataset: string }).dataset.endsWith("disk1"),
  });
  const again = await take(manager, "second", { shutdown: true });
  assert.deepEqual(again.vms.map(({ outcome }) => outcome), ["left-behind", "left-behind"]);
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
});

onReleases("replicated snapshots are no part of a checkpoint", async ({ manager, simulator }) => {
  const { store } = simulator;
  await take(manager, "first");
  const copies = ALL.map((disk) => {
    const { userProperties = {} } = store.snapshots.get(`tank/vms/${disk}@checkpoint-first`) ?? {};
    const copy = `tank/backup/${disk}@checkpoint-first`;
    addDataset(store, { name: `tank/backup/${disk}`, type: "VOLUME", volsizeBytes: 1024 ** 3 });
    addSnapshot(store, copy, userProperties);
    return copy;
  });
  const [checkpoint] = await listed(manager);
  assert.deepEqual(checkpoint?.vms.map(({ snapshots }) => snapshots.length), [2, 2]);
  assert.equal((await goBack(manager, "first")).status, "done");
  await take(manager, "second", { keeping: { keep: 1 } });
  assert.deepEqual(snapshots(simulator).filter((name) => name.endsWith("-first")), copies);
});

onReleases(
  "a partial checkpoint can be rolled back; other snapshots stay",
  async ({ manager, simulator }) => {
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
    simulator.addFault({
      action: "fail",
      methods: (method) => method.endsWith("snapshot.create"),
      matches: ([spec]) => (spec as { dataset: string }).dataset === "tank/vms/worker02-disk1",
    });
    const view = await take(manager, "first");
    assert.equal(view.status, "partly-done");
    const undone = await (await manager.operations.rollBack(view.id))?.finished;
    assert.equal(undone?.status, "done", JSON.stringify(undone));
    assert.deepEqual(snapshots(simulator), ["tank/vms/worker01-disk0@daily"]);
  },
);

onReleases(
  "older checkpoints expire by count; held, cloned and foreign snapshots stay",
  async ({ manager, simulator }) => {
    const { store } = simulator;
    addSnapshot(store, "tank/vms/worker01-disk0@daily");
    const keeping = { keep: 2 };
    for (const name of ["a", "b"]) await take(manager, name, { keeping });
    addHold(store, "tank/vms/worker01-disk0@checkpoint-a");
    addClone(store, "tank/vms/worker01-disk1@checkpoint-a", "tank/vms/copy");
    const view = await take(manager, "c", { keeping });
    assert.equal(view.status, "done");
    assert.deepEqual(view.vms[1]?.steps.map(({ step, status }) => [step, status]).at(-1), ["expire", "done"]);
    assert.deepEqual(view.vms[0]?.steps.map(({ step }) => step), ["snapshot"], "nothing of it can expire");
    assert.deepEqual(snapshots(simulator).filter((name) => name.endsWith("-a")), [
      "tank/vms/worker01-disk0@checkpoint-a",
      "tank/vms/worker01-disk1@checkpoint-a",
    ]);
    assert.equal(snapshots(simulator).filter((name) => /-[bc]$/.test(name)).length, 8);
    assert.ok(store.snapshots.has("tank/vms/worker01-disk0@daily"));
  },
);

onReleases("older checkpoints expire by age", async ({ manager, simulator }) => {
  await take(manager, "old");
  const { snapshots: all } = simulator.store;
  for (const [name, it] of all) all.set(name, { ...it, createdAt: it.createdAt - 8 * 86_400_000 });
  await take(manager, "new", { keeping: { days: 7 } });
  assert.deepEqual((await listed(manager)).map(({ name }) => name), ["new"]);
});

Deno.test("a zvol's own properties do not make its other snapshots a checkpoint", () =>
  withLab({ simulator: { version: "25.10" } }, async ({ manager, simulator }) => {
    await createWorkers(manager);
    const mark = {
      name: "real",
      operation: "x",
      note: "",
      vms: 1,
      vm: { name: "worker01", uuid: null },
      zvols: [],
      running: false,
      settings: null,
    };
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily", markProperties(mark));
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@checkpoint-other", markProperties(mark));
    addSnapshot(simulator.store, "tank/vms/worker01-disk1@checkpoint-bad", { [CHECKPOINT_PROPERTY]: "{" });
    assert.deepEqual(await listed(manager), []);
  }));

Deno.test("an account without the role is told so before anything is sent", async () => {
  const roles = ["VM_READ", "SNAPSHOT_READ", "DATASET_READ"];
  const accounts = [{ username: "reader", password: "secret", roles }];
  await withLab({ simulator: { version: "25.10", accounts } }, async ({ manager, simulator }) => {
    await createWorkers(manager);
    await using reader = new VMManager({ ...credentials(simulator), username: "reader", password: "secret" });
    await reader.connect();
    const { problems } = await reader.checkpoints.planCheckpoint({
      name: "x",
      select: { types: ["worker"] },
    });
    assert.deepEqual(problems.map(({ message }) => message), [
      "The account is missing the role SNAPSHOT_WRITE. Add it in TrueNAS",
    ]);
  });
});
