/** Protects what a rollback of a failed operation removes: exactly what its page showed, and nothing others depend on. */
import assert from "node:assert/strict";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import {
  create,
  finishedOperation,
  follow,
  FORM,
  hidden,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

/** An operation that made worker02 whole and worker01 in part, and keeps both. */
async function failInPart(dashboard: TestDashboard): Promise<string> {
  dashboard.simulator.addFault({
    method: "vm.device.create",
    action: "fail",
    matches: (params) => JSON.stringify(params).includes("worker01-disk0"),
  });
  const path = await create(dashboard, { ...FORM, "worker.on_failure": "keep" });
  assert.equal((await finishedOperation(dashboard, path)).status, "partly-done");
  return path;
}

const DISK = "tank/vms/worker02-disk0";

Deno.test("a rollback shows the snapshots it removes, and removes no others (fault 2)", () =>
  withDashboard({}, async (dashboard) => {
    const path = await failInPart(dashboard);
    const { store } = dashboard.simulator;
    addSnapshot(store, `${DISK}@daily`);
    const phrase = "roll back 2 vms";
    const page = await text(fetch(dashboard.url + path));
    assert.match(page, /Also destroys 1 snapshot: @daily/);
    addSnapshot(store, `${DISK}@late`);
    const stale = await post(dashboard, `${path}/rollback`, { phrase, plan: hidden(page, "plan") });
    assert.equal(stale.status, 409);
    const again = await stale.text();
    assert.match(again, /Also destroys 2 snapshots: @daily, @late/);
    const led = await follow(post(dashboard, `${path}/rollback`, { phrase, plan: hidden(again, "plan") }));
    assert.equal((await finishedOperation(dashboard, led)).status, "done");
    assert.deepEqual([store.vms.size, store.snapshots.size], [0, 0]);
  }));

Deno.test("a rollback from a page without its snapshots shows them before removing anything", () =>
  withDashboard({}, async (dashboard) => {
    const path = await failInPart(dashboard);
    const { store } = dashboard.simulator;
    const { size } = store.vms;
    addSnapshot(store, `${DISK}@daily`);
    const phrase = "roll back 2 vms";
    const unshown = await post(dashboard, `${path}/rollback`, { phrase });
    assert.equal(unshown.status, 409);
    const page = await unshown.text();
    assert.match(page, /Also destroys 1 snapshot: @daily/);
    assert.deepEqual([store.vms.size, store.snapshots.size], [size, 1], "nothing was removed");
    const led = await follow(post(dashboard, `${path}/rollback`, { phrase, plan: hidden(page, "plan") }));
    assert.equal((await finishedOperation(dashboard, led)).status, "done");
    assert.deepEqual([store.vms.size, store.snapshots.size], [0, 0]);
  }));

Deno.test("a rollback keeps a VM that others depend on, and the page says so beforehand (fault 2)", () =>
  withDashboard({ simulator: { version: "27.0" } }, async (dashboard) => {
    const path = await failInPart(dashboard);
    const { store } = dashboard.simulator;
    addSnapshot(store, `${DISK}@web1`);
    addClone(store, `${DISK}@web1`, "tank/vms/web1-disk0");
    const page = await text(fetch(dashboard.url + path));
    assert.match(page, /data-blocked="worker02"/);
    assert.match(page, /web1-disk0 is a clone that depends on tank\/vms\/worker02-disk0.*promote the clone/);
    const fields = { phrase: "roll back 2 vms", plan: hidden(page, "plan") };
    const led = await follow(post(dashboard, `${path}/rollback`, fields));
    assert.equal((await finishedOperation(dashboard, led)).status, "partly-done");
    assert.ok(store.datasets.has("tank/vms/web1-disk0") && store.datasets.has(DISK));
    assert.deepEqual([...store.vms.values()].map(({ config, state }) => [config.name, state]), [
      ["worker02", "RUNNING"],
    ]);
  }));
