/**
 * Protects people without a mouse: from the list to created VMs and destroyed again with Tab, Enter, Space and arrows
 * alone. The focus can always be seen, stays where it was when the page changes by itself, and returns from dialogs.
 */
import assert from "node:assert/strict";
import { focused, tabTo } from "../support/browser/keyboard.ts";
import { browserTest, finished, SCREENS } from "../support/browser/pages.ts";

for (const screen of SCREENS) {
  browserTest(
    `VMs are created and destroyed with the keyboard alone (${screen.viewport.width} px)`,
    {},
    async ({ page, dashboard }) => {
      await page.goto("/");
      await tabTo(page, /^Create( VMs)?$/);
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/create$/);
      await tabTo(page, /^How many/);
      await page.keyboard.press("Control+a");
      await page.keyboard.type("2");
      await tabTo(page, /^Review the plan/);
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/create\/plan$/);
      await tabTo(page, /^Create \d VMs$/);
      const focusing = Promise.withResolvers<void>();
      dashboard.simulator.addFault({ method: "vm.start", action: "hold", until: focusing.promise });
      await page.keyboard.press("Space");
      await page.waitForURL(/\/operations\//);
      await tabTo(page, /^Stop and undo$/);
      focusing.resolve();
      await finished(page, "done");
      assert.equal((await focused(page)).id, "operation-summary", "the focus is not lost with the button");
      await tabTo(page, /^Open the VMs/);
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/$/);
      const mine = [...dashboard.simulator.store.vms.values()].map(({ config }) => config.name)
        .filter((name) => /^(worker|controlplane)\d/.test(name));
      for (const name of mine) {
        await tabTo(page, new RegExp(`^Select ${name}$`));
        await page.keyboard.press("Space");
      }
      await tabTo(page, /^Destroy…$/);
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/destroy\?/);
      await tabTo(page, /^Type/);
      await page.keyboard.type(`destroy ${mine.length} vms`);
      await tabTo(page, new RegExp(`^Destroy ${mine.length} VMs`));
      await page.keyboard.press("Enter");
      await finished(page, "done");
      assert.equal(dashboard.simulator.store.vms.size, 5);
    },
    { screen },
  );
}

browserTest(
  "a live update leaves the focus where it is, on every part of a row and of a VM's page",
  {},
  async (
    { page, dashboard },
  ) => {
    const change = async (action: "poweroff" | "start", state: string) => {
      const request = { action, id: 1, name: "homeassistant", state, overcommit: false } as const;
      await dashboard.manager.changes.act(action, [request]).finished;
    };
    await page.goto("/");
    await page.waitForSelector('#connection[data-connection="live"]');
    for (const name of [/^Select homeassistant$/, /^homeassistant$/, /^More for homeassistant$/]) {
      await tabTo(page, name);
      await change("poweroff", "RUNNING");
      await page.waitForSelector('tr[data-vm="homeassistant"][data-state="STOPPED"]');
      assert.match((await focused(page)).name, name);
      await change("start", "STOPPED");
      await page.waitForSelector('tr[data-vm="homeassistant"][data-state="RUNNING"]');
      assert.match((await focused(page)).name, name);
    }
    await page.goto("/vms/1");
    await page.waitForSelector('#connection[data-connection="live"]');
    for (const name of [/^More for homeassistant$/, /^Disks/, /^Edit$/]) {
      await tabTo(page, name);
      await change("poweroff", "RUNNING");
      await page.waitForSelector('#vm-state[data-state="STOPPED"]');
      assert.match((await focused(page)).name, name);
      await change("start", "STOPPED");
      await page.waitForSelector('#vm-state[data-state="RUNNING"]');
    }
    await tabTo(page, /^Shut down$/);
    await change("poweroff", "RUNNING");
    await page.waitForSelector('#vm-state[data-state="STOPPED"]');
    assert.equal((await focused(page)).id, "vm-buttons", "a button that is gone hands its focus on");
    await page.goto("/?q=win11");
    await tabTo(page, /^Start win11$/);
    await page.keyboard.press("Enter");
    await page.waitForSelector('tr[data-vm="win11"][data-state="RUNNING"]');
    assert.equal((await focused(page)).name, "More for win11");
    await page.keyboard.press("Enter");
    await tabTo(page, /^Suspend$/);
    await page.keyboard.press("Enter");
    await page.waitForSelector('tr[data-vm="win11"][data-state="SUSPENDED"]');
    assert.equal((await focused(page)).name, "More for win11", "also when a menu closes");
  },
);

browserTest("dialogs and menus take the focus in, keep it, and give it back", {}, async ({ page }) => {
  await page.goto("/");
  await tabTo(page, /^Search/);
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  for (let n = 0; n < 6; n++) {
    await page.keyboard.press("Tab");
    const isInside = await page.evaluate(
      "document.activeElement === document.body || document.activeElement.closest('dialog[open]') !== null",
    );
    assert.ok(isInside, "Tab stays in the dialog");
  }
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  assert.match((await focused(page)).name, /^Search/);
  await page.keyboard.press("?");
  await page.locator("dialog[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  assert.match((await focused(page)).name, /^Search/);
  await tabTo(page, /^More for pihole$/);
  await page.keyboard.press("Enter");
  await page.locator('tr[data-vm="pihole"] details[open]').waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Escape");
  await page.locator('tr[data-vm="pihole"] details[open]').waitFor({ state: "detached" });
  assert.equal((await focused(page)).name, "More for pihole");
});
