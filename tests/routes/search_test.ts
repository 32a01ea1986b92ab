/** Protects the search: it finds VMs, types, operations, pages and actions, and offers viewers no changes. */
import assert from "node:assert/strict";
import { powerOff } from "../support/pages/dashboard.ts";
import { signIn, text, withDashboard } from "../support/pages/http.ts";

interface Found {
  readonly kind: string;
  readonly label: string;
  readonly href: string;
}

async function search(url: string, q: string, headers: Record<string, string> = {}): Promise<Found[]> {
  const response = await fetch(`${url}/search?${new URLSearchParams({ q })}`, {
    headers: { accept: "application/json", ...headers },
  });
  assert.equal(response.status, 200);
  return (await response.json()).results;
}

const labels = (found: readonly Found[]) => found.map(({ label }) => label);

Deno.test("GET /search finds VMs, VM types, operations and pages by their words, the best first", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async (dashboard) => {
    const { url } = dashboard;
    const operation = powerOff(dashboard);
    await operation.finished;
    const [vm] = await search(url, "homea");
    assert.deepEqual([vm?.kind, vm?.label, vm?.href], ["vm", "homeassistant", "/vms/1"]);
    assert.ok((await search(url, "worker")).some(({ kind, label }) => kind === "type" && label === "worker"));
    const byId = await search(url, operation.log.id);
    assert.deepEqual(byId.map(({ href }) => href), [`/operations/${operation.log.id}`]);
    assert.ok(labels(await search(url, "audit")).includes("Audit log"));
    assert.ok(
      labels(await search(url, "")).includes("Activity"),
      "pages are offered before anything is typed",
    );
    assert.deepEqual(await search(url, "no such thing"), []);
  }));

Deno.test("a VM is found by its MAC, however the digits are separated, and by its zvol", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async ({ url, manager }) => {
    const vm = (await manager.list()).find(({ nics, disks }) => nics[0]?.mac && disks[0]?.zvol);
    const [mac, zvol] = [vm?.nics[0]?.mac, vm?.disks[0]?.zvol];
    assert.ok(vm && mac && zvol);
    assert.match(mac, /^([0-9a-f]{2}:){5}/, "the premise");
    for (const q of [mac, mac.replaceAll(":", "-"), mac.replaceAll(":", ""), zvol]) {
      assert.deepEqual(labels(await search(url, q)), [vm.name], q);
      const list = await text(fetch(`${url}/?${new URLSearchParams({ q })}`));
      assert.deepEqual([...list.matchAll(/data-vm="([^"]*)"/g)].map(([, name]) => name), [vm.name], q);
    }
  }));

Deno.test("a verb finds only what can be done now, as links to pages that ask first", () =>
  withDashboard({ simulator: { foreignVms: 5 } }, async (dashboard) => {
    const { url } = dashboard;
    await powerOff(dashboard).finished;
    const found = await search(url, "start homeassistant");
    assert.deepEqual(found.map(({ kind, href }) => [kind, href]), [["action", "/vms/act?action=start&id=1"]]);
    assert.deepEqual(labels(await search(url, "shut homeassistant")), []);
    const asks = await text(fetch(url + found[0]?.href));
    assert.match(asks, /will be started/);
  }));

Deno.test("GET /search answers a page without script, the options for the palette, and at most 20 results", () =>
  withDashboard({ simulator: { foreignVms: 60 } }, async ({ url }) => {
    const page = await text(fetch(`${url}/search?q=vms`));
    assert.match(page, /<h1>Search<\/h1>/);
    assert.match(page, /<a href="\/create"/);
    const fragment = await text(fetch(`${url}/search?q=vms`, { headers: { "hx-request": "true" } }));
    assert.match(fragment, /^<div role="group"/);
    assert.match(fragment, /role="option"/);
    for (const q of ["", "e", "a", "st"]) assert.ok((await search(url, q)).length <= 20, q);
    const long = await fetch(`${url}/search?q=${"x".repeat(4_000)}`);
    assert.equal(long.status, 200);
    assert.match(await long.text(), /Nothing matches/);
    assert.match(await text(fetch(`${url}/search?q=%3Cb%3E`)), /value="&lt;b&gt;"/);
  }));

Deno.test("viewers find pages and VMs, and no action", () => {
  const access = { password: "open sesame", viewerPassword: "just looking" };
  return withDashboard({ access, simulator: { foreignVms: 5 } }, async (dashboard) => {
    const { cookie } = await signIn(dashboard, "just looking");
    for (const q of ["", "create", "destroy", "start", "shut", "power"]) {
      const found = await search(dashboard.url, q, { cookie });
      assert.ok(
        found.every(({ href }) =>
          !/create|destroy|act|serial|console|types/.test(href.replace("activity", ""))
        ),
        q,
      );
    }
    assert.deepEqual(labels(await search(dashboard.url, "homea", { cookie })), ["homeassistant"]);
  });
});
