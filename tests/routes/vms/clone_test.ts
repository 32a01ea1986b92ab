/**
 * Protects clones of a VM: each is marked as created here, whoever created the original, and a mark that failed is said.
 * Over real HTTP.
 */
import assert from "node:assert/strict";
import { post, text } from "../../support/pages/http.ts";
import { onEach } from "../../support/pages/vm_forms.ts";

onEach("a VM is cloned under a new name", async ({ dashboard, send }) => {
  assert.equal((await send("clone", { name: "copy01" })).status, 303);
  assert.ok([...dashboard.simulator.store.vms.values()].some(({ config }) => config.name === "copy01"));
  assert.match(
    (await send("clone", { name: "copy01" })).html,
    /data-error="clone\.name"[^<]*>Another VM already has this name; [^<]*This name already exists/,
  );
});

onEach(
  "a clone created here is marked, whoever created the original (fault 4)",
  async ({ dashboard, send }) => {
    const { manager, simulator, url } = dashboard;
    assert.equal((await send("clone", { name: "copy01" })).status, 303);
    const foreign = [...simulator.store.vms.values()].find(({ config }) => config.name === "homeassistant");
    const copied = await post(dashboard, `/vms/${foreign?.id}/clone`, { name: "copy02" });
    assert.equal(copied.status, 303, await copied.text());
    const plan = await manager.planDestruction({ prefixes: [], names: ["copy01", "copy02"] });
    assert.deepEqual(plan.vms.map(({ name, marks }) => ({ name, ...marks })), [
      { name: "copy01", description: true, zvols: "all", journal: true },
      { name: "copy02", description: true, zvols: "all", journal: true },
    ]);
    assert.equal(foreign?.config.description, "", "the original is as it was");
    for (const { name, userProperties } of simulator.store.datasets.values()) {
      if (name.includes("homeassistant") && !name.includes("copy")) {
        assert.deepEqual(
          userProperties,
          {},
          name,
        );
      }
    }
    assert.match(
      await text(fetch(`${url}/vms/${plan.vms[0]?.id}/destroy`)),
      /Type “destroy 1 vm” to confirm/,
    );
  },
);

onEach(
  "a clone that cannot be marked is kept, and the consequences are reported (fault 4)",
  async (lab) => {
    const { dashboard, send } = lab;
    dashboard.simulator.addFault({ method: "pool.dataset.update", action: "fail" });
    assert.equal((await send("clone", { name: "copy01" })).status, 303);
    const [clone] = dashboard.manager.operations.store.list();
    assert.equal(clone?.status, "done");
    assert.match(
      clone?.vms[0]?.message ?? "",
      /^Cloned as copy01, but marking it as created here failed/,
    );
  },
);
