/**
 * Protects working with several VMs of the list in Chromium: live rows keep selection and focus, the selection is started,
 * destroyed and exported as it was shown, and addresses are found and copied; with the keyboard and without JavaScript.
 */
import assert from "node:assert/strict";
import { repeatedly } from "../../support/deadline.ts";
import { idOf } from "../../support/pages/dashboard.ts";
import {
  browser,
  browserTest,
  expectAccessibleEverywhere,
  finished,
  openMenu,
  PLACES,
  row,
  SCREENS,
} from "../../support/browser/pages.ts";

for (const { version, screen } of PLACES) {
  browserTest(`the list on ${version} is live, and a change elsewhere keeps selection and focus`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    await page.goto("/");
    const selected = row(page, "pihole").getByRole("checkbox");
    await selected.check();
    await selected.focus();
    const { manager } = dashboard;
    const before = row(page, "homeassistant");
    assert.equal(await before.getAttribute("data-state"), "RUNNING");
    const id = idOf(dashboard, "homeassistant");
    await manager.changes.act("poweroff", [{
      action: "poweroff",
      id,
      name: "homeassistant",
      state: "RUNNING",
      overcommit: false,
    }])
      .finished;
    await page.waitForSelector('tr[data-vm="homeassistant"][data-state="STOPPED"]');
    const other = {
      action: "stop" as const,
      id: idOf(dashboard, "pihole"),
      name: "pihole",
      state: "RUNNING",
    };
    await manager.changes.act("stop", [{ ...other, overcommit: false }]).finished;
    await page.waitForSelector('tr[data-vm="pihole"][data-state="STOPPED"]');
    assert.ok(await selected.isChecked(), "a row that changes keeps its tick");
    assert.equal(await page.evaluate("document.activeElement.id"), `select-${other.id}`, "and the focus");
    assert.match(
      await page.locator('tr[data-group=""]').innerText(),
      /0 of 5 running/,
      "the group's sum follows",
    );
    assert.match(await page.locator("#live-words").innerText(), /pihole: Stopped/, "and it is said aloud");
    assert.match(await page.locator(".bulk .what").innerText(), /^1\s+selected/);
    const win = dashboard.simulator.store.vms.get(idOf(dashboard, "win11"));
    assert.ok(win);
    await manager.changes.change({ id: win.id, name: "win11", uuid: null }, { kind: "clone", name: "win12" })
      .problems;
    await row(page, "win12").waitFor();
    assert.ok(await selected.isChecked(), "a VM that is new takes no tick away");
    assert.equal(await page.evaluate("document.activeElement.id"), `select-${other.id}`);
    await page.goto("/?q=win");
    await row(page, "win12").getByRole("checkbox").check();
    await row(page, "win11").getByRole("checkbox").check();
    await manager.changes.act("start", [{
      action: "start",
      id: win.id,
      name: "win11",
      state: "STOPPED",
      overcommit: false,
    }])
      .finished;
    await page.waitForSelector('tr[data-vm="win11"][data-state="RUNNING"]');
    await page.goto("/?q=win&state=STOPPED");
    await row(page, "win12").getByRole("checkbox").check();
    const copy = { action: "start" as const, id: idOf(dashboard, "win12"), name: "win12", state: "STOPPED" };
    await manager.changes.act("start", [{ ...copy, overcommit: false }]).finished;
    await page.waitForSelector("text=No VMs match");
    assert.equal(await page.locator("input[name=id]:checked").count(), 0, "nothing hidden stays selected");
  }, { screen });

  browserTest(`several VMs on ${version} are started by keyboard, after a page that says what will happen`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    await page.goto("/");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate("document.activeElement.id"), "filter-q");
    await page.keyboard.type("w");
    await page.waitForURL(/\?q=w/);
    assert.deepEqual(await page.locator("tr[data-vm]").count(), 2, "win11 and workerold");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Start…", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/vms\/act\?/);
    assert.equal(await page.locator("h1").innerText(), "Start 2 VMs");
    await expectAccessibleEverywhere(page, "the question before an action");
    await page.getByRole("button", { name: "Start 2 VMs" }).focus();
    await page.keyboard.press("Enter");
    await finished(page, "done");
    for (const name of ["win11", "workerold"]) {
      assert.equal(dashboard.simulator.store.vms.get(idOf(dashboard, name))?.state, "RUNNING");
    }
    await page.goto("/");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#keys").waitFor({ state: "hidden" });
  }, { screen });

  browserTest(`'Destroy' proposes exactly the selected VMs on ${version} (fault 4)`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    const proposed = async () => {
      await page.waitForURL(/\/destroy\?/);
      return await page.locator("tr[data-vm]").evaluateAll((rows) => rows.map((row) => row.dataset.vm));
    };
    for (const way of ["link", "button"] as const) {
      await page.goto("/");
      for (const name of ["win11", "workerold"]) await row(page, name).getByRole("checkbox").check();
      if (way === "link") {
        await page.locator("#page-menu > summary").click();
        await page.getByRole("link", { name: "Destroy VMs…" }).click();
      } else await page.getByRole("button", { name: "Destroy…", exact: true }).click();
      assert.deepEqual(await proposed(), ["win11", "workerold"], way);
    }
    await expectAccessibleEverywhere(page, "a selection to destroy");
    await page.getByLabel("Type “destroy 2 vms” to confirm").fill("destroy 2 vms");
    await page.getByLabel("Type “win11” to confirm").fill("win11");
    await page.getByLabel("Type “workerold” to confirm").fill("workerold");
    await page.getByRole("button", { name: "Destroy 2 VMs" }).click();
    await finished(page, "done");
    const names = [...dashboard.simulator.store.vms.values()].map(({ config }) => config.name);
    assert.ok(!names.includes("win11") && !names.includes("workerold"));
    await page.goto(`/vms/${idOf(dashboard, "homeassistant")}`);
    await openMenu(page, "homeassistant");
    await page.getByRole("link", { name: "Destroy…", exact: true }).click();
    assert.equal(await page.locator("h1").innerText(), "Destroy homeassistant");
    await expectAccessibleEverywhere(page, "one VM to destroy");
  }, { screen });
}

browserTest("addresses of guests are listed with their age, and can be found and copied", {
  simulator: { version: "27.0" },
}, async ({ page }) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/");
  const address = row(page, "pihole").locator("[title^='Seen at']", { hasText: "192.168.1." });
  await address.waitFor();
  const ip = await address.innerText();
  assert.match(await address.getAttribute("title") ?? "", /^Seen at \d\d:\d\d:\d\d UTC$/);
  const mac = await row(page, "pihole").locator("code").first().innerText();
  await page.getByRole("button", { name: `Copy ${mac}` }).click();
  await page.waitForSelector("button[data-copied]");
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), mac);
  await page.locator("#filter-q").fill(ip);
  await page.waitForURL(/\?q=192/);
  assert.deepEqual(await page.locator("tr[data-vm]").count(), 1);
  await page.getByLabel("Select all VMs in the list").check();
  assert.equal(await page.locator("input[name=id]:checked").count(), 1);
});

for (const screen of SCREENS) {
  browserTest(
    `exports are copied and downloaded at ${screen.viewport.width} px, and every page of the list is accessible`,
    {},
    async ({ page }) => {
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.goto("/");
      await expectAccessibleEverywhere(page, "the list");
      await page.getByRole("link", { name: "Export" }).click();
      await expectAccessibleEverywhere(page, "the export");
      await page.getByRole("button", { name: "Copy dnsmasq" }).click();
      await page.waitForSelector('button:has-text("Copied")');
      assert.match(String(await page.evaluate("navigator.clipboard.readText()")), /^dhcp-host=00:a0:98:/);
      const download = page.waitForEvent("download");
      await page.getByRole("link", { name: "Download" }).first().click();
      assert.equal((await download).suggestedFilename(), "nodes.csv");
      await page.goto("/connection");
      await expectAccessibleEverywhere(page, "the connection");
    },
    { screen },
  );
}

browserTest(
  "without JavaScript, VMs are started, changed and exported by reloading",
  {},
  async ({ dashboard }) => {
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
    const page = await context.newPage();
    try {
      await page.goto("/");
      await row(page, "win11").getByRole("button", { name: "Start win11" }).click();
      await page.waitForURL(/\/operations\//);
      const { store } = dashboard.manager.operations;
      await repeatedly("VMs are started", async () => {
        await page.reload();
        return store.list()[0]?.status !== "running" || null;
      });
      await page.reload();
      assert.equal(await page.locator("#operation").getAttribute("data-status"), "done");
      await page.goto(`/vms/${idOf(dashboard, "workerold")}`);
      await page.getByText("Edit", { exact: true }).click();
      await page.getByLabel("vCPUs").fill("2");
      await page.getByRole("button", { name: "Save settings" }).click();
      assert.equal(dashboard.simulator.store.vms.get(idOf(dashboard, "workerold"))?.config.cores, 2);
      await page.goto("/export");
      assert.ok(!await page.locator("#text-ansible").isVisible(), "a format is one line until it is opened");
      await page.locator("section", { has: page.locator("#text-ansible") }).getByText("Show the text")
        .click();
      assert.match(await page.locator("#text-ansible").innerText(), /"homeassistant":/);
    } finally {
      await context.close();
    }
  },
);
