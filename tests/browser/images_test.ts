/**
 * Protects images in the browser: an image is downloaded from the demo's server, one is uploaded with its progress, eight VMs are
 * made from one and answer, and it is removed; every page is accessible, in both themes, on a desk and a phone, and works without
 * JavaScript.
 */
import assert from "node:assert/strict";
import { startDemoImages } from "../../lib/simulator/demo_images.ts";
import { pathServerWhenNeeded } from "../../lib/secret_paths/path_server.ts";
import { qcow2Head } from "../../lib/simulator/images/disk_image.ts";
import {
  browser,
  browserTest,
  expectAccessibleEverywhere,
  finished,
  type Session,
} from "../support/browser/pages.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { vmNamed } from "../support/lab.ts";

const GIB = 1024 ** 3;

/** Where the simulated guests of the demo's VMs fetch their seeds. */
const paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });

/** The example configuration with the demo's images; their server listens when the page asks for it. */
async function withDemoImages({ dashboard }: Session, test: () => Promise<void>): Promise<void> {
  const { store, simulator } = dashboard;
  await using images = await startDemoImages(simulator.store);
  const { text, fingerprint: shown } = store.read();
  assert.ok(store.save({ text: text + images.sections, shown: shown ?? "", action: "yaml", at: 0 }).ok);
  await test();
}

browserTest("an image is downloaded, another uploaded, VMs are made from one and answer, and it is removed", {
  config: TEST_CONFIG,
  simulator: { guests: { bootMs: 300, setupMs: 300, retryMs: 50 } },
  manager: { simulated: true, paths },
}, (session) =>
  withDemoImages(session, async () => {
    await using _served = paths;
    const { page, dashboard } = session;
    await page.goto("/images");
    await page.getByRole("link", { name: "Download now… demo-linux" }).click();
    await page.getByRole("button", { name: "Add image" }).click();
    await page.waitForSelector("#operation");
    await finished(page, "done");
    await page.goto("/images/upload");
    await page.getByLabel("Name").fill("uploaded");
    const buffer = new Uint8Array(3 * 1024 ** 2);
    buffer.set(qcow2Head(GIB));
    await page.getByLabel("File", { exact: true }).setInputFiles({
      name: "my.qcow2",
      mimeType: "application/octet-stream",
      // Playwright takes Node's buffers.
      buffer: (await import("node:buffer")).Buffer.from(buffer),
    });
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await page.waitForURL(/\/operations\//);
    await finished(page, "done");
    await page.goto("/images");
    await expectAccessibleEverywhere(page, "images");
    assert.equal(await page.locator('[data-image="uploaded"]').getByText("not in config.yaml").count(), 1);

    await page.goto("/create");
    for (const type of ["controlplane", "worker"]) {
      await page.getByRole("region", { name: type, exact: true }).getByLabel("How many").fill("0");
    }
    await page.getByRole("button", { name: "Review the plan" }).click();
    await page.getByRole("button", { name: "Create 8 VMs" }).click();
    await finished(page, "done");
    assert.equal(await page.locator('[data-step="ready"][data-status="done"]').count(), 8, "each answers");
    const clones = [...dashboard.simulator.store.datasets.values()].filter(({ origin }) => origin !== null);
    assert.equal(clones.length, 8);

    const node = vmNamed(dashboard.simulator, "node01");
    await page.goto(`/vms/${node?.id}`);
    const address = await page.locator("dt", { hasText: "Address" }).locator("xpath=..").innerText();
    assert.match(address, /127\.20\.0\.\d+/, "where it answered");

    await page.goto("/images");
    await page.getByRole("link", { name: "Remove… debian13" }).click();
    await page.getByText("node01, node02").first().waitFor();
    await page.getByRole("button", { name: "Let a clone take over the data" }).click();
    await expectAccessibleEverywhere(page, "removing an image");
    const button = page.getByRole("button", { name: "Remove debian13" });
    await page.getByLabel(/to confirm/).fill("remove debian13");
    await button.click();
    await finished(page, "done");
  }));

browserTest(
  "the pages of images are accessible, and work without JavaScript",
  { config: TEST_CONFIG },
  (session) =>
    withDemoImages(session, async () => {
      const { page, dashboard } = session;
      for (
        const path of ["/images/new?from=talos", "/images/upload", "/images/adopt"]
      ) {
        await page.goto(path);
        await expectAccessibleEverywhere(page, path);
      }
      const context = await browser.newContext({ javaScriptEnabled: false, baseURL: dashboard.url });
      try {
        const still = await context.newPage();
        await still.goto("/images/new?from=ubuntu");
        await still.getByLabel("Release").selectOption("22.04");
        await still.getByRole("button", { name: "Fill in the address" }).click();
        assert.match(await still.getByLabel("Address of the file").inputValue(), /ubuntu-22\.04-server/);
        await still.goto("/images/upload");
        await still.getByLabel("Name").fill("still");
        await still.getByLabel("File", { exact: true }).setInputFiles({
          name: "still.qcow2",
          mimeType: "application/octet-stream",
          buffer: (await import("node:buffer")).Buffer.from(qcow2Head(GIB)),
        });
        await still.getByRole("button", { name: "Upload", exact: true }).click();
        await still.waitForURL(/\/operations\//);
        const [view] = dashboard.manager.operations.store.list();
        await dashboard.manager.operations.ended(view?.id ?? "");
        await still.goto("/images");
        await still.getByRole("link", { name: "Remove… still" }).click();
        await still.getByLabel(/to confirm/).fill("remove still");
        await still.getByRole("button", { name: "Remove still" }).click();
        await still.waitForURL(/\/operations\//);
        const [removal] = dashboard.manager.operations.store.list();
        await dashboard.manager.operations.ended(removal?.id ?? "");
        assert.ok(!dashboard.simulator.store.datasets.has("tank/images/files-still"));
      } finally {
        await context.close();
      }
    }),
);
