/**
 * Protects VMs from an image in the browser, without script: the pages of a configuration without an install image, the plan
 * that says what is cloned, and the operation with its steps. Real HTTP.
 */
import assert from "node:assert/strict";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import { finishedOperation, post, text } from "../../support/pages/http.ts";

const CONFIG = `
storage: { pool_path: tank/vms }
images:
  debian: { path: /mnt/tank/iso/debian.qcow2 }
web:
  count: 2
  memory: 256
  cpu: 1
  image: debian
  disk: { root: 20 }
  network: { lan: br0 }
`;

const FORM = {
  "storage.pool_path": "tank/vms",
  "storage.cdrom_path": "",
  "web.count": "2",
  "web.memory": "256 MiB",
  "web.cpu": "1",
  "web.disk.0.name": "root",
  "web.disk.0.size": "20",
  "web.network.0.name": "lan",
  "web.network.0.bridge": "br0",
};

async function withImages(test: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  await using dashboard = await startDashboard({ config: CONFIG });
  addFile(dashboard.simulator.store, "/mnt/tank/iso/debian.qcow2", { head: qcow2Head(1024 ** 3) });
  await test(dashboard);
}

Deno.test("a configuration without an install image is shown, planned and carried out", () =>
  withImages(async (dashboard) => {
    const { url, simulator } = dashboard;
    assert.match(await text(fetch(`${url}/create`)), /name="web\.count"/);
    const planned = await post(dashboard, "/create/plan", FORM);
    const html = await planned.text();
    assert.equal(planned.status, 200, html.slice(0, 2_000));
    assert.match(html, /clone of the image debian/);
    const value = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? "";
    const created = await post(dashboard, "/create", { ...FORM, token: value("token"), plan: value("plan") });
    await created.body?.cancel();
    assert.equal(created.status, 303);
    const place = created.headers.get("location") ?? "";
    assert.equal((await finishedOperation(dashboard, place)).status, "done");
    const page = await text(fetch(`${url}${place}`));
    for (const step of ["image", "clone", "disk0"]) assert.match(page, new RegExp(`data-step="${step}"`));
    assert.equal(simulator.store.datasets.get("tank/vms/web02-disk0")?.content, "/mnt/tank/iso/debian.qcow2");
  }));

Deno.test("the types show their image, and an edited type keeps it", () =>
  withImages(async (dashboard) => {
    const page = await text(fetch(`${dashboard.url}/types`));
    assert.match(page, /debian/);
    assert.match(page, /none/);
    const { store } = dashboard;
    assert.match(store.file().text, /image: debian/);
  }));
