/** Protects the authors whose work is shipped: each has their licence in the notices, and an entry in the bill of materials. */
import assert from "node:assert/strict";
import { readSources } from "../../packaging/program.ts";
import {
  noticesOf,
  readThirdParties,
  runtimeAsThirdParty,
  sbomOf,
  type ThirdParty,
} from "../../packaging/third_parties.ts";
import { ARCHITECTURE, withPublicFolder } from "./support/packages.ts";

async function parties(): Promise<ThirdParty[]> {
  const { packages } = await readSources();
  return [...await readThirdParties(packages), await runtimeAsThirdParty(ARCHITECTURE)];
}

Deno.test("The notices have the licence of everything that is shipped, and of nothing else", async () => {
  const all = await parties();
  const notices = noticesOf(all);
  const licences = new Map(all.map(({ name, licence }) => [name, licence]));
  assert.equal(licences.get("@novnc/novnc"), "MPL-2.0");
  assert.equal(licences.get("@spice-project/spice-html5"), "LGPL-3.0-or-later");
  assert.equal(licences.get("htmx.org"), "0BSD", "as SPDX names it");
  for (const { name, version, licence, texts } of all) {
    assert.ok(notices.includes(`\n${name} ${version}: ${licence}\n`), name);
    assert.ok(texts.every((text) => text.length > 200 && notices.includes(text)), name);
  }
  assert.match(notices, /GNU LESSER GENERAL PUBLIC LICENSE/);
  assert.match(notices, /Mozilla Public License Version 2\.0/i);
  assert.doesNotMatch(notices, /playwright-core|fast-check|axe-core/);
});

Deno.test("The bill of materials names each package with its licence, address and hash", async () => {
  const all = await parties();
  const bom = JSON.parse(sbomOf(all));
  assert.deepEqual([bom.bomFormat, bom.specVersion], ["CycloneDX", "1.5"]);
  assert.equal(bom.components.length, all.length);
  for (const { name, purl, hashes, licenses } of bom.components) {
    assert.match(purl, /^pkg:npm\/(%40[a-z-]+\/)?[a-z0-9.-]+@\d+\.\d+\.\d+$/, name);
    assert.match(hashes[0].content, /^[0-9a-f]{128}$/, name);
    assert.match(licenses[0].expression, /^[A-Za-z0-9.-]+$/, name);
  }
});

Deno.test("A package without a licence is not shipped", () =>
  withPublicFolder(async (folder) => {
    const none = { name: "none", version: "1.0.0", folder };
    await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ name: "none" }));
    await assert.rejects(readThirdParties([none]), /names no licence/);
    await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ name: "none", license: "MIT" }));
    await assert.rejects(readThirdParties([none]), /has no licence text; add packaging\/licences\/none\.txt/);
  }));
