/**
 * Protects the serial console as people use it, in Chromium: what is typed and pasted reaches the guest, its terminal has
 * the width of the window, and it comes back after the connection was lost.
 */
import assert from "node:assert/strict";
import { repeatedly } from "../../support/deadline.ts";
import { idOf } from "../../support/pages/dashboard.ts";
import { browserTest, openMenu, PLACES } from "../../support/browser/pages.ts";

for (const { version, screen } of PLACES) {
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
    const width = () =>
      Number(dashboard.simulator.calls.findLast(({ method }) => method === "core.resize_shell")?.params[1]);
    await repeatedly("the guest knows the narrow width", () => Promise.resolve(width() <= 45 || null));
    dashboard.simulator.cutConnections();
    await page.waitForSelector('#serial[data-state="closed"]');
    await page.waitForSelector('#serial[data-state="connected"]');
    assert.ok(await screen.isVisible());
  }, { screen });
}
