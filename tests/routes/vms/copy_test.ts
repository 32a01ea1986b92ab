/**
 * Protects making a new VM from a checkpoint of another, as browsers without JavaScript use it: exactly the copy that was
 * shown is created, and a copy that is not possible is never made as an empty VM instead. Over real HTTP.
 */
import assert from "node:assert/strict";
import { finishedOperation, follow, hidden, post, text } from "../../support/pages/http.ts";
import { onEach } from "../../support/pages/vm_forms.ts";

function valueOf(html: string, name: string): string {
  return new RegExp(`name="${name.replaceAll(".", "\\.")}" value="([^"]*)"`).exec(html)?.[1] ?? "";
}

onEach(
  "a new VM of its own is made from a checkpoint, with the plan shown first",
  async ({ dashboard, id }) => {
    const { manager, url } = dashboard;
    const page = (path: string) => text(fetch(url + path));
    const empty = await page(`/vms/${id}/clone`);
    assert.match(empty, /A new VM of its own \(recommended\)/);
    assert.match(empty, new RegExp(`href="/checkpoints/new\\?[a-z]+=${id}"[^>]*id="clone-checkpoint"`));
    const back = await fetch(`${url}/create/one?like=${id}&checkpoint=gone`);
    assert.equal(back.status, 409);
    assert.match(await back.text(), /controlplane01 is not part of a checkpoint called gone/);

    const wish = { name: "first", select: { ids: [id] } };
    const checkpoint = await manager.checkpoints.planCheckpoint(wish);
    const taken = await manager.checkpoints.startCheckpoint(wish, checkpoint.fingerprint);
    assert.ok(taken.started);
    await taken.operation.finished;
    assert.match(await page(`/vms/${id}/clone`), /<option value="first"/);

    const form = await page(`/create/one?like=${id}&checkpoint=first`);
    assert.match(form, /The disks are copies of/);
    assert.match(form, /Not copied: \/mnt\//, "the install image");
    const shown = (name: string) => [name, valueOf(form, name)] as const;
    const names = [
      "name",
      "like",
      "checkpoint",
      "cpu",
      "memory",
      "disk.0.name",
      "disk.0.size",
      "network.0.name",
    ];
    const fields: Record<string, string> = {
      ...Object.fromEntries(names.map(shown)),
      "storage.pool_path": "tank/vms",
      "storage.cdrom_path": "",
      start: "no",
      size: "custom",
      size_shown: "custom",
      "network.0.bridge": "br0",
    };
    assert.equal(fields.checkpoint, "first");
    const plan = async (change: Record<string, string>) => {
      const answer = await post(dashboard, "/create/one/plan", { ...fields, ...change });
      return { status: answer.status, html: await answer.text() };
    };
    const renamed = await plan({ "disk.0.name": "other" });
    assert.equal(renamed.status, 422);
    assert.match(renamed.html, /The disk root is copied\. Keep a disk of that name/);
    const small = await plan({ "disk.0.size": "1" });
    assert.equal(small.status, 422, small.html);
    assert.match(small.html, /data-error="disk\.0[^"]*"[^<]*>The disk that is copied has/);
    assert.equal(valueOf(small.html, "checkpoint"), "first", "it stays a copy");
    const gone = await plan({ checkpoint: "gone" });
    assert.equal(gone.status, 422);
    assert.equal(valueOf(gone.html, "checkpoint"), "gone", "it is not made empty instead");

    const { status, html } = await plan({});
    assert.equal(status, 200, html);
    assert.match(html, /copy of\s*<code[^>]*>tank\/vms\/controlplane01-disk0@checkpoint-first/);
    const confirmed = { ...fields, token: hidden(html, "token"), plan: hidden(html, "plan") };
    const operation = await follow(post(dashboard, "/create/one", confirmed));
    assert.equal((await finishedOperation(dashboard, operation)).status, "done");
    const vms = await manager.list();
    const [source, made] = [vms.find((vm) => vm.id === id), vms.find(({ name }) => name === fields.name)];
    assert.deepEqual([made?.state, made?.cdroms], ["STOPPED", []]);
    assert.equal(made?.columns?.bootloader, source?.columns?.bootloader);
    assert.notEqual(made?.nics[0]?.mac, source?.nics[0]?.mac);
    const zvol = made?.disks[0]?.zvol ?? "";
    assert.equal(
      dashboard.simulator.store.datasets.get(zvol)?.origin,
      "tank/vms/controlplane01-disk0@checkpoint-first",
    );
  },
  ["25.10"],
);
