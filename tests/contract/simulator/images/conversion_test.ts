/**
 * Protects what the simulated NAS converts and what it refuses, release by release: names, sizes, zvols in use, images that
 * continue another file, a full pool, and what is left on the zvol.
 */
import assert from "node:assert/strict";
import { qcow2Head } from "../../../../lib/simulator/images/disk_image.ts";
import { addFile } from "../../../../lib/simulator/store.ts";
import {
  CONVERTING,
  GIB,
  IMAGE,
  IMAGE_BYTES,
  IMAGE_DISK_BYTES,
  onReleases,
  RELEASES,
} from "../../../support/images/images_lab.ts";
import { Peer } from "../../../support/peer.ts";
import type { JobRow } from "../../../support/recorded_calls.ts";

const ZVOL = "tank/images/debian";

function failure({ state, error }: JobRow): string {
  assert.equal(state, "FAILED");
  return error ?? "";
}

onReleases(RELEASES, "only the releases that have a method answer it", async ({ peer, version }) => {
  const known = async (method: string) => (await peer.call(method, {})).error?.code !== -32601;
  const hasImport = ["24.10", "25.04.2", "25.10"].includes(version);
  const hasConvert = ["25.10", "26.0", "27.0"].includes(version);
  const answers = [await known("vm.import_disk_image"), await known("vm.export_disk_image")];
  // 24.10 has no such codes; there it is told by the words.
  if (version !== "24.10") assert.deepEqual(answers, [hasImport, hasImport]);
  if (version !== "24.10") assert.equal(await known("vm.device.convert"), hasConvert);
});

onReleases(
  CONVERTING,
  "an image is converted onto a zvol, which then holds it",
  async ({ simulator, peer, job, addZvol }) => {
    addZvol(ZVOL);
    assert.equal(await peer.result("vm.device.virtual_size", { path: IMAGE }), IMAGE_DISK_BYTES);
    const { state, result, progress } = await job("vm.device.convert", { source: IMAGE, destination: ZVOL });
    assert.deepEqual([state, result], ["SUCCESS", true]);
    assert.deepEqual(progress, { percent: 100, description: "Convert to zvol progress", extra: null });
    const zvol = simulator.store.datasets.get(ZVOL);
    assert.deepEqual([zvol?.content, zvol?.writtenBytes], [IMAGE, IMAGE_BYTES]);
  },
);

onReleases(
  ["24.10", "25.04.2", "25.10"],
  "an image of any name is imported onto a zvol",
  async ({ simulator, job, addZvol }) => {
    addZvol(ZVOL);
    const path = "/mnt/tank/images/ubuntu.img";
    addFile(simulator.store, path, { sizeBytes: IMAGE_BYTES, head: qcow2Head(GIB) });
    const { state, progress } = await job("vm.import_disk_image", { diskimg: path, zvol: ZVOL });
    assert.deepEqual([state, progress.description], ["SUCCESS", "Disk Import Progress"]);
    assert.equal(simulator.store.datasets.get(ZVOL)?.content, path);
  },
);

onReleases(
  CONVERTING,
  "the ending of the names decides, not the content",
  async ({ simulator, job, addZvol }) => {
    addZvol(ZVOL);
    addZvol("tank/images/draw");
    for (const name of ["a.img", "a.QCOW2", "a.raw.xz"]) {
      addFile(simulator.store, `/mnt/tank/images/${name}`, { head: qcow2Head(GIB) });
    }
    const text =
      "[EINVAL] vm.device.convert: One path must be a disk image and the other must be a ZFS volume";
    for (
      const source of ["/mnt/tank/images/a.img", "/mnt/tank/images/a.QCOW2", "/mnt/tank/images/a.raw.xz"]
    ) {
      assert.equal(failure(await job("vm.device.convert", { source, destination: ZVOL })), text);
    }
    assert.equal(
      failure(await job("vm.device.convert", { source: IMAGE, destination: "tank/images/draw" })),
      text,
    );
  },
);

onReleases(
  CONVERTING,
  "the format comes from the content: a qcow2 named .raw is one, and a text is a raw image",
  async ({ simulator, peer }) => {
    addFile(simulator.store, "/mnt/tank/images/a.raw", { head: qcow2Head(GIB) });
    addFile(simulator.store, "/mnt/tank/images/page.qcow2", { head: new TextEncoder().encode("<html>") });
    assert.equal(await peer.result("vm.device.virtual_size", { path: "/mnt/tank/images/a.raw" }), GIB);
    assert.equal(await peer.result("vm.device.virtual_size", { path: "/mnt/tank/images/page.qcow2" }), 512);
  },
);

onReleases(
  CONVERTING,
  "a zvol smaller than the image is refused with sizes in whole GiB",
  async ({ job, addZvol }) => {
    addZvol(ZVOL, IMAGE_DISK_BYTES - 16_384);
    const text =
      "[ENOSPC] vm.device.convert.source: tank/images/debian too small (~2G). Minimum size must be 2G";
    assert.equal(failure(await job("vm.device.convert", { source: IMAGE, destination: ZVOL })), text);
  },
);

onReleases(
  ["25.04.2", "25.10"],
  "an import finds out about a small zvol from qemu-img",
  async ({ job, addZvol }) => {
    addZvol(ZVOL, GIB);
    const error = failure(await job("vm.import_disk_image", { diskimg: IMAGE, zvol: ZVOL }));
    assert.match(error, /^\[EFAULT\] Failed to import disk: qemu-img: .*Cannot grow device files/);
  },
);

onReleases(
  RELEASES,
  "the device of a new zvol is missing for a moment",
  async ({ simulator, peer, job, version }) => {
    const volume = { name: ZVOL, type: "VOLUME", volsize: IMAGE_DISK_BYTES, sparse: true };
    await peer.result("pool.dataset.create", volume);
    const isOld = version === "24.10" || version === "25.04.2";
    const convert = async () =>
      isOld
        ? await job("vm.import_disk_image", { diskimg: IMAGE, zvol: ZVOL })
        : await job("vm.device.convert", { source: IMAGE, destination: ZVOL });
    assert.match(failure(await convert()), /^\[ENOENT\] .*does not exist\.?$/);
    simulator.setTimes({ deviceMs: 0 });
    assert.equal((await convert()).state, "SUCCESS");
  },
  { times: { deviceMs: 60_000 } },
);

onReleases(CONVERTING, "what was behind the end of the image stays", async ({ simulator, job, addZvol }) => {
  addZvol(ZVOL, 10 * GIB);
  const zvol = simulator.store.datasets.get(ZVOL);
  assert.ok(zvol);
  zvol.content = "an old system";
  await job("vm.device.convert", { source: IMAGE, destination: ZVOL });
  assert.equal(zvol.content, `${IMAGE} before an old system`);
});

onReleases(
  CONVERTING,
  "an image that continues a file of the NAS reads it as root",
  async ({ simulator, job, addZvol }) => {
    addZvol(ZVOL);
    const path = "/mnt/tank/images/evil.qcow2";
    addFile(simulator.store, path, { head: qcow2Head(GIB, "/etc/shadow") });
    await job("vm.device.convert", { source: path, destination: ZVOL });
    assert.equal(simulator.store.datasets.get(ZVOL)?.content, `${path} over /etc/shadow`);
    addFile(simulator.store, path, { head: qcow2Head(GIB, "/mnt/tank/none.qcow2") });
    const error = failure(await job("vm.device.convert", { source: path, destination: ZVOL }));
    assert.match(error, /Could not open backing file: Could not open '\/mnt\/tank\/none\.qcow2'/);
  },
);

onReleases(
  CONVERTING,
  "a pool that fills up in the middle fails the conversion and leaves a part",
  async ({ simulator, job, addZvol }) => {
    addZvol(ZVOL);
    const error = failure(await job("vm.device.convert", { source: IMAGE, destination: ZVOL }));
    assert.match(error, /^\[EPERM\] qemu-img convert failed: .*No space left on device$/);
    assert.equal(simulator.store.datasets.get(ZVOL)?.content, `part of ${IMAGE}`);
  },
  { poolFreeBytes: IMAGE_BYTES / 2 },
);

onReleases(
  CONVERTING,
  "a suspended VM keeps its disk from 26 on, and before only a running one does",
  async (lab) => {
    const { peer, job, addZvol, version } = lab;
    addZvol(ZVOL);
    const vm = await peer.result("vm.create", { name: "web", memory: 256 }) as { id: number };
    await peer.result("vm.device.create", {
      vm: vm.id,
      attributes: { dtype: "DISK", path: `/dev/zvol/${ZVOL}` },
    });
    await peer.result("vm.start", vm.id);
    assert.match(failure(await job("vm.device.convert", { source: IMAGE, destination: ZVOL })), /EBUSY/);
    await peer.result("vm.suspend", vm.id);
    const { state } = await job("vm.device.convert", { source: IMAGE, destination: ZVOL });
    assert.equal(state, version === "25.10" ? "SUCCESS" : "FAILED");
  },
);

onReleases(
  ["25.10"],
  "an import writes over the disk of a running VM",
  async ({ simulator, peer, job, addZvol }) => {
    addZvol(ZVOL);
    const vm = await peer.result("vm.create", { name: "web", memory: 256 }) as { id: number };
    await peer.result("vm.device.create", {
      vm: vm.id,
      attributes: { dtype: "DISK", path: `/dev/zvol/${ZVOL}` },
    });
    await peer.result("vm.start", vm.id);
    assert.equal((await job("vm.import_disk_image", { diskimg: IMAGE, zvol: ZVOL })).state, "SUCCESS");
    assert.equal(simulator.store.datasets.get(ZVOL)?.content, IMAGE);
  },
);

onReleases(
  ["25.04.2", "25.10"],
  "a zvol is exported only to a folder that exists",
  async ({ simulator, job, addZvol }) => {
    addZvol("tank/images/x");
    const out = { format: "qcow2", directory: "/mnt/tank/images", zvol: "tank/images/x" };
    assert.match(failure(await job("vm.export_disk_image", out)), /^\[EFAULT\] Failed to export disk/);
    assert.match(
      failure(await job("vm.export_disk_image", { ...out, directory: "/mnt/tank/no" })),
      /does not exist\.$/,
    );
    simulator.store.folders.add("/mnt/tank/images/vmdisk-tank/images");
    assert.equal((await job("vm.export_disk_image", out)).state, "SUCCESS");
    assert.ok(simulator.store.files.has("/mnt/tank/images/vmdisk-tank/images/x.qcow2"));
  },
);

const ACCOUNTS = [
  { username: "vms", password: "secret", roles: ["VM_WRITE"] },
  { username: "devices", password: "secret", roles: ["VM_DEVICE_WRITE"] },
] as const;

onReleases(RELEASES, "each release wants its own right for a conversion", async ({ simulator, version }) => {
  const may = async (username: string, method: string, ...params: unknown[]) => {
    const peer = new Peer(simulator.url, version === "24.10" ? "legacy" : "current");
    await peer.open();
    await peer.login(username, "secret");
    const { error } = await peer.call(method, ...params);
    await peer.close();
    return !(error?.data?.reason.endsWith("Not authorized") ?? false);
  };
  if (version === "25.10" || version === "26.0" || version === "27.0") {
    const args = { source: IMAGE, destination: ZVOL };
    assert.equal(await may("vms", "vm.device.convert", args), false);
    assert.equal(await may("devices", "vm.device.convert", args), true);
  } else {
    const args = { diskimg: IMAGE, zvol: ZVOL };
    assert.equal(await may("vms", "vm.import_disk_image", args), version === "25.04.2");
  }
}, { accounts: ACCOUNTS });
