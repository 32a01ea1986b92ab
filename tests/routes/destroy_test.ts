/**
 * Protects what a destruction takes, as scripts and browsers without JavaScript ask for it: what was not named stays,
 * and what was named and is not there is an error. Over real HTTP.
 */
import assert from "node:assert/strict";
import {
  create,
  finishedOperation,
  follow,
  FORM,
  hidden,
  post,
  text,
  withDashboard,
} from "../support/http.ts";

Deno.test("the page destroys only what was named, and a name that is not there is an error (fault 1)", () =>
  withDashboard({}, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, { ...FORM, "worker.count": "3" }));
    const one = await text(fetch(`${dashboard.url}/destroy?vm=worker02`));
    assert.match(one, /destroy 1 vm/);
    const fields = { plan: hidden(one, "plan"), phrase: "destroy 1 vm" };
    const json = await fetch(`${dashboard.url}/destroy?vm=wroker02`, {
      headers: { accept: "application/json" },
    });
    const { vms, missing } = await json.json();
    assert.deepEqual([vms, missing], [[], [{ by: "name", value: "wroker02" }]]);
    for (const query of ["vm=worker02&vm=wroker02", "prefixes=wroker", "prefixes=worker,wroker"]) {
      const html = await text(fetch(`${dashboard.url}/destroy?${query}`));
      assert.match(html, /No VM is called &quot;wroker/, query);
      assert.doesNotMatch(html, /id="confirm-destroy"/, query);
    }
    const mistyped = await post(dashboard, "/destroy", [
      ["vm", "worker02"],
      ["vm", "wroker02"],
      ["token", hidden(one, "token")],
      ...Object.entries(fields),
    ]);
    assert.equal(mistyped.status, 422);
    assert.match(await mistyped.text(), /Nothing was destroyed/);
    const nameless = await post(dashboard, "/destroy", { ...fields, token: hidden(one, "token") });
    assert.equal(nameless.status, 400);
    await nameless.body?.cancel();
    assert.equal(dashboard.simulator.store.vms.size, 3);
    const token = hidden(one, "token");
    const led = await follow(post(dashboard, "/destroy", { ...fields, vm: "worker02", token }));
    assert.equal((await finishedOperation(dashboard, led)).status, "done");
    assert.equal(await follow(post(dashboard, "/destroy", { ...fields, vm: "worker02", token })), led);
    const names = [...dashboard.simulator.store.vms.values()].map(({ config }) => config.name);
    assert.deepEqual(names, ["worker01", "worker03"]);
  }));

Deno.test("a type, an orphan or a VM that a form names and that is not there is an error (fault 1)", () =>
  withDashboard({}, async (dashboard) => {
    const gpu = await post(dashboard, "/create/plan", { ...FORM, "gpu.count": "1" });
    assert.equal(gpu.status, 422);
    assert.match(await gpu.text(), /There is no VM type &quot;gpu&quot; in the configuration/);
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const act = await text(fetch(`${dashboard.url}/vms/act?action=poweroff&id=1`));
    const token = hidden(act, "token");
    const stopped = await post(dashboard, "/vms/act", [
      ["action", "poweroff"],
      ["id", "1"],
      ["id", "999"],
      ["token", token],
    ]);
    assert.equal(stopped.status, 409);
    assert.match(await stopped.text(), /Nothing was done: VM 999 is not on the NAS/);
    const sent = dashboard.simulator.calls.map(({ method }) => method);
    assert.ok(!sent.includes("vm.poweroff"), "the other VM is left as it is");
    await dashboard.manager.destroyManagedVms(["worker"], { keepDisks: true });
    const orphans = await text(fetch(`${dashboard.url}/orphans?leave=tank/vms/wroker01-disk0`));
    assert.match(orphans, /&quot;tank\/vms\/wroker01-disk0&quot; is not among the orphans/);
    const refused = await post(dashboard, "/orphans", {
      leave: "tank/vms/wroker01-disk0",
      plan: hidden(orphans, "plan"),
      token: hidden(orphans, "token"),
      phrase: "destroy 2 zvols",
    });
    assert.equal(refused.status, 422);
    assert.match(await refused.text(), /Nothing was destroyed/);
    assert.equal(
      [...dashboard.simulator.store.datasets.keys()].filter((it) => it.includes("-disk")).length,
      2,
    );
    await assert.rejects(
      dashboard.manager.destroyManagedVms([], { names: ["wroker01"] }),
      /No VM is called "wroker01"/,
    );
  }));
