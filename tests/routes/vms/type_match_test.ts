/**
 * Protects what a VM's overview says of its type: that it matches, or each difference, and what became of a type that
 * was changed or removed; of a VM that has no type it says nothing. Over real HTTP.
 */
import assert from "node:assert/strict";
import { MemoryStore } from "../../../lib/configuration/editing/configuration_store.ts";
import { startDashboard, TEST_CONFIG, type TestDashboard } from "../../support/pages/dashboard.ts";
import { create, finishedOperation, FORM, text } from "../../support/pages/http.ts";

/** Each VM's differences in the list: as JSON, and as the row's mark. */
async function listed({ url }: TestDashboard) {
  const json = await (await fetch(url, { headers: { accept: "application/json" } })).json();
  const page = await text(fetch(url));
  const rows = [...page.matchAll(/<tr id="vm-(\d+)" data-vm="([^"]+)"[^]*?<\/tr>/g)].map(
    ([row, , name]) => {
      const mark = /<a class="badge warn" href="([^"]*)" data-differs="\d+">.*?<\/svg>(.*?)<\/a>/.exec(
        row,
      );
      const plan = `/create/plan?type=worker&amp;vm=${name}#plan-${name}`;
      if (mark !== null) assert.equal(mark[1], plan, "it leads to the plan of its type");
      return [name, (mark?.[2] ?? "").replaceAll(/<[^>]*>/g, "")] as const;
    },
  );
  return {
    json: Object.fromEntries(json.vms.map((vm: { name: string; differs: number }) => [vm.name, vm.differs])),
    marks: Object.fromEntries(rows.filter(([, mark]) => mark !== "")),
  };
}

/** The fact as it is read; empty where there is none. */
async function factOf(dashboard: TestDashboard, name: string): Promise<string> {
  const { vms } = await dashboard.manager.inventory.live.ready(10_000);
  const id = vms?.find((vm) => vm.name === name)?.id ?? assert.fail(name);
  const page = await text(fetch(`${dashboard.url}/vms/${id}`));
  const fact = /<dt>VM type<\/dt><dd>(.*?)<\/dd>/.exec(page)?.[1] ?? "";
  return fact.replaceAll(/<(?!a )[^>]*>/g, " ").replaceAll(/\s+/g, " ").trim();
}

async function withWorkers(
  test: (given: { dashboard: TestDashboard; write: (text: string) => void }) => Promise<void>,
): Promise<void> {
  let config = TEST_CONFIG;
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 3 },
    store: new MemoryStore(() => ({ text: config, source: "config.yaml" })),
  });
  const { configuration } = dashboard.configuration();
  await dashboard.manager.createVmType(configuration, "worker", 5920);
  await test({ dashboard, write: (text) => config = text });
}

Deno.test("a VM matches its type until one of them changes, and then each difference is named", () =>
  withWorkers(async ({ dashboard, write }) => {
    const link = '<a href="/types/edit?name=worker" dir="auto">';
    const plan = "/create/plan?type=worker&amp;vm=worker02#plan-worker02";
    const review = `<a class="btn sm" id="review-differences" href="${plan}">Review and apply…`;
    assert.equal(await factOf(dashboard, "worker02"), `${link}worker Matches its type`);
    assert.equal(await factOf(dashboard, "homeassistant"), "", "it has no type");
    const vm = [...dashboard.simulator.store.vms.values()].find(({ config }) => config.name === "worker02");
    assert.ok(vm);
    Object.assign(vm.config, { memory: 3072 });
    await dashboard.manager.inventory.live.refreshNow(vm.id);
    assert.equal(
      await factOf(dashboard, "worker02"),
      `${link}worker 1 difference from its type memory: 3 GiB here, 2 GiB in the type ${review}`,
    );
    const worker = (text: string) => TEST_CONFIG.replace(/(worker:[^]*)/, (part) => text + part.slice(7));
    write(worker("worker:").replace(/(worker:[^]*?)cpu: 2/, "$1cpu: 4").replace("count: 3", "count: 1"));
    assert.equal(
      await factOf(dashboard, "worker02"),
      `${link}worker 3 differences from its type vcpus: 2 here, 4 in the type memory: 3 GiB here, 2 GiB in the type ` +
        `the type has only 1 VM now, and this is a further one ${review} When this VM was created, the type was different.`,
    );
  }));

/** What the page sends of a type that the file describes with fewer words. */
const CREATED_WITH_THE_FORM = {
  ...FORM,
  "worker.count": "0",
  "controlplane.count": "1",
  "controlplane.disk.0.name": "root",
  "controlplane.disk.0.size": "20",
  "controlplane.network.0.name": "lan",
  "controlplane.network.0.bridge": "br0",
  "controlplane.start": "yes",
  "controlplane.autostart": "yes",
  "controlplane.sparse": "no",
  "controlplane.overcommit": "no",
};

Deno.test("a VM that was created with the form and then changed is not said to have had another type", () =>
  withWorkers(async ({ dashboard }) => {
    const path = await create(dashboard, CREATED_WITH_THE_FORM);
    assert.equal((await finishedOperation(dashboard, path)).status, "done");
    const name = "controlplane01";
    const vm = [...dashboard.simulator.store.vms.values()].find(({ config }) => config.name === name);
    assert.ok(vm);
    Object.assign(vm.config, { memory: 3072 });
    await dashboard.manager.inventory.live.refreshNow(vm.id);
    assert.match(
      await factOf(dashboard, name),
      /1 difference from its type memory: 3 GiB here, 2 GiB in the type <a [^>]*>Review and apply…$/,
    );
  }));

Deno.test("a device that the type has and the VM lacks is named", () =>
  withWorkers(async ({ dashboard, write }) => {
    write(TEST_CONFIG.replace("data: 50", "data: 50, logs: 5"));
    assert.match(
      await factOf(dashboard, "worker01"),
      /1 difference from its type missing: disk2 <a [^>]*>Review and apply… When this VM was created/,
    );
  }));

Deno.test("a type that is gone or cannot be read is said, and the page is shown", () =>
  withWorkers(async ({ dashboard, write }) => {
    write(TEST_CONFIG.replace("worker:", "other:"));
    assert.match(await factOf(dashboard, "worker01"), /^worker The configuration no longer has this type/);
    write("worker: [");
    assert.match(await factOf(dashboard, "worker01"), /^worker Not compared, because the configuration/);
  }));

Deno.test("the list counts what differs in each VM, as its overview lists it, without a call to the NAS", () =>
  withWorkers(async ({ dashboard, write }) => {
    const same = { homeassistant: 0, win11: 0, workerold: 0, worker01: 0, worker02: 0, worker03: 0 };
    assert.deepEqual(await listed(dashboard), { json: same, marks: {} });
    const vm = [...dashboard.simulator.store.vms.values()].find(({ config }) => config.name === "worker02");
    assert.ok(vm);
    Object.assign(vm.config, { memory: 3072, autostart: false });
    await dashboard.manager.inventory.live.refreshNow(vm.id);
    assert.deepEqual(await listed(dashboard), {
      json: { ...same, worker02: 2 },
      marks: { worker02: "2 differences" },
    });
    const looked = await text(fetch(`${dashboard.url}/?state=needs-look`));
    assert.match(looked, /Needs a look <b>1<\/b>/, "what has a mark needs a look");
    assert.deepEqual([...looked.matchAll(/data-vm="([^"]+)"/g)].map(([, name]) => name), ["worker02"]);
    assert.match(
      await factOf(dashboard, "worker02"),
      /memory: 3 GiB here.*autostart: no here, yes in the type <a [^>]*>Review and apply…$/,
    );
    const before = dashboard.simulator.calls.length;
    write(TEST_CONFIG.replace(/(worker:[^]*count: )3/, "$12").replace("data: 50", "data: 50, logs: 5"));
    assert.deepEqual((await listed(dashboard)).marks, {
      worker01: "1 difference",
      worker02: "3 differences",
      worker03: "2 differences",
    });
    const asked = dashboard.simulator.calls.slice(before).map(({ method }) => method);
    assert.deepEqual(asked.filter((method) => method.startsWith("vm.query")), []);
    write("worker: [");
    assert.deepEqual((await listed(dashboard)).json, same);
  }));

Deno.test("a VM that is only one more than its type has is called extra, and needs no look", () =>
  withWorkers(async ({ dashboard, write }) => {
    write(TEST_CONFIG.replace(/(worker:[^]*count: )3/, "$12"));
    assert.deepEqual((await listed(dashboard)).marks, {});
    const page = await text(fetch(dashboard.url));
    assert.match(page, /data-vm="worker03"[^]*?<a class="tag"[^>]* data-differs="1"[^>]*>Extra<\/a>/);
    assert.match(page, /Needs a look <b>0<\/b>/);
    assert.match(await factOf(dashboard, "worker03"), /Extra the type has only 2 VMs now/);
  }));

Deno.test("VMs are compared once, and not again for each page", () =>
  withWorkers(async ({ dashboard, write }) => {
    const { operations, inventory } = dashboard.manager;
    const compared: string[] = [];
    const compare = operations.compareWithType.bind(operations);
    operations.compareWithType = (configuration, type, vm) => {
      compared.push(vm.name);
      return compare(configuration, type, vm);
    };
    const comparedNow = () => compared.splice(0).toSorted();
    await listed(dashboard);
    assert.deepEqual(comparedNow(), ["worker01", "worker02", "worker03"]);
    await listed(dashboard);
    assert.deepEqual(comparedNow(), []);
    const vm = [...dashboard.simulator.store.vms.values()].find(({ config }) => config.name === "worker02");
    assert.ok(vm);
    vm.config.memory += 1024;
    await inventory.live.refreshNow(vm.id);
    await listed(dashboard);
    assert.deepEqual(comparedNow(), ["worker02"]);
    write(TEST_CONFIG.replace("data: 50", "data: 60"));
    await listed(dashboard);
    assert.deepEqual(comparedNow(), ["worker01", "worker02", "worker03"]);
  }));

Deno.test("a template that is replaced is compared with from then on", () =>
  withWorkers(async ({ dashboard }) => {
    dashboard.manager.templates.replace("vm", JSON.stringify({ cpu_mode: "CUSTOM", autostart: true }));
    const { marks } = await listed(dashboard);
    assert.deepEqual(Object.values(marks), ["1 difference", "1 difference", "1 difference"]);
  }));
