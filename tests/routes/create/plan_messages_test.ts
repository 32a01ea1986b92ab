/** Protects readers of a plan that cannot be carried out: each cause is reported once, at its field, over real HTTP. */
import assert from "node:assert/strict";
import { withCommandLine } from "../../support/program/command_line.ts";
import { FORM, post, text, withDashboard } from "../../support/pages/http.ts";

const count = (html: string, what: RegExp) => [...html.matchAll(new RegExp(what, "g"))].length;

Deno.test("12 workers with too little memory give one message at the field, with the number that fits (fault 33)", () =>
  withDashboard({ simulator: { freeMemoryBytes: 15 * 1024 ** 3 } }, async (dashboard) => {
    const answer = await post(dashboard, "/create/plan", { ...FORM, "worker.count": "12" });
    assert.equal(answer.status, 422);
    const html = await text(answer);
    const message = /12 worker VMs need 2 GiB of memory each, and 15 GiB are free on the NAS: 7 fit\./;
    assert.equal(count(html, message), 2, "in the summary, and at the field that it links to");
    assert.match(html, /There is a problem/);
    assert.match(html, /data-error="worker\.memory"/);
    assert.match(html, /href="#[^"]*worker[^"]*memory[^"]*"/);
    assert.equal(count(html, /data-action="blocked"/), 5);
    assert.equal(count(html, /see memory/), 5);
    assert.doesNotMatch(html, /config\.yaml line/);
    assert.match(html, /Plan: 7 VMs, 14 vCPUs/);
  }));

Deno.test("a missing dataset is reported once and blocks only VMs with disks (fault 33)", () =>
  withDashboard({}, async (dashboard) => {
    const fields = {
      ...FORM,
      "storage.pool_path": "tank/none",
      "controlplane.count": "2",
      "controlplane.network.0.name": "lan",
      "controlplane.network.0.bridge": "br0",
    };
    const answer = await post(dashboard, "/create/plan", fields);
    const html = await text(answer);
    assert.equal(count(html, /The dataset tank\/none does not exist/), 2);
    assert.match(html, /data-error="storage\.pool_path"/);
    assert.match(html, /data-plan-vm="controlplane01" data-action="create"/);
    assert.match(html, /data-plan-vm="worker01" data-action="blocked"/);
    assert.match(html, /see dataset/);
  }));

Deno.test("a VM that can give no sign is blocked because of its readiness, and not of its name", () => {
  const config = `storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
web: { count: 1, memory: 256, cpu: 1, network: { lan: br0 }, ready: phone-home, seed: { kind: cloud-init } }
`;
  return withDashboard({ config }, async (dashboard) => {
    const fields = {
      count: "1",
      memory: "256",
      cpu: "1",
      "network.0.name": "lan",
      "network.0.bridge": "br0",
    };
    const web = Object.entries(fields).map(([name, value]) => [`web.${name}`, value]);
    const html = await text(post(dashboard, "/create/plan", {
      "storage.pool_path": "tank/vms",
      "storage.cdrom_path": "/mnt/tank/iso/debian.iso",
      ...Object.fromEntries(web),
    }));
    assert.match(html, /see readiness/);
    assert.match(html, /SEED_HOST is not set, .*set it, in the environment or in \.env, to an address/);
  });
});

Deno.test('a plan in which all VMs differ says so instead of "nothing to do" (fault 33)', () =>
  withDashboard({}, async (dashboard) => {
    const { manager, simulator } = dashboard;
    const { configuration } = dashboard.configuration();
    assert.equal((await manager.createVmType(configuration, "worker", 5920)).status, "done");
    for (const { config } of simulator.store.vms.values()) config.memory = 999;
    const html = await text(post(dashboard, "/create/plan", { ...FORM, "worker.count": "3" }));
    assert.match(html, /Nothing to create: 3 VMs can be changed/);
    assert.doesNotMatch(html, /nothing to do/i);
  }));

Deno.test("the command line reports the same cause once, in the same words, with the line of config.yaml (fault 33)", () =>
  withCommandLine(async ({ run }) => {
    const { code, out } = await run("plan", "worker");
    assert.equal(code, 1);
    const message =
      /^error: worker\.memory: 3 worker VMs need 2 GiB of memory each, .*: 1 fits\. .* \(line 13\)$/m;
    assert.match(out, message);
    assert.equal(count(out, /need 2 GiB of memory/), 1);
    assert.equal(count(out, /blocked .*see memory/), 2);
    assert.match(out, /Plan: 1 VM, 2 vCPUs, 2 GiB of memory, 2 disks of 70 GiB/);
  }, { freeMemoryBytes: 3 * 1024 ** 3 }));
