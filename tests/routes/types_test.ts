/**
 * Protects declaring VM types on the dashboard, as browsers without JavaScript and scripts use it: what was typed is
 * kept, mistakes stand at their fields, nothing is saved that was not shown, and two people do not overwrite each other.
 */
import assert from "node:assert/strict";
import { FileStore, MemoryStore } from "../../lib/configuration/editing/configuration_store.ts";
import { sectionNamesOf } from "../../routes/types/changes.ts";
import { TEST_CONFIG } from "../support/dashboard.ts";
import { hidden, post, send, signIn, text, withDashboard } from "../support/http.ts";
import type { TestDashboard } from "../support/dashboard.ts";

const GPU = {
  name: "gpu",
  count: "2",
  memory: "8 GiB",
  cpu: "4",
  "disk.0.name": "root",
  "disk.0.size": "40",
  "network.0.name": "lan",
  "network.0.bridge": "br0",
};

type Fields = Readonly<Record<string, string>>;

function errorsOf(html: string): string[] {
  return [...html.matchAll(/data-error="([^"]*)"/g)].map(([, field]) => field ?? "");
}

/** The text without tags and entities. */
function plain(html: string): string {
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll(
    /\s+/g,
    " ",
  );
}

/** The fields of the one form of a page, as a browser sends them. */
function fieldsOf(html: string): [string, string][] {
  const form = /<form method="post" action="\/types[^]*?<\/form>/.exec(html)?.[0] ?? assert.fail(html);
  const unescape = (value: string) =>
    value.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&");
  const inputs = [
    ...form.matchAll(/<(input|select|textarea)\b([^>]*)>([^]*?)(?=<(?:input|select|textarea)\b|$)/g),
  ];
  return inputs.flatMap(([, tag, attributes = "", rest = ""]): [string, string][] => {
    const of = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1];
    const name = of("name");
    if (name === undefined) return [];
    if (/type="(checkbox|radio)"/.test(attributes) && !/ checked/.test(attributes)) return [];
    const value = tag === "select"
      ? /<option value="([^"]*)" selected/.exec(rest)?.[1] ?? ""
      : tag === "textarea"
      ? /^\n?([^]*?)<\/textarea>/.exec(rest)?.[1] ?? ""
      : of("value") ?? "";
    return [[name, unescape(value)]];
  });
}

/** Fills in a form of a page; what is given replaces what was there. */
function filled(html: string, changes: Fields = {}): [string, string][] {
  const kept = fieldsOf(html).filter(([name]) => !(name in changes));
  return [...kept, ...Object.entries(changes)];
}

async function page(dashboard: TestDashboard, path: string): Promise<string> {
  return await text(fetch(dashboard.url + path));
}

/** An answer, read to its end. */
interface Answer {
  readonly status: number;
  readonly html: string;
  readonly location: string | null;
}

async function submit(
  dashboard: TestDashboard,
  path: string,
  fields: Fields | [string, string][],
): Promise<Answer> {
  const answer = await post(dashboard, path, fields);
  return { status: answer.status, html: await answer.text(), location: answer.headers.get("location") };
}

/** Sends a form to be reviewed, then saves what the review shows. */
async function saveForm(dashboard: TestDashboard, fields: [string, string][]): Promise<void> {
  const review = await submit(dashboard, "/types/review", fields);
  assert.equal(review.status, 200, plain(review.html));
  await save(dashboard, fieldsOf(review.html));
}

async function save(dashboard: TestDashboard, fields: Fields | [string, string][]): Promise<void> {
  const { status, html } = await submit(dashboard, "/types", fields);
  assert.equal(status, 303, plain(html));
}

function fileText({ store }: TestDashboard): string {
  return store.file().text;
}

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

Deno.test("a form sent twice is saved once and leads to the same page", () =>
  withDashboard({}, async (dashboard) => {
    const review = await text(
      post(dashboard, "/types/review", filled(await page(dashboard, "/types/new"), GPU)),
    );
    const answers = [];
    for (let n = 0; n < 2; n++) {
      const answer = await post(dashboard, "/types", fieldsOf(review));
      await answer.body?.cancel();
      answers.push([answer.status, answer.headers.get("location")]);
    }
    assert.deepEqual(answers, [[303, "/types?saved=add_gpu"], [303, "/types?saved=add_gpu"]]);
    assert.equal(dashboard.store.versions().length, 1);
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

Deno.test("free text stands where the account may not read what the NAS has", () =>
  withDashboard({
    simulator: { accounts: [{ username: "few", password: "few", roles: ["VM_WRITE", "READONLY_ADMIN"] }] },
    untilConnected: false,
    manager: { host: "ws://127.0.0.1:9" },
  }, async (dashboard) => {
    const form = await page(dashboard, "/types/new");
    assert.match(form, /<input id="field-storage-pool_path" name="storage\.pool_path" value="tank\/vms"/);
    assert.match(form, /<input id="field-network-0-bridge" name="network\.0\.bridge"/);
    await saveForm(dashboard, filled(form, GPU));
  }));

const MISTAKES: readonly (readonly [Fields, string, RegExp])[] = [
  [{ name: "" }, "name", /Enter a name, for example worker/],
  [{ name: "worker" }, "name", /There is already a VM type worker; choose another name/],
  [{ name: "gpu-node" }, "name", /TrueNAS accepts no hyphen in a VM's name; write gpu_node/],
  [{ name: "storage" }, "name", /storage is the section for/],
  [{ name: "images" }, "name", /images is reserved/],
  [{ name: "x-gpu" }, "name", /begin with x- are for your own notes/],
  [{ name: "__proto__" }, "name", /reserved/],
  [{ name: "gpu1" }, "name", /must not end in a digit/],
  [{ name: "عقدة" }, "name", /only the letters a to z/],
  [{ name: "g".repeat(10_000) }, "name", /The name has 10000 characters; the maximum is 100/],
  [{ count: "100" }, "count", /from 0 to 99, found 100/],
  [{ count: "" }, "count", /Count is missing/],
  [{ count: "many" }, "count", /found "many"/],
  [{ memory: "1 GB of it" }, "memory", /found "1 GB of it"/],
  [{ memory: "0.5 MiB" }, "memory", /found 0\.5/],
  [{ cpu: "-1" }, "cpu", /found -1/],
  [{ cpu: "4", threads: "3" }, "threads", /cannot be divided/],
  [{ "disk.0.size": "0" }, "disk.0.size", /from 1 to 65536 GiB, found 0/],
  [{ "disk.1.name": "root", "disk.1.size": "1" }, "disk.1.name", /Two rows have the name/],
  [{ "disk.1.size": "10" }, "disk.1.name", /Enter a name for the disk/],
  [{ "disk.0.name": "1st" }, "disk.0.name", /must start with a letter/],
  [{ "network.0.name": "عقدة" }, "network.0.name", /must start with a letter/],
  [{ "network.0.bridge": "" }, "network.0.bridge", /bridge is missing/],
  [{ "network.0.macs": "02:00" }, "network.0.macs", /not a unicast MAC/],
  [{ "network.0.macs": "02:00:5e:10:00:01" }, "network.0.macs", /2 VMs need as many/],
  [{ description: "d".repeat(901) }, "description", /901 characters/],
  [{ on_failure: "explode" }, "on_failure", /must be roll-back, keep, stop/],
  [{ "storage.pool_path": "/mnt/tank/vms" }, "storage.pool_path", /without \/mnt/],
  [{ "storage.cdrom_path": "" }, "storage.cdrom_path", /missing/],
];

Deno.test("a mistake is named at its field, with what was typed kept", () =>
  withDashboard({}, async (dashboard) => {
    const before = fileText(dashboard);
    const form = await page(dashboard, "/types/new");
    for (const [typed, field, words] of MISTAKES) {
      for (const path of ["/types/review", "/types"]) {
        const answer = await post(dashboard, path, filled(form, { ...GPU, ...typed }));
        const html = await answer.text();
        assert.equal(answer.status, 422, JSON.stringify(typed));
        assert.deepEqual(errorsOf(html), [field], JSON.stringify(typed));
        assert.match(plain(html), words);
        for (const [name, value] of Object.entries({ ...GPU, ...typed })) {
          // A browser sends only what the choice has.
          if (name === "on_failure") continue;
          const kept = fieldsOf(html).filter(([it]) => it === name || it === `${name}.other`).map(([, it]) =>
            it
          );
          assert.ok(kept.includes(value), `${name} of ${JSON.stringify(typed)} is kept`);
        }
      }
    }
    assert.equal(fileText(dashboard), before);
  }));

Deno.test("a file that changed meanwhile is not overwritten: 409, what was typed is kept, and the new difference shown", () => {
  let file = TEST_CONFIG;
  const store = new MemoryStore(() => ({ text: file, source: "config.yaml" }));
  return withDashboard({ store }, async (dashboard) => {
    const edit = await page(dashboard, "/types/edit?name=worker");
    const review = await text(post(dashboard, "/types/review", filled(edit, { count: "4" })));
    file = TEST_CONFIG.replace(
      "worker:\n  count: 3\n  memory: 2048",
      "worker:\n  count: 3\n  memory: 4096 # more",
    );
    for (
      const [path, fields] of [["/types", fieldsOf(review)], [
        "/types/review",
        filled(edit, { count: "4" }),
      ]] as const
    ) {
      const { status, html } = await submit(dashboard, path, [...fields]);
      assert.equal(status, 409);
      assert.match(plain(html), /The file changed after this page was opened\. Nothing was saved/);
      assert.match(html, /data-diff="removed"[^]*?memory: 4096 # more/);
      assert.ok(fieldsOf(html).some(([name, value]) => name === "count" && value === "4"));
      assert.equal(fileText(dashboard), file);
      if (path === "/types") continue;
      await save(dashboard, fieldsOf(html));
      assert.match(fileText(dashboard), /count: 4\n {2}memory: 2048 # more/);
    }
  });
});

Deno.test("a button inside the form does not hide that the file changed meanwhile", () =>
  withDashboard({}, async (dashboard) => {
    const edit = await page(dashboard, "/types/edit?name=worker");
    await save(dashboard, GPU);
    const stepped = await submit(dashboard, "/types/form", [...fieldsOf(edit), ["step", "more"]]);
    assert.equal((await submit(dashboard, "/types/review", fieldsOf(stepped.html))).status, 409);
    assert.equal((await submit(dashboard, "/types", fieldsOf(stepped.html))).status, 409);
  }));

Deno.test("a type that somebody else deleted or added meanwhile is said to be gone or taken", () =>
  withDashboard({}, async (dashboard) => {
    const edit = filled(await page(dashboard, "/types/edit?name=worker"), { count: "4" });
    const add = filled(await page(dashboard, "/types/new"), GPU);
    const removal = await page(dashboard, "/types/remove?name=worker");
    await save(dashboard, fieldsOf(removal));
    await save(dashboard, GPU);
    const gone = await submit(dashboard, "/types/review", edit);
    assert.equal(gone.status, 409);
    assert.match(plain(gone.html), /config\.yaml has no section "worker" any more/);
    const taken = await submit(dashboard, "/types/review", add);
    assert.equal(taken.status, 409);
    assert.deepEqual(errorsOf(taken.html), ["name"]);
    assert.match(plain(taken.html), /There is already a VM type gpu/);
  }));

Deno.test("the only VM type cannot be deleted", () =>
  withDashboard({ config: TEST_CONFIG.replace(/worker:[^]*/, "") }, async (dashboard) => {
    const answer = await send(dashboard, "/types/remove?name=controlplane", {});
    assert.equal(answer.status, 422);
    assert.match(plain(answer.body), /controlplane is the only VM type/);
    assert.match(answer.body, /data-type="controlplane"/);
  }));

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

Deno.test("buttons inside the form change it without losing anything: steps, rows, totals", () =>
  withDashboard({}, async (dashboard) => {
    const form = await page(dashboard, "/types/edit?name=worker");
    const press = async (name: string, value: string, html: string) =>
      await text(post(dashboard, "/types/form", [...filled(html, { description: "kept" }), [name, value]]));
    const more = await press("step", "more", form);
    assert.ok(fieldsOf(more).some(([name, value]) => name === "count" && value === "4"));
    assert.match(plain(more), /What this takes 4 VMs .*8 GiB of .* free .*280 GiB of/);
    const rows = await press("add", "disk", await press("drop", "disk.0", more));
    assert.deepEqual(
      fieldsOf(rows).filter(([name]) => name.startsWith("disk.")),
      [["disk.0.name", "data"], ["disk.0.size", "50"], ["disk.1.name", ""], ["disk.1.size", ""]],
    );
    assert.ok(fieldsOf(rows).some(([name, value]) => name === "description" && value === "kept"));
    const sized = await text(post(dashboard, "/types/form", filled(rows, { size: "large" })));
    assert.ok(fieldsOf(sized).some(([name, value]) => name === "memory" && value === "8 GiB"));
    const custom = await text(
      post(dashboard, "/types/form", filled(sized, { size: "custom", memory: "3 GiB" })),
    );
    assert.ok(fieldsOf(custom).some(([name, value]) => name === "memory" && value === "3 GiB"));
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

Deno.test("an empty or unknown form changes nothing", () =>
  withDashboard({}, async (dashboard) => {
    for (const path of ["/types", "/types/review", "/types/download"]) {
      const answer = await post(dashboard, path, { other: "1" });
      assert.equal(answer.status, 400, path);
      assert.match(plain(await answer.text()), /arrived empty\. Nothing was saved/);
    }
    assert.equal((await submit(dashboard, "/types/form", {})).status, 303);
    assert.equal(hidden(await page(dashboard, "/types/new"), "shown"), dashboard.store.read().fingerprint);
  }));
