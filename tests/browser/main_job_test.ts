/**
 * Protects the main job in Chromium: list, create three workers while watching the steps, reload in the middle, see a
 * failing disk rolled back, and destroy with confirmation, on two releases. No page may have an accessibility
 * violation, a script error or a policy violation.
 */
import assert from "node:assert/strict";
import {
  browser,
  browserTest,
  createWorkers,
  evaluateAll,
  expectAccessibleEverywhere,
  finished,
  PLACES,
  SCREENS,
  stepStatuses,
} from "../support/browser/pages.ts";

for (const { version, screen } of PLACES) {
  browserTest(`the main job on ${version}: create a cluster from config.yaml, then destroy it`, {
    simulator: { version },
  }, async (session) => {
    const { page, dashboard } = session;
    const datasets = new Set(dashboard.simulator.store.datasets.keys());
    await page.goto("/");
    assert.equal(await page.locator("tr[data-vm]").count(), 5);
    await page.getByRole("link", { name: /^Create( VMs)?$/ }).first().click();
    await page.getByRole("button", { name: "Review the plan" }).click();
    assert.equal(await page.locator("[data-plan-vm]").count(), 4);
    await page.getByRole("button", { name: "Create 4 VMs" }).click();
    await finished(page, "done");
    assert.deepEqual(new Set(await stepStatuses(page)), new Set(["done"]));
    await page.goto("/");
    for (const name of ["controlplane01", "worker01", "worker02", "worker03"]) {
      assert.equal(await page.locator(`tr[data-vm="${name}"]`).getAttribute("data-state"), "RUNNING");
    }
    await page.locator("#page-menu > summary").click();
    await page.getByRole("link", { name: "Destroy VMs…" }).click();
    assert.equal(await page.locator("tr[data-vm]").count(), 4);
    await page.getByLabel(/^Type/).fill("destroy 4 vms");
    await page.getByRole("button", { name: "Destroy 4 VMs and 7 disks" }).click();
    await finished(page, "done");
    assert.deepEqual(new Set(dashboard.simulator.store.datasets.keys()), datasets);
    assert.equal(dashboard.simulator.store.vms.size, 5);
  }, { screen });
}

for (const { version, screen } of PLACES) {
  browserTest(
    `a failed creation on ${version} is resumed, and orphans are removed, each after a page that names the resources`,
    {
      simulator: { version },
    },
    async ({ page, dashboard }) => {
      const before = new Set(dashboard.simulator.store.datasets.keys());
      dashboard.simulator.addFault({
        method: "vm.device.create",
        action: "fail",
        matches: (params) => JSON.stringify(params).includes("worker02-disk1"),
      });
      await page.goto("/create");
      await page.locator("#type-worker summary").getByText("Advanced").click();
      await page.locator("#type-worker").getByLabel("If a VM fails").selectOption("keep");
      await page.getByRole("button", { name: "Review the plan" }).click();
      await page.getByRole("button", { name: "Create 4 VMs" }).click();
      await finished(page, "partly-done");
      await expectAccessibleEverywhere(page, "an operation with choices");
      await page.getByRole("button", { name: "Resume creating 1 VM" }).click();
      await finished(page, "done");
      await page.goto("/destroy");
      await page.getByLabel("Keep disks").check();
      await page.getByRole("button", { name: "List VMs" }).click();
      await page.getByLabel(/^Type/).fill("destroy 4 vms");
      await page.getByRole("button", { name: "Destroy 4 VMs" }).click();
      await finished(page, "done");
      await page.goto("/destroy");
      await page.getByRole("link", { name: "Orphans" }).click();
      assert.equal(await page.locator("tr[data-zvol]").count(), 7);
      await expectAccessibleEverywhere(page, "the orphans");
      await page.getByRole("link", { name: "Leave tank/vms/controlplane01-disk0 out" }).click();
      await page.getByLabel(/^Type/).fill("destroy 6 disks");
      await page.getByRole("button", { name: "Destroy 6 disks" }).click();
      await finished(page, "done");
      before.add("tank/vms/controlplane01-disk0");
      assert.deepEqual(new Set(dashboard.simulator.store.datasets.keys()), before);
    },
    { screen },
  );
}

for (const screen of SCREENS) {
  browserTest(
    `steps appear as they happen, and survive a reload and a second viewer (${screen.viewport.width} px)`,
    {},
    async ({ page, dashboard }) => {
      const seen = Promise.withResolvers<void>();
      dashboard.simulator.addFault({ method: "vm.start", action: "hold", until: seen.promise });
      await createWorkers(page, 3);
      await page.waitForSelector('[data-step="display"][data-status="done"]');
      assert.equal(await page.locator("[data-stream]").count(), 1, "a page has one stream");
      assert.ok((await stepStatuses(page)).includes("running"), "it is seen before its end");
      await page.reload();
      const second = await page.context().newPage();
      await second.goto(page.url());
      seen.resolve();
      await Promise.all([finished(page, "done"), finished(second, "done")]);
      for (const viewer of [page, second]) {
        const ids = await evaluateAll(viewer, "#operation-log > div", "node.id");
        assert.equal(new Set(ids).size, ids.length, "no line is repeated");
        const logged = dashboard.manager.operations.store.list()[0];
        assert.equal(ids.at(-1), `log-${logged?.lastSeq}`, "the last line is there");
        assert.match(await viewer.locator("#operation-summary").innerText(), /3 done/);
      }
      await second.close();
      dashboard.simulator.cutConnections();
      await page.waitForSelector('[data-connection="reconnecting"]');
      await page.waitForSelector('[data-connection="live"]');
    },
    { screen },
  );
}

for (const screen of SCREENS) {
  browserTest(
    `a failing disk is rolled back and shown with the NAS's error (${screen.viewport.width} px)`,
    {},
    async ({ page, dashboard }) => {
      dashboard.simulator.addFault({
        method: "vm.device.create",
        matches: (params) => JSON.stringify(params).includes("worker02-disk1"),
        moment: "middle",
        action: "fail",
        error: { errno: 28, errname: "ENOSPC", reason: "[ENOSPC] out of space" },
      });
      await createWorkers(page, 3);
      await finished(page, "partly-done");
      const notice = await page.locator("#operation-notices").innerText();
      assert.match(notice, /worker02 was not created/);
      assert.match(notice, /out of space/);
      assert.match(notice, /nothing is left/);
      assert.match(await page.locator("#operation-summary").innerText(), /2 done, 1 failed/);
      assert.equal(
        await page.locator('[data-vm="worker02"][data-step="disk0"]').getAttribute("data-status"),
        "rolled-back",
      );
      assert.equal(
        await page.locator('[data-vm="worker02"][data-step="disk1"]').getAttribute("data-status"),
        "failed",
      );
      assert.ok(![...dashboard.simulator.store.datasets.keys()].some((name) => name.includes("worker02")));
      await expectAccessibleEverywhere(page, "a partly done operation");
    },
    { screen },
  );
}

browserTest(
  "VMs appear, change and disappear in the list without a reload",
  {},
  async ({ page, dashboard }) => {
    await page.goto("/");
    await page.waitForSelector('tr[data-vm="pihole"]');
    const { configuration } = dashboard.configuration();
    await dashboard.manager.createVmType(configuration, "controlplane", 5910);
    await page.waitForSelector('tr[data-vm="controlplane01"][data-state="RUNNING"]');
    await dashboard.manager.destroyManagedVms(["controlplane"]);
    await page.waitForSelector('tr[data-vm="controlplane01"]', { state: "detached" });
    dashboard.simulator.cutConnections();
    await page.waitForSelector('[data-connection="reconnecting"]');
    await page.waitForSelector('[data-connection="live"]');
  },
);

for (const screen of SCREENS) {
  browserTest(
    `a mistake is shown at its field with the entry kept, and the summary links to it (${screen.viewport.width} px)`,
    {},
    async ({ page, complaints }) => {
      await page.goto("/create");
      await page.getByRole("region", { name: "worker", exact: true }).getByLabel("How many").fill("1000");
      await page.getByRole("button", { name: "Review the plan" }).click();
      const error = page.locator('[data-error="worker.count"]');
      assert.match(await error.innerText(), /from 0 to 99, found 1000/);
      await page.locator("#error-summary a").first().click();
      assert.equal(
        await page.evaluate("document.activeElement.getAttribute('name')"),
        "worker.count",
      );
      assert.equal(
        await page.getByRole("region", { name: "worker", exact: true }).getByLabel("How many").inputValue(),
        "1000",
      );
      await expectAccessibleEverywhere(page, "a form with a mistake");
      // The browser itself reports the 422 as a failed resource; nothing else may be there.
      assert.ok(complaints.splice(0).every((complaint) => complaint.includes("422")));
    },
    { screen },
  );
}

for (const screen of SCREENS) {
  browserTest(
    `Enter in a field shows the plan and never creates; choices of a type are kept (${screen.viewport.width} px)`,
    {},
    async ({ page, dashboard }) => {
      await page.goto("/create");
      const worker = () => page.getByRole("region", { name: "worker", exact: true });
      const openAdvanced = () => worker().getByText("Advanced").click();
      await openAdvanced();
      await worker().getByLabel("Start once created").uncheck();
      await worker().getByLabel("Description").fill("lab <7>");
      await worker().getByLabel("How many").press("Enter");
      await page.waitForSelector("#confirm-create");
      const openFields = () => page.getByText("Change what is declared").click();
      await openFields();
      await Promise.all([page.waitForNavigation(), worker().getByLabel("How many").press("Enter")]);
      await page.waitForSelector("#confirm-create");
      await openFields();
      await openAdvanced();
      assert.equal(dashboard.manager.operations.store.list().length, 0);
      assert.equal(await worker().getByLabel("Start once created").isChecked(), false);
      assert.equal(await worker().getByLabel("Start with the NAS").isChecked(), true);
      assert.equal(await worker().getByLabel("Description").inputValue(), "lab <7>");
    },
    { screen },
  );
}

browserTest("no page has an accessibility violation", {}, async ({ page, dashboard }) => {
  for (
    const path of [
      "/",
      "/?q=nothing",
      "/vms/1",
      "/create",
      "/destroy",
      "/destroy?prefixes=none",
      "/operations",
    ]
  ) {
    await page.goto(path);
    await expectAccessibleEverywhere(page, path);
  }
  await page.goto("/create");
  await page.getByRole("button", { name: "Review the plan" }).click();
  await expectAccessibleEverywhere(page, "the plan");
  await dashboard.manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
  for (const path of ["/destroy", "/operations/audit", "/operations/audit?q=nothing", "/operations"]) {
    await page.goto(path);
    await expectAccessibleEverywhere(page, path);
  }
  await page.locator("main table a").first().click();
  await expectAccessibleEverywhere(page, "a finished operation");
});

browserTest("without JavaScript, the main job works by reloading", {}, async ({ page, dashboard }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
  const plain = await context.newPage();
  await createWorkers(plain, 2);
  const operation = dashboard.manager.operations.store.list()[0];
  assert.ok(operation);
  const log = dashboard.manager.operations.store.get(operation.id);
  assert.ok(log);
  for await (const _event of log.follow(operation.lastSeq, AbortSignal.timeout(20_000)));
  await plain.reload();
  await finished(plain, "done");
  await plain.goto("/destroy");
  await plain.getByLabel(/^Type/).fill("destroy 2 vms");
  await plain.getByRole("button", { name: /^Destroy 2 VMs/ }).click();
  await plain.waitForSelector("#operation");
  await context.close();
  await page.goto("/operations");
  assert.equal(await page.locator("tr[data-operation]").count(), 2);
});
