/**
 * Protects the form of a VM type, as browsers without JavaScript use it: what was typed is kept, mistakes stand at their
 * fields, and its buttons change it without losing anything.
 */
import assert from "node:assert/strict";
import { errorsOf, hidden, post, text, withDashboard } from "../../support/pages/http.ts";
import {
  type Fields,
  fieldsOf,
  fileText,
  filled,
  GPU,
  page,
  plain,
  saveForm,
  submit,
} from "../../support/pages/type_forms.ts";

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
