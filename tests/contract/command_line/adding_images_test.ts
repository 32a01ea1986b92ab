/**
 * Protects `images add`, `images upload` and `create` with an address on the command line: the real program downloads in a
 * worker of its own, says what is wrong, and exits as documented.
 */
import assert from "node:assert/strict";
import { fileDatasets, qcow2, sha256Of, storedDigest } from "../../support/images/fetched_images.ts";
import { withCommandLine } from "../../support/program/command_line.ts";
import { serveImages } from "../../support/images/image_server.ts";

// Longer than what a header takes, so that it comes in pieces from one worker to the other.
const BYTES = qcow2(9_000_000);
const SHA256 = sha256Of(BYTES);
const PATH = "/mnt/tank/images/files-debian/debian.qcow2";

function configurationOf(url: string): string {
  return `
storage: { pool_path: tank/vms }
images: { debian: { url: "${url}", sha256: ${SHA256} } }
web: { count: 2, memory: 256, cpu: 1, image: debian, disk: { root: 20 } }
`;
}

Deno.test("an image is added from an address, and uploaded from a file", async () => {
  await using server = serveImages({ files: { "debian.qcow2": BYTES } });
  const url = `${server.url}debian.qcow2`;
  await withCommandLine(async ({ simulator, folder, run }) => {
    const added = await run("images", "add", "debian", "--url", url, "--sha256", SHA256);
    assert.equal(added.code, 0, added.err + added.out);
    assert.match(added.out, /Way to the NAS: upload, because a full administrator may upload files/);
    assert.match(added.out, /To use it, add to config\.yaml:\nimages:\n {2}debian: \{ url: http:/);
    assert.equal(storedDigest(simulator, PATH), SHA256);
    const wrong = await run("images", "add", "other", "--url", url, "--sha256", "0".repeat(64), "--json");
    assert.equal(wrong.code, 1, wrong.err);
    const { kind, status } = JSON.parse(wrong.out);
    assert.deepEqual([kind, status], ["image", "failed"]);
    assert.match(wrong.err, /does not have the expected SHA-256/);
    await Deno.writeFile(`${folder}/talos.img`, BYTES);
    const uploaded = await run("images", "upload", "talos", "--file", "talos.img");
    assert.equal(uploaded.code, 0, uploaded.err + uploaded.out);
    assert.match(uploaded.out, /talos: \{ path: \/mnt\/tank\/images\/files-talos\/talos\.qcow2 \}/);
    assert.deepEqual(fileDatasets(simulator), ["tank/images/files-debian", "tank/images/files-talos"]);
    const calls = simulator.calls.length;
    for (
      const words of [
        ["add", "debian"],
        ["add", "--url", url, "--sha256", SHA256],
        ["upload", "debian"],
      ]
    ) {
      const { code, err } = await run("images", ...words);
      assert.equal(code, 2, words.join(" "));
      assert.match(err, /images (add|upload) needs/);
    }
    assert.equal(simulator.calls.length, calls, "the NAS is not asked");
    for (
      const [words, message] of [
        [["add", "de+bian", "--url", url, "--sha256", SHA256], /must start with a letter/],
        [["add", "debian", "--url", "debian", "--sha256", SHA256], /is not the address of a file/],
        [["upload", "none", "--file", "none.img"], /"none\.img" cannot be read/],
      ] as const
    ) {
      const { code, err } = await run("images", ...words);
      assert.equal(code, 2, err);
      assert.match(err, message);
    }
  });
});

Deno.test("images come before types: they are added, listed and removed when only the storage is configured", async () => {
  const files = { "debian.qcow2": BYTES, empty: new Uint8Array() };
  await using server = serveImages({ files });
  await withCommandLine(async ({ simulator, folder, run }) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, "storage: { pool_path: tank/vms }\n");
    const add = (name: string, file: string, ...more: string[]) =>
      run("images", "add", name, "--url", server.url + file, "--sha256", SHA256, ...more);
    const added = await add("debian", "debian.qcow2");
    assert.equal(added.code, 0, added.err + added.out);
    assert.match(added.out, /^IMAGE +OUTCOME$/m);
    const listed = await run("images", "list");
    assert.match(listed.out, /^debian +waiting/m);
    const empty = await add("none", "empty");
    assert.equal(empty.code, 1, empty.out);
    assert.match(empty.out, /cannot be used as an image: it is empty/);
    const removed = await run("images", "remove", "debian", "--yes");
    assert.equal(removed.code, 0, removed.err + removed.out);
    assert.deepEqual(fileDatasets(simulator), []);
    const again = await run("images", "remove", "debian", "--yes");
    assert.equal(again.code, 2, again.out);
    assert.equal(again.out, "", "a file that is gone does not stay");
    await Deno.writeTextFile(`${folder}/config.yaml`, "storage: { pool_path: 7 }\n");
    const wrong = await add("debian", "debian.qcow2");
    assert.equal(wrong.code, 2, wrong.out);
    assert.match(wrong.err, /config\.yaml:1:\d+: storage\.pool_path/);
    await Deno.remove(`${folder}/config.yaml`);
    const none = await add("debian", "debian.qcow2");
    assert.equal(none.code, 2, none.out);
    assert.match(none.err, /config\.yaml/);
  });
});

Deno.test("a dataset that is read-only is named as the cause, with what to do", async () => {
  await using server = serveImages({ files: { "debian.qcow2": BYTES } });
  await withCommandLine(async ({ simulator, folder, run }) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, "storage: { pool_path: tank/vms }\n");
    const reason = "[EFAULT] Failed to create dataset: Read-only file system";
    simulator.addFault({
      method: "pool.dataset.create",
      action: "fail",
      error: { errno: 14, errname: "EFAULT", reason },
    });
    const url = `${server.url}debian.qcow2`;
    const added = await run("images", "add", "debian", "--url", url, "--sha256", SHA256);
    assert.equal(added.code, 1, added.out);
    assert.match(added.out, /the dataset is read-only; turn Read-only off for it in TrueNAS/);
    assert.deepEqual(fileDatasets(simulator), []);
  });
});

Deno.test("a fresh configuration with an address is planned and created", async () => {
  await using server = serveImages({ files: { "debian.qcow2": BYTES } });
  await withCommandLine(async ({ simulator, folder, run }) => {
    await Deno.writeTextFile(`${folder}/config.yaml`, configurationOf(`${server.url}debian.qcow2`));
    const planned = await run("plan");
    assert.equal(planned.code, 0, planned.err);
    assert.match(
      planned.out,
      /debian is downloaded from http:\S+ by the way "upload", because a full administrator/,
    );
    const created = await run("create");
    assert.equal(created.code, 0, created.err + created.out);
    assert.equal(simulator.store.datasets.get("tank/vms/web02-disk0")?.content, `sha256:${SHA256}`);
  });
});
