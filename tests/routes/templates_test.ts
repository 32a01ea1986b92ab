/**
 * Protects the JSON templates on the dashboard: they are shown with the keys they can have, a mistake is told before
 * anything is saved, and a saved template is used for the next VM without a restart.
 */
import assert from "node:assert/strict";
import { TemplateTexts } from "../../lib/configuration/editing/template_texts.ts";
import { TemplateManager } from "../../lib/template_manager.ts";
import { unpacked } from "../support/consumers.ts";
import type { DashboardOptions, TestDashboard } from "../support/pages/dashboard.ts";
import {
  create,
  finishedOperation,
  FORM,
  hidden,
  post,
  send,
  signIn,
  text,
  withDashboard,
} from "../support/pages/http.ts";

/** Their paths in the folder of the templates, without the ending. */
const TEMPLATES = ["vms/vm", "devices/display", "devices/cdrom", "devices/nic", "devices/disk"];

/** A folder with a copy of the templates. */
async function withFolder(
  options: DashboardOptions,
  test: (dashboard: TestDashboard, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const file of TEMPLATES) {
      await Deno.mkdir(`${folder}/templates/${file.split("/")[0]}`, { recursive: true });
      await Deno.copyFile(`templates/${file}.json`, `${folder}/templates/${file}.json`);
    }
    const templateTexts = new TemplateTexts({ templatesDir: folder, versionsFolder: `${folder}/state` });
    const manager = { templateManager: new TemplateManager(folder), ...options.manager };
    await withDashboard({ ...options, manager, templateTexts }, (dashboard) => test(dashboard, folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const NIC = JSON.stringify({ attributes: { dtype: "NIC", type: "E1000" }, order: 1005 }, null, 2);

async function submit(dashboard: TestDashboard, path: string, fields: Readonly<Record<string, string>>) {
  const answer = await post(dashboard, path, fields);
  return { status: answer.status, html: await answer.text(), location: answer.headers.get("location") };
}

Deno.test("the templates of the program are shown with their keys, and downloaded for --templates-dir", () =>
  withDashboard({ simulator: { version: "25.10" } }, async (dashboard) => {
    const html = await text(fetch(`${dashboard.url}/types/templates`));
    for (const name of ["vm", "display", "cdrom", "nic", "disk"]) {
      assert.match(html, new RegExp(`data-template="${name}"`));
    }
    assert.match(html, /part of the program/);
    assert.match(html, /--templates-dir DIR/);
    const vm = await text(fetch(`${dashboard.url}/types/templates/vm`));
    assert.match(vm, /data-key="shutdown_timeout"[^]*?5 to 300/);
    assert.doesNotMatch(vm, /data-key="memory"/, "what the plan sets is no key of a template");
    assert.doesNotMatch(vm, /<textarea/);
    const nic = await text(fetch(`${dashboard.url}/types/templates/nic`));
    assert.match(nic, /data-key="attributes.pci_address"[^]*?From TrueNAS 27\.0 on[^]*?does not accept it/);
    const archive = await fetch(`${dashboard.url}/types/templates/download`);
    assert.match(archive.headers.get("content-disposition") ?? "", /templates\.tar/);
    const templates = TEMPLATES.map((name) => `templates/${name}.json`);
    const texts = await Promise.all(templates.map((path) => Deno.readTextFile(path)));
    assert.deepEqual(
      await unpacked(await archive.bytes()),
      Object.fromEntries(templates.map((path, n) => [path, texts[n]])),
    );
    const file = await fetch(`${dashboard.url}/types/templates/disk/download`);
    assert.deepEqual(await file.json(), JSON.parse(await Deno.readTextFile("templates/devices/disk.json")));
    const { body } = await send(dashboard, "/types/templates", { accept: "application/json" });
    assert.equal(JSON.parse(body).templates.length, 5);
    const unknown = await fetch(`${dashboard.url}/types/templates/gpu`);
    await unknown.body?.cancel();
    assert.equal(unknown.status, 404);
    const refused = await submit(dashboard, "/types/templates/nic", { text: NIC });
    assert.equal(refused.status, 503);
    assert.match(refused.html, /part of the program\. Nothing was saved/);
  }));

Deno.test("a template is reviewed line by line, saved in place, kept as a version, and used for the next VM", () =>
  withFolder({}, async (dashboard, folder) => {
    const path = `${folder}/templates/devices/nic.json`;
    const before = await Deno.readTextFile(path);
    const review = await submit(dashboard, "/types/templates/nic/review", { text: NIC });
    assert.equal(review.status, 200);
    assert.match(review.html, /data-diff="added"[^]*?E1000/);
    assert.equal(await Deno.readTextFile(path), before, "a review saves nothing");
    const confirmed = { text: NIC, shown: hidden(review.html, "shown"), token: hidden(review.html, "token") };
    for (const _ of ["pressed", "pressed twice"]) {
      const saved = await submit(dashboard, "/types/templates/nic", confirmed);
      assert.deepEqual([saved.status, saved.location], [303, "/types/templates?saved=nic"]);
    }
    assert.equal(await Deno.readTextFile(path), NIC);
    assert.equal(dashboard.manager.audit.list()[0]?.what, `Save ${path}`);
    await finishedOperation(dashboard, await create(dashboard, FORM));
    const nics = [...dashboard.simulator.store.devices.values()].map(({ attributes }) => attributes)
      .filter(({ dtype }) => dtype === "NIC");
    assert.deepEqual([...new Set(nics.map(({ type }) => type))], ["E1000"]);
    const page = await text(fetch(`${dashboard.url}/types/templates/nic`));
    const version = /\/types\/templates\/nic\?version=([^"]*)"/.exec(page)?.[1] ?? assert.fail("no version");
    const restored = await text(fetch(`${dashboard.url}/types/templates/nic?version=${version}`));
    assert.match(restored, /<textarea[^>]*>\s*\{[^]*trust_guest_rx_filters/);
  }));

Deno.test("mistakes in a template are told in the program's own words, with line and column, and the text is kept", () =>
  withFolder({}, async (dashboard, folder) => {
    const cases: readonly (readonly [name: string, text: string, message: RegExp])[] = [
      ["nic", '{\n  "attributes": {,\n}', /Line 2, column 18: Invalid JSON/],
      ["nic", '{ "attributes": { "dtype": "NIC", "colour": "red" } }', /refuses the key (&quot;|")colour/],
      ["vm", '{ "shutdown_timeout": 1 }', /shutdown_timeout: /],
      ["vm", '{ "enable_secure_boots": true }', /refuses the key/],
      ["disk", "[]", /data-error="text"/],
      ["disk", "", /Line 1, column 1: Invalid JSON/],
      ["disk", "x".repeat(10_000), /Invalid JSON/],
    ];
    for (const [name, typed, message] of cases) {
      for (const path of [`/types/templates/${name}/review`, `/types/templates/${name}`]) {
        const { status, html } = await submit(dashboard, path, { text: typed });
        assert.equal(status, 422, `${path} ${typed.slice(0, 60)}`);
        assert.match(html, message);
        assert.match(html, /data-error="text"/);
      }
    }
    const kept = await submit(dashboard, "/types/templates/nic/review", { text: '{ "mine": 1' });
    assert.match(kept.html, /<textarea[^>]*>\s*\{ &quot;mine&quot;: 1/);
    assert.equal(
      await Deno.readTextFile(`${folder}/templates/devices/nic.json`),
      await Deno.readTextFile("templates/devices/nic.json"),
    );
  }));

Deno.test("a key of a later TrueNAS release is refused for this NAS", () =>
  withFolder({ simulator: { version: "25.10" } }, async (dashboard) => {
    const typed = { attributes: { dtype: "NIC", pci_address: null } };
    const { status, html } = await submit(dashboard, "/types/templates/nic/review", {
      text: JSON.stringify(typed),
    });
    assert.equal(status, 422);
    assert.match(html, /TrueNAS 25\.10 refuses the key/);
  }));

Deno.test("a file that changed meanwhile is not overwritten, and neither text is lost", () =>
  withFolder({}, async (dashboard, folder) => {
    const path = `${folder}/templates/devices/nic.json`;
    const page = await text(fetch(`${dashboard.url}/types/templates/nic`));
    const shown = hidden(page, "shown");
    await Deno.writeTextFile(path, '{ "attributes": { "dtype": "NIC" } }\n');
    for (const step of ["/review", ""]) {
      const { status, html } = await submit(dashboard, `/types/templates/nic${step}`, { text: NIC, shown });
      assert.equal(status, 409);
      assert.match(html, /The file changed after this page was opened/);
      assert.match(html, /E1000/);
    }
    assert.equal(await Deno.readTextFile(path), '{ "attributes": { "dtype": "NIC" } }\n');
  }));

Deno.test("viewers see the templates and cannot change them", () =>
  withFolder({ access: { password: "correct horse", viewerPassword: "only looking" } }, async (dashboard) => {
    const { cookie } = await signIn(dashboard, "only looking");
    const html = await text(fetch(`${dashboard.url}/types/templates/nic`, { headers: { cookie } }));
    assert.match(html, /Viewers cannot make changes/);
    assert.doesNotMatch(html, /<textarea/);
    const answer = await post(dashboard, "/types/templates/nic", { text: NIC }, { cookie });
    await answer.body?.cancel();
    assert.equal(answer.status, 403);
  }));
