/**
 * Protects the pages of one VM in Chromium: every tab is accessible and leads somewhere without a script, an open menu
 * stays open while the VM changes, what is typed stays while its list changes, and a rejected form stays on its tab.
 */
import assert from "node:assert/strict";
import type { TestDashboard } from "../support/dashboard.ts";
import { browser, browserTest, expectAccessibleEverywhere, SCREENS } from "../support/browser/pages.ts";

const TABS = ["", "/disks", "/network", "/boot", "/history", "/clone"];

function idOf({ simulator }: TestDashboard, name: string): number {
  const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === name);
  return vm?.id ?? assert.fail(name);
}

browserTest(
  "every tab of a VM is accessible, open menu and folds included",
  {},
  async ({ page, dashboard }) => {
    const id = idOf(dashboard, "homeassistant");
    for (const tab of TABS) {
      await page.goto(`/vms/${id}${tab}`);
      for (const fold of await page.locator("main details.way > summary").all()) await fold.click();
      await expectAccessibleEverywhere(page, `the tab ${tab}`);
    }
    await page.goto(`/vms/${id}`);
    await page.locator("#vm-more > summary").click();
    assert.ok(await page.getByRole("link", { name: "Destroy…" }).isVisible());
    await page.locator('#vm-menu [data-because="only a stopped VM can be started"]', { hasText: "Running" })
      .waitFor();
  },
);

browserTest("the overview of a VM fits one screen at a desk", {}, async ({ page, dashboard }) => {
  await page.goto(`/vms/${idOf(dashboard, "homeassistant")}`);
  const bottom = await page.evaluate("document.querySelector('#vm-now').getBoundingClientRect().bottom");
  assert.ok(Number(bottom) <= SCREENS[0].viewport.height, `it ends at ${bottom} px`);
});

browserTest("on a phone the current tab is in sight", {}, async ({ page, dashboard }) => {
  await page.goto(`/vms/${idOf(dashboard, "homeassistant")}/history`);
  const right = await page.evaluate("document.querySelector('#tab-history').getBoundingClientRect().right");
  assert.ok(Number(right) <= SCREENS[1].viewport.width, `it ends at ${right} px`);
  assert.equal(await page.evaluate("scrollY"), 0, "the page itself stays at its top");
}, { screen: SCREENS[1] });

browserTest(
  "an open menu stays open while the VM changes, and offers what is possible then",
  {},
  async ({ page, dashboard }) => {
    const id = idOf(dashboard, "homeassistant");
    await page.goto(`/vms/${id}`);
    await page.locator("#vm-more > summary").click();
    await dashboard.manager.changes.act("poweroff", [
      { action: "poweroff", id, name: "homeassistant", state: "RUNNING", overcommit: false },
    ]).finished;
    await page.waitForSelector('#vm-state[data-state="STOPPED"]');
    assert.ok(await page.locator("#vm-more").evaluate((menu) => menu.hasAttribute("open")));
    await page.locator('#vm-menu [data-because="only a running VM can be shut down"]').waitFor();
    await page.locator("#action-start").click();
    await page.waitForURL(/\/operations\//);
  },
);

browserTest(
  "what is typed on a tab stays when devices come and go elsewhere, and the page says so",
  {},
  async ({ page, dashboard }) => {
    const { manager } = dashboard;
    const id = idOf(dashboard, "ubuntu_dev");
    await page.goto(`/vms/${id}/disks`);
    await page.getByLabel("New disk (GiB)").fill("7");
    const zvol = "tank/vms/elsewhere";
    const change = { kind: "add-disk", zvol, sizeBytes: 1024 ** 3, sparse: true } as const;
    assert.deepEqual(
      await manager.changes.change({ id, name: "ubuntu_dev", uuid: null }, change).problems,
      [],
    );
    await page.getByText("This list has changed.").waitFor();
    assert.equal(await page.getByLabel("New disk (GiB)").inputValue(), "7");
    await page.getByRole("link", { name: "Show the current list" }).click();
    await page.getByText(zvol).waitFor();
    assert.equal(await page.getByText("This list has changed.").count(), 0);
  },
);

browserTest(
  "without a script, the menu opens, a tab's forms unfold, and a rejected one shows its error there",
  {},
  async ({ dashboard }) => {
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
    try {
      const page = await context.newPage();
      const id = idOf(dashboard, "ubuntu_dev");
      await page.goto(`/vms/${id}`);
      await page.locator("#vm-more > summary").click();
      await page.getByRole("link", { name: "Clone…" }).click();
      await page.getByLabel("Name of the clone").waitFor();
      await page.getByRole("link", { name: /^Disks/ }).click();
      await page.locator("details.way > summary", { hasText: "Grow…" }).first().click();
      await page.getByLabel("Grow to (GiB)").first().fill("0");
      await page.getByRole("button", { name: "Grow disk" }).first().click();
      assert.equal(await page.locator("#tab-disks").getAttribute("aria-current"), "page");
      assert.ok(await page.locator('[data-error^="grow.size-"]').isVisible(), "its fold is open");
    } finally {
      await context.close();
    }
  },
);

browserTest(
  "a disk can be removed once the VM is stopped, and its button comes to life where it is",
  {},
  async ({ page, dashboard }) => {
    const id = idOf(dashboard, "homeassistant");
    await page.goto(`/vms/${id}/disks`);
    await page.locator("details.way > summary", { hasText: "Remove…" }).first().click();
    const button = page.getByRole("button", { name: "Remove disk" }).first();
    assert.ok(await button.isDisabled());
    await page.getByText("Shut the VM down first").first().waitFor();
    const before = await button.boundingBox();
    await dashboard.manager.changes.act("poweroff", [
      { action: "poweroff", id, name: "homeassistant", state: "RUNNING", overcommit: false },
    ]).finished;
    await page.locator("[id^=remove-] button:enabled").first().waitFor();
    const after = await button.boundingBox();
    assert.deepEqual([after?.x, after?.y], [before?.x, before?.y], "it keeps its place");
  },
);
