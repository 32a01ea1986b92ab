/**
 * Protects the file of VM types in whatever state it is: empty, missing, read-only, on a full disk, or broken; its text
 * can be edited by the same rules, and earlier versions restored.
 */
import assert from "node:assert/strict";
import { FileStore } from "../../../lib/configuration/editing/configuration_store.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { errorsOf, post, send, text, withDashboard } from "../../support/pages/http.ts";
import {
  fieldsOf,
  fileText,
  filled,
  GPU,
  page,
  plain,
  save,
  saveForm,
} from "../../support/pages/type_forms.ts";

for (const [what, config] of [["an empty file", ""], ["a file of comments", "# later\n"]] as const) {
  Deno.test(`${what} leads to a first type, with storage`, () =>
    withDashboard({ config }, async (dashboard) => {
      const html = await page(dashboard, "/types");
      assert.match(plain(html), /No VM types yet/);
      assert.match(html, /href="\/types\/new"/);
      const create = await send(dashboard, "/create", {});
      assert.equal(create.status, 422);
      assert.match(create.body, /There are no VM types yet\. Add one first\.[^]*href="\/types"/);
      const storage = { "storage.pool_path": "tank/vms", "storage.cdrom_path": "/mnt/tank/iso/debian.iso" };
      const form = await page(dashboard, "/types/new");
      await saveForm(dashboard, filled(form, { ...GPU, ...storage }));
      assert.ok(
        fileText(dashboard).startsWith(
          `${config}${config === "" ? "" : "\n"}storage:\n  pool_path: tank/vms\n`,
        ),
      );
      assert.match(await page(dashboard, "/create"), /name="gpu\.count"/);
    }));
}

Deno.test("no file at all leads to a first type; it is written, and can be undone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = new FileStore({ path: `${folder}/config.yaml`, folder: `${folder}/state` });
    await withDashboard({ store }, async (dashboard) => {
      assert.match(plain(await page(dashboard, "/types")), /No VM types yet/);
      const storage = { "storage.pool_path": "tank/vms", "storage.cdrom_path": "/mnt/tank/iso/debian.iso" };
      const form = await page(dashboard, "/types/new");
      await saveForm(dashboard, filled(form, { ...GPU, ...storage }));
      const first = await Deno.readTextFile(`${folder}/config.yaml`);
      assert.match(first, /^storage:/);
      await save(dashboard, { ...GPU, name: "edge" });
      const saved = await page(dashboard, "/types?saved=add_edge");
      const version = /href="(\/types\/versions\/[^"]+)"/.exec(saved)?.[1] ?? assert.fail(saved);
      assert.match(await page(dashboard, "/types/versions"), /Before edge was added/);
      const restore = await page(dashboard, version);
      assert.match(restore, /data-diff="removed"[^]*?edge:/);
      await save(dashboard, fieldsOf(restore));
      assert.equal(await Deno.readTextFile(`${folder}/config.yaml`), first);
      assert.equal((await send(dashboard, "/types/versions/..%2f..%2fconfig", {})).status, 404);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file that cannot be written is said so at once, and the new one is offered for download", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const store = new FileStore({
      path: `${folder}/config.yaml`,
      folder: `${folder}/state`,
      refusal: () => new Error("Read-only file system (os error 30)"),
    });
    await withDashboard({ store }, async (dashboard) => {
      for (const path of ["/types", "/types/new", "/types/yaml"]) {
        assert.match(
          plain(await page(dashboard, path)),
          /config\.yaml is read-only\. The file system is read-only/,
        );
      }
      const review = await text(
        post(dashboard, "/types/review", filled(await page(dashboard, "/types/new"), GPU)),
      );
      assert.match(review, /id="download" formaction="\/types\/download"/);
      assert.doesNotMatch(review, /id="save"/);
      const file = await post(dashboard, "/types/download", fieldsOf(review));
      assert.match(file.headers.get("content-disposition") ?? "", /attachment; filename="config\.yaml"/);
      assert.match(await file.text(), /\ngpu:\n {2}count: 2/);
      assert.equal(await Deno.readTextFile(`${folder}/config.yaml`), TEST_CONFIG);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a full disk while saving says what is true now and keeps what was typed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const store = new FileStore({
      path: `${folder}/config.yaml`,
      folder: `${folder}/state`,
      overwrite: () => {
        throw new Error("No space left on device (os error 28)");
      },
    });
    await withDashboard({ store }, async (dashboard) => {
      const answer = await post(dashboard, "/types", filled(await page(dashboard, "/types/new"), GPU));
      const html = await answer.text();
      assert.equal(answer.status, 503);
      assert.match(
        plain(html),
        /the disk is full; free some space\. It is unchanged\. Your entries are kept/,
      );
      assert.match(html, /data-diff="added"/);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the YAML tab checks the whole text by the same rules and names each line", () =>
  withDashboard({}, async (dashboard) => {
    const tab = await page(dashboard, "/types/yaml");
    assert.deepEqual(fieldsOf(tab).find(([name]) => name === "yaml")?.[1].trim(), TEST_CONFIG.trim());
    const wrong: readonly [string, RegExp][] = [
      [TEST_CONFIG.replace("count: 3", "count: [3"), /Line \d+, column \d+: .*sequence/],
      [TEST_CONFIG.replace("count: 3", "count: 300"), /Line 12, column 10: worker\.count: Count must be/],
      [`${TEST_CONFIG}my-type: { count: 1 }\n`, /Line \d+, column \d+: my-type: .*letters, digits/],
      ["", /must have the sections/],
    ];
    for (const [yaml, words] of wrong) {
      const answer = await post(
        dashboard,
        "/types/review",
        filled(tab, { yaml: yaml.replaceAll("\n", "\r\n") }),
      );
      const html = await answer.text();
      assert.equal(answer.status, 422, yaml);
      assert.match(plain(html), words);
      assert.deepEqual(errorsOf(html), ["yaml"]);
      assert.equal(fieldsOf(html).find(([name]) => name === "yaml")?.[1].trim(), yaml.trim(), "it is kept");
    }
    const good = TEST_CONFIG.replace("count: 3", "count: 4 # <b>&amp;");
    await saveForm(dashboard, filled(tab, { yaml: good.replaceAll("\n", "\r\n") }));
    assert.equal(fileText(dashboard), good);
    await saveForm(dashboard, filled(await page(dashboard, "/types/yaml")));
    assert.equal(dashboard.store.versions().length, 1);
  }));

Deno.test("a broken file shows its lines and can be mended in the YAML tab or from an earlier version", () => {
  const broken = TEST_CONFIG.replace("count: 3", "count: many");
  return withDashboard({ config: broken }, async (dashboard) => {
    const html = await page(dashboard, "/types");
    assert.match(plain(html), /Line 12, column 10: worker\.count: Count must be/);
    assert.match(html, /href="\/types\/yaml"/);
    assert.doesNotMatch(html, /href="\/types\/new"/);
    assert.equal((await send(dashboard, "/types/new", {})).status, 303);
    const tab = await page(dashboard, "/types/yaml");
    await saveForm(dashboard, filled(tab, { yaml: TEST_CONFIG }));
    assert.match(await page(dashboard, "/types"), /data-type="worker"/);
    const [version] = dashboard.store.versions();
    const restore = await page(dashboard, `/types/versions/${version?.id}`);
    const answer = await post(dashboard, "/types", fieldsOf(restore));
    assert.equal(answer.status, 422, "what is wrong is not restored");
    assert.match(plain(await answer.text()), /Count must be/);
  });
});
