/**
 * Protects the pages of checkpoints as a browser without JavaScript uses them: the list, taking one of a selection, a type or
 * everything, rolling back with a typed phrase and an explicit tick for later snapshots, and removing; and their JSON.
 */
import assert from "node:assert/strict";
import { addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { contents, createWorkers, snapshots, states, take, write } from "../../support/vms/checkpoints.ts";
import { idOf, type TestDashboard } from "../../support/pages/dashboard.ts";
import {
  errorsOf,
  type Fields,
  finishedOperation,
  follow,
  hidden,
  post,
  text,
  withDashboard,
} from "../../support/pages/http.ts";

async function withWorkers(
  test: (dashboard: TestDashboard) => Promise<void>,
  config?: string,
): Promise<void> {
  await withDashboard(config === undefined ? {} : { config }, async (dashboard) => {
    await createWorkers(dashboard.manager);
    await dashboard.manager.inventory.live.ready();
    await test(dashboard);
  });
}

/** Opens a page and sends its form with these fields. */
async function submit(
  { url, ...rest }: TestDashboard,
  path: string,
  to: string,
  fields: Fields,
): Promise<Response> {
  const page = await text(fetch(url + path));
  const kept = [...page.matchAll(/<input type="hidden" name="(id|type|vm|discard)" value="([^"]*)"/g)]
    .map(([, name = "", value = ""]): [string, string] => [name, value]);
  const own: [string, string][] = [["plan", hidden(page, "plan")], ["token", hidden(page, "token")]];
  return await post({ url, ...rest } as TestDashboard, to, [...kept, ...own, ...Object.entries(fields)]);
}

function json(url: string): Promise<Record<string, unknown>> {
  return fetch(url, { headers: { accept: "application/json" } }).then((response) => response.json());
}

Deno.test("without checkpoints the page says what they are for, and how to take one", () =>
  withWorkers(async ({ url }) => {
    const page = await text(fetch(`${url}/checkpoints`));
    assert.match(page, /<h1>Checkpoints<\/h1>/);
    assert.match(page, /No checkpoints yet/);
    assert.match(page, /href="\/checkpoints\/new"/);
    assert.match(
      page,
      /<a href="\/checkpoints" aria-current="page"|aria-current="page"[^>]*href="\/checkpoints"/,
    );
    assert.deepEqual(await json(`${url}/checkpoints`), { checkpoints: [] });
  }));

Deno.test("a checkpoint of everything is taken from the page, and listed", () =>
  withWorkers(async (dashboard) => {
    const { url, simulator } = dashboard;
    const fields = { name: "before-upgrade", note: "all <well>" };
    const path = await follow(submit(dashboard, "/checkpoints/new", "/checkpoints", fields));
    assert.equal((await finishedOperation(dashboard, path)).status, "done");
    assert.equal(snapshots(simulator).length, 4);
    const page = await text(fetch(`${url}/checkpoints`));
    assert.match(page, /data-checkpoint="before-upgrade"/);
    assert.match(page, /all &lt;well&gt;/);
    assert.match(page, /taken while it ran/);
    const { checkpoints } = await json(`${url}/checkpoints`) as {
      checkpoints: { name: string; vms: unknown[] }[];
    };
    assert.deepEqual(checkpoints.map(({ name, vms }) => [name, vms.length]), [["before-upgrade", 2]]);
    const again = await submit(dashboard, "/checkpoints/new", "/checkpoints", fields);
    assert.equal(again.status, 422);
    const html = await again.text();
    assert.deepEqual(errorsOf(html), ["name"]);
    assert.match(html, /There is a checkpoint called before-upgrade already/);
    assert.match(html, /value="all &lt;well&gt;"/, "what was typed is kept");
  }));

Deno.test("a checkpoint is taken of a selection, a type and one VM, each from where it is", () =>
  withWorkers(async (dashboard) => {
    const { url } = dashboard;
    const id = idOf(dashboard, "worker02");
    const list = await text(fetch(url));
    assert.match(list, /formaction="\/checkpoints\/new"/, "in the bar of the selection");
    assert.match(list, /href="\/checkpoints\/new\?type=worker"/, "in the menu of the type");
    assert.match(
      await text(fetch(`${url}/vms/${id}/menu`)),
      new RegExp(`href="/checkpoints/new\\?id=${id}"`),
    );
    const page = await text(fetch(`${url}/checkpoints/new?id=${id}`));
    assert.deepEqual([...page.matchAll(/data-vm="([^"]*)"/g)].map(([, name]) => name), ["worker02"]);
    const path = await follow(
      submit(dashboard, `/checkpoints/new?id=${id}`, "/checkpoints", { name: "one" }),
    );
    const operation = await finishedOperation(dashboard, path);
    assert.deepEqual([operation.kind, operation.status], ["checkpoint", "done"]);
    const tab = await text(fetch(`${url}/vms/${id}/checkpoints`));
    assert.match(tab, /data-checkpoint="one"/);
    assert.match(tab, /href="\/checkpoints\/one\/rollback\?vm=worker02"/);
    const other = await text(fetch(`${url}/vms/${idOf(dashboard, "worker01")}/checkpoints`));
    assert.match(other, /No checkpoint of this VM/);
  }));

Deno.test("with a shutdown, VMs are shut down first and run afterwards", () =>
  withWorkers(async (dashboard) => {
    const fields = { name: "quiet", shutdown: "yes" };
    const path = await follow(submit(dashboard, "/checkpoints/new", "/checkpoints", fields));
    const { status, steps } = await finishedOperation(dashboard, path) as {
      status: string;
      steps: { step: string }[];
    };
    assert.equal(status, "done");
    assert.deepEqual([...new Set(steps.map(({ step }) => step))], ["stop", "snapshot", "start"]);
    assert.deepEqual(states(dashboard.simulator), ["RUNNING", "RUNNING"]);
  }));

Deno.test("a rollback needs its phrase, and a tick for later snapshots", () =>
  withWorkers(async (dashboard) => {
    const { url, simulator, manager } = dashboard;
    write(simulator, "worker01-disk0", "good");
    await take(manager, "first");
    write(simulator, "worker01-disk0", "broken");
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
    const rollback = "/checkpoints/first/rollback";
    const page = await text(fetch(url + rollback));
    assert.match(page, /data-blocked="worker01"/);
    assert.match(page, /1 later snapshot would be lost/);
    assert.match(page, /Type “roll back 1 vm” to confirm/, "the other one can be rolled back");
    const ticked = `${rollback}?discard=yes`;
    assert.match(
      await text(fetch(url + ticked)),
      /worker01-disk0<\/code><span class="where" data-discards="1">loses [^]*?@daily/,
    );
    const wrong = await submit(dashboard, ticked, rollback, { phrase: "roll back" });
    assert.equal(wrong.status, 422);
    assert.match(await wrong.text(), /The phrase did not match. Nothing was rolled back/);
    assert.equal(contents(simulator)[0], "broken");
    const path = await follow(submit(dashboard, ticked, rollback, { phrase: "Roll back 2 VMs" }));
    const operation = await finishedOperation(dashboard, path);
    assert.deepEqual([operation.kind, operation.status], ["rollback", "done"]);
    assert.equal(contents(simulator)[0], "good");
    assert.equal(simulator.store.snapshots.has("tank/vms/worker01-disk0@daily"), false);
  }));

Deno.test("a rollback from an old page is not done, and the page shows what is new", () =>
  withWorkers(async (dashboard) => {
    const { url, simulator, manager } = dashboard;
    await take(manager, "first");
    const rollback = "/checkpoints/first/rollback";
    const page = await text(fetch(`${url}${rollback}?discard=yes`));
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@precious");
    const fields = { plan: hidden(page, "plan"), token: hidden(page, "token"), discard: "yes" };
    const answer = await post(dashboard, rollback, { ...fields, phrase: "roll back 2 vms" });
    assert.equal(answer.status, 409);
    assert.match(await answer.text(), /loses [^]*?@precious/);
    assert.ok(simulator.store.snapshots.has("tank/vms/worker01-disk0@precious"));
  }));

Deno.test("a checkpoint is removed with its phrase", () =>
  withWorkers(async (dashboard) => {
    await take(dashboard.manager, "first");
    const remove = "/checkpoints/first/remove";
    const path = await follow(submit(dashboard, remove, remove, { phrase: "remove first" }));
    assert.equal((await finishedOperation(dashboard, path)).status, "done");
    assert.deepEqual(snapshots(dashboard.simulator), []);
  }));

Deno.test("a checkpoint that failed in part can be resumed or taken back, in words that fit", () =>
  withWorkers(async (dashboard) => {
    const { url, simulator } = dashboard;
    simulator.addFault({
      action: "fail",
      methods: (method) => method.endsWith("snapshot.create"),
      matches: ([spec]) => (spec as { dataset: string }).dataset === "tank/vms/worker02-disk1",
    });
    const path = await follow(submit(dashboard, "/checkpoints/new", "/checkpoints", { name: "first" }));
    assert.equal((await finishedOperation(dashboard, path)).status, "partly-done");
    const page = await text(fetch(url + path));
    assert.match(page, /1 of 2 VMs checkpointed/);
    assert.match(page, /Resume taking the checkpoint of\s+1 VM/);
    assert.match(page, /Removes the 2 snapshots\s+that this operation took/);
    assert.match(page, /Remove the snapshots of\s+1 VM/);
    assert.doesNotMatch(page, /Removes 1 VM|This cannot be undone/);
    const undone = await follow(post(dashboard, `${path}/rollback`, {}));
    assert.equal((await finishedOperation(dashboard, undone)).status, "done");
    assert.deepEqual([snapshots(simulator), states(simulator)], [[], ["RUNNING", "RUNNING"]]);
  }));

Deno.test("what expires is shown before and said on the list", () =>
  withWorkers(
    async (dashboard) => {
      const { url, manager, store } = dashboard;
      assert.match(store.file().text, /keep: 1/);
      await take(manager, "first");
      assert.match(
        await text(fetch(`${url}/checkpoints`)),
        /The newest of each VM is kept for at most 30 days/,
      );
      assert.match(
        await text(fetch(`${url}/checkpoints/new`)),
        /Expires: checkpoint-first, checkpoint-first/,
      );
      await follow(submit(dashboard, "/checkpoints/new", "/checkpoints", { name: "second" }))
        .then((path) => finishedOperation(dashboard, path));
      const { checkpoints } = await json(`${url}/checkpoints`) as { checkpoints: { name: string }[] };
      assert.deepEqual(checkpoints.map(({ name }) => name), ["second"]);
    },
    `
storage:
  pool_path: tank/vms
  cdrom_path: /mnt/tank/iso/debian.iso
  checkpoints: { keep: 1, days: 30 }
worker: { count: 2, memory: 2048, cpu: 2, disk: { root: 20, data: 50 } }
`,
  ));

Deno.test("bad input is answered at its place", () =>
  withWorkers(async (dashboard) => {
    const { url } = dashboard;
    const long = "x".repeat(10_000);
    for (const name of ["", "a/b", "a@b", "مرحبا", long]) {
      const answer = await submit(dashboard, "/checkpoints/new", "/checkpoints", { name });
      assert.equal(answer.status, 422, name.slice(0, 10));
      assert.deepEqual(errorsOf(await answer.text()), ["name"]);
    }
    const unknown = await fetch(`${url}/checkpoints/none/rollback`);
    assert.match(await unknown.text(), /There is no checkpoint called none/);
    assert.match(await text(fetch(`${url}/checkpoints/none/remove`)), /There is no checkpoint called none/);
    assert.match(await text(fetch(`${url}/checkpoints/new?type=nothing`)), /No VM matches nothing/);
    const empty = await post(dashboard, "/checkpoints", { name: "x" });
    assert.equal(empty.status, 409);
    assert.match(await empty.text(), /This form has expired. Nothing was done/);
    assert.deepEqual(snapshots(dashboard.simulator), []);
  }));

Deno.test("viewers see checkpoints and cannot change them", () =>
  withDashboard(
    { access: { password: "admin-secret", viewerPassword: "viewer-secret" } },
    async (dashboard) => {
      await createWorkers(dashboard.manager);
      await take(dashboard.manager, "first");
      const signedIn = await post(dashboard, "/login", { password: "viewer-secret", to: "/" });
      await signedIn.body?.cancel();
      const cookie = /^[^;]*/.exec(signedIn.headers.getSetCookie().at(-1) ?? "")?.[0] ?? "";
      const get = (path: string) => text(fetch(dashboard.url + path, { headers: { cookie } }));
      const list = await get("/checkpoints");
      assert.match(list, /data-checkpoint="first"/);
      assert.doesNotMatch(list, /Roll back…|Remove…|Take a checkpoint/);
      assert.match(await get("/checkpoints/first/rollback"), /Viewers cannot make changes/);
      const sent = await post(dashboard, "/checkpoints/first/remove", { phrase: "remove first" }, { cookie });
      assert.equal(sent.status, 403);
      await sent.body?.cancel();
      assert.equal(snapshots(dashboard.simulator).length, 4);
    },
  ));
