/** Protects the tasks: running operations on every page but their own, open from page to page, and a toast at the end. */
import assert from "node:assert/strict";
import { browser, browserTest, expectAccessible, SCREENS } from "../support/browser/pages.ts";
import { powerOff, type TestDashboard } from "../support/pages/dashboard.ts";

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
    await page.clock.install();
    await page.goto("/connection");
    const toast = page.locator('.toast[data-toast="bad"]');
    await toast.waitFor();
    assert.match(await toast.innerText(), /failed/);
    await page.clock.fastForward(60_000);
    assert.ok(await toast.isVisible(), "it stays");
    await toast.getByRole("button", { name: "Close the message" }).click();
    await toast.waitFor({ state: "detached" });
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

for (
  const { isHidden, seconds, notified, what } of [
    { isHidden: true, seconds: 10, notified: 1, what: "long operation is notified once in a hidden tab" },
    { isHidden: true, seconds: 9, notified: 0, what: "short operation is not notified in a hidden tab" },
    { isHidden: false, seconds: 60, notified: 0, what: "long operation is not notified in a visible tab" },
  ]
) {
  browserTest(`the end of a ${what}, and a toast tells it`, {}, async ({ page, dashboard }) => {
    await page.addInitScript(`
      window.notified = [];
      window.Notification = class extends EventTarget {
        static permission = "granted";
        constructor(...given) { super(); window.notified.push(given); }
      };
      window.isHidden = false;
      Object.defineProperty(document, "hidden", { get: () => window.isHidden });
    `);
    const asked: string[] = [];
    await page.route("**/tasks?*", async (route) => {
      asked.push(route.request().url());
      const response = await route.fetch();
      const body = (await response.text()).replaceAll(/data-seconds="\d+"/g, `data-seconds="${seconds}"`);
      await route.fulfill({ response, body });
    });
    await page.clock.install();
    await page.goto("/connection");
    const operation = held(dashboard);
    await page.locator("#tasks").waitFor();
    if (isHidden) {
      await page.evaluate("window.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))");
    }
    operation.release();
    await operation.finished;
    // A hidden tab asks every five seconds.
    await page.clock.fastForward(5_000);
    const toast = page.locator(".toast");
    await toast.getByText("homeassistant powered off").waitFor();
    const tag = `/operations/${operation.log.id}`;
    const expected = Array(notified).fill(["homeassistant powered off", { tag }]);
    assert.deepEqual(await page.evaluate("window.notified"), expected);
    const before = asked.length;
    await page.clock.fastForward(5_000);
    // An answer after it shows that the page has asked nothing before.
    await page.evaluate("fetch(location.href)");
    assert.equal(asked.length, before, "an operation that was told is not asked for again");
  });
}
