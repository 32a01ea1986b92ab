/**
 * Protects creating VMs of the configuration's types, as browsers without JavaScript use it: the form keeps what was
 * typed and reports each mistake at its field, and exactly the plan that was shown is carried out, once. Real HTTP.
 */
import assert from "node:assert/strict";
import { addDataset } from "../../../lib/simulator/store.ts";
import {
  errorsOf,
  finishedOperation,
  FORM,
  hidden,
  planned,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

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

Deno.test("a VM that is blocked is named and left out, and the others are created", () =>
  withDashboard({}, async (dashboard) => {
    const { simulator } = dashboard;
    addDataset(simulator.store, { name: "tank/vms/worker01-disk0", type: "VOLUME", volsizeBytes: 1 });
    const answer = await post(dashboard, "/create/plan", FORM);
    assert.equal(answer.status, 422);
    const html = await answer.text();
    assert.deepEqual(errorsOf(html).length, 1);
    assert.match(html, /worker01 is blocked and left out\./);
    assert.match(html, /data-plan-vm="worker01" data-action="blocked"/);
    const confirmed = { ...FORM, token: hidden(html, "token"), plan: hidden(html, "plan") };
    const created = await post(dashboard, "/create", confirmed);
    await created.body?.cancel();
    assert.equal(created.status, 303);
    const operation = await finishedOperation(dashboard, created.headers.get("location") ?? "");
    assert.equal(operation.status, "partly-done");
    assert.deepEqual([...simulator.store.vms.values()].map(({ config }) => config.name), ["worker02"]);
    assert.equal(simulator.store.datasets.get("tank/vms/worker01-disk0")?.volsizeBytes, 1);
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

Deno.test("VMs above a type's count are named in the plan, with the way to destroy them, and stay", () =>
  withDashboard({ simulator: { foreignVms: 2 } }, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    const created = await post(dashboard, "/create", { ...FORM, token, plan });
    await created.body?.cancel();
    await finishedOperation(dashboard, created.headers.get("location") ?? "");
    const html = await text(post(dashboard, "/create/plan", { ...FORM, "worker.count": "1" }));
    assert.match(
      html,
      /data-plan-vm="worker02" data-action="surplus"[^]*?<a href="\/vms\/\d+">worker02<\/a>/,
    );
    const line = /<tr[^>]*data-surplus="worker">(.*?)<\/tr>/s.exec(html)?.[1] ?? assert.fail("no line");
    assert.match(line, /worker has a count of 1\. The plan does not touch this VM\./);
    assert.match(line, /href="\/destroy\?prefixes=&amp;id=\d+"[^]*Destroy worker02…/);
    assert.match(html, /Nothing to create: 1 VM is surplus/);
    const [vm] = [...dashboard.simulator.store.vms.values()].filter(({ config }) =>
      config.name === "worker01"
    );
    assert.ok(vm);
    vm.config.threads = 2;
    vm.config.cores = 1;
    const asked = await fetch(`${dashboard.url}/create/plan`, {
      method: "POST",
      headers: { accept: "application/json", origin: dashboard.url },
      body: new URLSearchParams({ ...FORM, "worker.count": "1" }),
    });
    const json = await asked.json();
    const changes = [{ field: "threads", from: "2", to: "1", needsStop: true, never: null, replaces: false }];
    assert.deepEqual(
      json.vms.map((vm: Record<string, unknown>) => [vm.name, vm.action, vm.changes]),
      [["worker01", "change", changes], ["worker02", "surplus", []]],
    );
    assert.deepEqual([asked.status, json.problems], [200, json.findings]);
    assert.equal(dashboard.simulator.store.vms.size, 4);
    assert.doesNotMatch(await text(post(dashboard, "/create/plan", FORM)), /data-surplus/);
  }));
