/**
 * Protects the destruction of one VM from its page, and of a selection of the list: exactly the VMs that were listed, with
 * the options that were listed, and others' VMs only after their names were typed. Over real HTTP.
 */
import assert from "node:assert/strict";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import {
  create,
  finishedOperation,
  follow,
  FORM,
  hidden,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

/** A NAS with three workers made here, and a VM of somebody else with a zvol. */
function withForeignVm(
  version: "25.10" | "27.0",
  test: (dashboard: TestDashboard, ids: ReadonlyMap<string, number>) => Promise<void>,
): Promise<void> {
  return withDashboard({ simulator: { version, foreignVms: 1 } }, async (dashboard) => {
    const { manager, simulator } = dashboard;
    await manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
    const ids = new Map([...simulator.store.vms.values()].map(({ id, config }) => [config.name, id]));
    await Promise.all([...ids.values()].map((id) => manager.inventory.live.refreshNow(id)));
    await test(dashboard, ids);
  });
}

function namesOn({ simulator }: TestDashboard): string[] {
  return [...simulator.store.vms.values()].map(({ config }) => config.name).toSorted();
}

for (const version of ["25.10", "27.0"] as const) {
  Deno.test(`one VM is destroyed from its page by its ID and the phrase (${version}) (fault 4)`, () =>
    withForeignVm(version, async (dashboard, ids) => {
      const id = ids.get("worker02");
      const { url, simulator } = dashboard;
      assert.match(await text(fetch(`${url}/vms/${id}`)), new RegExp(`href="/vms/${id}/destroy"`));
      const page = await text(fetch(`${url}/vms/${id}/destroy`));
      assert.match(page, /<h1 dir="auto">Destroy worker02<\/h1>/);
      assert.match(page, /tank\/vms\/worker02-disk0/);
      assert.doesNotMatch(page, /data-vm="worker0[13]"/);
      const form = {
        plan: hidden(page, "plan"),
        token: hidden(page, "token"),
        id: String(ids.get("worker01")),
      };
      const wrong = await post(dashboard, `/vms/${id}/destroy`, { ...form, phrase: "destroy 2 vms" });
      assert.equal(wrong.status, 422);
      assert.match(
        await wrong.text(),
        /data-error="phrase"[^<]*>The phrase did not match. Nothing was destroyed. Type destroy 1 vm to confirm/,
      );
      const fields = { ...form, phrase: "Destroy 1 VM" };
      const led = await follow(post(dashboard, `/vms/${id}/destroy`, fields));
      assert.equal((await finishedOperation(dashboard, led)).status, "done");
      assert.deepEqual(namesOn(dashboard), ["homeassistant", "worker01", "worker03"]);
      assert.ok(![...simulator.store.datasets.keys()].some((name) => name.includes("worker02")));
      assert.equal(await follow(post(dashboard, `/vms/${id}/destroy`, fields)), led, "sent twice, done once");
      await dashboard.manager.inventory.live.refreshNow(id ?? 0);
      const gone = await fetch(`${url}/vms/${id}/destroy`);
      assert.equal(gone.status, 404);
      await gone.body?.cancel();
    }));

  Deno.test(`a VM created elsewhere is destroyed only after typing its name (${version}) (fault 4)`, () =>
    withForeignVm(version, async (dashboard, ids) => {
      const path = `/vms/${ids.get("homeassistant")}/destroy`;
      const page = await text(fetch(dashboard.url + path));
      assert.match(page, /Type “homeassistant” to confirm/);
      const form = { plan: hidden(page, "plan"), token: hidden(page, "token") };
      const hasty = await post(dashboard, path, { ...form, phrase: "destroy 1 vm" });
      assert.equal(hasty.status, 422);
      await hasty.body?.cancel();
      assert.equal(namesOn(dashboard).length, 4);
      const led = await follow(post(dashboard, path, { ...form, phrase: "homeassistant" }));
      assert.equal((await finishedOperation(dashboard, led)).status, "done");
      assert.deepEqual(namesOn(dashboard), ["worker01", "worker02", "worker03"]);
    }));

  Deno.test(`exactly the selection of the list is proposed (${version}) (fault 4)`, () =>
    withForeignVm(version, async (dashboard, ids) => {
      const { url } = dashboard;
      const list = await text(fetch(url));
      const button =
        /<button[^>]* name="selection"[^>]* formaction="([^"]+)"[^>]*>(?:<svg[^]*?<\/svg>)?\s*Destroy…?\s*</
          .exec(
            list,
          );
      assert.equal(button?.[1], "/destroy", "the form of the list has a button for it");
      const selected = [ids.get("worker03"), ids.get("homeassistant")];
      const query = selected.map((id) => `id=${id}`).join("&");
      const page = await text(fetch(`${url}/destroy?${query}`));
      const rows = [...page.matchAll(/<tr data-vm="(\w+)"/g)].map(([, name]) => name);
      assert.deepEqual(rows, ["homeassistant", "worker03"]);
      assert.match(page, /Type “destroy 2 vms” to confirm/);
      assert.match(page, /Type “homeassistant” to confirm/);
      const field = `name-${ids.get("homeassistant")}`;
      const form = (fields: Record<string, string>) => [
        ...selected.map((id): [string, string] => ["id", String(id)]),
        ...Object.entries({ plan: hidden(page, "plan"), token: hidden(page, "token"), ...fields }),
      ];
      const phraseOnly = await post(dashboard, "/destroy", form({ phrase: "destroy 2 vms" }));
      assert.equal(phraseOnly.status, 422);
      assert.match(
        await phraseOnly.text(),
        new RegExp(
          `data-error="${field}"[^<]*>The phrase did not match. Nothing was destroyed. Type homeassistant`,
        ),
      );
      const whole = form({ phrase: "destroy 2 vms", [field]: "homeassistant" });
      const led = await follow(post(dashboard, "/destroy", whole));
      assert.equal((await finishedOperation(dashboard, led)).status, "done");
      assert.deepEqual(namesOn(dashboard), ["worker01", "worker02"]);
    }));

  Deno.test(`only removable VMs of a selection ask for their names (${version}) (fault 4)`, () =>
    withForeignVm(version, async (dashboard, ids) => {
      const zvol = "tank/VMs/homeassistant-data";
      addSnapshot(dashboard.simulator.store, `${zvol}@copy`);
      addClone(dashboard.simulator.store, `${zvol}@copy`, "tank/VMs/copy");
      const query = `id=${ids.get("worker03")}&id=${ids.get("homeassistant")}`;
      const page = await text(fetch(`${dashboard.url}/destroy?${query}`));
      assert.match(page, /data-blocked="homeassistant"/);
      assert.match(page, /Type “destroy 1 vm” to confirm/);
      assert.doesNotMatch(page, /Type “homeassistant” to confirm/);
      const json = await fetch(`${dashboard.url}/destroy?${query}`, {
        headers: { accept: "application/json" },
      });
      const { words } = await json.json();
      assert.deepEqual(words, [{ field: "phrase", words: "destroy 1 vm", vm: null }]);
    }));

  Deno.test(`a selected VM that no longer exists is an error, and an empty selection proposes nothing (${version}) (fault 4)`, () =>
    withForeignVm(version, async (dashboard, ids) => {
      const { url } = dashboard;
      const missing = await text(fetch(`${url}/destroy?id=${ids.get("worker01")}&id=9999`));
      assert.match(missing, /No VM has the ID 9999/i);
      assert.doesNotMatch(missing, /id="confirm-destroy"/);
      const none = await text(fetch(`${url}/destroy?selection=yes`));
      assert.match(none, /No VMs selected/);
      assert.doesNotMatch(none, /id="confirm-destroy"|data-vm=/);
      assert.match(await text(fetch(`${url}/destroy`)), /destroy 3 vms/, "the types of the configuration");
    }));
}

Deno.test("an invalid ID in a selection is an error, and nothing of the selection is destroyed", () =>
  withDashboard({ simulator: { foreignVms: 2 } }, async (dashboard) => {
    const [vm] = [...dashboard.simulator.store.vms.values()];
    assert.ok(vm);
    const list = await text(fetch(`${dashboard.url}/destroy?id=${vm.id}`));
    const fields = (odd: string): [string, string][] => [
      ["prefixes", ""],
      ["id", String(vm.id)],
      ["id", odd],
      ["plan", hidden(list, "plan")],
      ["token", hidden(list, "token")],
      ["phrase", vm.config.name],
    ];
    for (const odd of ["abc", "-1", "1e3", "", "9".repeat(400)]) {
      const refused = await post(dashboard, "/destroy", fields(odd));
      assert.equal(refused.status, 422, odd);
      assert.match(await refused.text(), /No VM has the ID/i);
    }
    assert.equal(dashboard.simulator.store.vms.size, 2);
  }));

/** What a browser without a script sends with the form that destroys. */
function filled(html: string): [string, string][] {
  const form = /<form[^>]* id="destroy"[^]*?<\/form>/.exec(html)?.[0];
  assert.ok(form, "the list can be confirmed");
  return [...form.matchAll(/<input [^>]*>/g)].flatMap(([input]) => {
    const [name, value] = ["name", "value"].map((what) => new RegExp(` ${what}="([^"]*)"`).exec(input)?.[1]);
    const isSent = !input.includes('type="checkbox"') || input.includes(" checked");
    return name === undefined || !isSent ? [] : [[name, value ?? ""]];
  });
}

/** The form with the phrase typed and these options ticked after it was shown. */
function confirmed(html: string, ...ticked: readonly string[]): [string, string][] {
  return [
    ...filled(html).filter(([name]) => name !== "phrase"),
    ["phrase", "destroy 2 vms"],
    ...ticked.map((name): [string, string] => [name, "yes"]),
  ];
}

for (
  const [option, says] of [["keep", "Their disks are kept"], [
    "shutdown",
    "Running VMs are shut down",
  ]] as const
) {
  Deno.test(`an option ticked but not listed destroys nothing, and its list is shown to confirm (${option})`, () =>
    withDashboard({}, async (dashboard) => {
      await finishedOperation(dashboard, await create(dashboard, FORM));
      const zvols = new Set(dashboard.simulator.store.datasets.keys());
      const page = await text(fetch(`${dashboard.url}/destroy?prefixes=worker`));
      for (const box of ["keep", "shutdown"]) {
        assert.match(page, new RegExp(`id="destroy"[^]*<input type="checkbox" id="${box}"[^]*</form>`), box);
      }
      const refused = await post(dashboard, "/destroy", confirmed(page, option));
      assert.equal(refused.status, 409);
      const list = await refused.text();
      assert.match(list, /The options changed after the list was shown. Nothing was destroyed/);
      assert.match(list, new RegExp(says));
      // A client that leaves out what was listed is held to the plan all the same.
      const bare = confirmed(page, option).filter(([name]) => name !== "listed");
      const again = await post(dashboard, "/destroy", bare);
      assert.equal(again.status, 409);
      await again.body?.cancel();
      const back = await post(dashboard, "/destroy", confirmed(list).filter(([name]) => name !== option));
      assert.equal(back.status, 409, "nor is an option dropped that was listed");
      await back.body?.cancel();
      assert.equal(dashboard.simulator.store.vms.size, 2);
      const sent = dashboard.simulator.calls.map(({ method }) => method);
      assert.ok(!sent.some((method) => ["vm.delete", "vm.poweroff", "vm.stop"].includes(method)));
      const led = await follow(post(dashboard, "/destroy", confirmed(list)));
      assert.equal((await finishedOperation(dashboard, led)).status, "done");
      assert.equal(dashboard.simulator.store.vms.size, 0);
      const left = new Set(dashboard.simulator.store.datasets.keys());
      assert.equal(left.isSupersetOf(zvols), option === "keep", "the disks are kept if that was ticked");
    }));
}

Deno.test("List VMs shows the ticked options and destroys nothing, also with the phrase typed", () =>
  withDashboard({}, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const worker = [...dashboard.simulator.store.vms.values()].find(({ config }) =>
      config.name === "worker01"
    );
    for (
      const [path, next] of [
        ["/destroy?prefixes=worker", "/destroy?prefixes=worker&keep=yes"],
        [`/vms/${worker?.id}/destroy`, `/vms/${worker?.id}/destroy?keep=yes`],
      ] as const
    ) {
      const page = await text(fetch(dashboard.url + path));
      const led = await follow(
        post(dashboard, path.replace(/\?.*/, ""), [...confirmed(page, "keep"), ["list", "yes"]]),
      );
      assert.equal(led, next);
      assert.match(await text(fetch(dashboard.url + led)), /id="keep" name="keep" value="yes" checked/);
    }
    assert.equal(dashboard.simulator.store.vms.size, 2);
  }));

Deno.test("a selection of which a VM is gone names it, and lists the remaining VMs on a click", () =>
  withDashboard({}, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const [first, second] = [...dashboard.simulator.store.vms.keys()];
    const page = await text(fetch(`${dashboard.url}/destroy?id=${first}&id=${second}`));
    assert.doesNotMatch(page, /id="field-prefixes"/, "a selection has no form for VM types");
    dashboard.simulator.store.vms.delete(Number(first));
    await dashboard.manager.inventory.live.refreshNow(Number(first));
    const refused = await post(dashboard, "/destroy", confirmed(page));
    assert.equal(refused.status, 422);
    const stale = await refused.text();
    assert.match(stale, new RegExp(`worker01 \\(ID ${first}\\) no longer exists on the NAS`));
    assert.match(stale, new RegExp(`name="id" value="${second}"[^]*List the remaining VMs`));
    assert.doesNotMatch(stale, new RegExp(`name="id" value="${first}"`));
  }));
