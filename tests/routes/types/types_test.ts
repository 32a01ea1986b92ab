/**
 * Protects declaring VM types on the dashboard, as browsers without JavaScript and scripts use it: types are added,
 * changed, renamed, duplicated and deleted, nothing is saved that was not shown, and viewers change nothing.
 */
import assert from "node:assert/strict";
import { sectionNamesOf } from "../../../routes/types/changes.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { post, send, signIn, text, withDashboard } from "../../support/pages/http.ts";
import {
  type Fields,
  fieldsOf,
  fileText,
  filled,
  GPU,
  page,
  plain,
  save,
  saveForm,
} from "../../support/pages/type_forms.ts";

Deno.test("GET /types shows each type with its size and what it takes in all, and as JSON", () =>
  withDashboard({}, async (dashboard) => {
    const html = await page(dashboard, "/types");
    assert.match(html, /data-type="worker"/);
    const words = plain(html);
    assert.match(words, /worker worker01 to worker03/);
    assert.match(words, /2 vCPUs, 2 GiB/);
    assert.match(words, /root 20 GiB, data 50 GiB/);
    assert.match(words, /6 vCPUs, 6 GiB, 210 GiB of disks/);
    const { body } = await send(dashboard, "/types", { accept: "application/json" });
    const json = JSON.parse(body);
    assert.deepEqual(Object.keys(json.types), ["controlplane", "worker"]);
    assert.equal(json.storage.pool_path, "tank/vms");
  }));

Deno.test("a new type is reviewed line by line, saved, and offered on /create", () =>
  withDashboard({}, async (dashboard) => {
    const before = fileText(dashboard);
    const form = await page(dashboard, "/types/new");
    const fields = filled(form, GPU);
    const review = await text(post(dashboard, "/types/review", fields));
    assert.match(plain(review), /Add VM type gpu/);
    assert.match(review, /data-diff="added"[^]*?<code dir="auto"> {2}memory: 8192<\/code>/);
    assert.equal(fileText(dashboard), before, "a review saves nothing");
    const saved = await post(dashboard, "/types", fieldsOf(review));
    await saved.body?.cancel();
    assert.equal(saved.status, 303);
    assert.equal(saved.headers.get("location"), "/types?saved=add_gpu");
    assert.ok(fileText(dashboard).startsWith(before), "everything else stays as it was");
    assert.match(
      plain(await page(dashboard, "/types?saved=add_gpu")),
      /config\.yaml was saved: gpu was added/,
    );
    assert.match(await page(dashboard, "/create"), /name="gpu\.count"[^>]* value="2"/);
    assert.deepEqual(dashboard.manager.audit.list()[0]?.what, "Save config.yaml: gpu was added");
  }));

Deno.test("POST /types with the fields of a type alone saves it, as scripts do", () =>
  withDashboard({}, async (dashboard) => {
    const saved = await post(dashboard, "/types", GPU);
    await saved.body?.cancel();
    assert.equal(saved.status, 303);
    assert.match(fileText(dashboard), /\ngpu:\n {2}count: 2\n {2}memory: 8192\n {2}cpu: 4\n/);
  }));

Deno.test("scripts that ask for JSON get the lines of a review and the problems of a mistake as data", () =>
  withDashboard({}, async (dashboard) => {
    const ask = async (path: string, fields: Fields) => {
      const { status, body } = await send(dashboard, path, { accept: "application/json", fields });
      return { status, ...JSON.parse(body) };
    };
    const review = await ask("/types/review", GPU);
    assert.deepEqual([review.status, review.error], [200, null]);
    assert.ok(review.lines.some(({ kind, text }: Fields) => kind === "added" && text === "gpu:"));
    const wrong = await ask("/types", { ...GPU, count: "100" });
    assert.deepEqual([wrong.status, wrong.problems[0].field], [422, "count"]);
    const late = await ask("/types", { ...GPU, shown: "another" });
    assert.equal(late.status, 409);
    assert.equal(late.fingerprint, review.fingerprint);
  }));

Deno.test("a type is changed, renamed, duplicated and deleted, each shown first", () =>
  withDashboard({}, async (dashboard) => {
    const edit = await page(dashboard, "/types/edit?name=worker");
    assert.match(edit, /name="size" value="small" checked/);
    await saveForm(dashboard, filled(edit, { size: "large", count: "5" }));
    assert.match(fileText(dashboard), /worker:\n {2}count: 5\n {2}memory: 8192\n {2}cpu: 4\n/);
    const rename = filled(await page(dashboard, "/types/edit?name=worker"), { name: "node" });
    const review = await text(post(dashboard, "/types/review", rename));
    assert.match(plain(review), /VMs that exist keep their names \(worker01 and so on\)/);
    await save(dashboard, fieldsOf(review));
    assert.match(fileText(dashboard), /\nnode:\n {2}count: 5/);
    const copy = await page(dashboard, "/types/new?from=node");
    assert.match(copy, /name="name" value="node_copy"/);
    await saveForm(dashboard, filled(copy, { name: "edge", count: "1" }));
    assert.match(fileText(dashboard), /\nedge:\n {2}count: 1\n {2}memory: 8192/);
    const removal = await page(dashboard, "/types/remove?name=node");
    assert.match(plain(removal), /Delete VM type node .*are not destroyed/);
    assert.match(removal, /class="btn danger solid lg" id="save">Delete node from config\.yaml/);
    await save(dashboard, fieldsOf(removal));
    assert.deepEqual(sectionNamesOf(fileText(dashboard)), ["storage", "controlplane", "edge"]);
    assert.deepEqual((await send(dashboard, "/types/edit?name=node", {})).status, 404);
  }));

Deno.test("storage is changed for all types", () =>
  withDashboard({}, async (dashboard) => {
    const form = await page(dashboard, "/types/storage");
    assert.match(form, /<option value="tank\/VMs"/, "the NAS's datasets are offered");
    assert.match(form, /<option value="\/mnt\/tank\/iso\/talos\.iso"/);
    const typed = { "storage.cdrom_path": "?", "storage.cdrom_path.other": "/mnt/tank/iso/other.iso" };
    await saveForm(dashboard, filled(form, typed));
    assert.match(fileText(dashboard), /cdrom_path: \/mnt\/tank\/iso\/other\.iso/);
  }));

Deno.test("the only VM type cannot be deleted", () =>
  withDashboard({ config: TEST_CONFIG.replace(/worker:[^]*/, "") }, async (dashboard) => {
    const answer = await send(dashboard, "/types/remove?name=controlplane", {});
    assert.equal(answer.status, 422);
    assert.match(plain(answer.body), /controlplane is the only VM type/);
    assert.match(answer.body, /data-type="controlplane"/);
  }));

Deno.test("the JSON Schema is made from the program's own checks", () =>
  withDashboard({}, async (dashboard) => {
    const { body, headers } = await send(dashboard, "/types/schema.json", {});
    assert.match(headers.get("content-type") ?? "", /application\/schema\+json/);
    const { properties, additionalProperties } = JSON.parse(body);
    assert.deepEqual(properties.storage.required, ["pool_path", "cdrom_path"]);
    assert.deepEqual(additionalProperties.required, ["count", "memory", "cpu"]);
    assert.deepEqual(
      [additionalProperties.properties.count.minimum, additionalProperties.properties.count.maximum],
      [0, 99],
    );
  }));

Deno.test("viewers see the types, the text and the versions, and cannot change them", () =>
  withDashboard({ access: { password: "admin-pass", viewerPassword: "viewer-pass" } }, async (dashboard) => {
    const { cookie } = await signIn(dashboard, "viewer-pass");
    for (const path of ["/types", "/types/yaml", "/types/versions"]) {
      const { status, body } = await send(dashboard, path, { cookie });
      assert.equal(status, 200, path);
      assert.match(body, /Viewers cannot make changes/);
      assert.doesNotMatch(body, /<textarea|href="\/types\/(new|edit|remove|storage)/);
      assert.doesNotMatch(body, /action="\/types/);
    }
    for (
      const path of ["/types/new", "/types/edit?name=worker", "/types/storage", "/types/remove?name=worker"]
    ) {
      assert.equal((await send(dashboard, path, { cookie })).headers.get("location"), "/types", path);
    }
    const { status } = await send(dashboard, "/types", { cookie, fields: GPU });
    assert.equal(status, 403);
    assert.equal((await send(dashboard, "/types", {})).status, 303, "and nobody else sees anything");
  }));
