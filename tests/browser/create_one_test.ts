/**
 * Protects creating one VM as a person does it, in a real Chromium, with and without JavaScript: the form fits on one
 * screen, what it takes is shown while it is typed, and a VM begins as a copy of another's description.
 */
import assert from "node:assert/strict";
import { browser, browserTest, expectAccessibleEverywhere, SCREENS } from "../support/browser/pages.ts";
import { startDashboard } from "../support/pages/dashboard.ts";

for (const screen of SCREENS) {
  browserTest(
    `one VM is described, planned and created, and another one like it begins from its menu (${screen.viewport.width} px)`,
    {},
    async ({ page }) => {
      await page.goto("/create");
      await page.getByRole("link", { name: "Create one VM" }).click();
      await page.getByLabel("Name", { exact: true }).first().fill("db-01");
      await expectAccessibleEverywhere(page, "the form of one VM");
      await page.getByRole("radio", { name: /Large/ }).check();
      await page.locator("#type-totals").getByText("8 GiB").first().waitFor();
      await page.getByLabel("Name", { exact: true }).first().press("Enter");
      await page.locator("#error-summary").getByText(/does not accept the name/).waitFor();
      await expectAccessibleEverywhere(page, "the form of one VM with a mistake");
      await page.locator("#field-name").fill("db01");
      await page.locator("#review").click();
      await page.locator('[data-plan-vm="db01"]').waitFor();
      await expectAccessibleEverywhere(page, "the plan of one VM");
      await page.getByRole("button", { name: "Create db01" }).click();
      await page.waitForSelector('#operation[data-status="done"]');
      await page.goto("/");
      await page.getByRole("link", { name: "db01", exact: true }).click();
      await page.locator("#vm-more > summary").click();
      await page.getByRole("link", { name: "More like this…" }).click();
      assert.equal(await page.locator("#field-name").inputValue(), "db02");
      assert.ok(await page.getByRole("radio", { name: /Large/ }).isChecked());
      await expectAccessibleEverywhere(page, "the form of a VM like another");
    },
    { screen, ignore: /status of 422/ },
  );
}

browserTest("the form of one VM fits on a screen of 1280 × 860", {}, async ({ page }) => {
  await page.goto("/create/one");
  // The footer starts below the first screen of every page.
  const heights = await page.evaluate(
    "[document.querySelector('main form').getBoundingClientRect().bottom, innerHeight]",
  );
  const [form = Infinity, window = 0] = heights as readonly number[];
  assert.ok(form <= window, `${form} > ${window}`);
}, { screen: { viewport: { width: 1280, height: 860 }, colorScheme: "light" } });

Deno.test({
  name: "without JavaScript one VM is created, and saved as a VM type, by the same forms",
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  await using dashboard = await startDashboard({ config: "# nothing yet\n" });
  const context = await browser.newContext({
    ...SCREENS[1],
    baseURL: dashboard.url,
    javaScriptEnabled: false,
  });
  const page = await context.newPage();
  await page.goto("/create/one");
  await page.locator("#field-name").fill("mail");
  await page.getByLabel("Install image").first().fill("/mnt/tank/iso/debian.iso");
  await page.getByLabel("Disks go to").first().selectOption("tank/vms");
  await page.getByRole("button", { name: "Add a disk" }).click();
  assert.equal(await page.locator("#field-name").inputValue(), "mail");
  await page.getByLabel("Name of disk 2").fill("data");
  await page.getByLabel("Size of disk 2 (GiB)").fill("50");
  await page.locator("#review").click();
  await page.locator('[data-plan-vm="mail"][data-action="create"]').waitFor();
  await page.locator("#declared > summary").click();
  await page.locator("#save-as-type").click();
  await page.getByRole("heading", { name: "New VM type" }).waitFor();
  assert.equal(await page.getByLabel("Size of disk 2 (GiB)").inputValue(), "50");
  await page.locator("#review").click();
  await page.getByRole("button", { name: "Save config.yaml" }).click();
  await page.locator('[data-type="mail"]').waitFor();
  await context.close();
});
