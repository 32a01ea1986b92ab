/** Protects cancelling a checkpoint or a rollback: what was begun of a VM is undone or finished, and VMs that ran run. */
import assert from "node:assert/strict";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { contents, onReleases, snapshots, states, take, write } from "../../support/vms/checkpoints.ts";

/** Cancels when this step begins. */
function cancelAt(wanted: string) {
  const cancel = new AbortController();
  const observer = (event: OperationEvent) => {
    if (event.type === "step" && event.step === wanted && event.status === "running") cancel.abort();
  };
  return { signal: cancel.signal, observer };
}

for (const step of ["stop", "snapshot"]) {
  onReleases(`a checkpoint that is cancelled at ${step} leaves nothing, VMs run, and nothing expires`, async (
    { manager, simulator },
  ) => {
    const { checkpoints } = manager;
    await take(manager, "earlier");
    const before = snapshots(simulator);
    const wish = { name: "first", shutdown: true, select: { types: ["worker"] }, keeping: { keep: 1 } };
    const { fingerprint } = await checkpoints.planCheckpoint(wish);
    const started = await checkpoints.startCheckpoint(wish, fingerprint, cancelAt(step));
    assert.ok(started.started);
    const view = await started.operation.finished;
    assert.equal(view.status, "cancelled", JSON.stringify(view.vms));
    assert.deepEqual(snapshots(simulator), before);
    assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  });
}

onReleases("a rollback that is cancelled before a disk was touched changes nothing, and VMs run", async (
  { manager, simulator },
) => {
  write(simulator, "worker01-disk0", "good");
  await take(manager, "first");
  write(simulator, "worker01-disk0", "later");
  const request = { checkpoint: "first", names: ["worker01"], discardNewer: false };
  const { fingerprint } = await manager.checkpoints.planRollback(request);
  const started = await manager.checkpoints.startRollback(request, fingerprint, cancelAt("stop"));
  assert.ok(started.started);
  const view = await started.operation.finished;
  assert.equal(view.status, "cancelled", JSON.stringify(view.vms));
  assert.equal(contents(simulator)[0], "later");
  assert.deepEqual(states(simulator), ["RUNNING", "RUNNING"]);
  assert.equal(await manager.operations.resume(view.id), null, "it needs its phrase again");
});
