/**
 * Protects creating one VM without a VM type, as browsers without JavaScript use it: exactly the VM that was shown is
 * created, a name is never taken twice, the configuration stays as it is, and what was typed is kept.
 */
import assert from "node:assert/strict";
import { nextName } from "../../../routes/one/one_form.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import {
  create,
  finishedOperation,
  follow,
  FORM,
  hidden,
  post,
  signIn,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

const ONE = {
  name: "db07",
  "storage.pool_path": "tank/vms",
  "storage.cdrom_path": "/mnt/tank/iso/debian.iso",
  size: "custom",
  size_shown: "custom",
  cpu: "2",
  memory: "3 GiB",
  "disk.0.name": "root",
  "disk.0.size": "20",
  "network.0.name": "lan",
  "network.0.bridge": "br0",
  start: "yes",
};

type Fields = Readonly<Record<string, string>>;

async function page({ url }: TestDashboard, path: string): Promise<string> {
  return await text(fetch(url + path));
}

async function submit(dashboard: TestDashboard, path: string, fields: Fields) {
  const answer = await post(dashboard, path, fields);
  return { status: answer.status, html: await answer.text() };
}

async function createOne(dashboard: TestDashboard, fields: Fields): Promise<Record<string, unknown>> {
  const { status, html } = await submit(dashboard, "/create/one/plan", fields);
  assert.equal(status, 200, html);
  const confirmed = { ...fields, token: hidden(html, "token"), plan: hidden(html, "plan") };
  return await finishedOperation(dashboard, await follow(post(dashboard, "/create/one", confirmed)));
}

function valueOf(html: string, name: string): string | undefined {
  return new RegExp(`name="${name.replaceAll(".", "\\.")}" value="([^"]*)"`).exec(html)?.[1];
}

for (const name of ["db07", "mail", "2026", "__proto__"]) {
  Deno.test(`exactly the VM named ${name} is planned and created, and the configuration stays as it is`, () =>
    withDashboard({}, async (dashboard) => {
      const before = dashboard.store.file().text;
      const { html } = await submit(dashboard, "/create/one/plan", { ...ONE, name });
      assert.deepEqual([...html.matchAll(/data-plan-vm="([^"]*)"/g)].map(([, vm]) => vm), [name]);
      assert.match(html, new RegExp(`>\\s*Create ${name}\\s*<`));
      assert.equal((await createOne(dashboard, { ...ONE, name })).status, "done");
      const [vm, ...others] = await dashboard.manager.list();
      assert.equal(others.length, 0);
      assert.equal(vm?.name, name);
      assert.deepEqual([vm.vcpus, vm.memoryMib, vm.state], [2, 3072, "RUNNING"]);
      assert.equal(vm.disks[0]?.zvol, `tank/vms/${name}-disk0`);
      assert.ok(vm.disks[0].mark !== null && vm.description.includes("[truenas-vm-manager]"));
      assert.equal(dashboard.store.file().text, before);
    }));
}

Deno.test("a name that a VM on the NAS has is refused at its field, even for a VM that lacks something", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, FORM));
    for (const [name, free] of [["worker01", "worker03"], ["homeassistant", "homeassistant2"]]) {
      const { status, html } = await submit(dashboard, "/create/one/plan", { ...ONE, name: name ?? "" });
      assert.equal(status, 422);
      assert.match(
        html,
        new RegExp(`already has a VM named ${name}\\. Choose another name, for example ${free}<`),
      );
      assert.match(html, /data-error="name"/);
      assert.doesNotMatch(html, /name="token"/);
      assert.equal(valueOf(html, "name"), name);
    }
  }));

Deno.test("mistakes stand at their fields, with everything that was typed", () =>
  withDashboard({}, async (dashboard) => {
    const typed = { ...ONE, name: "db-01", memory: "lots", "disk.0.size": "", "disk.1.size": "5" };
    const { status, html } = await submit(dashboard, "/create/one/plan", typed);
    assert.equal(status, 422);
    const errors = [...html.matchAll(/data-error="([^"]*)"/g)].map(([, field]) => field);
    assert.deepEqual(errors.toSorted(), ["disk.0.size", "disk.1.name", "memory", "name"]);
    assert.match(html, /use letters, digits and underscores, at most 150/);
    for (const name of ["name", "memory", "disk.1.size"] as const) {
      assert.equal(valueOf(html, name), typed[name]);
    }
    for (const name of ["", "x".repeat(10_000), "שלום", "a b"]) {
      const wrong = await submit(dashboard, "/create/one/plan", { ...ONE, name });
      assert.equal(wrong.status, 422);
      assert.match(wrong.html, /data-error="name"/);
    }
    const missing = await submit(dashboard, "/create/one/plan", { ...ONE, "network.0.bridge": "br9" });
    assert.equal(missing.status, 422);
    assert.match(missing.html, /data-error="network\.0\.bridge"/);
    const empty = await submit(dashboard, "/create/one/plan", { other: "1" });
    assert.equal(empty.status, 400);
    assert.match(empty.html, /arrived empty/);
  }));

Deno.test("nothing is created without a plan that was shown, or after the NAS changed", () =>
  withDashboard({}, async (dashboard) => {
    const unseen = await submit(dashboard, "/create/one", { ...ONE, token: "made-up", plan: "made-up" });
    assert.equal(unseen.status, 409);
    assert.match(unseen.html, /Nothing has been created yet/);
    const confirmed = { ...ONE, token: hidden(unseen.html, "token"), plan: hidden(unseen.html, "plan") };
    const changed = await submit(dashboard, "/create/one", { ...confirmed, memory: "4 GiB" });
    assert.equal(changed.status, 409);
    assert.match(changed.html, /Nothing was created/);
    assert.deepEqual(await dashboard.manager.list(), []);
    const operation = await follow(post(dashboard, "/create/one", confirmed));
    assert.equal(await follow(post(dashboard, "/create/one", confirmed)), operation, "pressed twice");
    await finishedOperation(dashboard, operation);
    assert.deepEqual((await dashboard.manager.list()).map(({ name }) => name), ["db07"]);
  }));

Deno.test("a failed VM is rolled back, and trying again creates exactly it", () =>
  withDashboard({}, async (dashboard) => {
    const error = { errno: 28, errname: "ENOSPC", reason: "[ENOSPC] out of space" };
    dashboard.simulator.addFault({ method: "vm.device.create", skip: 2, times: 1, action: "fail", error });
    const failed = await createOne(dashboard, ONE);
    assert.notEqual(failed.status, "done");
    assert.deepEqual(await dashboard.manager.list(), []);
    const resumed = await follow(post(dashboard, `/operations/${failed.id}/resume`, {}));
    assert.equal((await finishedOperation(dashboard, resumed)).status, "done");
    assert.deepEqual((await dashboard.manager.list()).map(({ name }) => name), ["db07"]);
  }));

Deno.test("GET /create/one?like=ID fills the form from a VM that was not created here, with a free name", () =>
  withDashboard({ simulator: { foreignVms: 3 } }, async (dashboard) => {
    const vms = await dashboard.manager.list();
    const win = vms.find(({ name }) => name === "win11");
    assert.ok(win);
    const html = await page(dashboard, `/create/one?like=${win.id}`);
    assert.equal(valueOf(html, "name"), "win12");
    assert.equal(valueOf(html, "cpu"), "6");
    assert.equal(valueOf(html, "memory"), "8 GiB");
    assert.equal(valueOf(html, "disk.0.size"), "128");
    assert.match(html, /<option value="br0" selected/);
    assert.equal(valueOf(html, "like"), String(win.id));
    assert.doesNotMatch(html, new RegExp(win.nics[0]?.mac ?? "?"));
    assert.match(html, /no install image, so the configured one/);
    const fields = { ...ONE, name: "win12", cpu: "6", memory: "8 GiB", like: String(win.id) };
    const shown = await submit(dashboard, "/create/one/form", { ...fields, add: "disk" });
    assert.match(
      shown.html,
      new RegExp(`like <a href="/vms/${win.id}"`),
      "it is still said where it came from",
    );
    assert.equal((await createOne(dashboard, fields)).status, "done");
    const made = (await dashboard.manager.list()).find(({ name }) => name === "win12");
    assert.notEqual(made?.nics[0]?.mac, win.nics[0]?.mac);
  }));

Deno.test("More like this stands in the VM's menu, in the list's menu and nowhere for viewers", () => {
  const access = { password: "correct horse", viewerPassword: "only looking" };
  return withDashboard({ simulator: { foreignVms: 1 }, access }, async (dashboard) => {
    const [vm] = await dashboard.manager.list();
    const admin = { cookie: (await signIn(dashboard, "correct horse")).cookie };
    const viewer = { cookie: (await signIn(dashboard, "only looking")).cookie };
    const get = (path: string, headers: Fields) => text(fetch(dashboard.url + path, { headers }));
    const link = `href="/create/one?like=${vm?.id}"`;
    for (const path of ["/", `/vms/${vm?.id}/menu`, `/vms/${vm?.id}`]) {
      assert.ok((await get(path, admin)).includes(link), path);
      assert.ok(!(await get(path, viewer)).includes(link), path);
    }
    const closed = await get("/create/one", viewer);
    assert.match(closed, /Viewers cannot make changes/);
    assert.doesNotMatch(closed, /id="one-form"/);
  });
});

Deno.test("a VM of a declared type leads to its count, and a VM that is gone is said to be", () =>
  withDashboard({}, async (dashboard) => {
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const [vm] = await dashboard.manager.list();
    const html = await page(dashboard, `/create/one?like=${vm?.id}`);
    assert.match(html, /To create more VMs of type worker, <a href="\/create">raise its count<\/a>/);
    assert.equal(valueOf(html, "name"), "worker03");
    const gone = await fetch(`${dashboard.url}/create/one?like=999`);
    assert.equal(gone.status, 404);
    assert.match(await gone.text(), /no longer exists/);
  }));

Deno.test("one VM can be created before any VM type is declared, and while the configuration has errors", () =>
  withDashboard({ config: "worker: [" }, async (dashboard) => {
    assert.match(await page(dashboard, "/create/one"), /id="one-form"/);
    assert.match(await page(dashboard, "/create"), /href="\/create\/one"/);
    assert.equal((await createOne(dashboard, ONE)).status, "done");
  }));

Deno.test("Save as a VM type opens the form of a type with the values, and saves nothing yet", () =>
  withDashboard({}, async (dashboard) => {
    const before = dashboard.store.file().text;
    const fields = { ...ONE, change: "type", count: "1", as: "type", "storage.pool_path": "tank/other" };
    const { status, html } = await submit(dashboard, "/types/form", fields);
    assert.equal(status, 200);
    assert.match(html, /<h1>New VM type<\/h1>/);
    assert.equal(valueOf(html, "name"), "db");
    assert.equal(valueOf(html, "memory"), "3 GiB");
    assert.equal(valueOf(html, "disk.0.size"), "20");
    assert.match(html, /<option value="tank\/vms" selected/, "what all types share stays");
    assert.equal(dashboard.store.file().text, before);
  }));

Deno.test("while the NAS is away, what was typed is kept", () =>
  withDashboard({}, async (dashboard) => {
    await dashboard.simulator[Symbol.asyncDispose]();
    const { status, html } = await submit(dashboard, "/create/one/plan", ONE);
    assert.equal(status, 503);
    assert.match(html, /Your entries are kept/);
    assert.equal(valueOf(html, "name"), "db07");
  }));

Deno.test("the next name counts on from a VM's own, with as many digits", () => {
  assert.equal(nextName("db01", ["db01", "db02"]), "db03");
  assert.equal(nextName("db9", []), "db10");
  assert.equal(nextName("mail", ["mail2"]), "mail3");
  assert.equal(nextName("my-vm.1", []), "my_vm_2");
  assert.equal(nextName("x".repeat(150), []), `${"x".repeat(149)}2`);
  assert.equal(nextName("9".repeat(150), []).length, 150);
});
