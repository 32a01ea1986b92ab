/**
 * Protects the page of images without script: what it lists and when that is old, removing an image with its typed phrase, and
 * the refusal while VMs are clones of it. Real HTTP.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { FILE_PROPERTIES } from "../../../lib/images/acquiring/image_files.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addDataset, addFile } from "../../../lib/simulator/store.ts";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import {
  finishedOperation,
  follow,
  hidden,
  post,
  send,
  signIn,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

const FILE = "/mnt/tank/images/files-debian/debian.qcow2";

const CONFIG = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
images:
  debian: { path: ${FILE} }
  gone: { path: /mnt/tank/images/gone.qcow2 }
web:
  count: 2
  memory: 256
  cpu: 1
  image: debian
  disk: { root: 20 }
  network: { lan: br0 }
`;

/** Two VMs are clones of an image that this program has put there. */
async function withImages(test: (dashboard: TestDashboard) => Promise<void>): Promise<void> {
  await using dashboard = await startDashboard({ config: CONFIG });
  const { store } = dashboard.simulator;
  addDataset(store, { name: "tank/images", type: "FILESYSTEM" });
  const userProperties = { [FILE_PROPERTIES.path]: FILE };
  addDataset(store, { name: "tank/images/files-debian", type: "FILESYSTEM", userProperties });
  addFile(store, FILE, { sizeBytes: 300 * 1024 ** 2, head: qcow2Head(2 * 1024 ** 3) });
  addFile(store, "/mnt/tank/images/alpine.qcow2", { sizeBytes: 5, head: qcow2Head(1024 ** 3) });
  const { configuration } = parseConfigurationFile({ text: CONFIG, source: "config.yaml" });
  const { status } = await dashboard.manager.operations.create({ configuration });
  assert.equal(status, "done", "the premise");
  await test(dashboard);
}

Deno.test("the page lists images with their VMs, other image files, and install images", () =>
  withImages(async ({ url }) => {
    const html = await text(fetch(`${url}/images`));
    assert.match(html, /data-image="debian" data-state="ready"/);
    assert.match(html, /data-image="gone" data-state="missing"/);
    assert.match(html, /<a href="\/vms\/\d+" dir="auto">web01<\/a>/);
    assert.match(html, /type web/);
    assert.match(html, /data-file="\/mnt\/tank\/images\/alpine\.qcow2"/);
    assert.match(html, /data-file="\/mnt\/tank\/iso\/debian\.iso"/);
    assert.match(html, /href="\/images" aria-current="page"/);
    const json = await (await fetch(`${url}/images`, { headers: { accept: "application/json" } })).json();
    const [debian] = json.images;
    assert.deepEqual([debian.name, debian.state, debian.vms], ["debian", "ready", ["web01", "web02"]]);
    assert.ok(json.files.some(({ path }: { path: string }) => path === FILE));
  }));

Deno.test("a VM names the image of its first disk and counts the clones of its disks, on its page and as JSON", () =>
  withImages(async ({ url, simulator }) => {
    addSnapshot(simulator.store, "tank/vms/web01-disk0@mine");
    addClone(simulator.store, "tank/vms/web01-disk0@mine", "tank/elsewhere");
    const headers = { accept: "application/json" };
    const read = async () => {
      const { vms } = await (await fetch(`${url}/`, { headers })).json();
      return vms.map(({ name, image, clones }: Record<string, unknown>) => [name, image, clones]);
    };
    assert.deepEqual(await read(), [["web01", "debian", 1], ["web02", "debian", 0]]);
    const [first] = (await (await fetch(`${url}/`, { headers })).json()).vms;
    const one = await (await fetch(`${url}/vms/${first.id}`, { headers })).json();
    assert.deepEqual([one.image, one.clones], ["debian", 1]);
    const page = await text(fetch(`${url}/vms/${first.id}/disks`));
    assert.match(page, /made from the image <a href="\/images" dir="auto">debian<\/a>/);
    assert.match(page, /1 zvol is a clone of this VM(&#39;|')s disks\./);
    simulator.addFault({ method: "pool.dataset.query", action: "fail", times: Infinity });
    assert.deepEqual(await read(), [["web01", null, null], ["web02", null, null]]);
    assert.doesNotMatch(await text(fetch(`${url}/vms/${first.id}/disks`)), /vm-lineage/);
  }));

Deno.test("without images the page says what they are and how to begin", () =>
  withDashboard({ config: "" }, async ({ url, simulator }) => {
    simulator.store.files.clear();
    const html = await text(fetch(`${url}/images`));
    assert.match(html, /No images yet/);
    assert.match(html, /href="\/images\/new"/);
  }));

Deno.test("images come before types: the page works when only the storage is configured", async () => {
  const config =
    "storage: { pool_path: tank/vms, image_path: tank/own }\nimages: { a: { path: /mnt/tank/a.img } }\n";
  await withDashboard({ config }, async (dashboard) => {
    const page = await text(fetch(`${dashboard.url}/images`));
    assert.doesNotMatch(page, /has errors/);
    assert.match(page, /data-image="a"/);
    const asked = await text(fetch(`${dashboard.url}/images/new`));
    assert.match(asked, /full administrator may upload/, "it is known where images go");
  });
});

Deno.test("while the NAS is away the page shows the images as they were", () =>
  withImages(async ({ url, simulator }) => {
    assert.doesNotMatch(await text(fetch(`${url}/images`)), /as of/);
    await simulator.goAway();
    const html = await text(fetch(`${url}/images`));
    assert.match(html, /data-image="debian"/);
    assert.match(html, /as of <time/);
    await simulator.comeBack({ restarted: false });
  }));

Deno.test("an image with clones is refused with their names, and removed by choice and phrase", () =>
  withImages(async (dashboard) => {
    const { url, simulator } = dashboard;
    const refused = await text(fetch(`${url}/images/remove?name=debian`));
    assert.match(refused, /web01 and web02 are clones of it/);
    assert.doesNotMatch(refused, /confirm-remove/);
    const asked = await text(fetch(`${url}/images/remove?name=debian&promote=yes`));
    assert.match(asked, /<strong>web01 takes over the image(&#39;|')s data/);
    // Its file goes too, so nothing can make it again.
    assert.match(asked, /add the image again before its next VM/);
    const fields = {
      name: "debian",
      promote: "yes",
      plan: hidden(asked, "plan"),
      token: hidden(asked, "token"),
    };
    const mistyped = await post(dashboard, "/images/remove", { ...fields, phrase: "remove debain" });
    assert.equal(mistyped.status, 422);
    const again = await mistyped.text();
    assert.match(again, /value="remove debain"/);
    assert.match(again, /data-error="phrase"/);
    const phrase = "Remove Debian";
    const place = await follow(post(dashboard, "/images/remove", { ...fields, phrase }));
    const operation = await finishedOperation(dashboard, place);
    assert.deepEqual([operation.kind, operation.status], ["remove-image", "done"]);
    assert.equal(simulator.store.datasets.get("tank/vms/web02-disk0")?.origin, "tank/vms/web01-disk0@ready");
    const page = await text(fetch(url + place));
    assert.match(page, /2 datasets removed|2 of 2 datasets removed/);
    assert.match(page, /data-step="promote"/);
    const left = await text(fetch(`${url}/images`));
    assert.match(left, /data-image="debian" data-state="missing"/);
  }));

Deno.test("a list that has changed is shown again, and nothing is removed", () =>
  withImages(async (dashboard) => {
    const { url, simulator } = dashboard;
    const asked = await text(fetch(`${url}/images/remove?name=debian&promote=yes`));
    const fields = {
      name: "debian",
      promote: "yes",
      plan: hidden(asked, "plan"),
      token: hidden(asked, "token"),
      phrase: "remove debian",
    };
    const sent = async (change: Record<string, string>) => {
      const answer = await post(dashboard, "/images/remove", { ...fields, ...change });
      await answer.body?.cancel();
      return answer.status;
    };
    assert.equal(await sent({ plan: "other" }), 409);
    assert.equal(await sent({ promote: "no" }), 422);
    const none = await text(fetch(`${url}/images/remove?name=nothing`));
    assert.match(none, /Nothing to remove/);
    for (const name of ["", "x".repeat(10_000)]) {
      assert.match(await text(fetch(`${url}/images/remove?name=${name}`)), /Not found/);
    }
    const forged = await text(fetch(`${url}/images?saved=${encodeURIComponent("call 0123 at once")}`));
    assert.doesNotMatch(forged, /call 0123/);
    assert.ok([...simulator.store.datasets.keys()].some((name) => name.startsWith("tank/images/debian-")));
  }));

/** The volume descriptor of ISO 9660. */
function isoBytes(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(40_960);
  bytes.set(new TextEncoder().encode("\x01CD001\x01"), 32_768);
  return bytes;
}

Deno.test("an uploaded install image is listed with the others, can be chosen for a type, and can be removed", () =>
  withDashboard({}, async (dashboard) => {
    const { url, simulator } = dashboard;
    const page = await text(fetch(`${url}/images/upload?kind=iso`));
    assert.match(page, /Upload an install image/);
    const body = new FormData();
    for (const [name, value] of [["token", hidden(page, "token")], ["name", "seed"]] as const) {
      body.append(name, value);
    }
    body.append("file", new Blob([isoBytes()]), "seed.iso");
    const headers = { origin: url };
    const sent = fetch(`${url}/images/upload?kind=iso`, {
      method: "POST",
      body,
      headers,
      redirect: "manual",
    });
    const operation = await finishedOperation(dashboard, await follow(sent));
    assert.equal(operation.status, "done", JSON.stringify(operation));
    const list = await text(fetch(`${url}/images`));
    assert.match(list, /data-file="\/mnt\/tank\/images\/files-seed\/seed\.iso"/);
    assert.doesNotMatch(list, /data-image="seed"/);
    addDataset(simulator.store, { name: "tank/images/seed-worker01-0123abcd", type: "FILESYSTEM" });
    const form = await text(fetch(`${url}/types/new`));
    assert.match(
      form,
      /<option value="\/mnt\/tank\/images\/files-seed\/seed\.iso"/,
      "a type can be given it",
    );
    assert.match(form, /<option[^>]*>tank\/vms</);
    assert.doesNotMatch(
      form,
      /<option[^>]*>tank\/images\/(files-seed|seed-worker01)/,
      "no disks go to the dataset of a file",
    );
    const asked = await text(fetch(`${url}/images/remove?name=seed`));
    const fields = { name: "seed", plan: hidden(asked, "plan"), token: hidden(asked, "token") };
    const place = await follow(post(dashboard, "/images/remove", { ...fields, phrase: "remove seed" }));
    assert.equal((await finishedOperation(dashboard, place)).status, "done");
    assert.ok(!simulator.store.datasets.has("tank/images/files-seed"));
  }));

Deno.test("viewers see images and can remove none", () =>
  withDashboard(
    { config: CONFIG, access: { password: "correct horse battery", viewerPassword: "just looking around" } },
    async (dashboard) => {
      const { cookie } = await signIn(dashboard, "just looking around");
      const page = await send(dashboard, "/images", { cookie });
      assert.equal(page.status, 200);
      assert.doesNotMatch(page.body, /Add an image/);
      const removal = await send(dashboard, "/images/remove", { fields: { name: "debian" }, cookie });
      assert.equal(removal.status, 403);
    },
  ));
