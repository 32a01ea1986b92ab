/**
 * Protects how consoles and notices look: notices keep their distance; consoles fit into the window at their usual sizes, the terminal stays inside its frame, and
 * both say by shape and word whether they are connected.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import { browser, browserTest, evaluateAll, type Screen } from "../support/browser/pages.ts";

const WINDOWS = [
  { viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true },
] as const satisfies readonly Screen[];

async function boxOf(page: Page, selector: string) {
  const box = await page.locator(selector).boundingBox();
  assert.ok(box !== null, `${selector} is on the page`);
  return { top: box.y, bottom: box.y + box.height };
}

/** Where the window ends for what is read: above the navigation of a phone. */
async function endOf(page: Page, { viewport }: Screen): Promise<number> {
  return viewport.width > 700 ? viewport.height : (await boxOf(page, "nav.nav")).top;
}

for (const screen of WINDOWS) {
  const { width, height } = screen.viewport;
  browserTest(
    `a screen and a serial console fit into ${width} × ${height}, and the terminal into its frame`,
    {},
    async ({ page, dashboard }) => {
      const vm = dashboard.manager.inventory.live.snapshot.vms?.find(({ state, displays }) =>
        state === "RUNNING" && displays.length > 0
      );
      assert.ok(vm, "the premise: a VM with a display runs");
      await page.goto(`/vms/${vm.id}/console`);
      const frame = await boxOf(page, ".screen-frame");
      assert.ok(frame.bottom <= await endOf(page, screen), JSON.stringify(frame));
      await page.goto(`/vms/${vm.id}/serial`);
      await page.waitForSelector('#serial[data-state="connected"]');
      const state = page.locator('#serial-status [data-when="connected"]');
      assert.equal((await state.innerText()).trim(), "Connected");
      assert.equal(await state.locator("svg.shape").count(), 1, "with its shape");
      const serial = await boxOf(page, "#serial");
      assert.ok(serial.bottom <= await endOf(page, screen), JSON.stringify(serial));
      const terminal = await boxOf(page, "#serial .xterm-screen");
      assert.ok(terminal.bottom <= serial.bottom, JSON.stringify({ terminal, serial }));
    },
    { screen, ignore: /WebSocket|ERR_/ },
  );
}

/** How far the second is below the first. */
async function gap(page: Page, above: string, below: string): Promise<number> {
  return Math.round((await boxOf(page, below)).top - (await boxOf(page, above)).bottom);
}

const USUAL_GAP = 16;

browserTest("notices on a VM's page and without JavaScript keep the usual distance", {}, async (session) => {
  const { page, dashboard } = session;
  const vm = dashboard.manager.inventory.live.snapshot.vms?.find(({ state }) => state === "RUNNING");
  assert.ok(vm, "the premise: a VM runs");
  await page.goto(`/vms/${vm.id}`);
  await page.locator("#edit > summary").click();
  await page.locator("#save-settings").click();
  await page.waitForSelector("#saved");
  assert.equal(await gap(page, "#vm-tabs", "#saved"), USUAL_GAP);
  assert.equal(await gap(page, "#saved", "#vm-now"), USUAL_GAP);

  const { operations, connection } = dashboard.manager;
  const { configuration } = dashboard.configuration();
  assert.equal(connection.state.kind, "live");
  const looked = Promise.withResolvers<void>();
  dashboard.simulator.addFault({ method: "vm.start", action: "hold", until: looked.promise });
  const created = dashboard.manager.createVmType(configuration, "worker", 5920);
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
  try {
    const still = await context.newPage();
    while (operations.claiming.length === 0) await page.evaluate("new Promise(requestAnimationFrame)");
    await still.goto(`/operations/${operations.claiming[0]?.id}`);
    assert.equal(await gap(still, ".page-head", "main noscript .notice"), USUAL_GAP);
    assert.equal(await gap(still, "main noscript .notice", "#operation"), USUAL_GAP);
  } finally {
    looked.resolve();
    await context.close();
    await created;
  }
});

browserTest(
  "what has the focus in the head of the list is seen on a phone too",
  {},
  async ({ page }) => {
    await page.goto("/");
    const stops = page.locator(".vms thead :is(a, input):visible");
    const count = await stops.count();
    assert.ok(count > 1, `the premise: ${count} things in the head can have the focus`);
    for (let n = 0; n < count; n++) {
      await stops.nth(n).focus();
      const box = await stops.nth(n).boundingBox();
      assert.ok(box !== null && box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
      const seen = `document.elementFromPoint(${box.x + box.width / 2}, ${box.y + box.height / 2})`;
      assert.ok(await page.evaluate(`document.activeElement.contains(${seen})`), `stop ${n + 1}`);
    }
    await page.locator("#filter-q").focus();
    const head = await page.locator(".vms thead").boundingBox();
    assert.ok(head !== null && head.height <= 1, "it takes no room without the focus");
  },
  { screen: WINDOWS[1] },
);

browserTest(
  "the figures of the NAS's load are whole on the narrowest phone",
  {},
  async ({ page }) => {
    await page.goto("/");
    await page.locator('#host-load [data-known="yes"]').nth(3).waitFor();
    for (const rate of ["8.8 MiB/s", "888 KiB/s"]) {
      const over = await page.evaluate(
        `Array.from(document.querySelectorAll("#host-load .figure"), (figure) => {
          figure.querySelector("b").textContent = "${rate}";
          return figure.scrollWidth - figure.clientWidth;
        })`,
      );
      assert.deepEqual(over, [0, 0, 0, 0], rate);
    }
  },
  { screen: { ...WINDOWS[1], viewport: { width: 320, height: 780 } } },
);

/** The label of a node whose middle is not seen, although it is shown; for evaluateAll. */
const CUT = `(({ x, y, width, height }) => node.getClientRects().length > 0 &&
  !node.contains(document.elementFromPoint(x + width / 2, y + height / 2)) ? node.textContent : ""
)(node.getBoundingClientRect())`;

browserTest(
  "every action of a menu in the middle of the window is seen without scrolling",
  { simulator: { foreignVms: 12 } },
  async ({ page }) => {
    await page.goto("/");
    const menus = page.locator("tr[data-vm] details.menu");
    const opened: number[] = [];
    for (let n = 0; n < 12; n++) {
      const box = await menus.nth(n).boundingBox();
      if (box === null || box.y > WINDOWS[0].viewport.height - 60) continue;
      await menus.nth(n).locator("summary").click();
      const cut = await evaluateAll(page, "tr details.menu[open] .item", CUT);
      assert.deepEqual(cut.filter((label) => label !== ""), [], `row ${n + 1}`);
      opened.push(n);
      await page.keyboard.press("Escape");
    }
    assert.ok(opened.length > 4, "the premise: several menus were opened");
  },
  { screen: WINDOWS[0] },
);
