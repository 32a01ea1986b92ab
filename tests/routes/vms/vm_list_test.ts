/**
 * Protects the list over real HTTP: what its pictures say, its filters, chips, groups and columns, the menu page of a VM,
 * actions asked for by a script, the export of a selection, and the badges of what is unfinished or undecided.
 */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { idOf, TEST_CONFIG, type TestDashboard } from "../../support/pages/dashboard.ts";
import { create, finishedOperation, FORM, post, text, withDashboard } from "../../support/pages/http.ts";
import { soon } from "../../support/deadline.ts";

const FROM_SCRIPT = { "hx-request": "true" };

function names(html: string): (string | undefined)[] {
  return [...html.matchAll(/<tr id="vm-\d+" data-vm="([^"]+)"/g)].map(([, name]) => name);
}

/** Its worker is as {@link FORM} creates it. */
const AS_CREATED = TEST_CONFIG.replace("count: 3", "count: 2").replace(", data: 50", "").replace(
  ", storage: br1",
  "",
);

/** A partly failed creation: worker01 is kept without its disk. */
async function leaveUnfinished(dashboard: TestDashboard): Promise<string> {
  dashboard.simulator.addFault({
    method: "vm.device.create",
    action: "fail",
    matches: (params) => JSON.stringify(params).includes("worker01-disk0"),
  });
  const path = await create(dashboard, { ...FORM, "worker.on_failure": "keep" });
  assert.equal((await finishedOperation(dashboard, path)).status, "partly-done", "the premise");
  await dashboard.manager.inventory.live.ready();
  return path;
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

Deno.test("a VM that was left unfinished says so and leads to its operation, which every page counts until it is decided", () =>
  withDashboard({ simulator: { foreignVms: 2 }, config: AS_CREATED }, async (dashboard) => {
    const { url } = dashboard;
    assert.match(await text(fetch(url)), /id="undecided" class="visually-hidden"/);
    const path = await leaveUnfinished(dashboard);
    const list = await text(fetch(url));
    const row = /<tr id="vm-\d+" data-vm="worker01"[\s\S]*?<\/tr>/.exec(list)?.[0] ?? assert.fail();
    assert.match(row, new RegExp(`class="badge warn" href="${path}"`));
    assert.deepEqual(names(await text(fetch(`${url}/?state=needs-look`))), ["worker01"]);
    for (const page of ["/", "/operations", "/create"]) {
      assert.match(
        await text(fetch(url + page)),
        /id="undecided" class="badge warn">1<span[^>]*> operation needs a decision/,
        page,
      );
    }
    const decided = await text(fetch(url + path));
    assert.match(decided, /Nothing changes, and you won&#39;t be asked again\./);
    const left = await post(dashboard, `${path}/leave`, {});
    await left.body?.cancel();
    const settled = await text(fetch(url));
    assert.match(settled, /id="undecided" class="visually-hidden"/);
    assert.match(settled, /data-vm="worker01"[\s\S]*?data-differs="1"/, "it still lacks its disk");
    assert.deepEqual(names(await text(fetch(`${url}/?state=needs-look`))), ["worker01"]);
  }));

Deno.test("groups are the configuration's types, then who created the others, each with its sums", () =>
  withDashboard({ simulator: { foreignVms: 3 } }, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const list = await text(fetch(dashboard.url));
    const groups = [...list.matchAll(/data-group="([^"]*)"/g)].map(([, group]) => group);
    assert.deepEqual(groups, ["worker", ""]);
    assert.match(list, /data-group="worker"[\s\S]{0,900}All 2 running[\s\S]{0,40}4 vCPUs · 4 GiB/);
    const sorted = await text(fetch(`${dashboard.url}/?sort=-memory`));
    assert.doesNotMatch(sorted, /data-group/, "an order of its own goes through all groups");
    const stop = await text(fetch(`${dashboard.url}/vms/act?action=stop&group=worker`));
    assert.match(stop, /<h1>Shut down 2 VMs<\/h1>/);
    const start = await text(fetch(`${dashboard.url}/vms/act?action=start&group=`));
    assert.match(start, /<h1>Start 2 VMs<\/h1>/, "only those that are stopped");
  }));

Deno.test("columns stand in the URL, and unknown ones show the usual", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async ({ url }) => {
    const heads = async (query: string) =>
      [...(await text(fetch(`${url}/?${query}`))).matchAll(/<th scope="col" class="c-(\w+)/g)].map((
        [, key],
      ) => key);
    assert.deepEqual(await heads("cols=by&cols=display"), ["name", "display", "by", "more"]);
    assert.deepEqual(await heads("cols=display,by"), ["name", "display", "by", "more"]);
    const usual = ["name", "state", "cpu", "mem", "disks", "net", "more"];
    assert.deepEqual(await heads("cols=nothing"), usual);
    assert.deepEqual(await heads(""), usual);
  }));

Deno.test("a disk says how much of it is used, in the list and as JSON, and nothing where the NAS does not tell", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    assert.match(await text(fetch(dashboard.url)), /<b>14<\/b> of 32 GiB/);
    const json = await (await fetch(dashboard.url, { headers: { accept: "application/json" } })).json();
    assert.equal(json.vms[0].disks[0].usedBytes, 14 * 1024 ** 3 + 57_344);
    dashboard.simulator.addFault({ method: "pool.dataset.query", action: "fail" });
    dashboard.manager.inventory.live.check();
    await dashboard.manager.inventory.live.ready(3_000);
    assert.doesNotMatch(await text(fetch(dashboard.url)), / of 32 GiB/);
  }));

Deno.test("an export is offered only where there is something to export", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async ({ url }) => {
    const hidden = /id="list-export"[^>]* hidden/;
    assert.doesNotMatch(await text(fetch(url)), hidden);
    assert.match(await text(fetch(`${url}/?q=nothing-like-this`)), hidden);
    const headers = { ...FROM_SCRIPT, "hx-target": "vm-list" };
    assert.match(await text(fetch(`${url}/?q=nothing-like-this`, { headers })), hidden);
  }));

Deno.test("a script that changes the filter gets the list, its chips and its stream", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async ({ url }) => {
    const headers = { ...FROM_SCRIPT, "hx-target": "vm-list" };
    const part = await text(fetch(`${url}/?q=pi&state=RUNNING`, { headers }));
    assert.deepEqual(names(part), ["pihole"]);
    for (const target of ["vm-list", "vm-chips", "vm-count", "list-export", "page-stream"]) {
      assert.match(part, new RegExp(`hx-target="#${target}"`), target);
    }
    assert.match(part, /data-stream="\/events\?q=pi&amp;state=RUNNING&amp;seen=/);
    assert.doesNotMatch(part, /<h1/);
  }));

Deno.test("an action of a script answers with a toast, and a refusal with one that says why", () =>
  withDashboard({ simulator: { foreignVms: 3 } }, async (dashboard) => {
    const id = idOf(dashboard, "win11");
    const started = await post(dashboard, `/vms/${id}/start`, { state: "STOPPED" }, FROM_SCRIPT);
    assert.equal(started.status, 200);
    assert.match(await started.text(), /hx-target="#toasts"[\s\S]*win11[\s\S]*(is starting|was started)/);
    const again = await post(dashboard, `/vms/${id}/resume`, {}, FROM_SCRIPT);
    assert.equal(again.status, 409);
    assert.match(await again.text(), /data-toast="bad"[\s\S]*only a suspended VM can be resumed/i);
  }));

Deno.test("the menu page of a VM says what can be done now, and why the rest cannot", () =>
  withDashboard(
    { simulator: { foreignVms: 2 }, access: { password: "open sesame", viewerPassword: "just looking" } },
    async (
      dashboard,
    ) => {
      const id = idOf(dashboard, "workerold");
      const as = (password: string) => ({
        authorization: `Basic ${btoa(`x:${password}`)}`,
        accept: "text/html",
      });
      const page = await text(fetch(`${dashboard.url}/vms/${id}/menu`, { headers: as("open sesame") }));
      assert.match(page, new RegExp(`formaction="/vms/${id}/start"`));
      assert.match(page, /Shut down <small>Start it first<\/small>/);
      const viewers = await text(fetch(`${dashboard.url}/vms/${id}/menu`, { headers: as("just looking") }));
      assert.doesNotMatch(viewers, /formaction|Destroy/);
      const missing = await fetch(`${dashboard.url}/vms/99/menu`, { headers: as("open sesame") });
      await missing.body?.cancel();
      assert.equal(missing.status, 404);
    },
  ));

Deno.test("a selection is exported, and its downloads are of the selection", () =>
  withDashboard({ simulator: { foreignVms: 4 } }, async (dashboard) => {
    const [win, pihole] = [idOf(dashboard, "win11"), idOf(dashboard, "pihole")];
    const page = await text(fetch(`${dashboard.url}/export?id=${win}&id=${pihole}`));
    assert.match(page, /<h1>Export 2 VMs<\/h1>/);
    const csv = await text(fetch(`${dashboard.url}/export?ids=${win},${pihole}&format=csv`));
    assert.deepEqual([csv.includes("win11"), csv.includes("homeassistant")], [true, false]);
    assert.match(page, new RegExp(`ids=${win}%2C${pihole}`));
  }));

Deno.test("1,000 VMs are sent in less than 80 kB", () =>
  withDashboard({ simulator: { foreignVms: 1_000 } }, async ({ url, manager }) => {
    await soon(manager.inventory.live.ready(), "the VMs are read");
    const page = await text(fetch(`${url}/?rows=all`));
    assert.equal(page.match(/<tr id="vm-/g)?.length, 1_000, "the premise");
    const { length } = gzipSync(page);
    assert.ok(length < 80_000, `${length} bytes`);
  }));
