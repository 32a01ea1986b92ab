/**
 * Protects declaring VM types as a person does it, in a real Chromium, with and without JavaScript: a type is added from
 * a form that shows what it takes, its lines are seen before they are saved, and its VMs can be created.
 */
import assert from "node:assert/strict";
import { browser, browserTest, expectAccessibleEverywhere, SCREENS } from "../support/browser/pages.ts";
import { startDashboard } from "../support/pages/dashboard.ts";

for (const screen of SCREENS) {
  browserTest(
    `a VM type is added, seen as lines, saved, and its VMs can be created (${screen.viewport.width} px)`,
    {},
    async ({ page }) => {
      await page.goto("/types");
      await expectAccessibleEverywhere(page, "the VM types");
      await page.getByRole("link", { name: "New type" }).click();
      await page.getByLabel("Name", { exact: true }).first().fill("gpu-node");
      await page.getByRole("radio", { name: /Large/ }).check();
      await page.getByRole("button", { name: "One more" }).click();
      await page.waitForFunction("document.getElementById('field-count').value === '2'");
      const totals = page.locator("#type-totals");
      await totals.getByText("16 GiB").waitFor();
      await page.getByRole("button", { name: "Add a disk" }).click();
      await page.getByLabel("Name of disk 2").fill("data");
      await page.getByLabel("Size of disk 2 (GiB)").fill("100");
      await totals.getByText("240 GiB").waitFor();
      assert.equal(
        await page.getByLabel("Name of disk 2").inputValue(),
        "data",
        "totals leave the form alone",
      );
      await page.getByLabel("Size of disk 2 (GiB)").press("Enter");
      await page.locator("#error-summary").getByText(/no hyphen/).waitFor();
      await expectAccessibleEverywhere(page, "the form of a VM type with a mistake");
      await page.locator("#field-name").fill("gpu_node");
      await page.locator("#review").click();
      await page.getByRole("heading", { name: "Add VM type gpu_node" }).waitFor();
      assert.equal(await page.locator('[data-diff="removed"]').count(), 0);
      assert.match(await page.locator('[data-diff="added"]').allInnerTexts().then(String), /memory: 8192/);
      await expectAccessibleEverywhere(page, "the lines that change");
      await page.getByRole("button", { name: "Back to the form" }).click();
      await page.getByLabel("How many").fill("3");
      await page.locator("#review").click();
      await page.getByRole("button", { name: "Save config.yaml" }).click();
      await page.locator("#saved").getByText("gpu_node was added").waitFor();
      await page.locator('[data-type="gpu_node"]').getByText("gpu_node01 to gpu_node03").waitFor();
      await page.getByRole("link", { name: "Create VMs" }).first().click();
      assert.equal(await page.locator('[name="gpu_node.count"]').inputValue(), "3");
      await page.goto("/types/versions");
      await expectAccessibleEverywhere(page, "the earlier versions");
      await page.getByRole("link", { name: "Before gpu_node was added" }).click();
      await page.getByRole("button", { name: "Restore this version" }).click();
      await page.locator("#saved").waitFor();
      assert.equal(await page.locator('[data-type="gpu_node"]').count(), 0);
    },
    { screen, ignore: /status of 422/ },
  );
}

browserTest(
  "the text of the configuration is edited as a whole",
  {},
  async ({ page }) => {
    await page.goto("/types/yaml");
    await expectAccessibleEverywhere(page, "the YAML tab");
    const text = await page.locator("#field-yaml").inputValue();
    await page.locator("#field-yaml").fill(text.replace("count: 3", "count: many"));
    await page.locator("#review").click();
    await page.locator("#error-summary").getByText(/Line 12, column 10: worker\.count/).waitFor();
    await expectAccessibleEverywhere(page, "the YAML tab with a mistake");
    await page.locator("#field-yaml").fill(text.replace("count: 3", "count: 7 # seven"));
    await page.locator("#review").click();
    assert.equal(await page.locator('[data-diff="added"]').count(), 1);
    await page.getByRole("button", { name: "Save config.yaml" }).click();
    await page.locator('[data-type="worker"]').getByText("worker01 to worker07").waitFor();
  },
  { ignore: /status of 422/ },
);

browserTest("the YAML tab completes keys and values from the JSON Schema", {}, async ({ page }) => {
  await page.goto("/types/yaml");
  const text = page.locator("#field-yaml");
  await page.waitForFunction("!document.getElementById('yaml-keys').hidden");
  await text.press("Control+End");
  await text.pressSequentially("  thr");
  await page.locator("#yaml-keys").getByText("threads").waitFor();
  await expectAccessibleEverywhere(page, "the YAML tab with suggestions");
  await text.press("Tab");
  await text.pressSequentially("2\n  on_failure: k");
  await page.locator("#yaml-keys").getByText("keep").click();
  assert.match(await text.inputValue(), /\n {2}threads: 2\n {2}on_failure: keep$/);
  await text.press("Tab");
  assert.notEqual(await page.evaluate("document.activeElement.id"), "field-yaml", "Tab leaves the field");
  await page.locator("#review").click();
  assert.equal(await page.locator('[data-diff="added"]').count(), 2);
});

Deno.test({
  name: "without JavaScript a VM type is declared by the same forms",
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
  await page.goto("/types");
  await page.getByRole("link", { name: "New type" }).click();
  await page.locator("#field-name").fill("worker");
  await page.getByLabel("Install image").first().fill("/mnt/tank/iso/debian.iso");
  await page.getByRole("button", { name: "One more" }).click();
  assert.equal(await page.getByLabel("How many").inputValue(), "2");
  assert.equal(await page.locator("#field-name").inputValue(), "worker");
  await page.getByRole("radio", { name: /Custom/ }).check();
  await page.getByLabel("Memory", { exact: true }).fill("3 GiB");
  await page.getByRole("button", { name: "Update totals" }).click();
  await page.locator("#type-totals").getByText("6 GiB").waitFor();
  await page.getByLabel("Disks go to").first().selectOption("tank/vms");
  await page.locator("#review").click();
  await page.getByRole("button", { name: "Save config.yaml" }).click();
  await page.locator('[data-type="worker"]').waitFor();
  assert.match(
    dashboard.store.file().text,
    /^# nothing yet\n\nstorage:\n[^]*\nworker:\n {2}count: 2\n {2}memory: 3072\n/,
  );
  await context.close();
});
