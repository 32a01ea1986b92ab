/**
 * Protects that nothing jumps: while VMs come, go, start and stop, and while an operation runs, no part of the page moves
 * that did not just get a click or a key. Chromium's own layout-shift entries count, in the flows that people watch.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import {
  browserTest,
  createWorkers,
  evaluateAll,
  expectAccessibleEverywhere,
  finished,
  SCREENS,
  WATCHABLE,
} from "../support/browser/pages.ts";
import { TEST_TIMES } from "../support/pages/dashboard.ts";
import { repeatedly } from "../support/deadline.ts";

/** Keeps each shift with what moved; those within half a second of a click or key are the page's answer to it. */
const WATCH = `
  globalThis.shifts = [];
  const nameOf = (node) => node === null ? "gone" : node.nodeType === 3 ? nameOf(node.parentNode) + " text"
    : node.tagName.toLowerCase() + (node.id ? "#" + node.id : "") + (node.className?.baseVal ?? node.className
      ? "." + (node.className.baseVal ?? node.className) : "");
  const at = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(",");
  const keep = (entries) => {
    for (const { value, hadRecentInput, sources } of entries) {
      // Messages lie above the page, and come because something happened.
      const isMessage = sources.length > 0 && sources.every((it) => it.node?.parentElement?.closest("#toasts") != null);
      // Rows make room for others that come or go above them. A row that grows is a shift; one without a height before came
      // into view.
      const isRoom = /^(TBODY|TR)$/.test(sources[0]?.node?.tagName) && sources.every((it) =>
        it.node?.tagName !== "TR" || [0, it.currentRect.height].includes(it.previousRect.height));
      if (hadRecentInput || isMessage || isRoom) continue;
      const what = sources.map((it) => nameOf(it.node) + " " + at(it.previousRect) + " > " + at(it.currentRect));
      globalThis.shifts.push({ value, what: what.join("; ") });
    }
  };
  const observer = new PerformanceObserver((list) => keep(list.getEntries()));
  observer.observe({ type: "layout-shift", buffered: true });
  globalThis.takeShifts = () => {
    keep(observer.takeRecords());
    return globalThis.shifts.splice(0);
  };
`;

/** A line that makes room in its own cell for a second one; no browser's figure shows less. */
const UNSEEN = 0.0005;

/** The place of a node, for evaluateAll. */
const BOX = `(({ x, y, width, height }) => [x, y, width, height].join())(node.getBoundingClientRect())`;

/** A shift, as WATCH keeps it. */
interface Shift {
  readonly value: number;
  readonly what: string;
}

/** The shifts since it was last asked, the last frame's included: its entries exist once the next one has begun. */
async function takeShifts(page: Page): Promise<Shift[]> {
  return await page.evaluate(
    "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(takeShifts()))))",
  );
}

async function expectStill(page: Page, where: string): Promise<void> {
  const shifts = await takeShifts(page);
  const sum = shifts.reduce((total, { value }) => total + value, 0);
  const found = shifts.map(({ value, what }) => `${value.toFixed(5)}: ${what}`);
  assert.ok(sum < UNSEEN, [where, ...found].join("\n"));
}

browserTest("what moves is seen, with its name: the premise of the other tests", {}, async ({ page }) => {
  await page.addInitScript(WATCH);
  await page.goto("/");
  await page.waitForSelector('#connection[data-connection="live"]');
  await expectStill(page, "as it opens");
  await page.evaluate("document.querySelector('main').style.marginTop = '60px'");
  const shifts = (await takeShifts(page)).filter(({ value }) => value > UNSEEN);
  assert.equal(shifts.length, 1, JSON.stringify(shifts));
  assert.match(shifts[0]?.what ?? "", /main/);
  await expectStill(page, "each shift is told once");
});

for (const screen of SCREENS) {
  const where = `${screen.viewport.width} px`;

  browserTest(
    `nothing moves in the list at ${where} while VMs elsewhere are created and destroyed`,
    {},
    async (
      { page, dashboard },
    ) => {
      await page.addInitScript(WATCH);
      await page.goto("/");
      await page.waitForSelector('#connection[data-connection="live"]');
      await expectStill(page, "as it opens");
      const { configuration } = dashboard.configuration();
      await dashboard.manager.createVmType(configuration, "worker", 5910);
      await page.waitForSelector('tr[data-vm="worker03"][data-state="RUNNING"]');
      await page.locator(".op-strip, [data-busy]").waitFor({ state: "detached" });
      await expectStill(page, "while they are created");
      await dashboard.manager.destroyManagedVms(["worker"]);
      await page.waitForSelector('tr[data-vm="worker03"]', { state: "detached" });
      await expectStill(page, "while they are destroyed");
    },
    { screen },
  );

  browserTest(
    `nothing moves in a long list at ${where} while VMs are powered off`,
    { simulator: { foreignVms: 260 } },
    async ({ page, dashboard }) => {
      await page.addInitScript(WATCH);
      await page.goto("/");
      await page.waitForSelector('#connection[data-connection="live"]');
      await expectStill(page, "as it opens");
      for (const name of ["homeassistant", "pihole8"]) {
        const vm = [...dashboard.simulator.store.vms.values()].find(({ config }) => config.name === name);
        assert.ok(vm, name);
        const request = { action: "poweroff", id: vm.id, name, state: "RUNNING", overcommit: false } as const;
        await dashboard.manager.changes.act("poweroff", [request]).finished;
        await page.waitForSelector(`tr[data-vm="${name}"][data-state="STOPPED"]`);
        await expectStill(page, name);
      }
    },
    { screen },
  );

  browserTest(
    `nothing moves at ${where} when the charts of the NAS's load come and go on`,
    { simulator: { times: { ...WATCHABLE, measuringSecondMs: 100 } } },
    async ({ page, dashboard }) => {
      await page.addInitScript(WATCH);
      const paths =
        'Array.from(document.querySelectorAll("#host-load path"), (path) => path.getAttribute("d")).join()';
      await page.goto("/");
      const boxOf = () => page.locator("#host-load").boundingBox();
      const place = await boxOf();
      await page.locator('#host-load [data-known="yes"]').nth(3).waitFor();
      const drawn = await page.evaluate(paths);
      await repeatedly(
        "the charts are drawn again",
        async () => await page.evaluate(paths) !== drawn || null,
      );
      assert.deepEqual(await boxOf(), place, "the charts have the place that was kept for them");
      const figures = await page.locator("#host-load [data-load]").allInnerTexts();
      for (
        const [n, figure] of [/CPU\s+\d+ %/, /Memory\s.*GiB/s, /Network\s.*\/s/s, /Disks\s.*\/s/s].entries()
      ) {
        assert.match(figures[n] ?? "", figure);
      }
      await page.getByRole("img", { name: /^CPU of the NAS: \d+ % now/ }).waitFor();
      await expectStill(page, "the charts");
      await expectAccessibleEverywhere(page, "the list with its charts");
      await page.goto("/operations");
      await repeatedly(
        "the NAS measures no longer",
        () => Promise.resolve(dashboard.simulator.measurements === 0 || null),
      );
    },
    { screen },
  );

  browserTest(`nothing moves from the form to the end of an operation at ${where}`, {}, async (session) => {
    const { page, dashboard: { simulator } } = session;
    await page.addInitScript(WATCH);
    await createWorkers(page, 3);
    await finished(page, "done");
    await expectStill(page, "the operation");
    await page.goto("/create");
    await expectStill(page, "the form");
    await page.getByRole("button", { name: "Review the plan" }).click();
    await page.waitForSelector("#confirm-create, [data-plan-vm]");
    await expectStill(page, "the plan");
    for (const { config } of simulator.store.vms.values()) {
      if (config.name.startsWith("worker")) config.memory = 1024;
    }
    await page.goto("/create");
    await page.getByRole("button", { name: "Review the plan" }).click();
    await page.locator('input[name="change"]').first().check();
    await expectStill(page, "a plan in which VMs are ticked to be changed");
  }, { screen });

  browserTest(
    `nothing moves at ${where} when the time that is left becomes known, and when the operation ends`,
    // So long that there is time left to tell.
    { simulator: { times: { ...TEST_TIMES, startMs: 3_000 } } },
    async ({ page, dashboard }) => {
      const [all, one] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      using held = new DisposableStack();
      for (const { resolve } of [all, one]) held.defer(resolve);
      const hold = { method: "vm.device.create", action: "hold" } as const;
      const matches = (params: readonly unknown[]) => JSON.stringify(params).includes("worker03");
      dashboard.simulator.addFault({ ...hold, matches, until: one.promise });
      dashboard.simulator.addFault({ ...hold, times: 2, until: all.promise });
      await page.addInitScript(WATCH);
      await createWorkers(page, 3);
      await page.locator("dl.times", { hasText: "elapsed" }).waitFor();
      const boxes = () => evaluateAll(page, ".progress-head > *, dl.times > :first-child", BOX);
      assert.equal(await page.locator("dl.times .planned dd").count(), 0, "no step was measured yet");
      const atFirst = await boxes();
      all.resolve();
      // Only a VM that has finished tells how long every step takes.
      await page.locator("dl.times .planned", { hasText: /about \d:\d\d/ }).waitFor();
      assert.deepEqual(await boxes(), atFirst, "when the time that is left is known");
      // What comes within half a second of the click counts as its answer.
      await page.locator("dl.times", { hasText: /elapsed\s*(?!0:0[01])\d+:\d\d/ }).waitFor();
      one.resolve();
      await finished(page, "done");
      assert.deepEqual(await boxes(), atFirst, "when it is over");
      await expectStill(page, "the operation");
    },
    { screen },
  );

  browserTest(`nothing moves on a VM's page at ${where} while the VM stops and starts`, {}, async (
    { page, dashboard },
  ) => {
    await page.addInitScript(WATCH);
    await page.goto("/vms/1");
    await page.waitForSelector('#connection[data-connection="live"]');
    await expectStill(page, "as it opens");
    for (
      const [action, from, to] of [["poweroff", "RUNNING", "STOPPED"], [
        "start",
        "STOPPED",
        "RUNNING",
      ]] as const
    ) {
      const request = { action, id: 1, name: "homeassistant", state: from, overcommit: false } as const;
      await dashboard.manager.changes.act(action, [request]).finished;
      await page.waitForSelector(`#vm-state[data-state="${to}"]`);
      await expectStill(page, action);
    }
  }, { screen });
}
