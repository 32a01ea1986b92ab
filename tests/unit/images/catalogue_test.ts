/** Protects the catalogue of images: its addresses are whole, its values are checked, and Talos's schematics have the ids that the Image Factory gives them. */
import assert from "node:assert/strict";
import { ENTRIES, entryOf, fillIn, valueProblems } from "../../../lib/images/catalogue/fill_in.ts";
import { extensionsIn, schematicId } from "../../../lib/images/catalogue/talos.ts";

Deno.test("every entry fills in whole https addresses and a name with its usual values", () => {
  assert.deepEqual(ENTRIES.map(({ id }) => id), [
    "debian",
    "ubuntu",
    "fedora",
    "rocky",
    "alpine",
    "flatcar",
    "fedora-coreos",
    "talos",
  ]);
  for (const entry of ENTRIES) {
    assert.deepEqual(valueProblems(entry, {}), [], entry.id);
    const { name, url, digest } = fillIn(entry, {});
    assert.match(name, /^[a-z][a-z0-9.]*$/);
    for (const address of [url, ...(digest.url === null ? [] : [digest.url])]) {
      assert.match(address, /^https:\/\/[a-z0-9.-]+\/[^{}\s]+$/, entry.id);
      assert.doesNotMatch(address, /[^:]\/\//, entry.id);
    }
    assert.equal(digest.algorithm === null, digest.url === null, entry.id);
  }
});

Deno.test("another release changes every part of the address", () => {
  const debian = entryOf("debian");
  assert.ok(debian !== null);
  assert.equal(
    fillIn(debian, { release: "12" }).url,
    "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2",
  );
  const fedora = entryOf("fedora");
  assert.ok(fedora !== null);
  assert.match(
    fillIn(fedora, { release: "44", build: "1.7" }).digest.url ?? "",
    /Fedora-Cloud-44-1\.7-x86_64-CHECKSUM$/,
  );
});

Deno.test("wrong values are told at their fields", () => {
  const talos = entryOf("talos");
  const flatcar = entryOf("flatcar");
  assert.ok(talos !== null && flatcar !== null);
  assert.deepEqual(
    valueProblems(talos, { release: "1.14", extensions: "siderolabs/gvisor, ../x" }).map(({ field }) =>
      field
    ),
    ["release", "extensions"],
  );
  assert.deepEqual(valueProblems(flatcar, { channel: "evil.example/" }).map(({ field }) => field), [
    "channel",
  ]);
  assert.match(
    valueProblems(talos, { extensions: "a/b ".repeat(1_000) })[0]?.message ?? "",
    /the maximum is/,
  );
});

Deno.test("schematics have the ids that the Image Factory documents", () => {
  // Both are published: the first in its README, the second by many users of the guest agent.
  assert.equal(schematicId([]), "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba");
  assert.equal(
    schematicId(extensionsIn(" siderolabs/qemu-guest-agent,")),
    "ce4c980550dd2ab1b17bbf2b08801c7eb59418eafe8f279833297925d67c7515",
  );
});
