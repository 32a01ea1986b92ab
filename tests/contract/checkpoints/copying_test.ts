/**
 * Protects new VMs whose disks are copied from a checkpoint: they are made, marked, undone and resumed like any creation, and
 * the checkpoint and the VM that they came from stay as they are, and cannot be removed from under them.
 */
import assert from "node:assert/strict";
import type { Configuration } from "../../../lib/configuration/configuration.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import type { CreationRequest } from "../../../lib/plan/creation_input.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";
import { onReleases, snapshots, take, write } from "../../support/vms/checkpoints.ts";
import { vmNamed, vmNames, zvols } from "../../support/lab.ts";

const GIB = 1024 ** 3;
const SNAPSHOTS = [0, 1].map((n) => `tank/vms/worker01-disk${n}@checkpoint-first`);

/** A VM `copy` whose two disks are those of worker01 in the checkpoint `first`; the second is larger. */
async function requestOf(manager: VMManager, pool = "tank/vms", data = ""): Promise<CreationRequest> {
  const worker = (await manager.list()).find(({ name }) => name === "worker01");
  const sizes = worker?.disks.map(({ sizeBytes }) => sizeBytes ?? 0) ?? [];
  const [root = 0, second = 0] = sizes.map((bytes) => bytes / GIB);
  const text = `
storage: { pool_path: ${pool} }
copy:
  count: 1
  memory: 256
  cpu: 1
  start: false
  cdrom: none
  disk: { root: ${root}, data: ${data || second + 1} }
  network: { lan: br0 }
`;
  const configuration: Configuration = parseConfigurationFile({ text, source: "config.yaml" }).configuration;
  const sources = ["root", "data"].map((disk, n) =>
    [disk, { snapshot: SNAPSHOTS[n] ?? "", sizeBytes: sizes[n] ?? 0 }] as const
  );
  return {
    configuration,
    types: [{ type: "copy", startPort: 5990, name: "copy" }],
    sources: { copy: Object.fromEntries(sources) },
  };
}

async function copy({ operations }: VMManager, request: CreationRequest) {
  const plan = await operations.planCreation(request);
  assert.deepEqual(plan.findings.filter(({ severity }) => severity === "error"), []);
  const started = await operations.startCreation(request, plan.fingerprint);
  assert.ok(started.started);
  return await started.operation.finished;
}

function copies({ store }: Simulator) {
  return [0, 1].map((n) => store.datasets.get(`tank/vms/copy-disk${n}`));
}

onReleases("a new VM gets copies of the disks, marked at birth and grown", async ({ manager, simulator }) => {
  for (const n of [0, 1]) write(simulator, `worker01-disk${n}`, `good ${n}`);
  await take(manager, "first");
  for (const n of [0, 1]) write(simulator, `worker01-disk${n}`, "later");
  const source = (await manager.list()).find(({ name }) => name === "worker01");
  const view = await copy(manager, await requestOf(manager));
  assert.equal(view.status, "done", JSON.stringify(view.vms));
  assert.deepEqual(copies(simulator).map((zvol) => [zvol?.content, zvol?.origin]), [
    ["good 0", SNAPSHOTS[0]],
    ["good 1", SNAPSHOTS[1]],
  ]);
  const made = (await manager.list()).find(({ name }) => name === "copy");
  for (const zvol of copies(simulator)) {
    assert.equal(zvol?.userProperties[ZVOL_PROPERTIES.vm], made?.uuid);
    assert.equal(zvol?.userProperties[ZVOL_PROPERTIES.operation], view.id);
  }
  assert.equal(copies(simulator)[1]?.volsizeBytes, (source?.disks[1]?.sizeBytes ?? 0) + GIB);
  assert.deepEqual([made?.state, made?.cdroms], ["STOPPED", []]);
  assert.notEqual(made?.uuid, source?.uuid);
  assert.notEqual(made?.nics[0]?.mac, source?.nics[0]?.mac);
  assert.notEqual(made?.displays[0]?.port, source?.displays[0]?.port);
  // What was copied is needed from now on.
  const removal = await manager.checkpoints.planRemoval("first");
  assert.match(JSON.stringify(removal.vms), /tank\/vms\/copy-disk0 is a clone of tank\/vms\/worker01-disk0@/);
  const destruction = await manager.planDestruction({ prefixes: [], names: ["worker01"] });
  assert.match(JSON.stringify(destruction.vms[0]?.blocked), /copy/);
  const gone = await manager.destroyManagedVms([], { names: ["copy"] });
  assert.equal(gone.status, "done", JSON.stringify(gone));
  assert.deepEqual(copies(simulator), [undefined, undefined]);
  const free = await manager.checkpoints.planRemoval("first");
  assert.deepEqual(free.vms.flatMap(({ blocked }) => blocked), []);
});

onReleases("no rollback goes past a checkpoint that was copied", async ({ manager, simulator }) => {
  addSnapshot(simulator.store, "tank/vms/worker01-disk0@before");
  await take(manager, "zero");
  await take(manager, "first");
  assert.equal((await copy(manager, await requestOf(manager))).status, "done");
  const plan = await manager.checkpoints.planRollback({
    checkpoint: "zero",
    names: ["worker01"],
    discardNewer: true,
  });
  assert.match(JSON.stringify(plan.vms[0]?.blocked), /is a clone of the later snapshot/);
});

onReleases("a copy that fails is undone, and can be tried again", async ({ manager, simulator }) => {
  await take(manager, "first");
  const before = [vmNames(simulator), zvols(simulator), snapshots(simulator)];
  const isClone = (method: string) => method.endsWith("snapshot.clone");
  simulator.addFault({ methods: isClone, skip: 1, action: "fail" });
  const failed = await copy(manager, await requestOf(manager));
  assert.deepEqual(failed.vms.map(({ outcome }) => outcome), ["rolled-back"], JSON.stringify(failed.vms));
  assert.deepEqual([vmNames(simulator), zvols(simulator), snapshots(simulator)], before);
  // The next call is done, but its answer is lost with the connection.
  simulator.addFault({ methods: isClone, moment: "after", action: "cut" });
  const again = await manager.operations.resume(failed.id);
  const view = await again?.finished;
  assert.equal(view?.status, "done", JSON.stringify(view?.vms));
  assert.deepEqual(copies(simulator).map((zvol) => zvol?.origin), SNAPSHOTS);
  assert.equal(vmNamed(simulator, "copy")?.state, "STOPPED");
});

onReleases("what cannot be copied is said before anything is sent", async ({ manager }) => {
  await take(manager, "first");
  const errorsOf = async (request: CreationRequest) =>
    (await manager.operations.planCreation(request)).findings.filter(({ severity }) => severity === "error");
  const smaller = await errorsOf(await requestOf(manager, "tank/vms", "1"));
  const { types: { worker } } = { types: { worker: (await manager.list())[0] } };
  if ((worker?.disks[1]?.sizeBytes ?? 0) > GIB) {
    assert.deepEqual(smaller.map(({ field }) => field), ["copy.disk.data"]);
    assert.match(smaller[0]?.message ?? "", /enlarge it$/);
  }
  const elsewhere = await errorsOf(await requestOf(manager, "other/vms"));
  assert.ok(
    elsewhere.some(({ field, message }) =>
      field === "storage.pool_path" && /is in the pool tank, and is copied only within it/.test(message)
    ),
  );
});
