/**
 * Protects recovery from failed operations and orphans, in pages that work without JavaScript: resume, roll back, keep,
 * cancel; orphans; kept disks. Over real HTTP.
 */
import assert from "node:assert/strict";
import { qcow2Head } from "../../lib/simulator/images/disk_image.ts";
import { addDataset, addFile } from "../../lib/simulator/store.ts";
import { IMAGE, IMAGE_BYTES, IMAGE_DISK_BYTES } from "../support/images/images_lab.ts";
import type { TestDashboard } from "../support/pages/dashboard.ts";
import { repeatedly } from "../support/deadline.ts";
import {
  create,
  finishedOperation,
  follow,
  FORM,
  hidden,
  planned,
  post,
  text,
  withDashboard,
} from "../support/pages/http.ts";

function zvols({ simulator }: TestDashboard): string[] {
  return [...simulator.store.datasets.keys()].filter((name) => name.startsWith("tank/vms/"));
}

function failDisk({ simulator }: TestDashboard): void {
  simulator.addFault({
    method: "vm.device.create",
    action: "fail",
    matches: (params) => JSON.stringify(params).includes("worker01-disk0"),
  });
}

const KEEP = { ...FORM, "worker.on_failure": "keep" };

Deno.test("a partly failed operation is resumed on a click, and a second click opens the same operation", () =>
  withDashboard({}, async (dashboard) => {
    failDisk(dashboard);
    const path = await create(dashboard, KEEP);
    assert.equal((await finishedOperation(dashboard, path)).status, "partly-done");
    const page = await text(fetch(dashboard.url + path));
    assert.match(page, /id="resume-operation">Resume creating 1 VM</);
    assert.match(page, /id="roll-back-operation">Roll back 2 VMs</);
    for (const zvol of ["tank/vms/worker01-disk0", "tank/vms/worker02-disk0"]) {
      assert.ok(page.includes(`<code>${zvol}</code>`), `${zvol} is named`);
    }
    const [first, second] = await Promise.all([
      follow(post(dashboard, `${path}/resume`, {})),
      follow(post(dashboard, `${path}/resume`, {})),
    ]);
    assert.equal(first, second);
    assert.notEqual(first, path);
    assert.equal((await finishedOperation(dashboard, first)).status, "done");
    const settled = await text(fetch(dashboard.url + path));
    assert.match(settled, /data-resolution="resumed"/);
    assert.doesNotMatch(settled, /id="resume-operation"/);
    assert.equal(await follow(post(dashboard, `${path}/resume`, {})), first, "later as well");
    assert.equal(dashboard.simulator.store.vms.size, 2);
  }));

Deno.test("a rollback says how many disks it removes: clones once, and no first configuration (seed)", () => {
  const config = `storage: { pool_path: tank/vms, image_path: tank/images }
images: { debian: { path: ${IMAGE} } }
web:
  count: 2
  memory: 256
  cpu: 1
  image: debian
  disk: { root: 20 }
  network: { lan: br0 }
  seed: { kind: cloud-init, user: admin }
  addresses: { lan: { range: 10.0.0.21-22/24 } }
`;
  return withDashboard({ config }, async (dashboard) => {
    const { store } = dashboard.simulator;
    addDataset(store, { name: "tank/images", type: "FILESYSTEM" });
    addFile(store, IMAGE, { sizeBytes: IMAGE_BYTES, head: qcow2Head(IMAGE_DISK_BYTES) });
    dashboard.simulator.addFault({ method: "vm.start", action: "fail", times: 9 });
    const fields = Object.entries({ count: "2", memory: "256", cpu: "1", image: "debian" });
    const path = await create(dashboard, {
      "storage.pool_path": "tank/vms",
      "web.disk.0.name": "root",
      "web.disk.0.size": "20",
      "web.network.0.name": "lan",
      "web.network.0.bridge": "br0",
      "web.on_failure": "keep",
      ...Object.fromEntries(fields.map(([name, value]) => [`web.${name}`, value])),
    });
    await finishedOperation(dashboard, path);
    const page = await text(fetch(dashboard.url + path));
    assert.match(page, /Removes 2 VMs and 2 disks that this operation created/);
    const [id] = [...store.vms].find(([, { config }]) => config.name === "web02") ?? [];
    const facts = await text(fetch(`${dashboard.url}/vms/${id}`));
    assert.match(facts, /10\.0\.0\.22 .*as its type had it when it was created/s);
  });
});

Deno.test("a partly failed operation is rolled back on a click, and everything it created is removed", () =>
  withDashboard({}, async (dashboard) => {
    failDisk(dashboard);
    const path = await create(dashboard, KEEP);
    await finishedOperation(dashboard, path);
    const unsure = await post(dashboard, `${path}/rollback`, { phrase: "roll back 1 vm" });
    assert.equal(unsure.status, 422);
    assert.match(await unsure.text(), /data-error="phrase"[^<]*Type roll back 2 vms/);
    assert.equal(dashboard.simulator.store.vms.size, 2, "a finished VM goes only by the typed phrase");
    const led = await follow(post(dashboard, `${path}/rollback`, { phrase: "roll back 2 vms" }));
    const undone = await finishedOperation(dashboard, led);
    assert.deepEqual([undone.kind, undone.status], ["undo", "done"]);
    assert.deepEqual([dashboard.simulator.store.vms.size, zvols(dashboard)], [0, []]);
    assert.match(await text(fetch(dashboard.url + path)), /data-resolution="rolled-back"/);
  }));

Deno.test("a partly failed operation can be kept as it is, without being asked again", () =>
  withDashboard({}, async (dashboard) => {
    failDisk(dashboard);
    const path = await create(dashboard, KEEP);
    await finishedOperation(dashboard, path);
    assert.equal(await follow(post(dashboard, `${path}/leave`, {})), path);
    const page = await text(fetch(dashboard.url + path));
    assert.match(page, /data-resolution="left"/);
    assert.doesNotMatch(page, /id="(resume|roll-back)-operation"/);
    assert.equal(dashboard.simulator.store.vms.size, 2);
    for (const action of ["resume", "rollback", "leave"]) {
      const response = await post(dashboard, `/operations/none/${action}`, {});
      await response.body?.cancel();
      assert.equal(response.status, 404);
    }
  }));

Deno.test("a creation can be cancelled and its unfinished VMs kept", () =>
  withDashboard({ manager: { parallel: 1 } }, async (dashboard) => {
    const { token, plan } = await planned(dashboard);
    const struck = Promise.withResolvers<void>();
    dashboard.simulator.addFault({
      method: "vm.device.create",
      action: "stall",
      matches: (params) => {
        const isNic = JSON.stringify(params).includes("NIC");
        if (isNic) struck.resolve();
        return isNic;
      },
    });
    const path = await follow(post(dashboard, "/create", { ...FORM, token, plan }));
    assert.match(await text(fetch(dashboard.url + path)), /id="cancel-keep"/);
    await struck.promise;
    await follow(post(dashboard, `${path}/cancel`, { then: "keep" }));
    dashboard.simulator.cutConnections();
    assert.equal((await finishedOperation(dashboard, path)).status, "cancelled");
    assert.equal(dashboard.simulator.store.vms.size, 1, "it is kept");
    const led = await follow(post(dashboard, `${path}/resume`, {}));
    assert.equal((await finishedOperation(dashboard, led)).status, "done");
    assert.equal(dashboard.simulator.store.vms.size, 2);
  }));

Deno.test("GET /orphans lists orphans with sizes; POST /orphans requires the phrase and the list shown", () =>
  withDashboard({ simulator: { foreignVms: 2 } }, async (dashboard) => {
    assert.match(await text(fetch(`${dashboard.url}/orphans`)), /No orphans/);
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const list = await text(fetch(`${dashboard.url}/destroy?prefixes=worker&keep=yes`));
    assert.match(list, /you chose to keep disks/);
    assert.match(list, /Recorded in: description, disks, this dashboard&#39;s records/);
    const destroyed = await follow(post(dashboard, "/destroy", {
      prefixes: "worker",
      keep: "yes",
      plan: hidden(list, "plan"),
      token: hidden(list, "token"),
      phrase: "destroy 2 vms",
    }));
    assert.equal((await finishedOperation(dashboard, destroyed)).status, "done");
    assert.deepEqual(zvols(dashboard), ["tank/vms/worker01-disk0", "tank/vms/worker02-disk0"]);

    const orphans = await text(fetch(`${dashboard.url}/orphans`));
    assert.match(orphans, /data-zvol="tank\/vms\/worker01-disk0"/);
    assert.match(orphans, /2 disks, 40 GiB/);
    assert.match(
      orphans,
      /name="phrase"[^>]* required[^>]* pattern="/,
      "the button is grey until it is typed",
    );
    const fields = { plan: hidden(orphans, "plan"), token: hidden(orphans, "token") };
    const wrong = await post(dashboard, "/orphans", { ...fields, phrase: "destroy 1 disk" });
    assert.equal(wrong.status, 422);
    assert.match(await wrong.text(), /data-error="phrase"/);
    const stale = await post(dashboard, "/orphans", { ...fields, plan: "old", phrase: "destroy 2 disks" });
    assert.equal(stale.status, 409);
    const again = await stale.text();
    assert.equal(zvols(dashboard).length, 2, "nothing was destroyed");
    const token = hidden(again, "token");
    const led = await follow(post(dashboard, "/orphans", { ...fields, token, phrase: "destroy 2 disks" }));
    const cleaned = await finishedOperation(dashboard, led);
    assert.deepEqual([cleaned.kind, cleaned.status], ["clean", "done"]);
    assert.deepEqual(zvols(dashboard), []);
    assert.equal(dashboard.simulator.store.vms.size, 2, "what is somebody else's stays");
    const json = await (await fetch(`${dashboard.url}/orphans`, { headers: { accept: "application/json" } }))
      .json();
    assert.deepEqual([json.vms, json.zvols], [[], { known: true, value: [] }]);
    const empty = await post(dashboard, "/orphans", {});
    assert.match(await empty.text(), /The form arrived incomplete/);
    assert.equal(empty.status, 400);
  }));

Deno.test("choices of the form reach the NAS: sparse zvols, fixed MACs, VMs in parallel", () =>
  withDashboard({}, async (dashboard) => {
    const fields = {
      ...FORM,
      "worker.sparse": "yes",
      "worker.parallel": "1",
      "worker.network.0.macs": "02-00-5E-00-00-01, 02:00:5e:00:00:02",
    };
    const { html } = await planned(dashboard, fields);
    assert.match(html, /20 GiB sparse/);
    assert.match(html, /value="02-00-5E-00-00-01, 02:00:5e:00:00:02"/, "what was typed is kept");
    await finishedOperation(dashboard, await create(dashboard, fields));
    const made = [...dashboard.simulator.store.devices.values()].flatMap(({ attributes }) =>
      attributes.dtype === "NIC" ? [attributes.mac] : []
    );
    assert.deepEqual(made, ["02:00:5e:00:00:01", "02:00:5e:00:00:02"]);
    assert.ok(zvols(dashboard).every((zvol) => dashboard.simulator.store.datasets.get(zvol)?.sparse));
    const short = await post(dashboard, "/create/plan", { ...fields, "worker.count": "3" });
    assert.equal(short.status, 422);
    assert.match(await short.text(), /data-error="worker\.network\.0\.macs"/);
  }));

Deno.test("a wait for the NAS is ended on a click, and the page that follows says what can be decided", () =>
  withDashboard({}, async (dashboard) => {
    const { simulator, manager } = dashboard;
    const gone = Promise.withResolvers<void>();
    simulator.addFault({ method: "vm.start", action: "hold", until: gone.promise, times: Infinity });
    const path = await create(dashboard, KEEP);
    const page = () => text(fetch(dashboard.url + path));
    await repeatedly("a VM is being started", async () => {
      const { steps } = await (await fetch(dashboard.url + path, { headers: { accept: "application/json" } }))
        .json() as { steps: { step: string; status: string }[] };
      return steps.some(({ step, status }) => step === "start" && status === "running") || null;
    });
    await simulator.goAway();
    simulator.clearFaults();
    gone.resolve();
    const waiting = await repeatedly("the operation waits", async () => {
      const html = await page();
      return html.includes('data-status="waiting"') ? html : null;
    });
    assert.match(waiting, /Waiting for the NAS since/);
    const step = /data-step="start" data-status="running".*?<span ?>([^<]+)<\/span>/.exec(waiting)?.[1];
    assert.equal(step, "Waiting", "the table says the same as the head");
    assert.doesNotMatch(waiting, />(Running|In progress)<\/span>/);
    assert.match(waiting, /id="stop-waiting">Stop waiting<\/button>/);
    assert.match(waiting, /Everything stays as it is\. Then resume the operation, roll it back, or leave it/);
    // Without a further reload, which nothing would ask for where no script runs.
    assert.equal(await follow(post(dashboard, `${path}/stop-waiting`, {})), path);
    const ended = await page();
    assert.match(ended, /data-status="interrupted"/);
    assert.match(ended, /Waiting for the NAS was stopped/);
    assert.match(ended, /<a href="\/\?q=[a-z0-9]+">/, "a VM that may be there can be found");
    for (const button of ["resume-operation", "roll-back-operation", "leave-operation"]) {
      assert.ok(ended.includes(`id="${button}"`), button);
    }
    await simulator.comeBack();
    await repeatedly(
      "the NAS is connected",
      () => Promise.resolve(manager.connection.state.kind === "live" || null),
    );
    const resumed = await follow(post(dashboard, `${path}/resume`, {}));
    assert.equal((await finishedOperation(dashboard, resumed)).status, "done");
  }));
