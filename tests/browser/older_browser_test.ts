/**
 * Protects people whose browser is a few years old: without EventSource, BroadcastChannel, popovers, light-dark() and
 * :has(), everything can still be read and done. The stylesheet is sent with names that no browser knows instead.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import { browserTest, expectAccessible, finished, SCREENS } from "../support/browser/pages.ts";

async function makeOlder(page: Page): Promise<void> {
  await page.addInitScript(`
    delete globalThis.EventSource;
    delete globalThis.BroadcastChannel;
    for (const name of ["popover", "togglePopover", "showPopover", "hidePopover"]) delete HTMLElement.prototype[name];
  `);
  await page.route("**/static/app.*.css", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replaceAll(":has(", ":has-not(").replaceAll(
      "light-dark(",
      "dark-light(",
    );
    await route.fulfill({ response, body });
  });
}

for (const screen of SCREENS) {
  browserTest(
    `a browser of a few years ago lists, selects, creates and destroys (${screen.viewport.width} px)`,
    {},
    async ({ page, dashboard }) => {
      await makeOlder(page);
      await page.goto("/");
      assert.equal(
        await page.evaluate("'EventSource' in self || 'BroadcastChannel' in self"),
        false,
        "the premise",
      );
      await page.waitForSelector('#connection[data-connection="live"]');
      await expectAccessible(page, "the list");
      await page.locator("#filter-q").fill("win");
      await page.waitForURL(/q=win/);
      await page.locator('tr[data-vm="win11"]').getByRole("checkbox").check();
      await page.getByRole("button", { name: "Start…", exact: true }).click();
      await page.waitForURL(/\/vms\/act/);
      await page.getByRole("button", { name: "Start win11" }).click();
      await finished(page, "done");
      await page.goto("/create");
      await expectAccessible(page, "the form");
      await page.getByRole("button", { name: "Review the plan" }).click();
      await expectAccessible(page, "the plan");
      await page.getByRole("button", { name: "Create 4 VMs" }).click();
      await finished(page, "done");
      await expectAccessible(page, "an operation");
      await page.goto("/");
      await page.locator('tr[data-vm="worker01"]').getByRole("checkbox").check();
      await page.getByRole("button", { name: "Destroy…", exact: true }).click();
      await page.waitForURL(/\/destroy\?/);
      await expectAccessible(page, "the question");
      const phrase = page.getByLabel(/^Type “/);
      const [, typed = ""] =
        /“([^”]+)”/.exec(await phrase.locator("xpath=ancestor::*[label][1]").innerText()) ?? [];
      await phrase.fill(typed);
      const button = page.getByRole("button", { name: /^Destroy (worker01|1 VM)/ });
      await button.click();
      await finished(page, "done");
      const names = [...dashboard.simulator.store.vms.values()].map(({ config }) => config.name);
      assert.ok(!names.includes("worker01"));
      await page.goto("/vms/1");
      await page.waitForSelector('#connection[data-connection="live"]');
      await page.locator("#vm-more > summary").click();
      assert.ok(await page.getByRole("link", { name: "Destroy…" }).isVisible());
      await expectAccessible(page, "a VM and its menu");
    },
    { screen },
  );
}
