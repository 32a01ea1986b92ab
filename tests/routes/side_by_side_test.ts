/**
 * Protects pages while several operations run: each is shown, what needs something of a running one is refused with the reason,
 * and everything else starts. Over real HTTP.
 */
import assert from "node:assert/strict";
import type { TestDashboard } from "../support/pages/dashboard.ts";
import { CONFIG } from "../support/lab.ts";
import { repeatedly } from "../support/deadline.ts";
import {
  finishedOperation,
  FORM,
  hidden,
  planned,
  post,
  text,
  withDashboard,
} from "../support/pages/http.ts";

/** Starts a creation that holds before its first VM; it goes on when it is released. */
async function begin({ manager, simulator, configuration }: TestDashboard, type: string, running: number) {
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const matches = (params: readonly unknown[]) => JSON.stringify(params).includes(type);
  simulator.addFault({ method: "vm.create", action: "hold", until, times: Infinity, matches });
  const finished = manager.createVmType(configuration().configuration, type, 5950);
  await repeatedly(
    `${running} run`,
    () => Promise.resolve(manager.operations.claiming.length === running || null),
  );
  const { id } = manager.operations.claiming.at(-1) ?? assert.fail();
  return { id, finished, release, [Symbol.dispose]: release };
}

Deno.test("while operations run, others are refused only where they need the same, and the pages show all", () =>
  withDashboard({}, async (dashboard) => {
    const { manager, url } = dashboard;
    await manager.createVmType({ ...CONFIG, web: { ...Object(CONFIG.worker), count: 1 } }, "web", 5990);
    await manager.destroyManagedVms(["web"], { keepDisks: true });
    const shown = await planned(dashboard);
    using workers = await begin(dashboard, "worker", 1);
    using planes = await begin(dashboard, "controlplane", 2);

    const refused = await post(dashboard, "/create", { ...FORM, token: shown.token, plan: shown.plan });
    assert.equal(refused.status, 409);
    assert.match(
      await refused.text(),
      /Another operation is working on worker01: Create 3 VMs\. Nothing was created\. Try again when it has finished/,
    );
    const orphans = await text(fetch(`${url}/orphans`));
    const fields = { token: hidden(orphans, "token"), plan: hidden(orphans, "plan") };
    const cleaned = await post(dashboard, "/orphans", { ...fields, phrase: "destroy 2 disks" });
    assert.equal(cleaned.status, 409);
    assert.match(await cleaned.text(), /Another operation is running: Create 3 VMs\. Nothing was destroyed/);

    const list = await text(fetch(url));
    assert.match(list, new RegExp(`id="op-strip"[^>]*data-operation="${workers.id}"`));
    const all = await text(fetch(`${url}/operations`));
    for (const id of [workers.id, planes.id]) {
      assert.match(all, new RegExp(`data-operation="${id}"[^>]*data-status="running"`));
    }
    planes.release();
    assert.equal((await planes.finished).status, "done", "it does not wait for the other one");
    assert.equal((await finishedOperation(dashboard, `/operations/${planes.id}`)).status, "done");
    assert.equal(manager.operations.claiming.length, 1);
    workers.release();
    assert.equal((await workers.finished).status, "done");
  }));

Deno.test("an operation is not resumed or rolled back while another one works on its VMs", () =>
  withDashboard({}, async (dashboard) => {
    const { manager, simulator, url, configuration } = dashboard;
    simulator.addFault({ method: "vm.create", action: "fail", times: Infinity });
    const failed = await manager.createVmType(configuration().configuration, "worker", 5920);
    assert.equal(failed.status, "failed");
    simulator.clearFaults();
    using workers = await begin(dashboard, "worker", 1);
    const path = `/operations/${failed.operation.id}`;
    for (const [form, nothing] of [["resume", "Nothing was resumed"], ["rollback", "Nothing was removed"]]) {
      const refused = await post(dashboard, `${path}/${form}`, {});
      assert.equal(refused.status, 409);
      const words = `Another operation is working on worker01: Create 3 VMs. ${nothing}. Try again`;
      assert.ok((await refused.text()).includes(words), form);
    }
    workers.release();
    await workers.finished;
    const resumed = await post(dashboard, `${path}/resume`, {});
    await resumed.body?.cancel();
    assert.equal(resumed.status, 303);
    await finishedOperation(dashboard, resumed.headers.get("location") ?? "");
    assert.match(await text(fetch(url + path)), /data-resolution="resumed"/);
  }));
