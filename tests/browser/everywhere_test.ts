/**
 * Protects what stands around every page: the theme, the command palette, the keyboard shortcuts, and the state of the
 * connection.
 */
import assert from "node:assert/strict";
import { idOf } from "../support/pages/dashboard.ts";
import { browser, browserTest, expectAccessible, PLACES, SCREENS } from "../support/browser/pages.ts";

for (const screen of SCREENS) {
  const where = `${screen.viewport.width} px`;
  browserTest(
    `a theme chosen at ${where} holds on every page, with colours of its own`,
    {},
    async ({ page }) => {
      const ground = () =>
        page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor");
      const choose = async (name: string) => {
        await page.locator("#site-menu > summary").click();
        await page.getByRole("button", { name, exact: true }).click();
        await page.waitForSelector(`html[data-theme="${name.toLowerCase()}"]`);
      };
      await page.goto("/operations");
      await choose("Dark");
      const dark = await ground();
      await choose("Light");
      assert.notEqual(await ground(), dark);
      await page.goto("/connection");
      assert.equal(await page.getAttribute("html", "data-theme"), "light");
      await page.locator("#site-menu > summary").click();
      await expectAccessible(page, `the menu at ${where}`);
    },
    { screen },
  );

  browserTest(`the palette at ${where} finds a VM and opens it by keyboard`, {}, async ({ page }) => {
    await page.goto("/operations");
    await page.keyboard.press("Control+k");
    const field = page.getByRole("combobox", { name: /^Search/ });
    await field.waitFor();
    await page.getByRole("option", { name: "Activity" }).waitFor();
    await expectAccessible(page, `the palette at ${where}`);
    await field.fill("homea");
    await page.getByRole("option", { name: "homeassistant" }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/vms/1");
    await page.getByRole("link", { name: "Search", exact: true }).click();
    await field.waitFor();
    await page.keyboard.press("Escape");
    await field.waitFor({ state: "hidden" });
    assert.equal(await page.evaluate("document.activeElement.dataset.dialog"), "palette");
  }, { screen });
}

browserTest("arrow keys move through the results, and what is typed last decides", {}, async ({ page }) => {
  await page.goto("/");
  await page.keyboard.press("Control+k");
  const marked = page.locator('#palette [aria-selected="true"]');
  await marked.waitFor();
  const first = await marked.getAttribute("id");
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await marked.getAttribute("id"), first);
  assert.equal(
    await page.getAttribute("#palette-q", "aria-activedescendant"),
    await marked.getAttribute("id"),
  );
  await page.keyboard.press("ArrowUp");
  assert.equal(await marked.getAttribute("id"), first);
  await page.keyboard.type("audit");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/operations/audit");
});

browserTest(
  "g-keys lead to the places, '?' lists them, and none of them fires while somebody types",
  {},
  async ({ page }) => {
    await page.goto("/connection");
    await page.keyboard.press("?");
    await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await page.keyboard.press("Escape");
    assert.match(page.url(), /connection$/, "not while a dialog is open");
    for (
      const [key, path] of [["a", "/operations"], ["c", "/create"], ["d", "/destroy"], ["v", "/"]] as const
    ) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.waitForURL((url) => url.pathname === path);
    }
    await page.goto("/search");
    await page.locator("#search-q").focus();
    await page.keyboard.type("ga?");
    assert.equal(await page.inputValue("#search-q"), "ga?");
    assert.equal(await page.locator("dialog[open]").count(), 0);
    assert.match(page.url(), /search$/);
  },
);

browserTest("without JavaScript, the search is a page and the theme a form", {}, async ({ dashboard }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
  const page = await context.newPage();
  await page.goto("/");
  await page.getByRole("link", { name: "Search", exact: true }).click();
  await page.getByRole("searchbox").fill("pihole");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: "pihole" }).first().waitFor();
  await page.locator("#site-menu > summary").click();
  assert.equal(await page.getByText("Keyboard shortcuts").filter({ visible: true }).count(), 0);
  await page.getByRole("button", { name: "Dark" }).click();
  await page.waitForSelector('html[data-theme="dark"]');
  assert.match(page.url(), /search\?q=pihole$/);
  await context.close();
});

for (const { version, screen } of PLACES) {
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
