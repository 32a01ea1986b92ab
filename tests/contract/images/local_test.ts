/**
 * Protects images where the program runs on the NAS itself: TrueNAS's own socket takes and gives no files, so the program
 * writes them and reads their headers itself, with permission for exactly the folder of images.
 */
import assert from "node:assert/strict";
import { readArguments } from "../../../lib/command_line/arguments.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { readSettings } from "../../../lib/configuration/environment/settings.ts";
import { permissionsOf } from "../../../lib/configuration/permissions.ts";
import { localImagesIn } from "../../../lib/configuration/local_images.ts";
import { LOCAL_DISK, type LocalDisk } from "../../../lib/images/acquiring/local_disk.ts";
import { ReceivedFile } from "../../../lib/simulator/files/stored_file.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_SETTLE, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { fileDatasets, qcow2, sha256Of, storedDigest } from "../../support/images/fetched_images.ts";
import { serveImages } from "../../support/images/image_server.ts";
import { RELEASES } from "../../support/images/images_lab.ts";
import { withFolder } from "../../support/program/program.ts";

const BYTES = qcow2();
const SHA256 = sha256Of(BYTES);
const DATASET = "tank/images";
const PATH = "/mnt/tank/images/files-debian/debian.qcow2";

/** The simulated NAS's own disk, as a program on it sees it. */
function diskOf({ store }: Simulator): LocalDisk {
  return {
    whyNotWritable: () => Promise.resolve(null),
    write: async (path, chunks, onChunk) => {
      const received = new ReceivedFile();
      for await (const chunk of chunks) {
        received.add(chunk);
        store.files.set(path, received.part());
        onChunk();
      }
      store.files.set(path, received.end());
      return received.sizeBytes;
    },
    readHead: (path, bytes) =>
      Promise.resolve(store.files.get(path)?.head.slice(0, bytes) ?? new Uint8Array()),
  };
}

for (const version of RELEASES) {
  Deno.test(`on the NAS itself the program writes the image, and reads the headers of others (${version})`, () =>
    withFolder("", async (folder) => {
      const unixPath = `${folder}/middlewared.sock`;
      await using server = serveImages({ files: { "debian.qcow2": BYTES } });
      await using simulator = await startSimulator({ version, times: TEST_TIMES, unixPath });
      const disk = diskOf(simulator);
      const options = { host: `unix:${unixPath}`, vncPassword: "pw", settle: TEST_SETTLE, disk };
      await using manager = new VMManager(options);
      await manager.connect();
      const { chosen, choices } = await manager.images.ways(DATASET);
      assert.equal(chosen?.way, "local");
      const upload = choices.find(({ way }) => way === "upload");
      assert.equal(upload?.why, "TrueNAS takes no uploads over its own socket");
      const image = { dataset: DATASET, name: "debian", url: `${server.url}debian.qcow2` };
      const view = await (await manager.images.add({ ...image, sha256: SHA256 })).finished;
      assert.equal(view.status, "done", JSON.stringify(view.vms));
      assert.equal(storedDigest(simulator, PATH), SHA256);
      const wrong = { ...image, name: "other", sha256: "0".repeat(64) };
      assert.equal((await (await manager.images.add(wrong)).finished).status, "failed");
      assert.deepEqual(fileDatasets(simulator), ["tank/images/files-debian"]);
      addFile(simulator.store, "/mnt/tank/iso/theirs.qcow2", { head: qcow2Head(1024 ** 3) });
      const text = `
storage: { pool_path: tank/vms }
images: { theirs: { path: /mnt/tank/iso/theirs.qcow2 } }
web: { count: 1, memory: 256, cpu: 1, image: theirs, disk: { root: 2 } }
`;
      const { configuration } = parseConfigurationFile({ text, source: "config.yaml" });
      assert.equal((await manager.operations.create({ configuration })).status, "done");
    }));
}

Deno.test("the disk of this machine takes a file, and gives its beginning", () =>
  withFolder("", async (folder) => {
    const old = new Date("2001-01-01T00:00:00Z");
    await Deno.utime(folder, old, old);
    assert.equal(await LOCAL_DISK.whyNotWritable(folder, { isTried: false }), null);
    assert.deepEqual((await Deno.stat(folder)).mtime, old, "a look writes nothing");
    assert.equal(await LOCAL_DISK.whyNotWritable(folder, { isTried: true }), null);
    assert.equal(
      await LOCAL_DISK.whyNotWritable(`${folder}/later`, { isTried: false }),
      null,
      "the dataset comes with the image",
    );
    const path = `${folder}/image.qcow2`;
    const chunks = ReadableStream.from([BYTES.slice(0, 100_000), BYTES.slice(100_000)]);
    assert.equal(await LOCAL_DISK.write(path, chunks, () => {}), BYTES.length);
    assert.equal(sha256Of(await Deno.readFile(path)), SHA256);
    assert.deepEqual(await LOCAL_DISK.readHead(path, 72), BYTES.slice(0, 72));
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.equal(left.some((name) => name.startsWith(".truenas-vm-manager")), false, "the probe is gone");
  }));

const FOLDERS: readonly (readonly [text: string, folders: readonly string[], files: readonly string[]])[] = [
  ["storage: { pool_path: tank/vms }", ["/mnt/tank/images"], []],
  ["storage:\n  pool_path: tank", ["/mnt/tank/images"], []],
  [
    'storage:\n  pool_path: "tank/vms"\n  image_path: "fast/golden images"',
    [],
    [],
  ],
  [
    "storage: { pool_path: tank/vms, image_path: fast/images }\nimages: { a: { path: /mnt/tank/iso/a.qcow2 } }",
    ["/mnt/fast/images"],
    ["/mnt/tank/iso/a.qcow2"],
  ],
  ["storage: { image_path: ../../etc }", [], []],
  ["storage: { image_path: /etc, pool_path: tank/vms }", [], []],
  ["images: { a: { path: /mnt/../etc/shadow } }", [], []],
  ["not: yaml: {", [], []],
];

for (const [text, folders, files] of FOLDERS) {
  Deno.test(`a program on the NAS may write to ${folders.join(", ") || "no folder"} with ${JSON.stringify(text)}`, () => {
    assert.deepEqual(localImagesIn(text), { folders, files });
  });
}

Deno.test("the permissions of a program on the NAS have that folder, and those of others do not", () => {
  const env: Readonly<Record<string, string>> = { TRUENAS_HOST: "unix:/run/m.sock", VNC_PASSWORD: "pw" };
  const settings = readSettings({ env: (name) => env[name] });
  const call = readArguments(["serve"]);
  assert.ok(call.command !== "help");
  const files = { configFile: "config.yaml", configTarget: null, tunnelSockets: [], innerPort: 9 };
  const started = { command: "serve", options: call.options, settings, ...files } as const;
  const localImages = localImagesIn("storage: { pool_path: tank/vms }");
  assert.ok(permissionsOf({ ...started, localImages }).write.includes("/mnt/tank/images"));
  assert.equal(permissionsOf(started).write.some((path) => path.startsWith("/mnt")), false);
  const readOnly = readSettings({ env: (name) => name === "READ_ONLY" ? "true" : env[name] });
  const { read, write } = permissionsOf({ ...started, settings: readOnly, localImages });
  assert.ok(read.includes("/mnt/tank/images") && !write.includes("/mnt/tank/images"));
});
