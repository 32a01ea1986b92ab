/**
 * Protects the page that destroys VMs, in Chromium: it says what goes and what stays, its button is grey until the phrase
 * matches in any case of letters, options take effect only once the list shows them, and all of it works without a script.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import { browser, browserTest, expectAccessibleEverywhere, finished } from "../support/browser/pages.ts";
import type { TestDashboard } from "../support/pages/dashboard.ts";
import { soon } from "../support/deadline.ts";

/** The colour behind the button: red once the phrase matches. */
async function ground(page: Page): Promise<string> {
  // The colour changes over a moment.
  await page.emulateMedia({ reducedMotion: "reduce" });
  return String(
    await page.evaluate("getComputedStyle(document.querySelector('#confirm-destroy')).backgroundColor"),
  );
}

async function withWorkers({ manager, configuration }: TestDashboard): Promise<void> {
  await manager.createVmType(configuration().configuration, "worker", 5920);
  await manager.inventory.live.ready(10_000);
}

browserTest("the button is grey until the phrase matches, in any case of letters", {}, async ({
  page,
  dashboard,
}) => {
  await withWorkers(dashboard);
  await page.goto("/destroy?prefixes=worker");
  await expectAccessibleEverywhere(page, "what goes and what stays");
  const field = page.getByLabel(/^Type “destroy/);
  const grey = await ground(page);
  await field.fill("destroy 99 vms");
  assert.equal(await ground(page), grey);
  await page.locator("#confirm-destroy").click();
  assert.match(page.url(), /\/destroy\?/, "the browser says what to type, and sends nothing");
  const words = /“(.*)”/.exec(await page.locator('label[for="field-phrase"]').innerText())?.[1] ?? "";
  await field.fill(` ${words.toUpperCase()} `);
  assert.notEqual(await ground(page), grey);
  await page.getByText("Every VM and disk by name").click();
  await expectAccessibleEverywhere(page, "every name");
  await page.locator("#confirm-destroy").click();
  await finished(page, "done");
});

browserTest(
  "without a script, an option takes effect once the list shows it, and nothing can be confirmed before",
  {},
  async ({ dashboard }) => {
    await withWorkers(dashboard);
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
    try {
      const page = await context.newPage();
      await page.goto("/destroy?prefixes=worker");
      assert.ok(await page.locator("#confirm-destroy").isVisible());
      await page.getByLabel("Keep disks").check();
      await page.getByText("Not applied yet").waitFor();
      assert.ok(!await page.locator("#confirm-destroy").isVisible());
      await page.getByRole("button", { name: "List VMs" }).click();
      await page.locator("#confirm-destroy").waitFor();
      await page.locator(".toll .good", { hasText: /\d+ disks? with all data/ }).waitFor();
      await page.getByLabel("Keep disks").uncheck();
      assert.ok(!await page.locator("#confirm-destroy").isVisible());
    } finally {
      await context.close();
    }
  },
);

const PHONE = { viewport: { width: 390, height: 844 } };

for (const javaScriptEnabled of [true, false]) {
  browserTest(
    `on a phone, "Keep disks" ticked but not listed is never ignored (${
      javaScriptEnabled ? "with" : "without"
    } a script)`,
    {},
    async ({ dashboard }) => {
      await withWorkers(dashboard);
      const zvols = [...dashboard.simulator.store.datasets.keys()];
      const context = await browser.newContext({ ...PHONE, javaScriptEnabled, baseURL: dashboard.url });
      try {
        const page = await context.newPage();
        await page.goto("/destroy?prefixes=worker");
        const type = async () => {
          const words = /“(.*)”/.exec(await page.locator('label[for="field-phrase"]').innerText())?.[1] ?? "";
          await page.getByLabel(/^Type “destroy/).fill(words);
        };
        await type();
        await page.getByLabel("Keep disks").check();
        assert.ok(!await page.locator("#confirm-destroy").isVisible());
        // The Enter key confirms although the button is hidden.
        await page.getByLabel("Keep disks").press("Enter");
        await page.getByText("The options changed after the list was shown. Nothing was destroyed").waitFor();
        assert.ok(await page.getByLabel("Keep disks").isChecked());
        await page.getByText("Their disks are kept").waitFor();
        await type();
        await page.getByLabel(/^Type “destroy/).press("Enter");
        await page.waitForURL(/\/operations\//);
        const { operations } = dashboard.manager;
        await soon(
          (async () => {
            while (operations.claiming.length > 0) await page.evaluate("1");
          })(),
          "the destruction ends",
        );
        assert.ok(
          ![...dashboard.simulator.store.vms.values()].some(({ config }) =>
            /^worker\d/.test(String(config.name))
          ),
        );
        const left = new Set(dashboard.simulator.store.datasets.keys());
        assert.deepEqual(zvols.filter((name) => !left.has(name)), [], "every disk is kept");
      } finally {
        await context.close();
      }
    },
  );
}
