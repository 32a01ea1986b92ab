/** The states of the pages of images and checkpoints, for pictures: with nothing yet, with everything, and with errors. */
import assert from "node:assert/strict";
import type { Page } from "../packages/playwright.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { startDemoImages } from "../../../lib/simulator/demo_images.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { addClone } from "../../../lib/simulator/zfs/zfs.ts";
import { take, write } from "../vms/checkpoints.ts";
import { startDashboard, TEST_CONFIG, type TestDashboard } from "../pages/dashboard.ts";
import type { Shot } from "./places.ts";

/** The pages on a NAS without images and checkpoints. */
export const EMPTY_PLACES: readonly Shot[] = [
  { name: "images-empty", path: "/images" },
  { name: "images-new-empty", path: "/images/new" },
  { name: "checkpoints-empty", path: "/checkpoints" },
];

/** The pages with images, VMs that are made from one, and checkpoints of them. */
export function imagePlaces({ store }: Simulator): readonly Shot[] {
  const made = [...store.vms.values()].find(({ config }) => config.name === "node01");
  assert.ok(made !== undefined, "the premise");
  return [
    { name: "images-full", path: "/images" },
    { name: "images-new-error", path: "/images/new?from=debian", state: sendWrong, isWhole: true },
    { name: "images-remove", path: "/images/remove?name=debian13" },
    { name: "images-remove-promote", path: "/images/remove?name=debian13&promote=yes" },
    { name: "checkpoints-full", path: "/checkpoints" },
    { name: "checkpoints-new", path: "/checkpoints/new" },
    { name: "checkpoints-new-error", path: "/checkpoints/new", state: sendUnnamed, isWhole: true },
    { name: "checkpoints-rollback", path: "/checkpoints/before-upgrade/rollback" },
    { name: "checkpoints-rollback-discard", path: "/checkpoints/before-upgrade/rollback?discard=yes" },
    { name: "checkpoints-remove", path: "/checkpoints/later/remove" },
    { name: "vm-checkpoints", path: `/vms/${made.id}/checkpoints` },
    { name: "vm-disks-cloned", path: `/vms/${made.id}/disks` },
  ];
}

async function sendWrong(page: Page): Promise<void> {
  await page.getByLabel("Name").fill("My image");
  await page.getByLabel("SHA-256 of the file").fill("12ab");
  await page.locator("#add-image").click();
  await page.locator("[data-error]").first().waitFor();
}

async function sendUnnamed(page: Page): Promise<void> {
  await page.getByLabel("Name").fill("before upgrade!");
  await page.locator("#confirm-checkpoint").click();
  await page.locator("[data-error]").first().waitFor();
}

/** A NAS on which there is nothing of either. */
export async function withoutImages(look: (url: string) => Promise<void>): Promise<void> {
  await using dashboard = await startDashboard({ config: TEST_CONFIG });
  dashboard.simulator.store.files.clear();
  await look(dashboard.url);
}

/** Eight VMs are clones of an image; two checkpoints of some of them are taken, between which data was written. */
export async function withImages(look: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  await using dashboard = await startDashboard({ config: TEST_CONFIG });
  const { store, simulator, manager } = dashboard;
  await using images = await startDemoImages(simulator.store);
  addFile(simulator.store, "/mnt/tank/images/alpine-3.22.qcow2", { sizeBytes: 190 * 1024 ** 2 });
  const { text, fingerprint: shown } = store.read();
  assert.ok(store.save({ text: text + images.sections, shown: shown ?? "", action: "yaml", at: 0 }).ok);
  const source = "config.yaml";
  const { configuration } = parseConfigurationFile({ text: text + images.sections, source });
  const types = [{ type: "node", startPort: 5930 }];
  assert.equal((await manager.operations.create({ configuration, types })).status, "done", "the premise");
  const nodes = { select: { types: ["node"] } };
  await take(manager, "before-upgrade", { ...nodes, note: "Debian 13.1 to 13.2" });
  write(simulator, "node01-disk0", "upgraded");
  await take(manager, "later", { select: { names: ["node01", "node02"] } });
  addClone(simulator.store, "tank/vms/node01-disk0@checkpoint-later", "tank/elsewhere/copy");
  await look(dashboard);
}
