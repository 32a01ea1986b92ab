/** Protects `images list` and `images remove` on the command line: as text and JSON, refused with the names of clones, and with --promote. */
import assert from "node:assert/strict";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { withCommandLine } from "../../support/program/command_line.ts";

const CONFIG = `
storage: { pool_path: tank/vms }
images:
  debian: { path: /mnt/tank/iso/debian.qcow2 }
web: { count: 2, memory: 256, cpu: 1, image: debian, disk: { root: 20 }, network: { lan: br0 } }
`;

Deno.test("images are listed, and removed only without clones or with --promote", () =>
  withCommandLine(async ({ simulator, folder, run }) => {
    const { store } = simulator;
    addFile(store, "/mnt/tank/iso/debian.qcow2", { head: qcow2Head(1024 ** 3) });
    await Deno.writeTextFile(`${folder}/config.yaml`, CONFIG);
    const before = await run("images", "list");
    assert.equal(before.code, 0, before.err);
    assert.match(before.out, /debian +waiting +- +- +\/mnt\/tank\/iso\/debian\.qcow2/);
    assert.match((await run("plan")).out, /web01-disk0 20 GiB \(clone of debian\)/);
    assert.equal((await run("create")).code, 0);
    const listed = await run("images", "list", "--json");
    const { images: [image] } = JSON.parse(listed.out);
    assert.deepEqual([image.name, image.state, image.vms], ["debian", "ready", ["web01", "web02"]]);
    const { vms } = JSON.parse((await run("list", "--json")).out);
    assert.deepEqual(
      vms.map(({ name, image, clones }: Record<string, unknown>) => [name, image, clones]),
      [["web01", "debian", 0], ["web02", "debian", 0]],
    );
    const refused = await run("images", "remove", "debian", "--yes");
    assert.equal(refused.code, 2, refused.out);
    assert.match(refused.err, /web01 and web02 are clones of it\. Nothing was removed; .*--promote/);
    const removed = await run("images", "remove", "debian", "--promote", "--yes");
    assert.equal(removed.code, 0, removed.err);
    assert.match(removed.out, /web01 takes over the image's data/);
    assert.ok(![...store.datasets.keys()].some((name) => name.startsWith("tank/images/debian-")));
    assert.equal(store.datasets.get("tank/vms/web02-disk0")?.content, "/mnt/tank/iso/debian.qcow2");
    const nothing = await run("images", "remove", "debian", "--yes");
    assert.equal(nothing.code, 2);
    assert.match(nothing.err, /nothing of debian/);
  }));

Deno.test("wrong words after images are told before anything is asked of the NAS", () =>
  withCommandLine(async ({ simulator, run }) => {
    const calls = simulator.calls.length;
    for (const words of [["remove"], ["remove", "a", "b"], ["list", "a"], ["burn"]]) {
      const { code, err } = await run("images", ...words, "--yes");
      assert.equal(code, 2, words.join(" "));
      assert.match(err, /images|Actions: list/);
    }
    const { code, err } = await run("images", "remove", "debian");
    assert.equal(code, 2);
    assert.match(err, /add --yes/);
    assert.equal(simulator.calls.length, calls);
  }));
