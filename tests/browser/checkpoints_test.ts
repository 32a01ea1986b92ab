/**
 * Protects checkpoints in Chromium: taken of a selection in the list and rolled back, accessible at every width in both
 * themes, and the whole way without JavaScript.
 */
import assert from "node:assert/strict";
import { contents, createWorkers, take, write } from "../support/vms/checkpoints.ts";
import { browser, browserTest, expectAccessibleEverywhere, finished, row } from "../support/browser/pages.ts";
import type { TestDashboard } from "../support/pages/dashboard.ts";

async function prepare({ manager, simulator }: TestDashboard): Promise<void> {
  await createWorkers(manager);
  await manager.inventory.live.ready();
  write(simulator, "worker01-disk0", "good");
}

browserTest("a selection is checkpointed and rolled back, on pages that everybody can use", {}, async (
  { page, dashboard },
) => {
  const { manager, simulator } = dashboard;
  await prepare(dashboard);
  await page.goto("/checkpoints");
  await expectAccessibleEverywhere(page, "no checkpoints");
  await page.goto("/");
  await row(page, "worker01").getByRole("checkbox").check();
  await page.getByLabel("More for the selected VMs").click();
  await page.getByRole("button", { name: "Checkpoint…" }).click();
  await page.waitForURL(/\/checkpoints\/new/);
  await expectAccessibleEverywhere(page, "taking a checkpoint");
  await page.getByLabel("Name").fill("before-upgrade");
  await page.getByLabel("Note").fill("Talos 1.13");
  await page.getByRole("button", { name: "Take checkpoint of 1 VM" }).click();
  await finished(page, "done");
  await expectAccessibleEverywhere(page, "the operation");
  write(simulator, "worker01-disk0", "broken");
  await take(manager, "later", { select: { names: ["worker01"] } });
  for (
    const path of [
      "/checkpoints",
      "/checkpoints/before-upgrade/rollback?discard=yes",
      "/checkpoints/later/remove",
    ]
  ) {
    await page.goto(path);
    await expectAccessibleEverywhere(page, path);
  }
  await page.goto("/checkpoints/before-upgrade/rollback");
  await page.getByLabel("Discard later snapshots").check();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByLabel("Type “roll back 1 vm” to confirm").fill("roll back 1 vm");
  await page.locator("#confirm-rollback").click();
  await finished(page, "done");
  assert.equal(contents(simulator)[0], "good");
});

browserTest("without JavaScript a checkpoint is taken, rolled back and removed all the same", {}, async (
  { dashboard },
) => {
  const { manager, simulator } = dashboard;
  await prepare(dashboard);
  await take(manager, "first", { select: { names: ["worker01"] } });
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
  try {
    const page = await context.newPage();
    const reach = async (status: string) => {
      while (await page.locator(`#operation[data-status="${status}"]`).count() === 0) await page.reload();
    };
    write(simulator, "worker01-disk0", "broken");
    await page.goto("/checkpoints/first/rollback");
    await page.getByLabel("Type “roll back 1 vm” to confirm").fill("roll back 1 vm");
    await page.locator("#confirm-rollback").click();
    await reach("done");
    assert.equal(contents(simulator)[0], "good");
    await page.goto("/checkpoints/first/remove");
    await page.getByLabel("Type “remove first” to confirm").fill("remove first");
    await page.locator("#confirm-remove").click();
    await reach("done");
    await page.goto("/checkpoints");
    await page.getByText("No checkpoints yet").waitFor();
  } finally {
    await context.close();
  }
});
