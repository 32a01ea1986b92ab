/**
 * Protects the list and a VM's page as people work with them, in a real Chromium: live rows that keep selection and
 * focus, keys, bulk actions, changes, the serial console, exports, signing in; on a desk and on a phone, light and
 * dark, and with JavaScript off.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { TestDashboard } from "../support/dashboard.ts";
import { browser, browserTest, expectAccessibleEverywhere, finished, WIDTHS } from "../support/pages.ts";

function idOf({ simulator }: TestDashboard, name: string): number {
  const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === name);
  return vm?.id ?? assert.fail(name);
}

function row(page: Page, name: string) {
  return page.locator(`tr[data-vm="${name}"]`);
}

for (const version of ["25.10", "27.0"] as const satisfies readonly SimulatedVersion[]) {
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
    await manager.act("poweroff", [{
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
    await manager.act("stop", [{ ...other, overcommit: false }]).finished;
    await page.waitForSelector('tr[data-vm="pihole"][data-state="STOPPED"]');
    assert.ok(await selected.isChecked(), "a row that changes keeps its tick");
    assert.equal(await page.evaluate("document.activeElement.id"), `select-${other.id}`, "and the focus");
    assert.match(await page.locator('tr[data-group=""]').innerText(), /0 running/, "the group's sum follows");
  });

  browserTest(`several VMs on ${version} are started by keyboard, after a page that says what will happen`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    await page.goto("/");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate("document.activeElement.id"), "filter-q");
    await page.keyboard.type("w");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\?q=w/);
    assert.deepEqual(await page.locator("tr[data-vm]").count(), 2, "win11 and workerold");
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
    assert.ok(await page.getByRole("dialog", { name: "Keys" }).isVisible());
    await page.keyboard.press("Escape");
    assert.ok(!await page.locator("#keys").isVisible());
  });

  browserTest(`the serial console on ${version} types, reads, follows its size and comes back`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    const id = idOf(dashboard, "homeassistant");
    await page.goto(`/vms/${id}`);
    await page.getByRole("link", { name: "Serial console" }).click();
    await page.waitForSelector('#serial[data-state="connected"]');
    const screen = page.locator("#serial .xterm-rows");
    await screen.filter({ hasText: "homeassistant login:" }).waitFor();
    await page.keyboard.type("root");
    await page.keyboard.press("Enter");
    await screen.filter({ hasText: "login: root" }).waitFor();
    await page.evaluate(
      "document.querySelector('.xterm-helper-textarea').dispatchEvent(new ClipboardEvent('paste', " +
        "{ clipboardData: (() => { const d = new DataTransfer(); d.setData('text/plain', 'pasted'); return d; })() }))",
    );
    await screen.filter({ hasText: "pasted" }).waitFor();
    const sized = dashboard.simulator.calls.filter(({ method }) => method === "core.resize_shell");
    assert.ok(
      sized.length > 0 && Number(sized.at(-1)?.params[1]) > 20,
      "the guest knows the terminal's width",
    );
    await page.setViewportSize(WIDTHS[1]);
    const calls = () => dashboard.simulator.calls.filter(({ method }) => method === "core.resize_shell");
    while (Number(calls().at(-1)?.params[1]) > 45) await page.evaluate("new Promise(requestAnimationFrame)");
    dashboard.simulator.cutConnections();
    await page.waitForSelector('#serial[data-state="closed"]');
    await page.waitForSelector('#serial[data-state="connected"]');
    assert.ok(await screen.isVisible());
  });
}

browserTest(
  "a VM's page changes it, and keeps what was typed when the NAS refuses",
  {},
  async ({ page, dashboard }) => {
    const id = idOf(dashboard, "ubuntu_dev");
    await page.goto(`/vms/${id}`);
    await expectAccessibleEverywhere(page, "a VM's page");
    await page.getByLabel("Memory (MiB)").fill("5120");
    await page.getByRole("button", { name: "Save settings" }).click();
    await page.waitForURL(/\/vms\/\d+$/);
    assert.equal(dashboard.simulator.store.vms.get(id)?.config.memory, 5120);
    await page.getByLabel("Name", { exact: true }).fill("win11");
    await page.getByRole("button", { name: "Save settings" }).click();
    await page.waitForSelector('[data-error="settings.name"]');
    assert.match(await page.locator('[data-error="settings.name"]').innerText(), /This name already exists/);
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "win11");
    await expectAccessibleEverywhere(page, "a VM's page with a mistake");
    await page.goto(`/vms/${id}`);
    await page.getByLabel("New disk (GiB)").fill("3");
    await page.getByRole("button", { name: "Add a disk" }).click();
    await page.locator("main", { hasText: "3 GiB" }).waitFor();
    // The browser notes a refused form as an error of its own.
  },
  { ignore: /422|409/ },
);

browserTest(
  "exports are copied and downloaded, and every page of the list is accessible",
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
);

browserTest("signing in and out, on a page that says nothing of the NAS", {
  access: { password: "open sesame", viewerPassword: "just looking" },
}, async ({ page }) => {
  await page.goto("/?q=pihole");
  await expectAccessibleEverywhere(page, "the sign-in");
  await page.getByLabel("Password of this dashboard").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector("#login-message");
  await page.getByLabel("Password of this dashboard").fill("open sesame");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\?q=pihole$/);
  assert.equal(await page.locator("tr[data-vm]").count(), 1);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/login/);
}, { ignore: /401/ });

browserTest(
  "without JavaScript VMs are started, changed and exported by reloading",
  {},
  async ({ dashboard }) => {
    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
    const page = await context.newPage();
    try {
      await page.goto("/");
      await row(page, "win11").getByRole("button", { name: "Start win11" }).click();
      await page.waitForURL(/\/operations\//);
      const started = dashboard.manager.operations.list()[0];
      while (dashboard.manager.operations.get(started?.id ?? "")?.view.status === "running") {
        await page
          .reload();
      }
      await page.reload();
      assert.equal(await page.locator("#operation").getAttribute("data-status"), "done");
      await page.goto(`/vms/${idOf(dashboard, "workerold")}`);
      await page.getByLabel("vCPUs").fill("2");
      await page.getByRole("button", { name: "Save settings" }).click();
      assert.equal(dashboard.simulator.store.vms.get(idOf(dashboard, "workerold"))?.config.cores, 2);
      await page.goto("/export");
      assert.match(await page.locator("#text-ansible").innerText(), /homeassistant:/);
    } finally {
      await context.close();
    }
  },
);
