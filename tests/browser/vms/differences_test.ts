/**
 * Protects the mark of a VM that differs from its type: it comes and goes by itself in an open list, no row grows for it,
 * and it leads to the plan that settles each difference.
 */
import assert from "node:assert/strict";
import { browserTest, expectAccessibleEverywhere, row, SCREENS } from "../../support/browser/pages.ts";

for (const screen of SCREENS) {
  browserTest(
    `a VM that is changed gets its mark in the open list at ${screen.viewport.width} px, and loses it when it is changed back`,
    { simulator: { foreignVms: 2 } },
    async ({ page, dashboard }) => {
      const { simulator, manager } = dashboard;
      const { configuration } = dashboard.configuration();
      await manager.createVmType(configuration, "worker", 5920);
      const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === "worker02");
      assert.ok(vm);
      const change = async (config: Partial<typeof vm.config>) => {
        Object.assign(vm.config, config);
        await manager.inventory.live.refreshNow(vm.id);
      };
      await page.goto("/");
      const mark = row(page, "worker02").locator("[data-differs]");
      assert.equal(await mark.count(), 0);
      const heights = () =>
        page.locator("tr[data-vm]").evaluateAll((rows) =>
          rows.map((it) => Math.round(it.getBoundingClientRect().height))
        );
      const before = await heights();
      await change({ autostart: false, cpu_mode: "CUSTOM" });
      await mark.waitFor();
      assert.equal((await mark.textContent())?.trim(), "2 differences");
      assert.deepEqual(await heights(), before);
      await change({ autostart: true });
      await row(page, "worker02").locator('[data-differs="1"]').waitFor();
      await expectAccessibleEverywhere(page, "a list with a VM that differs");
      await page.setViewportSize(screen.viewport);
      await mark.click();
      const detail = page.locator('[data-detail="worker02"]');
      assert.match(await detail.innerText(), /CPU mode\s+CUSTOM\s+becomes\s+HOST-PASSTHROUGH/);
      assert.ok(await detail.getByRole("checkbox").isChecked(), "it is what was clicked");
      await page.goto(`/vms/${vm.id}`);
      await page.getByText("cpu_mode: CUSTOM here, HOST-PASSTHROUGH in the type").waitFor();
      await expectAccessibleEverywhere(page, "a VM that differs");
      await page.getByRole("link", { name: "Review and apply…" }).click();
      await detail.waitFor();
      await page.goto("/");
      await change({ cpu_mode: "HOST-PASSTHROUGH" });
      await mark.waitFor({ state: "detached" });
    },
    { screen },
  );
}
