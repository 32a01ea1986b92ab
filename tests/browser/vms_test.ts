/**
 * Protects the list and a VM's page in Chromium: live rows that keep selection and focus, keyboard shortcuts, bulk
 * actions, changes, the serial console, exports and signing in; on desktop and phone sizes, in light and dark themes,
 * and without JavaScript.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { TestDashboard } from "../support/dashboard.ts";
import {
  browser,
  browserTest,
  expectAccessibleEverywhere,
  finished,
  PLACES,
  SCREENS,
} from "../support/browser/pages.ts";

function idOf({ simulator }: TestDashboard, name: string): number {
  const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === name);
  return vm?.id ?? assert.fail(name);
}

function row(page: Page, name: string) {
  return page.locator(`tr[data-vm="${name}"]`);
}

function openMenu(page: Page, name: string) {
  return page.locator(`summary[aria-label="More for ${name}"]`).click();
}

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
    assert.ok(await page.getByRole("dialog", { name: "Keyboard shortcuts" }).isVisible());
    await page.keyboard.press("Escape");
    assert.ok(!await page.locator("#keys").isVisible());
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

  browserTest(`the serial console on ${version} writes, reads, resizes and reconnects`, {
    simulator: { version },
  }, async ({ page, dashboard }) => {
    const id = idOf(dashboard, "homeassistant");
    await page.goto(`/vms/${id}`);
    await openMenu(page, "homeassistant");
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
    await page.setViewportSize({ width: 330, height: 700 });
    const calls = () => dashboard.simulator.calls.filter(({ method }) => method === "core.resize_shell");
    while (Number(calls().at(-1)?.params[1]) > 45) await page.evaluate("new Promise(requestAnimationFrame)");
    dashboard.simulator.cutConnections();
    await page.waitForSelector('#serial[data-state="closed"]');
    await page.waitForSelector('#serial[data-state="connected"]');
    assert.ok(await screen.isVisible());
  }, { screen });

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
    await page.waitForURL(/\/operations\//);
    await finished(page, "done");
    await page.goto(`/vms/${id}`);
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

  browserTest(`every page on ${version} shows the state of the connection`, {
    simulator: { version },
    manager: { backoffMs: [300] },
  }, async ({ page, dashboard }) => {
    for (const path of ["/operations", "/destroy", "/create", `/vms/${idOf(dashboard, "pihole")}`]) {
      await page.goto(path);
      await page.waitForSelector('#connection[data-connection="live"]');
      dashboard.simulator.cutConnections();
      await page.waitForSelector('#connection[data-connection="reconnecting"]');
      await page.waitForSelector('#connection[data-connection="live"]');
    }
  }, { screen });
}

browserTest(
  "a page is live even if its scripts arrive late",
  { manager: { backoffMs: [300] } },
  async ({ page, dashboard }) => {
    let scripts = 0;
    await page.route("**/static/*.js", async (route) => {
      // Each later than the one before: a slow network.
      await new Promise((resolve) => setTimeout(resolve, 150 * scripts++));
      await route.continue();
    });
    await page.goto("/");
    assert.ok(scripts >= 2, "the premise: there are several");
    await page.waitForSelector('#connection[data-connection="live"]');
    dashboard.simulator.cutConnections();
    await page.waitForSelector('#connection[data-connection="reconnecting"]');
  },
  { ignore: /Failed to load/ },
);

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
    `a VM is changed on its page at ${screen.viewport.width} px, and entries are kept if the NAS refuses`,
    {},
    async ({ page, dashboard }) => {
      const id = idOf(dashboard, "ubuntu_dev");
      await page.goto(`/vms/${id}`);
      await expectAccessibleEverywhere(page, "a VM's page");
      await page.getByText("Edit", { exact: true }).click();
      await expectAccessibleEverywhere(page, "a VM's settings");
      await page.getByLabel("Memory (MiB)").fill("5120");
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
      await page.getByLabel("New disk (GiB)").fill("3");
      await page.getByRole("button", { name: "Add disk" }).click();
      await page.locator("main", { hasText: "3 GiB" }).waitFor();
      // The browser notes a refused form as an error of its own.
    },
    { screen, ignore: /422|409/ },
  );
}

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

browserTest("signing in and out works on a page that reveals nothing about the NAS", {
  access: { password: "open sesame", viewerPassword: "just looking" },
}, async ({ page }) => {
  await page.goto("/?q=pihole");
  await expectAccessibleEverywhere(page, "the sign-in");
  await page.getByLabel("Dashboard password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector("#login-message");
  await page.getByLabel("Dashboard password").fill("open sesame");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\?q=pihole$/);
  assert.equal(await page.locator("tr[data-vm]").count(), 1);
  await page.getByLabel("Signed in as administrator").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/login/);
}, { ignore: /401/ });

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
      const started = dashboard.manager.operations.store.list()[0];
      while (dashboard.manager.operations.store.get(started?.id ?? "")?.view.status === "running") {
        await page
          .reload();
      }
      await page.reload();
      assert.equal(await page.locator("#operation").getAttribute("data-status"), "done");
      await page.goto(`/vms/${idOf(dashboard, "workerold")}`);
      await page.getByText("Edit", { exact: true }).click();
      await page.getByLabel("vCPUs").fill("2");
      await page.getByRole("button", { name: "Save settings" }).click();
      assert.equal(dashboard.simulator.store.vms.get(idOf(dashboard, "workerold"))?.config.cores, 2);
      await page.goto("/export");
      assert.match(await page.locator("#text-ansible").innerText(), /"homeassistant":/);
    } finally {
      await context.close();
    }
  },
);
