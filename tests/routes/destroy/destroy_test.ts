/**
 * Protects the scope of a destruction, as scripts and browsers without JavaScript request it: whatever was not named is
 * kept, and a name that matches nothing is an error. Over real HTTP.
 */
import assert from "node:assert/strict";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import {
  create,
  errorsOf,
  finishedOperation,
  follow,
  FORM,
  hidden,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

Deno.test("the page destroys only the named VMs, and a name that matches none is an error (fault 1)", () =>
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
    const mistakes = [
      ["vm=worker02&vm=wroker02", /No VM is named &quot;wroker02&quot;/],
      ["prefixes=wroker", /No VM matches &quot;wroker&quot; followed by digits/],
      ["prefixes=worker,wroker", /No VM matches &quot;wroker&quot; followed by digits/],
    ] as const;
    for (const [query, message] of mistakes) {
      const html = await text(fetch(`${dashboard.url}/destroy?${query}`));
      assert.match(html, message);
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

Deno.test("of VMs that are all off, the page does not speak of shutting down, but keeps the option when it was asked for", () =>
  withDashboard({ simulator: { foreignVms: 4 } }, async ({ url }) => {
    const page = async (query: string) => await text(fetch(`${url}/destroy?${query}`));
    const off = await page("vm=win11");
    assert.match(off, /data-state="STOPPED"/, "the premise");
    assert.match(off, /This cannot be undone\. Disks are destroyed/);
    assert.doesNotMatch(off, /powered off|[Ss]hut down/);
    assert.match(await page("vm=win11&shutdown=yes"), /<input type="hidden" name="shutdown" value="yes"/);
    const on = await page("vm=homeassistant");
    assert.match(on, /The running VM is powered off\./);
    assert.match(on, /Try to shut down before powering off/);
    const both = await page("vm=homeassistant&vm=win11&shutdown=yes");
    assert.match(both, /The running VM is shut down, and powered off if it does not respond\./);
    assert.match(await page("prefixes=nothing"), /Try to shut down/, "as long as nothing is listed");
  }));

Deno.test("POST /destroy requires the phrase and removes exactly the VMs shown", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async (dashboard) => {
    const { manager, simulator } = dashboard;
    const before = new Set([...simulator.store.datasets.keys()]);
    await manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
    const html = await text(fetch(`${dashboard.url}/destroy`));
    assert.match(html, /destroy 3 vms/);
    assert.doesNotMatch(html, /data-vm="workerold"/);
    const fields = { prefixes: "worker", plan: hidden(html, "plan"), token: hidden(html, "token") };
    const wrong = await post(dashboard, "/destroy", { ...fields, phrase: "destroy 2 vms" });
    assert.equal(wrong.status, 422);
    assert.deepEqual(errorsOf(await wrong.text()), ["phrase"]);
    assert.equal(simulator.store.vms.size, 8);
    const right = await post(dashboard, "/destroy", { ...fields, phrase: "destroy 3 vms" });
    await right.body?.cancel();
    assert.equal(right.status, 303);
    assert.equal((await finishedOperation(dashboard, right.headers.get("location") ?? "")).status, "done");
    assert.deepEqual(new Set(simulator.store.datasets.keys()), before);
    assert.equal(simulator.store.vms.size, 5);
  }));

Deno.test("POST /destroy is refused with the new list if the VMs have changed", () =>
  withDashboard({}, async (dashboard) => {
    const { manager, simulator } = dashboard;
    await manager.createVmType(dashboard.configuration().configuration, "controlplane", 5910);
    const html = await text(fetch(`${dashboard.url}/destroy`));
    const fields = {
      prefixes: "controlplane, worker",
      plan: hidden(html, "plan"),
      token: hidden(html, "token"),
    };
    await manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
    const response = await post(dashboard, "/destroy", { ...fields, phrase: "destroy 1 vm" });
    assert.equal(response.status, 409);
    assert.match(await response.text(), /destroy 4 vms/);
    assert.equal(simulator.store.vms.size, 4);
  }));

Deno.test("a VM with only a matching name is spared until it is added explicitly", () =>
  withDashboard({}, async (dashboard) => {
    const { manager, simulator } = dashboard;
    await manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
    for (const vm of simulator.store.vms.values()) {
      if (vm.config.name === "worker02") vm.config.description = "made by somebody else";
    }
    const list = await text(fetch(`${dashboard.url}/destroy`));
    assert.match(list, /destroy 2 vms/);
    assert.match(list, /data-spared="worker02"/);
    assert.doesNotMatch(list, /data-vm="worker02"/);
    const chosen = await text(fetch(`${dashboard.url}/destroy?prefixes=worker&vm=worker02`));
    assert.match(chosen, /data-vm="worker02"/);
    assert.match(chosen, /may not have been created by this program/);
    const fields = {
      prefixes: "controlplane, worker",
      plan: hidden(list, "plan"),
      token: hidden(list, "token"),
    };
    const response = await post(dashboard, "/destroy", { ...fields, phrase: "destroy 2 vms" });
    await response.body?.cancel();
    await finishedOperation(dashboard, response.headers.get("location") ?? "");
    assert.deepEqual([...simulator.store.vms.values()].map(({ config }) => config.name), ["worker02"]);
  }));

Deno.test("a form that names a missing type, orphan or VM is an error (fault 1)", () =>
  withDashboard({}, async (dashboard) => {
    const gpu = await post(dashboard, "/create/plan", { ...FORM, "gpu.count": "1" });
    assert.equal(gpu.status, 422);
    assert.match(await gpu.text(), /The configuration has no VM type &quot;gpu&quot;/);
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
    assert.match(await stopped.text(), /VM 999 no longer exists on the NAS. Nothing was done/);
    const sent = dashboard.simulator.calls.map(({ method }) => method);
    assert.ok(!sent.includes("vm.poweroff"), "the other VM is left as it is");
    await dashboard.manager.destroyManagedVms(["worker"], { keepDisks: true });
    const orphans = await text(fetch(`${dashboard.url}/orphans?leave=tank/vms/wroker01-disk0`));
    assert.match(orphans, /&quot;tank\/vms\/wroker01-disk0&quot; is not an orphan, so it cannot be left out/);
    const refused = await post(dashboard, "/orphans", {
      leave: "tank/vms/wroker01-disk0",
      plan: hidden(orphans, "plan"),
      token: hidden(orphans, "token"),
      phrase: "destroy 2 disks",
    });
    assert.equal(refused.status, 422);
    assert.match(await refused.text(), /Nothing was destroyed/);
    assert.equal(
      [...dashboard.simulator.store.datasets.keys()].filter((it) => it.includes("-disk")).length,
      2,
    );
    await assert.rejects(
      dashboard.manager.destroyManagedVms([], { names: ["wroker01"] }),
      /No VM is named "wroker01"/,
    );
  }));

const DISK = "tank/vms/worker02-disk0";

Deno.test("a refused destruction answers scripts in JSON with the problems", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    const accept = { accept: "application/json" };
    for (const [path, status] of [["/destroy", 400], ["/vms/1/destroy", 409], ["/orphans", 400]] as const) {
      const refused = await post(dashboard, path, { token: "old" }, accept);
      assert.equal(refused.status, status);
      const { error, problems, plan } = await refused.json();
      assert.match(error, /[Nn]othing was destroyed/);
      assert.ok(Array.isArray(problems) && typeof plan.fingerprint === "string");
    }
    const gone = { prefixes: "", vm: "nosuch", token: "old", plan: "x", phrase: "destroy 1 vm" };
    const { error } = await (await post(dashboard, "/destroy", gone, accept)).json();
    assert.match(error, /No VM is named "nosuch"/);
    assert.equal(dashboard.simulator.store.vms.size, 1);
  }));

for (
  const [setting, options] of [["NO_DESTROY", { noDestroy: true }], ["READ_ONLY", {
    readOnly: true,
  }]] as const
) {
  Deno.test(`with ${setting}, a destruction powers nothing off`, () =>
    withDashboard({ simulator: { foreignVms: 2 }, manager: options }, async (dashboard) => {
      const vms = [...dashboard.simulator.store.vms.values()];
      const running = vms.find(({ state }) => state === "RUNNING");
      assert.ok(running);
      const path = `/vms/${running.id}/destroy`;
      const page = await text(fetch(dashboard.url + path));
      assert.match(
        page,
        new RegExp(`${setting} is set, so nothing can be deleted on the NAS. Restart the program without`),
      );
      assert.doesNotMatch(page, /name="phrase"/);
      const { name } = running.config;
      const result = await dashboard.manager.destroyManagedVms([], { names: [name], unmarked: [name] });
      assert.equal(result.vms[0]?.outcome, "failed");
      assert.match(result.vms[0]?.message ?? "", new RegExp(`^Not destroyed: ${setting} is set`));
      assert.equal(running.state, "RUNNING");
    }));
}

Deno.test("the Destroy page shows snapshots, and VMs kept because others depend on them (fault 2)", () =>
  withDashboard({ simulator: { version: "27.0" } }, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const { store } = dashboard.simulator;
    addSnapshot(store, "tank/vms/worker01-disk0@daily");
    addSnapshot(store, `${DISK}@web1`);
    addClone(store, `${DISK}@web1`, "tank/vms/web1-disk0");
    const page = await text(fetch(`${dashboard.url}/destroy?prefixes=worker`));
    assert.match(page, /Also destroys 1 snapshot: @daily/);
    assert.match(page, /data-blocked="worker02"/);
    assert.match(page, /destroy 1 vm/);
    const fields = { prefixes: "worker", plan: hidden(page, "plan"), token: hidden(page, "token") };
    const led = await follow(post(dashboard, "/destroy", { ...fields, phrase: "destroy 1 vm" }));
    assert.equal((await finishedOperation(dashboard, led)).status, "partly-done");
    assert.ok(store.datasets.has("tank/vms/web1-disk0") && store.datasets.has(DISK));
    assert.equal(store.vms.size, 1);
  }));
