/**
 * Protects the page that destroys VMs, in Chromium: it says what goes and what stays, its button is grey until the phrase
 * matches in any case of letters, options take effect only once the list shows them, and all of it works without a script.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { browser, browserTest, expectAccessibleEverywhere, finished } from "../support/browser/pages.ts";
import type { TestDashboard } from "../support/dashboard.ts";

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
      assert.ok(await page.locator("#confirm-destroy").isVisible());
      await page.locator(".toll .good", { hasText: /\d+ disks? with all data/ }).waitFor();
      await page.getByLabel("Keep disks").uncheck();
      assert.ok(!await page.locator("#confirm-destroy").isVisible());
    } finally {
      await context.close();
    }
  },
);
