/** Protects the tasks: running operations on every page but their own, open from page to page, and a toast at the end. */
import assert from "node:assert/strict";
import { browser, browserTest, expectAccessible, SCREENS } from "../support/browser/pages.ts";
import { powerOff, type TestDashboard } from "../support/dashboard.ts";

/** An operation that goes on until it is released. */
function held(dashboard: TestDashboard) {
  const { promise, resolve } = Promise.withResolvers<void>();
  dashboard.simulator.addFault({ method: "vm.poweroff", action: "hold", until: promise });
  return { ...powerOff(dashboard), release: resolve };
}

for (const screen of SCREENS) {
  const where = `${screen.viewport.width} px`;
  browserTest(
    `a running operation at ${where} is shown on every page but its own, and its end is told`,
    {},
    async ({ page, dashboard }) => {
      await page.goto("/connection");
      assert.equal(await page.locator("#tasks").count(), 0, "nothing runs");
      const operation = held(dashboard);
      const drawer = page.locator("#tasks");
      await drawer.waitFor();
      await drawer.locator("summary").click();
      const link = drawer.getByRole("link", { name: operation.log.view.title });
      await link.waitFor();
      await expectAccessible(page, `the tasks at ${where}`);
      await page.goto("/create");
      await link.waitFor();
      await link.click();
      await page.waitForSelector("#operation");
      assert.equal(await page.locator("#tasks").count(), 0, "its own page shows it already");
      await page.goto("/operations");
      assert.equal(await page.locator("#tasks").count(), 0, "and so does the list of operations");
      await page.goto("/connection");
      await link.waitFor();
      operation.release();
      const toast = page.getByRole("region", { name: "Messages" }).getByText("powered off");
      await toast.waitFor();
      await drawer.waitFor({ state: "detached" });
      await expectAccessible(page, `a toast at ${where}`);
    },
    { screen },
  );
}

browserTest("an end between two pages is told on the next one, once", {}, async ({ page, dashboard }) => {
  const operation = held(dashboard);
  await page.goto("/connection");
  await page.locator("#tasks").waitFor();
  await page.goto("about:blank");
  operation.release();
  await operation.finished;
  await page.goto(`${dashboard.url}/connection`);
  const toast = page.locator(".toast");
  await toast.waitFor();
  assert.match(await toast.innerText(), /powered off/);
  await toast.getByRole("button", { name: "Close the message" }).click();
  await page.reload();
  await page.waitForSelector('[data-connection="live"]');
  assert.equal(await toast.count(), 0);
});

browserTest(
  "an operation that failed is told by a toast that stays until it is closed",
  {},
  async ({ page, dashboard }) => {
    dashboard.simulator.addFault({ method: "vm.poweroff", action: "fail" });
    const operation = powerOff(dashboard);
    await operation.finished;
    assert.equal(operation.log.view.status, "failed", "the premise");
    // As if an earlier page had seen it run.
    await page.addInitScript(`sessionStorage.setItem("tasks", '["${operation.log.id}"]')`);
    await page.goto("/connection");
    const toast = page.locator('.toast[data-toast="bad"]');
    await toast.waitFor();
    assert.match(await toast.innerText(), /failed/);
  },
);

browserTest("without JavaScript, the tasks are a fold on each page", {}, async ({ dashboard }) => {
  const operation = held(dashboard);
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
  const page = await context.newPage();
  await page.goto("/create");
  await page.locator("#tasks summary").click();
  await page.locator("#tasks").getByRole("link", { name: operation.log.view.title }).click();
  await page.waitForSelector("#operation");
  assert.equal(await page.locator("#notify").filter({ visible: true }).count(), 0);
  await context.close();
  operation.release();
  await operation.finished;
});

browserTest(
  "the permission for notifications is asked only by a button on a running operation",
  {},
  async ({ page, dashboard }) => {
    await page.addInitScript(`
    window.asked = 0;
    window.Notification = class { static permission = "default"; static async requestPermission() {
      window.asked++; return this.permission = "granted";
    } };
  `);
    const operation = held(dashboard);
    await page.goto(`/operations/${operation.log.id}`);
    const button = page.getByRole("button", { name: "Notify me when it ends" });
    await button.waitFor();
    assert.equal(await page.evaluate("window.asked"), 0);
    await button.click();
    await page.getByText("You will be notified when it ends").waitFor();
    assert.equal(await page.evaluate("window.asked"), 1);
    operation.release();
    await page.waitForSelector('#operation[data-status="done"]');
    await button.waitFor({ state: "hidden" });
  },
);
