/**
 * Protects changing and replacing VMs from the plan in Chromium: what is ticked is named by the button and done, a running VM
 * keeps running or is restarted one at a time, replacing needs its phrase, and a NAS that goes away is waited for.
 */
import assert from "node:assert/strict";
import type { Page } from "../support/packages/playwright.ts";
import { GIB } from "../../lib/units.ts";
import { simulated, turnOff } from "../support/vms/differing.ts";
import {
  browser,
  browserTest,
  expectAccessibleEverywhere,
  finished,
  PLACES,
  type Session,
} from "../support/browser/pages.ts";

/** Three workers with less memory than is configured. */
async function makeWorkers({ dashboard }: Session): Promise<void> {
  const { manager, configuration } = dashboard;
  const result = await manager.createVmType(configuration().configuration, "worker", 5920);
  assert.equal(result.status, "done");
  for (const name of NAMES) simulated(dashboard, name).config.memory = 1024;
}

const NAMES = ["worker01", "worker02", "worker03"] as const;

/** The plan for so many workers. */
async function openPlan({ page }: Session, count: number): Promise<void> {
  await page.goto("/create");
  const howMany = (type: string) =>
    page.getByRole("region", { name: type, exact: true }).getByLabel("How many");
  await howMany("controlplane").fill("0");
  await howMany("worker").fill(String(count));
  await page.getByRole("button", { name: "Review the plan" }).click();
  await page.locator("#plan").waitFor();
}

/** What the button says. */
function button(page: Page) {
  return page.locator("#confirm-create");
}

function statesOf({ dashboard }: Session, names: readonly string[]) {
  return names.map((name) => {
    const { config, state } = simulated(dashboard, name);
    return [state, config.memory];
  });
}

for (const { version, screen } of PLACES) {
  const width = screen.viewport.width;
  browserTest(
    `a stopped VM is changed at once, and a running one for its next start, on ${version} at ${width} px`,
    { simulator: { version, foreignVms: 2 } },
    async (session) => {
      const { page, dashboard } = session;
      await makeWorkers(session);
      turnOff(dashboard, "worker01");
      await openPlan(session, 4);
      assert.equal(await button(page).innerText(), "Create 1, change 1");
      await page.locator('input[name="change"][value="worker02"]').check();
      assert.equal(await button(page).innerText(), "Create 1, change 2");
      await expectAccessibleEverywhere(page, "a plan that changes VMs");
      await page.setViewportSize(screen.viewport);
      await button(page).click();
      await finished(page, "done");
      assert.match(await page.locator("h1").innerText(), /Create 1 VM, change 2/);
      assert.match(await page.locator("#operation-summary").innerText(), /3 of 3 VMs done/);
      assert.match(await page.locator("#operation-log").innerText(), /takes effect at its next start/);
      assert.equal(
        await page.locator('[data-vm="worker02"][data-step="change"][data-status="done"]').count(),
        1,
      );
      assert.equal(await page.locator('[data-vm="worker03"][data-step]').count(), 0, "it was not ticked");
      await expectAccessibleEverywhere(page, "an operation that changed VMs");
      assert.deepEqual(statesOf(session, NAMES), [
        ["STOPPED", 2048],
        ["RUNNING", 2048],
        ["RUNNING", 1024],
      ]);
    },
    { screen },
  );
}

browserTest(
  "running VMs are restarted one at a time, the next one when the last one runs",
  { simulator: { foreignVms: 1 } },
  async (session) => {
    const { page, dashboard: { simulator } } = session;
    await makeWorkers(session);
    await openPlan(session, 3);
    assert.equal(await button(page).innerText(), "Nothing is ticked");
    await page.getByLabel("Change all 3").check();
    assert.equal(await button(page).innerText(), "Change 3 VMs");
    await page.getByLabel("Restart them").check();
    const before = simulator.calls.length;
    await button(page).click();
    await finished(page, "done");
    assert.match(await page.locator("#operation-summary").innerText(), /3 of 3 VMs changed/);
    const power = simulator.calls.slice(before).map(({ method }) => method)
      .filter((method) => ["vm.stop", "vm.start", "vm.update"].includes(method));
    const each = ["vm.stop", "vm.update", "vm.start"];
    assert.deepEqual(power, [...each, ...each, ...each]);
    const all = statesOf(session, NAMES);
    assert.deepEqual(all, [["RUNNING", 2048], ["RUNNING", 2048], ["RUNNING", 2048]]);
    await page.getByRole("columnheader", { name: "Change settings" }).waitFor();
  },
);

browserTest(
  "a VM is replaced after its phrase was typed, keeps its address, and the others stay",
  { simulator: { foreignVms: 1 } },
  async (session) => {
    const { page, dashboard } = session;
    await makeWorkers(session);
    const nicsOf = async (name: string) =>
      (await dashboard.manager.list()).find((vm) => vm.name === name)?.nics.map(({ mac }) => mac);
    const [macs, { id }] = [await nicsOf("worker02"), simulated(dashboard, "worker02")];
    for (const name of NAMES) {
      const zvol = dashboard.simulator.store.datasets.get(`tank/vms/${name}-disk0`);
      assert.ok(zvol);
      zvol.volsizeBytes = 30 * GIB;
    }
    await openPlan(session, 3);
    assert.equal(await page.locator("#replace-phrase").isVisible(), false, "nothing is ticked");
    await page.locator('input[name="replace"][value="worker02"]').check();
    await page.locator('input[name="replace"][value="worker03"]').check();
    await page.getByLabel("Type “destroy 2 vms” to confirm replacing").waitFor();
    await page.locator('input[name="replace"][value="worker03"]').uncheck();
    await expectAccessibleEverywhere(page, "a plan that replaces a VM");
    await button(page).click();
    const phrase = page.getByLabel("Type “destroy 1 vm” to confirm replacing");
    assert.ok(await phrase.evaluate((field) => field.matches(":focus")), "the phrase is missing");
    await phrase.fill("Destroy 1 VM");
    assert.equal(await button(page).innerText(), "Replace 1 VM");
    await phrase.press("Enter");
    await finished(page, "done");
    assert.match(await page.locator("#operation-summary").innerText(), /1 of 1 VM replaced/);
    await expectAccessibleEverywhere(page, "an operation that replaced a VM");
    assert.notEqual(simulated(dashboard, "worker02").id, id);
    assert.deepEqual(await nicsOf("worker02"), macs);
    assert.equal(
      dashboard.simulator.store.datasets.get("tank/vms/worker03-disk0")?.volsizeBytes,
      30 * GIB,
    );
  },
);

browserTest(
  "a NAS that goes away in the middle of a change is waited for, and the change is done",
  { simulator: { foreignVms: 1 } },
  async (session) => {
    const { page, dashboard: { simulator } } = session;
    await makeWorkers(session);
    turnOff(session.dashboard, "worker01", "worker02", "worker03");
    await openPlan(session, 3);
    const gone = Promise.withResolvers<void>();
    simulator.addFault({ method: "vm.update", action: "hold", until: gone.promise, times: Infinity });
    await button(page).click();
    await page.waitForSelector('[data-step="change"][data-status="running"]');
    await simulator.goAway();
    simulator.clearFaults();
    gone.resolve();
    await finished(page, "waiting");
    assert.match(await page.locator("#waterfall-axis").textContent() ?? "", /NAS away/);
    await simulator.comeBack();
    await finished(page, "done");
    assert.match(await page.locator("#operation-summary").innerText(), /3 of 3 VMs changed/);
    assert.match(await page.locator("#waterfall").innerText(), /Changed, healed/);
    const states = statesOf(session, NAMES);
    assert.deepEqual(states, [["STOPPED", 2048], ["STOPPED", 2048], ["STOPPED", 2048]]);
  },
  { ignore: /./ },
);

browserTest("without JavaScript the same is ticked, confirmed and done", {}, async (session) => {
  const { dashboard } = session;
  await makeWorkers(session);
  turnOff(dashboard, "worker01");
  await using context = await browser.newContext({ baseURL: dashboard.url, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto("/create/plan?type=worker");
  assert.equal(await button(page).innerText(), "Carry out");
  await page.locator('input[name="change"][value="worker01"]').uncheck();
  await button(page).click();
  await page.getByText("Nothing is ticked. Tick the VMs to change").waitFor();
  await page.locator('input[name="change"][value="worker01"]').check();
  await button(page).click();
  await page.waitForURL(/operations/);
  await session.page.goto(page.url());
  await finished(session.page, "done");
  assert.equal(simulated(dashboard, "worker01").config.memory, 2048);
  assert.equal(simulated(dashboard, "worker02").config.memory, 1024);
});
