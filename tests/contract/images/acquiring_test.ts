/**
 * Protects the way of an image onto the NAS, on every release: a file arrives byte by byte and is marked whole, what is wrong
 * with it is said and nothing is left, and a configuration with an address just works.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { FILE_PROPERTIES } from "../../../lib/images/acquiring/image_files.ts";
import type { OperationEvent, OperationView } from "../../../lib/operations/types.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import {
  DISK_BYTES,
  fileDatasets,
  PART_BYTES,
  qcow2,
  sha256Of,
  storedDigest,
} from "../../support/images/fetched_images.ts";
import { type ImageServer, serveImages } from "../../support/images/image_server.ts";
import { RELEASES } from "../../support/images/images_lab.ts";
import { type Lab, withLab } from "../../support/lab.ts";

const BYTES = qcow2();
const SHA256 = sha256Of(BYTES);
const DATASET = "tank/images";
const PATH = "/mnt/tank/images/files-debian/debian.qcow2";

interface ServedLab extends Lab {
  readonly server: ImageServer;
  readonly url: string;
}

function onReleases(
  name: string,
  test: (lab: ServedLab) => Promise<void>,
  versions: readonly SimulatedVersion[] = RELEASES,
  simulator: SimulatorOptions = {},
): void {
  for (const version of versions) {
    Deno.test(`${name} (${version})`, async () => {
      const html = new TextEncoder().encode("<!doctype html><title>Not found</title>");
      await using server = serveImages({ files: { "debian.qcow2": BYTES, "page.qcow2": html } });
      const url = `${server.url}debian.qcow2`;
      const options = { simulator: { ...simulator, version }, manager: { partBytes: PART_BYTES } };
      await withLab(options, (lab) => test({ ...lab, server, url }));
    });
  }
}

async function add(
  { manager, url }: ServedLab,
  change: { readonly url?: string; readonly sha256?: string; readonly name?: string } = {},
): Promise<OperationView> {
  const image = { dataset: DATASET, name: "debian", url, sha256: SHA256, ...change };
  return await (await manager.images.add(image)).finished;
}

onReleases("an image with an address is downloaded, and known to be whole", async (lab) => {
  const { simulator, manager } = lab;
  const { chosen } = await manager.images.ways(DATASET);
  assert.equal(chosen?.way, "upload");
  const view = await add(lab);
  assert.deepEqual([view.status, view.vms[0]?.outcome], ["done", "done"], JSON.stringify(view.vms));
  assert.deepEqual(view.vms[0]?.steps.map(({ step, status }) => `${step} ${status}`), [
    "dataset done",
    "download done",
    "verify done",
  ]);
  assert.equal(storedDigest(simulator, PATH), SHA256);
  const listed = await manager.images.list(DATASET);
  assert.ok(listed.known);
  const [file] = listed.value;
  assert.deepEqual(
    [file?.name, file?.path, file?.digest, file?.format, file?.virtualBytes, file?.operation, file?.from],
    ["debian", PATH, SHA256, "qcow2", DISK_BYTES, null, lab.url],
  );
  const again = await add(lab);
  assert.deepEqual([again.status, again.vms[0]?.outcome], ["done", "kept"]);
  assert.equal(lab.simulator.calls.filter(({ method }) => method === "filesystem.put").length, 4);
});

onReleases("a file that a person sends arrives byte by byte, and its content names it", async (lab) => {
  const { simulator, manager } = lab;
  const stream = new Blob([BYTES]).stream();
  const image = {
    dataset: DATASET,
    name: "debian",
    fileName: "My Debian.img",
    stream,
    sizeBytes: BYTES.length,
  };
  const view = await (await manager.images.upload(image)).finished;
  assert.equal(view.status, "done", JSON.stringify(view.vms));
  assert.equal(storedDigest(simulator, PATH), SHA256);
});

const WRONG: readonly (readonly [
  what: string,
  change: (lab: ServedLab) => { readonly url?: string; readonly sha256?: string },
  words: RegExp,
])[] = [
  [
    "another digest",
    () => ({ sha256: "0".repeat(64) }),
    /does not have the expected SHA-256: expected 0{64}, found/,
  ],
  ["a page instead of an image", ({ server }) => ({ url: `${server.url}page.qcow2` }), /HTML|page/i],
  [
    "an address without a file",
    ({ server }) => ({ url: `${server.url}none.qcow2` }),
    /no such file|HTTP 404/,
  ],
];

for (const [what, change, words] of WRONG) {
  onReleases(`${what} is told, and nothing is left`, async (lab) => {
    const view = await add(lab, change(lab));
    assert.equal(view.status, "failed");
    assert.match(view.vms[0]?.message ?? "", words);
    assert.deepEqual(fileDatasets(lab.simulator), []);
    assert.equal(lab.simulator.store.files.has(PATH), false);
  }, ["24.10", "27.0"]);
}

onReleases(
  "a pool that gets full in the middle is told, and nothing is left",
  async (lab) => {
    const view = await add(lab);
    assert.equal(view.status, "failed");
    assert.match(view.vms[0]?.message ?? "", /No space left on device/);
    assert.deepEqual(fileDatasets(lab.simulator), []);
  },
  RELEASES,
  { poolFreeBytes: 250_000 },
);

for (
  const [what, state, words] of [
    ["locked", { isLocked: true }, /must be unlocked/],
    ["read-only", { isReadonly: true }, /Read-only file system/],
  ] as const
) {
  onReleases(`a ${what} dataset of images is told, and nothing is left`, async (lab) => {
    addDataset(lab.simulator.store, { name: DATASET, type: "FILESYSTEM", ...state });
    const view = await add(lab);
    assert.equal(view.status, "failed");
    assert.match(view.vms[0]?.message ?? "", words);
    assert.deepEqual(fileDatasets(lab.simulator), []);
  });
}

onReleases("a dataset that somebody else made is left alone", async (lab) => {
  addDataset(lab.simulator.store, { name: DATASET, type: "FILESYSTEM" });
  addDataset(lab.simulator.store, { name: `${DATASET}/files-debian`, type: "FILESYSTEM" });
  const view = await add(lab);
  assert.match(view.vms[0]?.message ?? "", /files-debian exists, and this program did not make it/);
  assert.deepEqual(fileDatasets(lab.simulator), [`${DATASET}/files-debian`]);
}, ["25.10"]);

onReleases("what another program fetches is not taken over", async (lab) => {
  addDataset(lab.simulator.store, { name: DATASET, type: "FILESYSTEM" });
  const userProperties = { [FILE_PROPERTIES.operation]: "somebody" };
  addDataset(lab.simulator.store, { name: `${DATASET}/files-debian`, type: "FILESYSTEM", userProperties });
  const view = await add(lab);
  assert.match(view.vms[0]?.message ?? "", /is being fetched by the operation somebody of another program/);
  assert.deepEqual(fileDatasets(lab.simulator), [`${DATASET}/files-debian`]);
}, ["25.10"]);

onReleases("names, addresses and digests that are none are refused before anything is sent", async (lab) => {
  const refused = async (change: Parameters<typeof add>[1]) => {
    try {
      await add(lab, change);
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "accepted";
  };
  assert.match(await refused({ name: "de+bian" }), /The name "de\+bian" must start with a letter/);
  assert.match(await refused({ name: "my debian" }), /must start with a letter and contain only letters/);
  assert.match(await refused({ name: "a".repeat(10_000) }), /The name has 10000 characters; use at most 64/);
  assert.match(await refused({ url: "ftp://example.org/a.qcow2" }), /is not the address of a file/);
  assert.match(await refused({ url: "https://a:b@example.org/a.qcow2" }), /contains a name or a password/);
  assert.match(await refused({ sha256: "abc" }), /SHA-256 must be 64 hexadecimal digits/);
  const isChange = ({ method }: { method: string }) => /dataset\.(create|update)|put$/.test(method);
  assert.deepEqual(lab.simulator.calls.filter(isChange), []);
  assert.equal((await add(lab, { name: "Debian_12.X" })).status, "done", "upper case is fine");
}, ["25.10"]);

for (
  const [when, isMoment] of [
    ["before its first byte", (event: OperationEvent) => event.type === "step" && event.step === "download"],
    ["in the middle", (event: OperationEvent) => event.type === "call" && event.method === "filesystem.put"],
  ] as const
) {
  onReleases(`a download that is cancelled ${when} leaves nothing`, async ({ simulator, manager }) => {
    // Longer than the header that is read first.
    const bytes = qcow2(10_000_000);
    const waits = Promise.withResolvers<void>();
    await using server = serveImages({ files: { "debian.qcow2": bytes }, pause: () => waits.promise });
    const url = `${server.url}debian.qcow2`;
    const cancel = new AbortController();
    const running = await manager.images.add({
      dataset: DATASET,
      name: "debian",
      url,
      sha256: sha256Of(bytes),
    }, {
      signal: cancel.signal,
      observer: (event) => {
        if (isMoment(event)) cancel.abort("roll-back");
      },
    });
    const view = await running.finished;
    waits.resolve();
    assert.equal(view.status, "cancelled", JSON.stringify(view.vms));
    assert.deepEqual(fileDatasets(simulator), []);
  }, ["24.10", "27.0"]);
}

function configuration(url: string, change = "") {
  const text = `
storage: { pool_path: tank/vms }
images:
  debian: { url: "${url}", sha256: ${SHA256} }
web: { count: 3, memory: 256, cpu: 1, image: debian, disk: { root: 20 }, network: { lan: br0 } }
${change}`;
  return parseConfigurationFile({ text, source: "config.yaml" }).configuration;
}

onReleases(
  "a fresh configuration with an address is created: one download, one conversion, three clones",
  async (lab) => {
    const { manager, simulator, url } = lab;
    const plan = await manager.operations.planCreation({ configuration: configuration(url) });
    assert.deepEqual(plan.findings.filter(({ severity }) => severity === "error"), []);
    assert.deepEqual(plan.vms[0]?.steps.slice(0, 4), ["vm", "download", "image", "clone"]);
    const disk = plan.vms[0]?.devices.find((device) => device.dtype === "DISK");
    assert.ok(disk?.dtype === "DISK");
    assert.deepEqual([disk.image?.source?.way, disk.image?.source?.why], [
      "upload",
      "a full administrator may upload files",
    ]);
    const result = await manager.operations.create({ configuration: configuration(url) });
    assert.equal(result.status, "done", JSON.stringify(result.vms));
    const count = (pattern: RegExp) => simulator.calls.filter(({ method }) => pattern.test(method)).length;
    assert.deepEqual([count(/\.put$/), count(/convert|import_disk/), count(/snapshot\.clone/)], [4, 1, 3]);
    for (const name of ["web01", "web02", "web03"]) {
      const zvol = simulator.store.datasets.get(`tank/vms/${name}-disk0`);
      assert.equal(zvol?.content, `sha256:${SHA256}`);
      assert.equal(zvol?.volsizeBytes, 20 * 1024 ** 3);
    }
    const next = await manager.operations.planCreation({ configuration: configuration(url) });
    assert.deepEqual(next.vms.map(({ action }) => action), ["keep", "keep", "keep"]);
  },
);

onReleases(
  "a pool that gets full in the conversion is told, and that the downloaded file stays",
  async ({ manager, simulator, url }) => {
    const { vms } = await manager.operations.create({ configuration: configuration(url) });
    for (const { outcome, message: said } of vms) {
      assert.equal(outcome, "rolled-back");
      const message = said ?? "";
      assert.match(message, /No space left on device/);
      assert.match(message, /nothing of the VM is left; the image's file stays on the NAS/);
    }
    assert.deepEqual(fileDatasets(simulator).length, 1);
    assert.equal(simulator.store.vms.size, 0);
  },
  ["27.0"],
  { poolFreeBytes: 1.5 * BYTES.length },
);

onReleases("an image that is larger than the disk is refused before a byte is sent", async (lab) => {
  const { manager, simulator, url } = lab;
  const small = { ...configuration(url) };
  const { web } = small.types;
  assert.ok(web);
  const types = { web: { ...web, disk: { root: 1 } } };
  const result = await manager.operations.create({ configuration: { ...small, types } });
  assert.equal(result.status, "failed");
  assert.match(
    result.vms[0]?.message ?? "",
    /The image debian needs 2 GiB, and the disk has 1 GiB; enlarge it/,
  );
  assert.deepEqual(fileDatasets(simulator), []);
  assert.equal(simulator.calls.some(({ method }) => method === "filesystem.put"), false);
}, ["24.10", "25.10", "27.0"]);

onReleases("another version of an image is not put in the place of the one that is there", async (lab) => {
  await add(lab);
  const other = configuration(lab.url).images?.debian;
  const changed = { ...configuration(lab.url), images: { debian: { ...other, sha256: "1".repeat(64) } } };
  const { findings } = await lab.manager.operations.planCreation({ configuration: changed });
  const [error] = findings.filter(({ severity }) => severity === "error");
  assert.equal(error?.field, "web.image");
  assert.match(
    error?.message ?? "",
    /Another version of the image debian \(SHA-256 [0-9a-f]{8}…\) is on the NAS/,
  );
}, ["25.10"]);

onReleases("a signature in an address is told to nobody, and is not kept on the NAS", async (lab) => {
  const { simulator, url } = lab;
  const good = await add(lab, { url: `${url}?X-Signature=hush` });
  assert.equal(good.status, "done", JSON.stringify(good.vms));
  const { userProperties } = simulator.store.datasets.get(`${DATASET}/files-debian`) ?? {};
  assert.equal(userProperties?.[FILE_PROPERTIES.from], url);
  const bad = await add(lab, { name: "other", url: `${lab.server.url}none.qcow2?X-Signature=hush` });
  assert.equal(bad.status, "failed");
  assert.doesNotMatch(JSON.stringify([good.vms, bad.vms]), /hush/);
}, ["25.10"]);
