/**
 * Protects actions on VMs from the list and from a VM's page: one VM with a click, several after a page that shows what
 * will happen to each; only actions that the state allows; and none on a VM that has changed since. Over real HTTP, on
 * releases with raw events and with rows.
 */
import assert from "node:assert/strict";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { idOf, type TestDashboard } from "../../support/pages/dashboard.ts";
import { finishedOperation, hidden, post, text, withDashboard } from "../../support/pages/http.ts";

function stateOf(dashboard: TestDashboard, name: string): string | undefined {
  return dashboard.simulator.store.vms.get(idOf(dashboard, name))?.state;
}

/** Sends a form and follows it to its operation. */
async function done(dashboard: TestDashboard, path: string, fields: Record<string, string> = {}) {
  const response = await post(dashboard, path, fields);
  const body = await response.text();
  assert.equal(response.status, 303, body);
  return await finishedOperation(dashboard, response.headers.get("location") ?? "");
}

/** Waits until the dashboard knows of a state. */
async function known({ manager }: TestDashboard, name: string, state: string): Promise<void> {
  const isKnown = () =>
    manager.inventory.live.snapshot.vms?.some((vm) => vm.name === name && vm.state === state);
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = manager.inventory.live.onChange(() => isKnown() && resolve());
  if (isKnown()) resolve();
  await promise;
  forget();
}

function onEach(name: string, test: (dashboard: TestDashboard) => Promise<void>): void {
  for (const version of ["25.10", "27.0"] as const satisfies readonly SimulatedVersion[]) {
    Deno.test(`${name} (${version})`, () => withDashboard({ simulator: { version, foreignVms: 5 } }, test));
  }
}

onEach(
  "a VM is started, suspended, resumed, shut down and powered off, each as an operation",
  async (dashboard) => {
    const name = "win11";
    const id = idOf(dashboard, name);
    const steps = [
      ["start", "RUNNING"],
      ["suspend", "SUSPENDED"],
      ["resume", "RUNNING"],
      ["restart", "RUNNING"],
      ["stop", "STOPPED"],
      ["start", "RUNNING"],
      ["poweroff", "STOPPED"],
    ] as const;
    const vm = dashboard.simulator.store.vms.get(id);
    assert.ok(vm);
    vm.state = "STOPPED";
    dashboard.manager.inventory.live.refresh(id);
    await known(dashboard, name, "STOPPED");
    for (const [action, state] of steps) {
      const operation = await done(dashboard, `/vms/${id}/${action}`);
      assert.deepEqual(
        [operation.kind, operation.status],
        ["act", "done"],
        `${action}: ${JSON.stringify(operation)}`,
      );
      assert.equal(stateOf(dashboard, name), state, action);
      await known(dashboard, name, state);
    }
  },
);

onEach(
  "an action that a VM's state does not allow is disabled with the reason, and refused",
  async (dashboard) => {
    const id = idOf(dashboard, "homeassistant");
    const page = await text(fetch(`${dashboard.url}/vms/${id}`));
    assert.match(
      page,
      /data-because="only a stopped VM can be started"[^>]*><svg[^>]*><use[^>]*><\/use><\/svg>Start/,
    );
    const refused = await post(dashboard, `/vms/${id}/start`, {});
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /Nothing was done: only a stopped VM can be started/);
    const stale = await post(dashboard, `/vms/${id}/poweroff`, { state: "STOPPED" });
    assert.match(await stale.text(), /it is now running; the page showed it as stopped/);
    assert.equal(stateOf(dashboard, "homeassistant"), "RUNNING");
    for (const path of [`/vms/${id}/explode`, "/vms/999/start"]) {
      const missing = await post(dashboard, path, {});
      await missing.body?.cancel();
      assert.equal(missing.status, 404, path);
    }
  },
);

Deno.test("a reset is offered from 27.0 on", async () => {
  for (const [version, status] of [["25.10", 409], ["27.0", 303]] as const) {
    await withDashboard({ simulator: { version, foreignVms: 1 } }, async (dashboard) => {
      const response = await post(dashboard, `/vms/${idOf(dashboard, "homeassistant")}/reset`, {});
      const body = await response.text();
      assert.equal(response.status, status);
      if (status === 409) assert.match(body, /this TrueNAS release cannot reset a VM/);
      else await finishedOperation(dashboard, response.headers.get("location") ?? "");
    });
  }
});

onEach(
  "for several VMs, the page first says what will happen to each, and names those it cannot act on",
  async (dashboard) => {
    const { simulator, url } = dashboard;
    const states = [...simulator.store.vms.values()].map(({ id, state }) => ({ id, state }));
    const stopped = states.filter(({ state }) => state === "STOPPED").map(({ id }) => id);
    const running = states.filter(({ state }) => state === "RUNNING").map(({ id }) => id);
    assert.ok(stopped.length >= 2 && running.length >= 1, "the premise");
    const chosen = [...stopped, ...running].map((id) => `id=${id}`).join("&");
    const question = await text(fetch(`${url}/vms/act?action=start&${chosen}`));
    assert.match(question, new RegExp(`<h1>Start ${stopped.length} VMs</h1>`));
    assert.match(question, /will be started\./);
    assert.equal([...question.matchAll(/data-left="/g)].length, running.length);
    const [failing = 0] = stopped;
    simulator.addFault({ method: "vm.start", action: "fail", matches: ([id]) => id === failing });
    const fields = new URLSearchParams({ action: "start", token: hidden(question, "token") });
    for (const id of stopped) {
      fields.append("id", String(id));
      fields.append("state", "STOPPED");
    }
    const send = () =>
      fetch(`${url}/vms/act`, { method: "POST", body: fields, headers: { origin: url }, redirect: "manual" });
    const first = await send();
    await first.body?.cancel();
    assert.equal(first.status, 303);
    const operation = await finishedOperation(dashboard, first.headers.get("location") ?? "");
    assert.equal(operation.status, "partly-done");
    const twice = await send();
    await twice.body?.cancel();
    assert.equal(
      twice.headers.get("location"),
      first.headers.get("location"),
      "a second click does nothing more",
    );
  },
);

onEach("when memory is short, the page asks before it overcommits", async (dashboard) => {
  const { simulator, url } = dashboard;
  const vm = [...simulator.store.vms.values()].find(({ state }) => state === "STOPPED");
  assert.ok(vm);
  const before = vm.config.memory;
  vm.config.memory = 1_000_000;
  const operation = await done(dashboard, `/vms/${vm.id}/start`);
  assert.equal(operation.status, "failed");
  assert.match(JSON.stringify(operation), /Cannot guarantee memory/);
  const page = await text(fetch(`${url}/operations/${operation.id}`));
  assert.match(page, new RegExp(`id="start-anyway" href="/vms/act\\?action=start&amp;id=${vm.id}"`));
  assert.match(await text(fetch(`${url}/vms/act?action=start&id=${vm.id}`)), /name="overcommit"/);
  const again = await done(dashboard, `/vms/${vm.id}/start`, { overcommit: "yes" });
  assert.equal(again.status, "done");
  vm.config.memory = before;
});

Deno.test("a VM that was removed or renamed is left unchanged and named", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async ({ manager, simulator }) => {
    const [gone, renamed] = [...simulator.store.vms.values()].filter(({ state }) => state === "STOPPED");
    assert.ok(gone && renamed);
    const requests = [gone, renamed].map(({ id, config: { name }, state }) => ({
      action: "start" as const,
      id,
      name,
      state,
      overcommit: false,
    }));
    simulator.store.vms.delete(gone.id);
    renamed.config.name = "another";
    const view = await manager.changes.act("start", requests).finished;
    assert.match(view.vms[0]?.message ?? "", /no longer exists. Nothing was changed/);
    assert.match(view.vms[1]?.message ?? "", /was renamed to another. Nothing was changed/);
    assert.equal(renamed.state, "STOPPED");
  }));

Deno.test("the list shows a VM's running operation, and filters by creator", () =>
  withDashboard({ simulator: { foreignVms: 2 } }, async (dashboard) => {
    const { manager, simulator, url, configuration } = dashboard;
    const struck = Promise.withResolvers<void>();
    simulator.addFault({
      method: "vm.start",
      action: "stall",
      matches: () => {
        struck.resolve();
        return true;
      },
    });
    const creating = manager.createVmType(configuration().configuration, "controlplane", 5910);
    await struck.promise;
    const id = idOf(dashboard, "controlplane01");
    manager.inventory.live.refresh(id);
    await known(dashboard, "controlplane01", "STOPPED");
    const list = await text(fetch(url));
    assert.match(list, /data-busy="[0-9a-f]{8}"[\s\S]{0,120}Creating<span class="of"> 5\/6/);
    assert.match(list, /data-group="controlplane"[\s\S]{0,900}0 of 1 running[\s\S]{0,40}2 vCPUs · 2 GiB/);
    simulator.clearFaults();
    simulator.cutConnections();
    await creating;
    const names = (html: string) =>
      [...html.matchAll(/<tr id="vm-\d+" data-vm="([^"]+)"/g)].map(([, name]) => name);
    assert.deepEqual(names(await text(fetch(`${url}/?ours=no`))), ["homeassistant", "workerold"]);
    assert.match(
      await text(fetch(url)),
      /GiB free for VMs"[\s\S]*aria-label="Pool tank: [^"]+TiB free in tank\/vms"/,
    );
  }));
