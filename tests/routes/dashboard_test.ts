/**
 * Protects the dashboard's routes as scripts and browsers without JavaScript use them: statuses, data attributes, one-
 * time forms, JSON, and errors at their fields. Real HTTP to a real dashboard against the simulated NAS.
 */
import assert from "node:assert/strict";
import { addDataset } from "../../lib/simulator/store.ts";
import { DISPLAY_PASSWORD, powerOff } from "../support/dashboard.ts";
import { finishedOperation, FORM, hidden, planned, post, text, withDashboard } from "../support/http.ts";

function errorsOf(html: string): string[] {
  return [...html.matchAll(/data-error="([^"]*)"/g)].map(([, field]) => field ?? "");
}

Deno.test("GET / lists the VMs as a page and as JSON", () =>
  withDashboard({ simulator: { foreignVms: 3 } }, async ({ url }) => {
    const response = await fetch(url);
    const html = await response.text();
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.match(response.headers.get("vary") ?? "", /HX-Request/);
    assert.match(html, /data-vm="homeassistant" data-state="RUNNING"/);
    assert.match(html, /data-connection="live"/);
    const json = await (await fetch(url, { headers: { accept: "application/json" } })).json();
    assert.deepEqual(json.vms.map(({ name }: { name: string }) => name), [
      "homeassistant",
      "win11",
      "workerold",
    ]);
    assert.deepEqual(
      Object.keys(json.vms[0]).filter((key) =>
        ["id", "vcpus", "memoryMiB", "disks", "nics", "displays"].includes(key)
      ).length,
      6,
    );
    assert.equal(json.nas.release, "25.10.7");
  }));

Deno.test("the same URL answers with a page, or with its content for htmx", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async ({ url }) => {
    for (const path of ["/", "/create", "/destroy", "/operations", "/vms/1"]) {
      const part = await text(fetch(url + path, { headers: { "hx-request": "true" } }));
      assert.doesNotMatch(part, /<html|<header class="site"|DOCTYPE/, path);
      assert.match(part, /<h1/, path);
      assert.match(await text(fetch(url + path)), /^<!DOCTYPE html><html/, path);
    }
    const missing = await text(fetch(`${url}/vms/99`, { headers: { "hx-request": "true" } }));
    assert.match(missing, /^<div class="notice/);
  }));

Deno.test("GET / filters and sorts by the URL", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async ({ url }) => {
    const names = async (query: string) => {
      const json = await (await fetch(`${url}/?${query}`, { headers: { accept: "application/json" } }))
        .json();
      return json.vms.map(({ name }: { name: string }) => name);
    };
    assert.deepEqual(await names("q=pi"), ["pihole"]);
    assert.deepEqual(await names("state=RUNNING&sort=-memory"), ["homeassistant", "pihole"]);
    assert.deepEqual(await names("state=SUSPENDED"), []);
    assert.match(await text(fetch(`${url}/?q=nothing`)), /No VMs match/);
  }));

Deno.test("GET / says what to do if there are no VMs", () =>
  withDashboard({}, async ({ url }) => assert.match(await text(fetch(url)), /No VMs yet/)));

Deno.test("POST /create creates the VMs of the plan and redirects to the operation", () =>
  withDashboard({}, async (dashboard) => {
    const { token, plan, html } = await planned(dashboard);
    assert.match(html, /data-plan-vm="worker02" data-action="create"/);
    assert.match(html, /tank\/vms\/worker02-disk0/);
    assert.equal(dashboard.simulator.store.vms.size, 0, "a plan changes nothing");
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    assert.equal(created.status, 303);
    const operation = await finishedOperation(dashboard, created.headers.get("location") ?? "");
    assert.equal(operation.status, "done");
    const states = [...dashboard.simulator.store.vms.values()].map((
      { config, state },
    ) => [config.name, state]);
    assert.deepEqual(states.sort(), [["worker01", "RUNNING"], ["worker02", "RUNNING"]]);
  }));

Deno.test("POST /create sent twice starts one operation and redirects to it twice", () =>
  withDashboard({}, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    const send = () => post(dashboard, "/create", { ...FORM, token, plan });
    const [first, second] = await Promise.all([send(), send()]);
    const third = await send();
    for (const response of [first, second, third]) await response.body?.cancel();
    assert.deepEqual([first.status, second.status, third.status], [303, 303, 303]);
    const places = new Set([first, second, third].map(({ headers }) => headers.get("location")));
    assert.equal(places.size, 1);
    await finishedOperation(dashboard, [...places][0] ?? "");
    assert.equal(dashboard.simulator.store.vms.size, 2);
    assert.equal(dashboard.manager.operations.store.list().length, 1);
  }));

Deno.test("POST /create answers 409 with the new plan if the NAS has changed", () =>
  withDashboard({}, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    addDataset(dashboard.simulator.store, {
      name: "tank/vms/worker01-disk0",
      type: "VOLUME",
      volsizeBytes: 1024 ** 3,
      sparse: false,
      userProperties: {},
      createdAt: 0,
    });
    const response = await post(dashboard, "/create", { ...FORM, token, plan });
    assert.equal(response.status, 409);
    assert.match(await response.text(), /worker01-disk0 already exists/);
    assert.equal(dashboard.simulator.store.vms.size, 0);
  }));

Deno.test("POST /create without a token shows the plan and creates nothing", () =>
  withDashboard({}, async (dashboard) => {
    const response = await post(dashboard, "/create", FORM);
    assert.equal(response.status, 409);
    assert.match(await response.text(), /Nothing has been created yet/);
    assert.equal(dashboard.simulator.store.vms.size, 0);
  }));

const WRONG_VALUES: readonly (readonly [string, string, string])[] = [
  ["worker.count", "-1", "worker.count"],
  ["worker.count", "1.5", "worker.count"],
  ["worker.count", "1000", "worker.count"],
  ["worker.count", "many", "worker.count"],
  ["worker.count", "", "worker.count"],
  ["worker.memory", "19", "worker.memory"],
  ["worker.cpu", "0", "worker.cpu"],
  ["worker.threads", "3", "worker.threads"],
  ["worker.disk.0.size", "0.5", "worker.disk.0.size"],
  ["worker.disk.0.name", "", "worker.disk.0.name"],
  ["worker.network.0.bridge", "", "worker.network.0.bridge"],
  ["worker.network.0.bridge", "br77", "worker.network.0.bridge"],
  ["storage.pool_path", "/mnt/tank/vms", "storage.pool_path"],
  ["storage.pool_path", "tank/none", "storage.pool_path"],
  ["storage.cdrom_path", "debian.iso", "storage.cdrom_path"],
  ["storage.cdrom_path", "/mnt/tank/iso/none.iso", "storage.cdrom_path"],
  ["storage.cdrom_path", "/mnt/tank/atroot.iso", "storage.cdrom_path"],
  ["worker.memory", "20000", "worker.memory"],
  ["worker.disk.0.size", "60000", "worker.disk.0.size"],
];

Deno.test("POST /create/form answers with the same form: one VM more, a row added or removed, a size chosen", () =>
  withDashboard({}, async (dashboard) => {
    const send = async (fields: Record<string, string>) =>
      await text(post(dashboard, "/create/form", { ...FORM, ...fields }));
    const count = /name="worker\.count" value="(\d+)"/;
    const before = Number(FORM["worker.count"]);
    assert.equal(Number(count.exec(await send({ step: "worker.more" }))?.[1]), before + 1);
    assert.equal(Number(count.exec(await send({ step: "worker.fewer" }))?.[1]), before - 1);
    assert.equal(
      Number(count.exec(await send({ step: "controlplane.more" }))?.[1]),
      before,
      "only that type",
    );
    assert.match(await send({ add: "worker.disk" }), /name="worker\.disk\.1\.name" value=""/);
    assert.doesNotMatch(await send({ drop: "worker.disk.0" }), /name="worker\.disk\.0\.name"/);
    const large = await send({ "worker.size": "large", "worker.size_shown": "custom" });
    assert.match(large, /name="worker\.memory" value="8 GiB"/);
    assert.equal(dashboard.manager.operations.store.list().length, 0);
  }));

Deno.test("POST /create/plan reports each mistake at its field, keeps the entries, and changes nothing", () =>
  withDashboard({}, async (dashboard) => {
    for (const [name, typed, field] of WRONG_VALUES) {
      const response = await post(dashboard, "/create/plan", { ...FORM, [name]: typed });
      const html = await response.text();
      assert.equal(response.status, 422, `${name}=${typed}`);
      assert.ok(errorsOf(html).includes(field), `${name}=${typed} is marked: ${errorsOf(html)}`);
      const isKept = html.includes(`name="${name}" value="${typed}"`) ||
        html.includes(`<option value="${typed}" selected`) ||
        html.includes(`name="${name}.other" value="${typed}"`);
      assert.ok(isKept, `${name}=${typed} is kept`);
    }
    const writes = dashboard.simulator.calls.filter(({ method }) => /create|delete|start/.test(method));
    assert.deepEqual(writes, []);
  }));

Deno.test("POST answers 400 without a form, 413 if too large, 403 from another site", () =>
  withDashboard({}, async (dashboard) => {
    const headers = { origin: dashboard.url };
    for (const path of ["/create", "/create/plan", "/destroy"]) {
      const response = await fetch(dashboard.url + path, { method: "POST", headers });
      await response.body?.cancel();
      assert.equal(response.status, 400, path);
    }
    const large = await post(dashboard, "/create", { ...FORM, note: "x".repeat(300_000) });
    await large.body?.cancel();
    assert.equal(large.status, 413);
    const foreign = await post(dashboard, "/create", FORM, {
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
    });
    await foreign.body?.cancel();
    assert.equal(foreign.status, 403);
  }));

Deno.test("unknown operations and VMs are 404; the stream of an unknown operation ends at once", () =>
  withDashboard({}, async ({ url }) => {
    for (const path of ["/operations/nope", "/vms/99", "/vms/x", "/nowhere"]) {
      const response = await fetch(url + path);
      await response.body?.cancel();
      assert.equal(response.status, 404, path);
    }
    assert.match(await text(fetch(`${url}/operations/nope/events`)), /event: end/);
    const json = await fetch(`${url}/operations/nope`, { headers: { accept: "application/json" } });
    assert.ok("error" in await json.json());
  }));

Deno.test("GET /operations/:id/events resumes after Last-Event-ID without a gap or a repeat", () =>
  withDashboard({}, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    const path = created.headers.get("location") ?? "";
    const events = `${dashboard.url}${path}/events`;
    const idsOf = (stream: string) => [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    const whole = idsOf(await text(fetch(events)));
    assert.deepEqual(whole, whole.map((_, index) => index + 1));
    assert.ok(whole.length > 20, "every step starts and ends in it");
    const later = idsOf(await text(fetch(`${events}?after=3`, { headers: { "last-event-id": "7" } })));
    assert.deepEqual(later, whole.slice(7));
    assert.deepEqual(idsOf(await text(fetch(`${events}?after=3`))), whole.slice(3));
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

Deno.test("a failed VM is rolled back and shown with the NAS's error, and the others are created", () =>
  withDashboard({}, async (dashboard) => {
    dashboard.simulator.addFault({
      method: "vm.device.create",
      matches: (params) => JSON.stringify(params).includes("worker02-disk0"),
      action: "fail",
      error: { errno: 28, errname: "ENOSPC", reason: "[ENOSPC] out of space" },
    });
    const { token, plan } = await planned(dashboard);
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    const path = created.headers.get("location") ?? "";
    const operation = await finishedOperation(dashboard, path);
    assert.equal(operation.status, "partly-done");
    const html = await text(fetch(dashboard.url + path));
    assert.match(html, /worker02 was not created/);
    assert.match(html, /out of space/);
    assert.match(html, /data-vm="worker02" data-step="vm" data-status="rolled-back"/);
    assert.deepEqual([...dashboard.simulator.store.vms.values()].map(({ config }) => config.name), [
      "worker01",
    ]);
  }));

Deno.test("without a connection, pages say why and keep the entries", () =>
  withDashboard({}, async (dashboard) => {
    await dashboard.simulator.stop();
    await text(fetch(dashboard.url));
    const response = await post(dashboard, "/create/plan", { ...FORM, "worker.count": "x" });
    assert.equal(response.status, 422, "a mistake in the form needs no NAS");
    assert.match(await response.text(), /value="x"/);
    const planned = await post(dashboard, "/create/plan", { ...FORM, "worker.count": "7" });
    assert.equal(planned.status, 503);
    const kept = await planned.text();
    assert.match(kept, /name="worker\.count" value="7"/);
    assert.match(kept, /Your entries are kept/);
    assert.match(kept, /data-connection="(reconnecting|offline)"/);
    const destroy = await fetch(`${dashboard.url}/destroy`);
    assert.equal(destroy.status, 503);
    assert.match(await destroy.text(), /NAS not connected/);
    const ready = await fetch(`${dashboard.url}/readyz`);
    assert.equal(ready.status, 503);
    await ready.body?.cancel();
    assert.equal(await text(fetch(`${dashboard.url}/healthz`)), "ok\n");
  }));

Deno.test("an invalid configuration is explained with line and column", () =>
  withDashboard({ config: "storage:\n  pool_path: tank/vms\n  cdrom: x\n" }, async ({ url }) => {
    const response = await fetch(`${url}/create`);
    assert.equal(response.status, 422);
    const html = await response.text();
    assert.match(html, /line 3, column/);
    assert.match(html, /Unknown key/);
  }));

Deno.test("the display password appears in no page, stream, JSON or log", async () => {
  const lines: string[] = [];
  await withDashboard(
    { onLog: (message, fields) => lines.push(message + JSON.stringify(fields)) },
    async (dashboard) => {
      const { token, plan } = await planned(dashboard);
      const created = await post(dashboard, "/create", { ...FORM, token, plan });
      await created.body?.cancel();
      const path = created.headers.get("location") ?? "";
      await finishedOperation(dashboard, path);
      const sent = JSON.stringify(dashboard.simulator.calls.map(({ params }) => params));
      assert.ok(sent.includes(DISPLAY_PASSWORD), "it was sent to the NAS");
      const pages = ["/", "/create", "/destroy", "/operations", path, `${path}/events`, "/vms/1"];
      const bodies = await Promise.all(pages.map((page) => text(fetch(dashboard.url + page))));
      const json = await Promise.all(
        ["/", path, "/vms/1"].map((page) =>
          text(fetch(dashboard.url + page, { headers: { accept: "application/json" } }))
        ),
      );
      for (const emitted of [...bodies, ...json, ...lines]) {
        assert.ok(!emitted.includes(DISPLAY_PASSWORD));
      }
    },
  );
});

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

Deno.test("POST /operations/:id/cancel rolls back unfinished VMs, keeps finished ones, and counts none as failed (fault 36)", () =>
  withDashboard({ manager: { parallel: 1 } }, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    dashboard.simulator.addFault({ method: "vm.device.create", skip: 4, moment: "before", action: "stall" });
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    const path = created.headers.get("location") ?? "";
    assert.match(await text(fetch(dashboard.url + path)), /id="cancel-operation"/);
    assert.match(
      await text(fetch(dashboard.url)),
      new RegExp(`id="op-strip"[\\s\\S]*href="${path}"`),
      "the list leads to it",
    );
    // The call that stalls is under way by now.
    while (dashboard.simulator.calls.filter(({ method }) => method === "vm.device.create").length < 5) {
      await dashboard.manager.list();
    }
    const cancelled = await post(dashboard, `${path}/cancel`, {});
    await cancelled.body?.cancel();
    assert.deepEqual([cancelled.status, cancelled.headers.get("location")], [303, path]);
    // The stalled call ends with its connection; its outcome is unknown, so it is looked for and then undone.
    dashboard.simulator.cutConnections();
    const operation = await finishedOperation(dashboard, path);
    assert.equal(operation.status, "cancelled");
    assert.match(await text(fetch(dashboard.url + path)), /1 done, 1 cancelled · /, "and none failed");
    assert.doesNotMatch(await text(fetch(dashboard.url + path)), /id="cancel-operation"/);
    const missing = await post(dashboard, "/operations/nope/cancel", {});
    await missing.body?.cancel();
    assert.equal(missing.status, 404);
    const volumes = [...dashboard.simulator.store.datasets.values()].filter(({ type }) => type === "VOLUME");
    assert.equal(volumes.length, dashboard.simulator.store.vms.size, "no zvol without its VM");
  }));

Deno.test("GET /operations filters by state, counts each, and follows what goes on", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    const { url } = dashboard;
    assert.match(await text(fetch(`${url}/operations`)), /No operations yet/);
    const { log, finished } = powerOff(dashboard);
    await finished;
    const all = await text(fetch(`${url}/operations`));
    assert.match(all, new RegExp(`data-operation="${log.id}" data-status="done"`));
    assert.match(all, /href="\/operations\?state=done"[^>]*>.*?Done <b>1<\/b>/);
    assert.match(all, /data-stream="\/events\?only=operations"/);
    const failed = await text(fetch(`${url}/operations?state=failed`));
    assert.match(failed, /No operation is in this state/);
    const unknown = await fetch(`${url}/operations?state=lost`, { redirect: "manual" });
    assert.equal(unknown.headers.get("location"), "/operations");
    await unknown.body?.cancel();
  }));
