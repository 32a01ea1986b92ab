/**
 * Protects the list of more VMs than it has rows for, in Chromium: it stays true while VMs come, go and change with and
 * without a row, the selection says what it takes, and the rest is reached; with a script and without.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "../../support/packages/fast_check.ts";
import type { Page } from "../../support/packages/playwright.ts";
import { TrueNASCallError } from "../../../lib/errors/errors.ts";
import { idOf, startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import { repeatedly } from "../../support/deadline.ts";
import { openSession } from "../../support/session.ts";
import { browser, browserTest, expectAccessible, row, SCREENS } from "../../support/browser/pages.ts";

const MANY = { simulator: { foreignVms: 230 } };

async function openList(page: Page, path = "/"): Promise<void> {
  await page.goto(path);
  await page.waitForSelector('#connection[data-connection="live"]');
  assert.equal(await page.locator("tr[data-vm]").count(), 200, "the premise");
}

/** A stopped VM that comes first in the list. */
async function addFirst(dashboard: TestDashboard): Promise<void> {
  const id = idOf(dashboard, "win11");
  await dashboard.manager.changes.change({ id, name: "win11", uuid: null }, { kind: "clone", name: "aaa" })
    .problems;
}

async function powerOff(dashboard: TestDashboard, name: string): Promise<void> {
  const vm = { id: idOf(dashboard, name), name, state: "RUNNING" };
  await dashboard.manager.changes.act("poweroff", [{ action: "poweroff", ...vm, overcommit: false }])
    .finished;
}

/** Keeps what is said to screen readers. */
const HEAR = `
  globalThis.said = [];
  new MutationObserver(() => said.push(document.getElementById("live-words").textContent))
    .observe(document.body, { childList: true, subtree: true });
`;

for (const screen of SCREENS) {
  const where = `${screen.viewport.width} px`;

  browserTest(
    `at ${where} the selection of all that match counts those without a row, takes new ones in, and ends with a tick taken away`,
    MANY,
    async ({ page, dashboard }) => {
      await openList(page);
      const what = page.locator(".bulk .what");
      const all = page.locator("#select-matching");
      await row(page, "homeassistant").getByRole("checkbox").check();
      assert.match(await what.innerText(), /^1\s+selected/);
      await page.getByLabel("Select all 230").check();
      assert.match(await what.innerText(), /^230\s+selected/);
      assert.equal(await page.locator("input[name=id]:checked").count(), 200);
      assert.equal(await page.locator("#vm-list .is-ticked").count(), 200);
      await expectAccessible(page, "all that match are selected");
      await addFirst(dashboard);
      await row(page, "aaa").waitFor();
      await page.locator(".bulk .what", { hasText: "231" }).waitFor();
      assert.ok(await row(page, "aaa").getByRole("checkbox").isChecked(), "a row that is new is one of them");
      assert.ok(await all.isChecked());
      const href = await page.locator("#destroy-vms").getAttribute("href");
      assert.match(href ?? "", /\/destroy\?matching=$/, "'Destroy VMs…' is of the same VMs");
      await row(page, "aaa").getByRole("checkbox").uncheck();
      assert.ok(!await all.isChecked());
      assert.match(await what.innerText(), /^199\s+selected/);
      await all.check();
      await page.getByRole("button", { name: "Start…", exact: true }).click();
      await page.waitForURL(/\/vms\/act\?/);
      assert.equal(await page.locator("h1").innerText(), "Start 139 VMs");
    },
    { screen },
  );

  browserTest(
    `at ${where} a VM that comes, goes or changes without a row leaves 200 rows and true counts`,
    MANY,
    async ({ page, dashboard }) => {
      await openList(page);
      const heading = page.locator('tr[data-group=""]');
      const rest = page.locator("#vm-list .rest");
      assert.match(await heading.innerText(), /92 of 230 running/);
      const names = await page.locator("tr[data-vm]").evaluateAll((rows) => rows.map((it) => it.dataset.vm));
      assert.ok(!names.includes("workerold226"), "the premise");
      const vm = { id: idOf(dashboard, "workerold226"), name: "workerold226", state: "STOPPED" };
      await dashboard.manager.changes.act("start", [{ action: "start", ...vm, overcommit: true }]).finished;
      await page.locator('tr[data-group=""]', { hasText: "93 of 230 running" }).waitFor();
      await page.locator("#vm-chips", { hasText: /Running\s+93/ }).waitFor();
      assert.equal(await page.locator("#select-matching").getAttribute("data-running"), "93");
      await page.evaluate(HEAR);
      await addFirst(dashboard);
      await row(page, "aaa").waitFor();
      await repeatedly("it is said", async () => await page.evaluate("said.join().includes('aaa')") || null);
      assert.equal(await page.locator("tr[data-vm]").count(), 200);
      assert.match(await rest.innerText(), /200 of 231 VMs shown/);
      const said = await page.evaluate<string>("said.join()");
      assert.match(said, /aaa was added to the list/);
      assert.doesNotMatch(said, /removed/, "the VM that lost its row is still in the list");
      await powerOff(dashboard, "workerold226");
      await page.locator('tr[data-group=""]', { hasText: "92 of 230 running" }).waitFor();
      await page.getByRole("link", { name: "Show all 231" }).click();
      await page.waitForURL(/\?rows=all#vm-\d+$/);
      assert.equal(await page.locator("tr[data-vm]").count(), 231);
      const last = page.locator(new URL(page.url()).hash);
      await last.waitFor();
      const { height } = screen.viewport;
      const { y } = await last.boundingBox() ?? assert.fail();
      assert.ok(y > 0 && y < height, `the list goes on where it stopped, at ${y}`);
      await page.locator("#filter-q").fill("pi");
      await page.waitForURL(/\?q=pi&rows=all$/);
    },
    { screen },
  );
}

browserTest(
  "another filter ends the selection of all that match, and keeps the ticks it shows",
  MANY,
  async ({
    page,
  }) => {
    await openList(page);
    await page.getByLabel("Select the 200 VMs shown").check();
    assert.match(await page.locator(".bulk .what").innerText(), /^200\s+selected/);
    await page.locator("#select-matching").check();
    await page.locator("#filter-q").fill("old");
    await page.waitForURL(/\?q=old$/);
    assert.equal(await page.locator("tr[data-vm]").count(), 46);
    assert.equal(await page.locator("input[name=id]:checked").count(), 16, "those that had a row");
    assert.match(await page.locator(".bulk .what").innerText(), /^16\s+selected/);
  },
);

browserTest("a link to a VM without a row shows its row", MANY, async ({ page, dashboard }) => {
  const id = idOf(dashboard, "workerold226");
  await page.goto(`/?sort=name#vm-${id}`);
  await page.waitForURL(new RegExp(`/\\?sort=name&rows=all#vm-${id}$`));
  await row(page, "workerold226").waitFor();
  await page.goto("/#vm-999999");
  await page.waitForURL(/rows=all#vm-999999$/);
});

for (const { viewport } of SCREENS) {
  Deno.test({
    name: `without JavaScript all that match are selected and shown at ${viewport.width} px`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using dashboard = await startDashboard(MANY);
      const context = await browser.newContext({
        javaScriptEnabled: false,
        baseURL: dashboard.url,
        viewport,
      });
      const page = await context.newPage();
      try {
        await repeatedly("the VMs are read", async () => {
          await page.goto("/?state=STOPPED");
          await page.goto("/");
          return await page.locator("tr[data-vm]").count() === 200 || null;
        });
        assert.ok(!await page.locator("#select-matching").isVisible());
        await row(page, "win11").getByRole("checkbox").check();
        await page.getByLabel("Select all 230").check();
        assert.ok(!await page.locator(".bulk .what").isVisible(), "the ticks are not what is selected");
        await page.getByRole("button", { name: "Start…", exact: true }).click();
        await page.waitForURL(/\/vms\/act\?/);
        assert.equal(await page.locator("h1").innerText(), "Start 138 VMs");
        await page.goto("/");
        await page.getByRole("link", { name: "Show all 230" }).click();
        await page.waitForURL(/rows=all/);
        assert.equal(await page.locator("tr[data-vm]").count(), 230);
      } finally {
        await context.close();
      }
    },
  });
}

/** What a list says, read from the page. What is out of sight has no `innerText`, and which rows those are depends on the order. */
const SAID = `(() => {
  const words = (selector) =>
    [...document.querySelectorAll(selector)].map((it) => it.textContent.replaceAll(/\\s+/g, " ").trim());
  return {
    rows: [...document.querySelectorAll("#vm-list tr[data-vm]")].map(({ id, dataset, textContent }) =>
      [id, dataset.vm, dataset.state, textContent.replaceAll(/\\s+/g, " ")].join(" ")),
    words: ["#vm-list tr.group", "#vm-list .rest", "#vm-chips", "#vm-count", "#vm-list caption"].map(words),
    choice: { ...document.getElementById("select-matching")?.dataset },
  };
})()`;

interface Said {
  readonly rows: readonly string[];
}

type Change = (pick: number, id: number) => { readonly method: string; readonly params: readonly unknown[] };

/** Something that somebody does on the NAS with a VM; `pick` chooses it. */
const CHANGES = {
  create: (pick) => {
    const settings = { name: `aa${pick}`, memory: 64 + pick, uuid: crypto.randomUUID() };
    return { method: "vm.create", params: [settings] };
  },
  remove: (_pick, id) => ({ method: "vm.delete", params: [id, { zvols: false, force: true }] }),
  rename: (pick, id) => ({
    method: "vm.update",
    params: [id, { name: `worker${100 + pick}`, memory: 64 + pick }],
  }),
  start: (_pick, id) => ({ method: "vm.start", params: [id, { overcommit: true }] }),
  poweroff: (_pick, id) => ({ method: "vm.poweroff", params: [id] }),
} satisfies Record<string, Change>;

const CHANGE = fc.record({
  what: fc.constantFrom(...Object.keys(CHANGES) as (keyof typeof CHANGES)[]),
  pick: fc.nat(500),
});

/** The change has come by far when a page has been loaded so often. */
const TRIES = 20;

/** Few more than there are rows, so that some runs end with a row for every VM. */
const FEW_MORE = { simulator: { foreignVms: 203 } };

browserTest(
  "after any changes an open list says what a new page says, with more VMs than rows (fault 30)",
  FEW_MORE,
  async ({ page, dashboard }) => {
    const nas = await openSession(dashboard.simulator.url);
    const call = nas.call.bind(nas) as (method: string, params: readonly unknown[]) => Promise<unknown>;
    const paths = ["/", "/?sort=-memory", "/?ours=no&rows=all"];
    const open: Page[] = [];
    for (const path of paths) {
      const list = await page.context().newPage();
      await list.goto(path);
      await list.waitForSelector('#connection[data-connection="live"]');
      open.push(list);
    }
    const changed = async (changes: readonly { what: keyof typeof CHANGES; pick: number }[]) => {
      for (const { what, pick } of changes) {
        const ids = [...dashboard.simulator.store.vms.keys()];
        try {
          const { method, params } = CHANGES[what](pick, ids[pick % ids.length] ?? 0);
          await call(method, params);
        } catch (error) {
          if (!(error instanceof TrueNASCallError)) throw error;
        }
      }
      for (const [n, path] of paths.entries()) {
        for (let tries = 1;; tries++) {
          await page.goto(path);
          const fresh = comparable(await page.evaluate<Said>(SAID), path);
          const live = comparable(await open[n]?.evaluate<Said>(SAID) ?? assert.fail(), path);
          if (isDeepStrictEqual(live, fresh)) break;
          if (tries === TRIES) assert.deepEqual(live, fresh, path);
        }
      }
    };
    const runs = fc.array(CHANGE, { minLength: 4, maxLength: 8 });
    await fc.assert(fc.asyncProperty(runs, changed), { numRuns: 4, seed: 30, endOnFailure: true });
    await nas.close();
  },
);

/** A row keeps its place in an order of its own while its values change. */
function comparable(said: Said, path: string): Said {
  return path.includes("sort=") ? { ...said, rows: said.rows.toSorted() } : said;
}
