/** Protects what disks, clones and snapshots take of the simulated pool, and what a rollback brings back. */
import assert from "node:assert/strict";
import { poolFreeBytes } from "../../../../lib/simulator/store.ts";
import {
  IMAGE,
  IMAGE_BYTES,
  IMAGE_DISK_BYTES,
  type ImagesLab,
  onReleases,
} from "../../../support/images/images_lab.ts";

const RELEASES = ["25.04.2", "25.10", "26.0", "27.0"] as const;
const GOLDEN = "tank/images/golden";

interface Sizes {
  readonly used: { readonly parsed: number };
  readonly referenced: { readonly parsed: number };
  readonly volsize: { readonly parsed: number };
}

function snapshots({ version }: ImagesLab): string {
  return version === "25.04.2" ? "zfs.snapshot" : "pool.snapshot";
}

/** Writes an image to a zvol. */
async function write({ job, version }: ImagesLab, zvol: string): Promise<void> {
  const { state } = version === "25.04.2"
    ? await job("vm.import_disk_image", { diskimg: IMAGE, zvol })
    : await job("vm.device.convert", { source: IMAGE, destination: zvol });
  assert.equal(state, "SUCCESS");
}

async function sizesOf({ peer }: ImagesLab, name: string): Promise<Sizes> {
  const properties = ["used", "referenced", "volsize", "origin"];
  const [row] = await peer.result("pool.dataset.query", [["id", "=", name]], {
    extra: { properties },
  }) as Sizes[];
  assert.ok(row);
  return row;
}

async function golden(lab: ImagesLab): Promise<void> {
  lab.addZvol(GOLDEN);
  await write(lab, GOLDEN);
  await lab.peer.result(`${snapshots(lab)}.create`, { dataset: GOLDEN, name: "ready" });
}

async function clone(lab: ImagesLab, target: string): Promise<void> {
  await lab.peer.result(`${snapshots(lab)}.clone`, { snapshot: `${GOLDEN}@ready`, dataset_dst: target });
}

onReleases(RELEASES, "twenty clones of an image take no further space, and each can grow", async (lab) => {
  await golden(lab);
  const before = poolFreeBytes(lab.simulator.store);
  for (let n = 0; n < 20; n++) await clone(lab, `tank/vms/n${n}`);
  assert.equal(poolFreeBytes(lab.simulator.store), before);
  const { used, referenced, volsize } = await sizesOf(lab, "tank/vms/n0");
  assert.ok(used.parsed < 100_000 && referenced.parsed > IMAGE_BYTES);
  assert.equal(volsize.parsed, IMAGE_DISK_BYTES);
  await lab.peer.result("pool.dataset.update", "tank/vms/n0", { volsize: 2 * IMAGE_DISK_BYTES });
  assert.equal((await sizesOf(lab, "tank/vms/n0")).volsize.parsed, 2 * IMAGE_DISK_BYTES);
  assert.equal(lab.simulator.store.datasets.get("tank/vms/n0")?.content, IMAGE);
});

onReleases(
  RELEASES,
  "a snapshot holds what was overwritten since, and a rollback brings content and size back",
  async (lab) => {
    await golden(lab);
    await lab.peer.result("pool.dataset.update", GOLDEN, { volsize: 2 * IMAGE_DISK_BYTES });
    await write(lab, GOLDEN);
    const used = (await sizesOf(lab, GOLDEN)).used.parsed;
    assert.ok(used > 2 * IMAGE_BYTES, `uses ${used}`);
    const dataset = lab.simulator.store.datasets.get(GOLDEN);
    assert.ok(dataset);
    dataset.content = "ruined";
    await lab.peer.result(`${snapshots(lab)}.rollback`, `${GOLDEN}@ready`, {});
    assert.equal(dataset.content, IMAGE);
    assert.equal((await sizesOf(lab, GOLDEN)).volsize.parsed, IMAGE_DISK_BYTES);
    assert.ok((await sizesOf(lab, GOLDEN)).used.parsed < 2 * IMAGE_BYTES);
  },
);

onReleases(
  RELEASES,
  "a promoted clone takes the image's space over, and the image becomes its clone",
  async (lab) => {
    await golden(lab);
    await clone(lab, "tank/vms/n0");
    const before = poolFreeBytes(lab.simulator.store);
    await lab.peer.result("pool.dataset.promote", "tank/vms/n0");
    assert.ok((await sizesOf(lab, "tank/vms/n0")).used.parsed > IMAGE_BYTES);
    assert.ok((await sizesOf(lab, GOLDEN)).used.parsed < 100_000);
    assert.equal(poolFreeBytes(lab.simulator.store), before);
    assert.equal(lab.simulator.store.datasets.get(GOLDEN)?.origin, "tank/vms/n0@ready");
  },
);
