/**
 * Protects the pages of one VM in Chromium: every tab is accessible and leads somewhere without a script, an open menu
 * stays open while the VM changes, what is typed stays while the VM or its list changes, a rejected form stays on its tab,
 * and the display's password is shown only on a click.
 */
import assert from "node:assert/strict";
import { idOf } from "../../support/pages/dashboard.ts";
import {
  browser,
  browserTest,
  expectAccessibleEverywhere,
  PLACES,
  SCREENS,
} from "../../support/browser/pages.ts";

const TABS = ["", "/disks", "/network", "/boot", "/history", "/clone"];

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
    await page.locator(".toast", { hasText: "homeassistant was started" }).waitFor();
    await page.waitForSelector('#vm-state[data-state="RUNNING"]');
    assert.match(page.url(), /\/vms\/\d+$/);
  },
);

browserTest(
  "what is typed on a tab stays when devices come and go elsewhere, and the page says so",
  {},
  async ({ page, dashboard }) => {
    const { manager } = dashboard;
    const id = idOf(dashboard, "ubuntu_dev");
    await page.goto(`/vms/${id}/disks`);
    await page.getByLabel("Size (GiB)").fill("7");
    const zvol = "tank/vms/elsewhere";
    const change = { kind: "add-disk", zvol, sizeBytes: 1024 ** 3, sparse: true } as const;
    assert.deepEqual(
      await manager.changes.change({ id, name: "ubuntu_dev", uuid: null }, change).problems,
      [],
    );
    await page.getByText("This list has changed.").waitFor();
    assert.equal(await page.getByLabel("Size (GiB)").inputValue(), "7");
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
      // Its fold is open.
      await page.locator('[data-error^="grow.size-"]').waitFor();
      assert.equal(await page.locator("#tab-disks").getAttribute("aria-current"), "page");
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

for (const { version, screen } of PLACES) {
  browserTest(`a VM's page on ${version} is updated while its forms are filled in`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    const { manager, simulator } = dashboard;
    const id = idOf(dashboard, "ubuntu_dev");
    await page.goto(`/vms/${id}`);
    await page.getByText("Edit", { exact: true }).click();
    const description = page.getByLabel("Description");
    await description.fill("half-typed");
    await description.focus();
    const elsewhere = {
      kind: "settings",
      name: "ubuntu_dev",
      description: "",
      cores: 2,
      threads: 1,
    } as const;
    const vm = { id, name: "ubuntu_dev", uuid: null };
    const change = manager.changes.change(vm, { ...elsewhere, memoryMib: 3072, autostart: true });
    assert.deepEqual(await change.problems, []);
    await page.locator("#vm-now", { hasText: "3 GiB" }).waitFor();
    assert.equal(await description.inputValue(), "half-typed");
    assert.match(String(await page.evaluate("document.activeElement.id")), /description/);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#error-summary");
    assert.match(
      await page.locator("#error-summary").innerText(),
      /changed elsewhere after you opened this page/,
    );
    assert.equal(await description.inputValue(), "half-typed", "what was typed is kept");
    assert.equal(simulator.store.vms.get(id)?.config.memory, 3072, "and nothing was overwritten");
    await page.getByRole("button", { name: "Start", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.locator(".toast", { hasText: "ubuntu_dev was started" }).waitFor();
    await page.waitForSelector('#vm-state[data-state="RUNNING"]');
    await manager.changes.act("poweroff", [{
      action: "poweroff",
      id,
      name: vm.name,
      state: "RUNNING",
      overcommit: false,
    }])
      .finished;
    await page.waitForSelector('#vm-state[data-state="STOPPED"]');
    // Said once the operation is over as well, which may come a moment after the state.
    await page.locator("#live-words", { hasText: "ubuntu_dev: Stopped" }).waitFor({ state: "attached" });
    simulator.store.vms.delete(id);
    manager.inventory.live.refresh(id);
    await page.waitForSelector("text=This VM no longer exists");
  }, { screen, ignore: /409|422/ });
}

for (const screen of SCREENS) {
  browserTest(
    `a VM is changed on its page at ${screen.viewport.width} px, and entries are kept if the NAS refuses`,
    {},
    async ({ page, dashboard }) => {
      const id = idOf(dashboard, "ubuntu_dev");
      await page.goto(`/vms/${id}`);
      await expectAccessibleEverywhere(page, "a VM's page");
      await page.getByText("Edit", { exact: true }).click();
      await expectAccessibleEverywhere(page, "a VM's settings");
      await page.getByLabel("Memory", { exact: true }).fill("5120");
      await page.getByRole("button", { name: "Save settings" }).click();
      await page.getByText("Settings saved").waitFor();
      await page.getByText("Edit", { exact: true }).click();
      assert.equal(dashboard.simulator.store.vms.get(id)?.config.memory, 5120);
      await page.getByLabel("Name", { exact: true }).fill("win11");
      await page.getByRole("button", { name: "Save settings" }).click();
      await page.waitForSelector('[data-error="settings.name"]');
      assert.match(
        await page.locator('[data-error="settings.name"]').innerText(),
        /This name already exists/,
      );
      assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "win11");
      await expectAccessibleEverywhere(page, "a VM's page with a mistake");
      await page.goto(`/vms/${id}/disks`);
      await page.getByLabel("Size (GiB)").fill("3");
      await page.getByRole("button", { name: "Add disk" }).click();
      await page.locator("main", { hasText: "3 GiB" }).waitFor();
      // The browser notes a refused form as an error of its own.
    },
    { screen, ignore: /422|409/ },
  );
}

browserTest("a display password is shown on a click, copied and recorded in the audit log", {}, async ({
  page,
  dashboard,
}) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(`/vms/${idOf(dashboard, "homeassistant")}`);
  assert.ok(!(await page.content()).includes("someone-elses"));
  await page.getByRole("button", { name: "Show display password" }).click();
  await page.getByText("someone-elses").waitFor();
  await expectAccessibleEverywhere(page, "a display password");
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "someone-elses");
  await page.getByRole("link", { name: "Activity" }).click();
  await page.getByRole("link", { name: "Audit log" }).click();
  const row = page.getByRole("row", { name: /Show display password/ });
  assert.match(await row.innerText(), /admin.*homeassistant.*shown/s);
});

for (const screen of SCREENS) {
  browserTest(
    `an error of a field moves nothing that stands beside the field at ${screen.viewport.width} px`,
    {},
    async ({ page, dashboard }) => {
      const isPhone = screen.viewport.width < 600;
      // From the field, because the list of problems above it moves them all.
      const topsOf = async ([field = "", ...others]: readonly string[]) => {
        const top = async (selector: string) => (await page.locator(selector).first().boundingBox())?.y ?? 0;
        const from = await top(field);
        return await Promise.all(others.map(async (selector) => Math.round(await top(selector) - from)));
      };
      const same = async (selectors: readonly string[], submit: () => Promise<void>, error: string) => {
        const before = await topsOf(selectors);
        await submit();
        await page.locator(error).waitFor();
        assert.deepEqual(await topsOf(selectors), before, selectors.join(", "));
      };
      await page.goto(`/vms/${idOf(dashboard, "ubuntu_dev")}/disks`);
      const [tick, button] = ["#field-sparse", "#add-disk"];
      // On a phone they stand below the field.
      const beside = ["#field-disks-size", ...isPhone ? [] : [tick, button]];
      await same(beside, () => page.locator(button).click(), '[data-error="disks.size"]');
      await page.goto("/create/one");
      await page.locator("#field-name").fill("mail");
      await page.locator("#field-disk-0-size").fill("large");
      const row = ["#field-disk-0-name", "#field-disk-0-size", 'button[value="disk.0"]'];
      await same(row, () => page.locator("#review").click(), '[data-error="disk.0.size"]');
      await expectAccessibleEverywhere(page, "a form with an error in a row");
    },
    { screen, ignore: /422/ },
  );
}
