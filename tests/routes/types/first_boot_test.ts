/**
 * Protects the form of the first boot, without script: what is typed is saved and comes back, mistakes are told at their fields,
 * what was not changed keeps its text, and the plan says how VMs get their seed and when they count as ready. Real HTTP.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import { errorsOf, follow, hidden, planned, post, text, withDashboard } from "../../support/pages/http.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICtAVKGtvIMuQBj94tNPJZAh/jkzocOl1qRjmc1OzH4O ops@lab";
/** As `ssh-keygen -l` prints it. */
const FINGERPRINT = "SHA256:NbRbwsfQM783Hs9/d1f3ZVmbByUP4mDI3+nFlEBpWhg";

const CONFIG = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
web:
  count: 2
  memory: 256
  cpu: 1
  disk: { root: 20 }
  network: { lan: br0 }
`;

const TYPE = {
  change: "type",
  from: "web",
  name: "web",
  count: "2",
  memory: "256 MiB",
  cpu: "1",
  "disk.0.name": "root",
  "disk.0.size": "20",
  "network.0.name": "lan",
  "network.0.bridge": "br0",
};

const CREATION = {
  "storage.pool_path": "tank/vms",
  "storage.cdrom_path": "/mnt/tank/iso/debian.iso",
  "web.count": "2",
  "web.memory": "256 MiB",
  "web.cpu": "1",
  "web.disk.0.name": "root",
  "web.disk.0.size": "20",
  "web.network.0.name": "lan",
  "web.network.0.bridge": "br0",
};

const FIRST_BOOT = {
  "seed.kind": "cloud-init",
  "seed.hostname": "node-{{ vm.index }}",
  "seed.user": "admin",
  "seed.ssh_keys": `${KEY}\r\n`,
  "seed.timezone": "Europe/Berlin",
  "seed.packages": "curl, qemu-guest-agent",
  "seed.run": "echo {{ vm.name }}: done > /run/it\r\nsystemctl restart ssh",
  "ready.when": "tcp",
  "ready.port": "22",
  "ready.timeout": "5m",
  "ready.otherwise": "roll-back",
  quorum: "yes",
  "network.0.addresses": "10.0.0.21-22/24",
  "network.0.gateway": "10.0.0.1",
  "network.0.dns": "10.0.0.1 10.0.0.2",
};

/** As a browser without script does: the review's page sends every field again. */
async function save(dashboard: TestDashboard, fields: Record<string, string>): Promise<void> {
  const review = await text(post(dashboard, "/types/review", { ...TYPE, ...fields }));
  assert.deepEqual(errorsOf(review), [], review.slice(0, 3_000));
  const inputs = [...review.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  const sent = Object.fromEntries(inputs.map(([, name = "", value = ""]) => [name, plainText(value)]));
  assert.equal(sent["shown"], hidden(review, "shown"));
  await follow(post(dashboard, "/types", sent));
}

function plainText(html: string): string {
  return html.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

Deno.test("the first boot is typed, saved, shown again, planned, and taken back", () =>
  withDashboard({ config: CONFIG }, async (dashboard) => {
    const { url } = dashboard;
    const empty = await text(fetch(`${url}/types/edit?name=web`));
    assert.match(empty, /<b>First boot<\/b><span>No first configuration, addresses by DHCP<\/span>/);
    assert.doesNotMatch(empty, /<details class="fold first-boot" open/);
    assert.doesNotMatch(await text(fetch(`${url}/create`)), /First boot/, "nothing is in the way");

    await save(dashboard, FIRST_BOOT);
    const { web } = parseConfigurationFile(dashboard.store.file()).configuration.types;
    assert.ok(web !== undefined);
    assert.deepEqual(web.seed, {
      kind: "cloud-init",
      hostname: "node-{{ vm.index }}",
      user: "admin",
      ssh_keys: [KEY],
      timezone: "Europe/Berlin",
      packages: ["curl", "qemu-guest-agent"],
      run: ["echo {{ vm.name }}: done > /run/it", "systemctl restart ssh"],
    });
    assert.deepEqual(web.addresses, {
      lan: { range: "10.0.0.21-22/24", gateway: "10.0.0.1", dns: ["10.0.0.1", "10.0.0.2"] },
    });
    assert.deepEqual(web.ready, { when: "tcp:22", timeout: "5m", otherwise: "roll-back" });
    assert.equal(web.quorum, true);

    const filled = await text(fetch(`${url}/types/edit?name=web`));
    assert.match(filled, /name="seed\.user" value="admin"/);
    assert.match(filled, /<option value="tcp" selected/);
    assert.match(filled, /name="network\.0\.addresses" value="10\.0\.0\.21-22\/24"/);
    const said = "cloud-init, user admin, 1 SSH key, static addresses in lan, ready when port 22 answers";
    assert.ok(filled.includes(said));
    for (const path of ["/types", "/create"]) {
      assert.ok((await text(fetch(url + path))).includes(said), path);
    }

    const { html } = await planned(dashboard, CREATION);
    assert.match(html, /cloud-init, on a CD-ROM<span class="where">because /);
    assert.match(html, /<dt>Host names<\/dt><dd>node-1 to node-2<\/dd>/);
    assert.ok(html.includes(`ssh-ed25519 <code class="faint">${FINGERPRINT}</code>`));
    assert.match(
      html,
      /<dt>Ready when<\/dt><dd>port 22 answers<span class="where">waited for 5 min [^<]*removed/,
    );
    assert.match(html, /10\.0\.0\.22/);

    const nothing = { "seed.kind": "", "ready.when": "", "network.0.addresses": "", quorum: "no" };
    await save(dashboard, { ...nothing, "ready.timeout": "20m", "ready.otherwise": "keep" });
    const usual = parseConfigurationFile(dashboard.store.file()).configuration.types.web;
    assert.deepEqual(usual?.ready, { timeout: "20m" }, "the usual sign, with another time");
    assert.match(await text(fetch(`${url}/types/edit?name=web`)), /name="ready\.timeout" value="20m"/);
    const idle = (await planned(dashboard, CREATION)).html;
    assert.match(idle, /Nobody waits until the VMs of web answer/);

    await save(dashboard, nothing);
    assert.equal(dashboard.store.file().text, CONFIG, "the text is as it was");
  }));

Deno.test("mistakes in the first boot are told at their fields, and what was typed is kept", () =>
  withDashboard({ config: CONFIG }, async (dashboard) => {
    const answer = await post(dashboard, "/types/review", {
      ...TYPE,
      ...FIRST_BOOT,
      "seed.user": "root",
      "seed.ssh_keys": "-----BEGIN OPENSSH PRIVATE KEY-----",
      "seed.timezone": "<b>Mars",
      "ready.port": "99999",
      "ready.timeout": "soon",
      "network.0.addresses": "10.0.0.21/24",
      "network.0.gateway": "192.168.1.1",
    });
    const html = await answer.text();
    assert.equal(answer.status, 422);
    const fields = ["ready.port", "ready.timeout", "seed.ssh_keys", "seed.timezone", "seed.user"];
    assert.deepEqual(errorsOf(html).filter((field) => !field.startsWith("network")).toSorted(), fields);
    assert.ok(errorsOf(html).includes("network.0.gateway"));
    assert.match(html, /The port must be a number from 1 to 65535, such as 22; found (&quot;|&#34;)99999/);
    const without = { "ready.port": "", "network.0.addresses": "10.0.0.21", "network.0.gateway": "router" };
    const more = await text(post(dashboard, "/types/review", { ...TYPE, ...FIRST_BOOT, ...without }));
    assert.deepEqual(errorsOf(more).toSorted(), ["network.0.addresses", "network.0.gateway", "ready.port"]);
    assert.match(more, /The port is missing; it is a number from 1 to 65535, such as 22/);
    assert.match(html, /<details class="fold first-boot" open/);
    assert.ok(html.includes('value="&lt;b&gt;Mars"'));
    const talos = await text(
      post(dashboard, "/types/review", { ...TYPE, ...FIRST_BOOT, "seed.kind": "talos" }),
    );
    assert.deepEqual(errorsOf(talos), ["seed.config"], "values of another kind are left out");
  }));

const COMMENTED = `${CONFIG.trimEnd()}
  ready: phone-home # as cloud-init says
  seed: { user: admin, kind: cloud-init } # by hand
`;

Deno.test("what was not changed keeps its text, also in forms that have no fields for it", () =>
  withDashboard({ config: COMMENTED }, async (dashboard) => {
    await save(dashboard, { count: "3" });
    const changed = COMMENTED.replace("count: 2", "count: 3");
    assert.equal(dashboard.store.file().text, changed);
    const fields = { "seed.kind": "cloud-init", "seed.user": "admin", "ready.when": "phone-home" };
    await save(dashboard, { ...fields, count: "2" });
    assert.equal(dashboard.store.file().text, COMMENTED);
    const answer = await post(dashboard, "/create/plan", CREATION);
    const html = await answer.text();
    assert.equal(answer.status, 422);
    assert.deepEqual(errorsOf(html), ["web.ready"]);
    assert.match(
      html,
      /cloud-init reports it<\/span><p class="error" id="field-web-ready" data-error="web\.ready">SEED_HOST is not/,
      "told where the type says it",
    );
  }));
