/**
 * Protects the list of more VMs than it has rows for, over real HTTP: where the rows stop and how to see the rest, that
 * headings, chips, JSON and exports count every VM, and that what is selected is what the selection says.
 */
import assert from "node:assert/strict";
import {
  type DashboardOptions,
  idOf,
  TEST_CONFIG,
  type TestDashboard,
} from "../../support/pages/dashboard.ts";
import { soon } from "../../support/deadline.ts";
import { hidden, text, withDashboard } from "../../support/pages/http.ts";

/** Two groups, the rows ending in the second one. */
const CONFIG = `${TEST_CONFIG}
pihole:
  count: 1
  memory: 2048
  cpu: 2
  disk: { root: 20 }
  network: { lan: br0 }
`;

const MANY = { simulator: { foreignVms: 500 }, config: CONFIG };

/** A test whose VMs have been read. */
function withVms(
  options: DashboardOptions,
  test: (dashboard: TestDashboard) => Promise<void>,
): Promise<void> {
  return withDashboard(options, async (dashboard) => {
    await soon(dashboard.manager.inventory.live.ready(READ_MS), "the VMs are read");
    await test(dashboard);
  });
}

/** Far more than it takes. */
const READ_MS = 9_000;

function rows(html: string): string[] {
  return [...html.matchAll(/<tr id="vm-(\d+)" data-vm=/g)].map(([, id = ""]) => id);
}

function words(html: string): string {
  return html.replaceAll(/<[^>]+>/g, " ").replaceAll(/\s+/g, " ");
}

Deno.test("a list of 200 VMs has a row for each of them, and nothing about rows", () =>
  withVms({ simulator: { foreignVms: 200 } }, async ({ url }) => {
    const page = await text(fetch(url));
    assert.equal(rows(page).length, 200);
    assert.doesNotMatch(page, /class="rest"|select-matching|rows=all/);
    assert.match(page, /aria-label="Select all VMs in the list"/);
  }));

Deno.test("a longer list shows 200 rows across its groups, says so where they stop, and leads on to all of them", () =>
  withVms({ ...MANY, simulator: { foreignVms: 1_000 } }, async ({ url }) => {
    const page = await text(fetch(url));
    const shown = rows(page);
    assert.equal(shown.length, 200);
    assert.match(page, /data-group="pihole"[\s\S]{0,900}All 199 running[\s\S]{0,40}199 vCPUs/);
    assert.match(page, /data-group=""[\s\S]{0,900}201 of 801 running[\s\S]{0,40}3,201 vCPUs/);
    const rest = /<tfoot class="rest">[\s\S]*?<\/tfoot>/.exec(page)?.[0] ?? assert.fail();
    assert.match(words(rest), /200 of 1,000 VMs shown Show all 1,000/);
    assert.match(rest, new RegExp(`href="/\\?rows=all#vm-${shown.at(-1)}"`));
    assert.ok(page.indexOf('class="rest"') > page.lastIndexOf("data-vm="), "below the last row");
    assert.match(words(page), /All 1,000 Needs a look 0 Running 400 Stopped 600/);
    assert.match(page, /id="vm-count">[\s\S]{0,80}1,000 VMs/);
    const all = await text(fetch(`${url}/?rows=all`));
    assert.equal(rows(all).length, 1_000);
    assert.deepEqual(rows(all).slice(0, 200), shown, "it goes on where it stopped");
    assert.doesNotMatch(all, /class="rest"|select-matching/);
    const other = await text(fetch(`${url}/?rows=-1`));
    assert.equal(rows(other).length, 200, "anything else means the first ones");
  }));

Deno.test("a list in another order shows its first 200, and a filter that leaves fewer shows them all", () =>
  withVms(MANY, async ({ url }) => {
    const sorted = await text(fetch(`${url}/?sort=-memory`));
    const all = await text(fetch(`${url}/?sort=-memory&rows=all`));
    assert.equal(rows(sorted).length, 200);
    assert.deepEqual(rows(sorted), rows(all).slice(0, 200));
    const stopped = words(await text(fetch(`${url}/?state=STOPPED`)));
    assert.match(stopped, /300 of 500 VMs/);
    assert.match(stopped, /200 of 300 VMs shown Show all 300/);
    assert.match(stopped, /Select all 300 that match/);
    const found = await text(fetch(`${url}/?q=pihole`));
    assert.equal(rows(found).length, 100);
    assert.doesNotMatch(found, /class="rest"/);
  }));

Deno.test("all rows stay chosen with another filter, order, columns and in the stream", () =>
  withVms({ simulator: { foreignVms: 3 } }, async ({ url }) => {
    const page = await text(fetch(`${url}/?rows=all`));
    assert.match(page, /data-stream="\/events\?rows=all&amp;seen=/);
    assert.equal(
      page.match(/<input type="hidden" name="rows" value="all"/g)?.length,
      2,
      "filter and columns",
    );
    for (const link of ["state=RUNNING&amp;rows=all", "ours=yes&amp;rows=all", "sort=-name&amp;rows=all"]) {
      assert.ok(page.includes(`href="/?${link}"`), link);
    }
    assert.match(page, /id="list-export" href="\/export"/, "an export has every VM anyway");
    const none = await text(fetch(`${url}/?rows=all&q=nothing`));
    assert.match(none, /href="\/\?rows=all">Clear filters/);
  }));

Deno.test("JSON and exports have every VM", () =>
  withVms(MANY, async ({ url }) => {
    const json = await (await fetch(url, { headers: { accept: "application/json" } })).json();
    assert.equal(json.vms.length, 500);
    const csv = await text(fetch(`${url}/export?format=csv`));
    assert.equal(csv.trim().split("\n").length, 501);
  }));

Deno.test("what is selected as all that match is what matches when it is sent, also without a row", () =>
  withVms(MANY, async (dashboard) => {
    const { url, manager } = dashboard;
    const page = await text(fetch(`${url}/?q=win&state=STOPPED`));
    assert.doesNotMatch(page, /select-matching/, "the premise: the 100 of them all have a row");
    const list = await text(fetch(`${url}/?state=STOPPED&sort=-name`));
    const choice = /<input[^>]*id="select-matching"[^>]*>/.exec(list)?.[0] ?? assert.fail();
    assert.match(choice, /name="matching" value="state=STOPPED&amp;sort=-name"/);
    assert.match(choice, /data-count="300" data-off="300" data-mib="\d+" data-running="0"/);
    const chosen = new URLSearchParams({ action: "start", id: "1", matching: "state=STOPPED&sort=-name" });
    const start = await text(fetch(`${url}/vms/act?${chosen}`));
    assert.match(start, /<h1>Start 300 VMs<\/h1>/, "the ticks beside it are some of them");
    const one = { action: "start", id: idOf(dashboard, "win11"), name: "win11", state: "STOPPED" } as const;
    await manager.changes.act("start", [{ ...one, overcommit: true }]).finished;
    assert.match(await text(fetch(`${url}/vms/act?${chosen}`)), /<h1>Start 299 VMs<\/h1>/);
    const exported = await text(fetch(`${url}/export?${new URLSearchParams({ matching: "q=win" })}`));
    assert.match(exported, /<h1>Export 100 VMs<\/h1>/);
    assert.match(
      exported,
      /href="\/export\?q=win&amp;format=csv&amp;download=1"/,
      "its downloads are of the same",
    );
  }));

Deno.test("all that match are destroyed by name, and a filter that matches nothing destroys nothing", () =>
  withVms(MANY, async ({ url }) => {
    const destroy = (matching: string) =>
      text(fetch(`${url}/destroy?${new URLSearchParams({ matching, id: "1" })}`));
    const some = await destroy("q=pihole49");
    assert.match(some, /destroy 2 vms/, "pihole493 and pihole498");
    assert.equal(some.match(/<input type="hidden" name="id"/g)?.length, 2);
    assert.notEqual(hidden(some, "plan"), "");
    const none = await destroy("q=nothing");
    assert.match(none, /No VMs selected/);
    assert.doesNotMatch(none, /name="id"/);
  }));

Deno.test("a viewer may select all to export them, and nothing else", () =>
  withVms(
    {
      ...MANY,
      access: { password: "open sesame", viewerPassword: "just looking" },
    },
    async ({ url }) => {
      const headers = { authorization: `Basic ${btoa("x:just looking")}`, accept: "text/html" };
      const page = await text(fetch(url, { headers }));
      assert.match(page, /id="select-matching"/);
      assert.doesNotMatch(page, /formaction="\/destroy"/);
      const exported = await text(fetch(`${url}/export?matching=`, { headers }));
      assert.match(exported, /<h1>Export 500 VMs<\/h1>/);
    },
  ));
