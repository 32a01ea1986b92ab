/**
 * Protects the JSON templates as a person reads and edits them, in a real Chromium, with and without JavaScript.
 */
import assert from "node:assert/strict";
import { TemplateTexts } from "../../lib/configuration/editing/template_texts.ts";
import { TemplateManager } from "../../lib/template_manager.ts";
import { browser, browserTest, expectAccessibleEverywhere, SCREENS } from "../support/browser/pages.ts";
import { startDashboard } from "../support/pages/dashboard.ts";

for (const screen of SCREENS) {
  browserTest(
    `the templates are shown with their keys, and how to get a copy to edit (${screen.viewport.width} px)`,
    {},
    async ({ page }) => {
      await page.goto("/types");
      await page.getByRole("link", { name: "Templates" }).click();
      await page.locator("#embedded").getByText("--templates-dir DIR").waitFor();
      await expectAccessibleEverywhere(page, "the templates");
      await page.getByRole("link", { name: "Keys of the VM template" }).click();
      await page.locator('[data-key="cpu_mode"]').getByText("HOST-PASSTHROUGH").first().waitFor();
      await expectAccessibleEverywhere(page, "the keys of a template");
    },
    { screen },
  );
}

Deno.test({
  name: "without JavaScript a template is edited, seen as lines, and saved",
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const folder = await Deno.makeTempDir();
  for (const file of ["vms/vm", "devices/display", "devices/cdrom", "devices/nic", "devices/disk"]) {
    await Deno.mkdir(`${folder}/${file.split("/")[0]}`, { recursive: true });
    await Deno.copyFile(`templates/${file}.json`, `${folder}/${file}.json`);
  }
  const templateTexts = new TemplateTexts({ templatesDir: folder, versionsFolder: `${folder}/state` });
  const manager = { templateManager: new TemplateManager(folder) };
  await using dashboard = await startDashboard({ manager, templateTexts });
  const context = await browser.newContext({
    ...SCREENS[1],
    baseURL: dashboard.url,
    javaScriptEnabled: false,
  });
  const page = await context.newPage();
  await page.goto("/types/templates");
  await page.getByRole("link", { name: "Edit the VM template" }).click();
  const typed = await page.locator("#field-text").inputValue();
  await page.locator("#field-text").fill(typed.replace("90", "nine"));
  await page.locator("#review").click();
  await page.locator("#error-summary").getByText(/Invalid JSON/).waitFor();
  await page.locator("#field-text").fill(typed.replace("90", "120"));
  await page.locator("#review").click();
  assert.equal(await page.locator('[data-diff="added"]').count(), 1);
  await page.getByRole("button", { name: "Back to the text" }).click();
  assert.match(await page.locator("#field-text").inputValue(), /"shutdown_timeout": 120/);
  await page.locator("#review").click();
  await page.locator("#save").click();
  await page.locator("#saved").getByText("The VM template was saved.").waitFor();
  assert.equal(await Deno.readTextFile(`${folder}/vms/vm.json`), typed.replace("90", "120"));
  await context.close();
  await Deno.remove(folder, { recursive: true });
});
