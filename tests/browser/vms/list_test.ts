/**
 * Protects the list as people work with it without ever leaving it: filtering while typing, actions in place with their
 * toasts, menus in short and long lists, the bulk bar, columns, folds, and what a selection would take; most of it
 * without JavaScript as well.
 */
import assert from "node:assert/strict";
import type { Page } from "../../support/packages/playwright.ts";
import { idOf, startDashboard } from "../../support/pages/dashboard.ts";
import {
  browser,
  browserTest,
  expectAccessibleEverywhere,
  row,
  SCREENS,
} from "../../support/browser/pages.ts";

async function names(page: Page): Promise<string[]> {
  return await page.locator("tr[data-vm]").evaluateAll((rows) => rows.map((it) => it.dataset.vm ?? ""));
}

for (const screen of SCREENS) {
  browserTest(
    `typing filters the list at ${screen.viewport.width} px, and the field keeps the focus, the URL and the stream follow`,
    {},
    async ({ page, dashboard }) => {
      await page.goto("/?ours=no");
      const before = await page.locator("#page-stream").getAttribute("data-stream");
      await page.locator("#filter-q").pressSequentially("pi");
      await page.waitForURL(/\?q=pi&ours=no$/);
      assert.deepEqual(await names(page), ["pihole"]);
      assert.equal(await page.evaluate("document.activeElement.id"), "filter-q");
      const after = await page.locator("#page-stream").getAttribute("data-stream");
      assert.notEqual(after, before);
      assert.match(after ?? "", /q=pi/);
      // The new stream tells of what the filter shows.
      const id = idOf(dashboard, "pihole");
      const action = { action: "poweroff", id, name: "pihole", state: "RUNNING", overcommit: false } as const;
      await dashboard.manager.changes.act("poweroff", [action]).finished;
      await page.waitForSelector('tr[data-vm="pihole"][data-state="STOPPED"]');
      await page.locator("#filter-q").fill("nothing at all");
      await page.getByText("No VMs match").waitFor();
      await expectAccessibleEverywhere(page, "a list without a match");
      await page.getByRole("link", { name: "Clear filters" }).click();
      await page.waitForURL(/\/$/);
      assert.equal((await names(page)).length, 5);
    },
    { screen },
  );

  browserTest(
    `a filter that is refused at ${screen.viewport.width} px says so once, until one is applied`,
    {},
    async ({ page }) => {
      await page.goto("/");
      await page.route(/\?q=/, (route) => route.fulfill({ status: 503, body: "No" }));
      await page.locator("#filter-q").fill("pi");
      const toast = page.locator(".toast.bad", { hasText: "The filter was not applied" });
      await toast.waitFor();
      await page.locator("#filter-q").fill("pih");
      await page.waitForResponse(/q=pih$/);
      assert.equal(await toast.count(), 1);
      assert.equal((await names(page)).length, 5, "the list stays");
      await page.unroute(/\?q=/);
      await page.locator("#filter-q").fill("piho");
      await toast.waitFor({ state: "detached" });
      assert.deepEqual(await names(page), ["pihole"]);
    },
    { screen, ignore: /status of 503/ },
  );

  browserTest(
    `chips at ${screen.viewport.width} px say how many VMs they would show, and keep the rest of the filter`,
    {},
    async ({ page }) => {
      await page.goto("/?q=o&sort=-memory");
      const chip = (name: RegExp) => page.locator("#vm-chips a", { hasText: name });
      assert.equal((await chip(/^Running/).innerText()).replaceAll(/\s+/g, " "), "Running 2");
      await chip(/^Stopped/).click();
      await page.waitForURL(/q=o&state=STOPPED&sort=-memory/);
      assert.deepEqual(await names(page), ["win11", "workerold", "ubuntu_dev"]);
      assert.equal(await chip(/^Stopped/).getAttribute("aria-current"), "true");
      await chip(/^Stopped/).click();
      await page.waitForURL(/\?q=o&sort=-memory$/);
      await page.goto("/?type=win");
      await page.getByRole("link", { name: "Remove the type filter win" }).click();
      await page.waitForURL(/\/$/);
    },
    { screen },
  );

  browserTest(
    `an action in a row at ${screen.viewport.width} px leaves the list where it is, and a toast says what came of it`,
    {},
    async ({ page, dashboard }) => {
      await page.goto("/");
      await row(page, "ubuntu_dev").locator("summary").click();
      await row(page, "ubuntu_dev").getByRole("button", { name: "Start", exact: true }).click();
      await page.locator("#toasts", { hasText: "ubuntu_dev was started" }).waitFor();
      await page.waitForSelector('tr[data-vm="ubuntu_dev"][data-state="RUNNING"]');
      assert.equal(new URL(page.url()).pathname, "/");
      await row(page, "ubuntu_dev").locator("summary").click();
      await row(page, "ubuntu_dev").getByRole("button", { name: "Suspend", exact: true }).click();
      await page.locator("#toasts", { hasText: "ubuntu_dev was suspended" }).waitFor();
      await page.waitForSelector('tr[data-vm="ubuntu_dev"][data-state="SUSPENDED"]');
      await page.locator("#toasts").getByRole("button", { name: "Undo" }).click();
      await page.waitForSelector('tr[data-vm="ubuntu_dev"][data-state="RUNNING"]');
      dashboard.simulator.addFault({
        method: "vm.start",
        action: "fail",
        error: { errno: 14, errname: "EFAULT", reason: "[EFAULT] no such bridge" },
      });
      await page.locator("#filter-q").fill("win");
      await page.waitForURL(/q=win/);
      await row(page, "win11").locator("summary").click();
      await row(page, "win11").getByRole("button", { name: "Start", exact: true }).click();
      const refused = page.locator(".toast.bad", { hasText: "win11 could not be started" });
      await refused.waitFor();
      assert.match(await refused.innerText(), /no such bridge/);
      await expectAccessibleEverywhere(page, "a toast");
      await refused.getByRole("button", { name: "Close the message" }).click();
      await refused.waitFor({ state: "detached" });
    },
    { screen },
  );
}

browserTest("a change elsewhere leaves an open menu open, in a short list and in a long one", {
  simulator: { foreignVms: 60 },
}, async ({ page, dashboard }) => {
  for (const path of ["/?q=pihole8", "/"]) {
    await page.goto(path);
    const name = "pihole8";
    await row(page, name).locator("[id^=more-]").click();
    await row(page, name).getByText("Shut down", { exact: true }).waitFor();
    const vm = dashboard.simulator.store.vms.get(idOf(dashboard, name)) ?? assert.fail();
    vm.config.cores = vm.config.cores === 1 ? 3 : 1;
    dashboard.manager.inventory.live.refresh(vm.id);
    await row(page, name).locator(".c-cpu", { hasText: String(vm.config.cores) }).waitFor();
    assert.ok(await row(page, name).locator("details.menu").evaluate((it) => it.open), path);
    await page.keyboard.press("Escape");
    await row(page, name).getByText("Shut down", { exact: true }).waitFor({ state: "hidden" });
    assert.equal(
      await page.evaluate("document.activeElement.closest('details, a')?.id"),
      `more-${vm.id}`,
      "and the focus is where it came from",
    );
  }
});

for (const screen of SCREENS) {
  browserTest(
    `a menu at ${screen.viewport.width} px is inside the window in every row, and every item can be reached`,
    { simulator: { foreignVms: 30 } },
    async ({ page }) => {
      await page.goto("/");
      const menus = page.locator("#vm-list tr[data-vm] details.menu");
      for (const n of [0, 8, 14, -1]) {
        const menu = menus.nth(n);
        await menu.locator("summary").scrollIntoViewIfNeeded();
        await menu.locator("summary").click();
        const panel = menu.locator(".panel");
        const height = screen.viewport.height;
        await page.waitForFunction(
          ({ panel, height }) => {
            const { top, bottom } = panel?.getBoundingClientRect() ?? { top: -1, bottom: -1 };
            return top >= 0 && bottom <= height && bottom - top >= 96;
          },
          { panel: await panel.elementHandle(), height },
        );
        await panel.getByRole("link", { name: "Destroy…" }).click({ trial: true });
        await page.keyboard.press("Escape");
        await panel.waitFor({ state: "hidden" });
      }
    },
    { screen },
  );
}

browserTest("on a phone a menu is a sheet, and a tap beside it closes it and does nothing else", {}, async ({
  page,
}) => {
  await page.goto("/");
  await row(page, "win11").locator("summary").click();
  const sheet = row(page, "win11").locator(".panel:popover-open");
  await sheet.waitFor();
  await expectAccessibleEverywhere(page, "an open menu");
  const link = await page.locator(".page-head a").first().boundingBox() ?? assert.fail();
  await page.mouse.click(link.x + 4, link.y + 4);
  await sheet.waitFor({ state: "hidden" });
  assert.equal(new URL(page.url()).pathname, "/");
}, { screen: SCREENS[1] });

browserTest("on a phone the chip that filters is in sight", {}, async ({ page }) => {
  for (const path of ["/?ours=no", "/?state=STOPPED", "/"]) {
    await page.goto(path);
    const chip = await page.locator("#vm-chips [aria-current=true]").last().boundingBox() ?? assert.fail();
    const { width } = SCREENS[1].viewport;
    assert.ok(chip.x >= 0 && chip.x + chip.width <= width, `${path}: ${JSON.stringify(chip)}`);
  }
}, { screen: SCREENS[1] });

browserTest("a letter that takes no VM out of the list leaves its rows alone", {
  simulator: { foreignVms: 60 },
}, async ({ page }) => {
  await page.goto("/?q=p");
  const rows = await names(page);
  await page.evaluate(
    "globalThis.moved = []; new MutationObserver((all) => moved.push(...all.flatMap(({ addedNodes, removedNodes }) => [...addedNodes, ...removedNodes]).map((it) => it.outerHTML).filter((it) => it?.includes('<tr')))).observe(document.getElementById('vm-list'), { childList: true, subtree: true })",
  );
  await page.locator("#filter-q").fill("pi");
  await page.waitForURL(/q=pi$/);
  assert.deepEqual(await names(page), rows, "the premise");
  assert.deepEqual(await page.evaluate("moved"), []);
});

browserTest(
  "Esc in the filter takes the filter away, and Esc again leaves the field",
  {},
  async ({ page }) => {
    await page.goto("/?ours=no&q=pihole");
    await page.locator("#filter-q").focus();
    await page.keyboard.press("Escape");
    await page.waitForURL(/\/\?ours=no$/);
    assert.equal(await page.locator("#filter-q").inputValue(), "");
    assert.equal((await names(page)).length, 5);
    assert.equal(await page.evaluate("document.activeElement.id"), "filter-q");
    await page.keyboard.press("Escape");
    assert.notEqual(await page.evaluate("document.activeElement.id"), "filter-q");
  },
);

for (const screen of SCREENS) {
  browserTest(
    `the bright button at ${screen.viewport.width} px is what the selection can do, also when a VM is started meanwhile`,
    {},
    async ({ page, dashboard }) => {
      await page.goto("/");
      const bright = page.locator(".bulk > .btn.primary:visible");
      const free = await page.locator("#memory-free").innerText();
      await row(page, "pihole").getByRole("checkbox").check();
      assert.match(await page.locator(".bulk .what").innerText(), /^1\s+selected/);
      assert.equal(await bright.innerText(), "Shut down…");
      assert.equal(await page.locator("#memory-free").innerText(), free);
      await row(page, "win11").getByRole("checkbox").check();
      assert.equal(await bright.innerText(), "Start…");
      const id = idOf(dashboard, "win11");
      const action = { action: "start", id, name: "win11", state: "STOPPED", overcommit: true } as const;
      await dashboard.manager.changes.act("start", [action]).finished;
      await page.waitForSelector('tr[data-vm="win11"][data-state="RUNNING"]');
      await page.locator(".bulk > .btn.primary:visible", { hasText: "Shut down…" }).waitFor();
      assert.doesNotMatch(await page.locator("#memory-free").innerText(), /after starting/);
    },
    { screen },
  );
}

browserTest("a selection says what it takes, in the bar and in the picture of the memory", {}, async ({
  page,
}) => {
  await page.goto("/");
  const free = page.locator("#memory-free");
  const before = await free.innerText();
  await row(page, "win11").getByRole("checkbox").check();
  await row(page, "workerold").getByRole("checkbox").check();
  assert.match(await page.locator(".bulk").innerText(), /12 GiB when started/);
  assert.match(await free.innerText(), /left after starting 2/);
  assert.ok(Number.parseFloat(await page.locator("#memory-plan").getAttribute("width") ?? "") > 0);
  await expectAccessibleEverywhere(page, "a selection");
  await page.keyboard.press("Escape");
  // A form is reset after its event, and the page follows that.
  await page.locator(".bulk").waitFor({ state: "hidden" });
  assert.equal(await free.innerText(), before);
  const boxes = page.locator("#vm-list input[name=id]");
  await boxes.first().check();
  await boxes.nth(3).click({ modifiers: ["Shift"] });
  assert.equal(await page.locator("input[name=id]:checked").count(), 4, "and Shift takes what is between");
});

browserTest(
  "columns are chosen with ticks, stand in the URL, and stay while the list is filtered",
  {},
  async ({
    page,
  }) => {
    await page.goto("/");
    await page.locator("#list-columns > summary").click();
    await page.getByRole("checkbox", { name: "Autostart" }).click();
    await page.waitForURL(/cols=/);
    const heads = async () =>
      (await page.locator("#vm-list thead th").allInnerTexts()).map((it) => it.trim()).filter((it) =>
        it !== ""
      );
    assert.ok((await heads()).includes("Autostart"));
    await page.locator("#filter-q").fill("pi");
    await page.waitForURL(/q=pi/);
    assert.ok((await heads()).includes("Autostart"));
    assert.match(page.url(), /cols=/);
  },
);

for (const { viewport } of SCREENS) {
  Deno.test({
    name: `without JavaScript the list at ${viewport.width} px filters, folds, selects and acts`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using dashboard = await startDashboard({ simulator: { foreignVms: 60 } });
      const context = await browser.newContext({
        javaScriptEnabled: false,
        baseURL: dashboard.url,
        viewport,
      });
      const page = await context.newPage();
      try {
        await page.goto("/");
        assert.ok(!await page.locator(".bulk").isVisible(), "no bar without a selection");
        await row(page, "win11").getByRole("checkbox").check();
        assert.ok(await page.locator(".bulk").isVisible());
        await page.locator(".fold-group input").check();
        assert.ok(!await row(page, "win11").isVisible(), "a fold hides the rows");
        assert.ok(await page.locator(".bulk").isVisible(), "and the selection still counts");
        await page.getByRole("button", { name: "Start…", exact: true }).click();
        await page.waitForURL(/\/vms\/act\?/);
        assert.equal(await page.locator("h1").innerText(), "Start win11");
        await page.goto("/");
        await page.locator("#filter-q").fill("pihole8");
        await page.keyboard.press("Enter");
        await page.waitForURL(/q=pihole8/);
        await page.goto("/");
        await row(page, "pihole8").locator("a[id^=more-]").click();
        await page.waitForURL(/\/vms\/\d+\/menu$/);
        assert.match(await page.locator("main").innerText(), /Start\s+Running/);
        await page.getByRole("button", { name: "Shut down", exact: true }).click();
        await page.waitForURL(/\/operations\//);
        await page.goto("/?q=win11");
        await page.locator('tr[data-group=""] summary').click();
        await page.getByRole("link", { name: "Start all stopped…" }).click();
        await page.waitForURL(/\/vms\/act\?action=start&group=$/);
        assert.match(await page.locator("h1").innerText(), /^Start \d+ VMs$/);
      } finally {
        await context.close();
      }
    },
  });
}
