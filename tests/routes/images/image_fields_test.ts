/**
 * Protects the fields of images in the forms of VM types, of a creation and of one VM, without script: chosen, saved, taken back,
 * and kept by forms of earlier versions, which do not have them. Real HTTP.
 */
import assert from "node:assert/strict";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import {
  errorsOf,
  finishedOperation,
  follow,
  hidden,
  planned,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

const IMAGE = "/mnt/tank/iso/alpine.qcow2";

const CONFIG = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
images:
  alpine: { path: ${IMAGE} }
web:
  count: 1
  memory: 256
  cpu: 1
  disk: { root: 20 }
  network: { lan: br0 }
`;

const TYPE = {
  change: "type",
  from: "web",
  name: "web",
  count: "1",
  memory: "256 MiB",
  cpu: "1",
  "disk.0.name": "root",
  "disk.0.size": "20",
  "network.0.name": "lan",
  "network.0.bridge": "br0",
};

function withImage(test: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  return withDashboard({ config: CONFIG }, async (dashboard) => {
    addFile(dashboard.simulator.store, IMAGE, { head: qcow2Head(1024 ** 3) });
    await test(dashboard);
  });
}

async function save(dashboard: TestDashboard, fields: Record<string, string>): Promise<string> {
  const review = await text(post(dashboard, "/types/review", { ...TYPE, ...fields }));
  assert.deepEqual(errorsOf(review), [], review.slice(0, 3_000));
  const saved = { ...TYPE, ...fields, shown: hidden(review, "shown"), token: hidden(review, "token") };
  await follow(post(dashboard, "/types", saved));
  return dashboard.store.file().text;
}

Deno.test("a type's image, install image and copies are chosen in its form, and taken back", () =>
  withImage(async (dashboard) => {
    const form = await text(fetch(`${dashboard.url}/types/edit?name=web`));
    for (const name of ["image", "cdrom", "clone"]) assert.match(form, new RegExp(`name="${name}"`));
    assert.match(form, /<option value="alpine"\s*>alpine/);
    const chosen = await save(dashboard, { image: "alpine", cdrom: "none", clone: "no" });
    assert.match(chosen, /image: alpine/);
    assert.match(chosen, /cdrom: none/);
    assert.match(chosen, /clone: false/);
    const again = await text(fetch(`${dashboard.url}/types/edit?name=web`));
    assert.match(again, /<option value="alpine" selected/);
    // A form without the fields, as scripts know it, changes none of them.
    const kept = await save(dashboard, { memory: "512 MiB" });
    assert.match(kept, /image: alpine/);
    assert.match(kept, /clone: false/);
    const back = await save(dashboard, { image: "", cdrom: "", clone: "no" });
    assert.doesNotMatch(back, /image: alpine|cdrom: none|clone:/);
  }));

Deno.test("an image that is not configured is told at its field", () =>
  withImage(async (dashboard) => {
    const answer = await post(dashboard, "/types/review", { ...TYPE, image: "windows" });
    const html = await answer.text();
    assert.equal(answer.status, 422);
    assert.deepEqual(errorsOf(html), ["image"]);
    assert.match(html, /windows \(not in the configuration\)/);
  }));

Deno.test("a creation uses the image that is chosen in its form", () =>
  withImage(async (dashboard) => {
    assert.match(await text(fetch(`${dashboard.url}/create`)), /name="web\.image"/);
    const fields = {
      "storage.pool_path": "tank/vms",
      "storage.cdrom_path": "/mnt/tank/iso/debian.iso",
      "web.count": "1",
      "web.memory": "256 MiB",
      "web.cpu": "1",
      "web.image": "alpine",
      "web.disk.0.name": "root",
      "web.disk.0.size": "20",
      "web.network.0.name": "lan",
      "web.network.0.bridge": "br0",
    };
    const { html, token, plan } = await planned(dashboard, fields);
    assert.match(html, /clone of the image alpine/);
    assert.match(html, /name="web\.image" value="alpine"|<option value="alpine" selected/);
    const place = await follow(post(dashboard, "/create", { ...fields, token, plan }));
    assert.equal((await finishedOperation(dashboard, place)).status, "done");
    assert.equal(dashboard.simulator.store.datasets.get("tank/vms/web01-disk0")?.content, IMAGE);
  }));

Deno.test("one VM is made from an image", () =>
  withImage(async (dashboard) => {
    const empty = await text(fetch(`${dashboard.url}/create/one`));
    assert.match(empty, /name="image"/);
    const fields = {
      name: "solo01",
      "storage.pool_path": "tank/vms",
      "storage.cdrom_path": "/mnt/tank/iso/debian.iso",
      memory: "256 MiB",
      cpu: "1",
      image: "alpine",
      "disk.0.name": "root",
      "disk.0.size": "20",
      "network.0.name": "lan",
      "network.0.bridge": "br0",
    };
    const plan = await post(dashboard, "/create/one/plan", fields);
    const html = await plan.text();
    assert.equal(plan.status, 200, html.slice(0, 2_000));
    assert.match(html, /clone of the image alpine/);
  }));

Deno.test("without images no form speaks of them", () =>
  withDashboard({}, async ({ url }) => {
    for (const path of ["/create", "/types/edit?name=worker", "/create/one"]) {
      const html = await text(fetch(url + path));
      assert.doesNotMatch(html, /name="(worker\.)?(image|clone)"/, path);
    }
  }));
