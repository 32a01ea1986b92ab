/**
 * Protects the settings of a VM on its page: each reaches the NAS, what takes effect later is said, mistakes and NAS errors
 * stand at their fields with the entries kept, and hostile text stays text. Over real HTTP.
 */
import assert from "node:assert/strict";
import { isMarked } from "../../../lib/inventory/marks.ts";
import { post, text } from "../../support/pages/http.ts";
import { onEach } from "../../support/pages/vm_forms.ts";

const SETTINGS = { name: "controlplane01", cpu: "4", memory: "3072", description: "lab", autostart: "no" };

onEach(
  "the page confirms a saved change, and says when it takes effect only at the next start (fault 36)",
  async ({ dashboard, id }) => {
    const save = async (fields: Record<string, string>) => {
      const answer = await post(dashboard, `/vms/${id}/settings`, {
        ...SETTINGS,
        ...fields,
        shown: await shown(),
      });
      await answer.body?.cancel();
      assert.equal(answer.status, 303);
      return await text(fetch(dashboard.url + answer.headers.get("location")));
    };
    const shown = async () =>
      /name="shown" value="([^"]*)"/.exec(await text(fetch(`${dashboard.url}/vms/${id}`)))?.[1] ?? "";
    const stopped = await save({ memory: "1024" });
    assert.match(stopped, /Settings saved/);
    assert.doesNotMatch(stopped, /the next time/, "it does not run");
    const start = {
      action: "start" as const,
      id,
      name: "controlplane01",
      state: "STOPPED",
      overcommit: false,
    };
    await dashboard.manager.changes.act("start", [start]).finished;
    await dashboard.manager.inventory.live.ready(10_000);
    const described = await save({ memory: "1024", description: "other" });
    assert.match(described, /Settings saved/);
    assert.doesNotMatch(described, /the next time/, "a description applies at once");
    const grown = await save({ memory: "2048", description: "other" });
    assert.match(grown, /the new vCPUs and memory take effect at its next start/);
    const page = await text(fetch(`${dashboard.url}/vms/${id}?saved=nothing`));
    assert.doesNotMatch(page, /were saved/, "only what was done is said");
  },
);

onEach(
  "settings are changed, the mark is kept, and mistakes appear at their fields",
  async ({ dashboard, id, send }) => {
    const vm = dashboard.simulator.store.vms.get(id);
    assert.equal((await send("settings", { ...SETTINGS, memory: "3 GiB" })).status, 303);
    const { cores, memory, description, autostart } = vm?.config ?? assert.fail();
    assert.deepEqual([cores, memory, autostart], [4, 3072, false]);
    assert.ok(isMarked(String(description)), "it stays known as made here");
    const shown = await text(fetch(`${dashboard.url}/vms/${id}`));
    assert.match(shown, /<dt>Description<\/dt><dd dir="auto">lab<\/dd>/);
    assert.match(shown, /name="description" value="lab"/, "the mark is nothing to edit");
    const wrong = await send("settings", { ...SETTINGS, name: "no-hyphens", cpu: "0", memory: "x" });
    assert.equal(wrong.status, 422);
    for (const field of ["settings.name", "settings.cpu", "settings.memory"]) {
      assert.match(wrong.html, new RegExp(`data-error="${field}"`));
    }
    assert.match(wrong.html, /value="no-hyphens"/, "what was typed is kept");
    const taken = await send("settings", { ...SETTINGS, name: "homeassistant" });
    assert.match(
      taken.html,
      /data-error="settings\.name"[^<]*>Another VM already has this name; choose another name \(TrueNAS: /,
      "at the field, in our words beside the NAS's",
    );
  },
);

onEach(
  "a VM that never started is renamed, and its page says so, whatever the NAS answers (fault 42)",
  async ({ dashboard, id, version, send }) => {
    const { status, html } = await send("settings", { ...SETTINGS, name: "etcd_a" });
    assert.equal(status, 303, html);
    assert.equal(dashboard.simulator.store.vms.get(id)?.config.name, "etcd_a");
    const update = dashboard.simulator.calls.find(({ method }) => method === "vm.update");
    assert.ok(update?.answer !== undefined);
    const isAnsweredWell = "result" in update.answer;
    assert.equal(isAnsweredWell, version === "27.0", "the premise: older releases answer with an error");
    const [change] = dashboard.manager.operations.store.list();
    assert.deepEqual([change?.status, change?.vms[0]?.outcome], ["done", "done"]);
    assert.match(change?.vms[0]?.message ?? "", /^Settings changed/);
    assert.match(await text(fetch(`${dashboard.url}/vms/${id}`)), /<h1 dir="auto">etcd_a<\/h1>/);
    assert.match(await text(fetch(dashboard.url)), /data-vm="etcd_a"/);
  },
  ["25.04.2", "25.10", "27.0"],
);

onEach(
  "a running VM is not renamed, and its page says what to do (fault 42)",
  async ({ dashboard, id, send }) => {
    const vm = dashboard.simulator.store.vms.get(id);
    assert.ok(vm);
    await dashboard.manager.changes.act("start", [
      { action: "start", id, name: "controlplane01", state: "STOPPED", overcommit: false },
    ]).finished;
    await dashboard.manager.inventory.live.refreshNow(id);
    const { status, html } = await send("settings", { ...SETTINGS, name: "etcd_a" });
    assert.equal(status, 422);
    assert.match(html, /data-error="settings\.name"[^<]*>Only a stopped VM can be renamed/);
    assert.equal(vm.config.name, "controlplane01");
  },
);

onEach(
  "settings changed elsewhere in the meantime are not overwritten",
  async ({ dashboard, id, send }) => {
    const page = await text(fetch(`${dashboard.url}/vms/${id}`));
    const [, shown = ""] = /name="shown" value="([^"]+)"/.exec(page) ?? [];
    assert.ok(shown !== "");
    const elsewhere = await send("settings", { ...SETTINGS, memory: "4096", shown });
    assert.equal(elsewhere.status, 303);
    const late = await send("settings", { ...SETTINGS, memory: "1024", shown });
    assert.equal(late.status, 422);
    assert.match(late.html, /The settings were changed elsewhere after you opened this page/);
    assert.match(late.html, /value="1024"/, "what was typed is kept");
    assert.equal(dashboard.simulator.store.vms.get(id)?.config.memory, 4096);
    const [, anew = ""] = /name="shown" value="([^"]+)"/.exec(late.html) ?? [];
    assert.equal((await send("settings", { ...SETTINGS, memory: "1024", shown: anew })).status, 303);
  },
);

onEach("markup, emoji, right-to-left and very long text stay text", async ({ dashboard, id, send }) => {
  const hostile = `<script>alert(1)</script>"'&<img src=x onerror=alert(2)> 🧊 \u202Eevil ${"x".repeat(700)}`;
  assert.equal((await send("settings", { ...SETTINGS, description: hostile })).status, 303);
  const page = await text(fetch(`${dashboard.url}/vms/${id}`));
  assert.ok(!page.includes("<script>alert") && !page.includes("<img src=x"));
  assert.match(page, /&lt;script&gt;alert\(1\)/);
  const long = await send("settings", { ...SETTINGS, description: "x".repeat(10_000) });
  assert.equal(long.status, 422);
  assert.match(
    long.html,
    /data-error="settings\.description"[^<]*>The description has 10000 characters. Shorten it to 900/,
  );
});
