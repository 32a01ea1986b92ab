/**
 * Protects VMs whose first disk is made from an image, on every release: the image is converted once, each VM gets a clone that
 * is marked at birth and grown, and what is done is not done again.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { FILE_PROPERTIES } from "../../../lib/images/acquiring/image_files.ts";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset, addFile } from "../../../lib/simulator/store.ts";
import { addClone, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { RELEASES } from "../../support/images/images_lab.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { credentials, type Lab, withLab } from "../../support/lab.ts";
import { Peer } from "../../support/peer.ts";

const GIB = 1024 ** 3;
const IMAGE = "/mnt/tank/iso/debian.qcow2";

/** Three web servers from one image, without a CD-ROM. */
function configured(change = "", images = `debian: { path: ${IMAGE} }`) {
  const text = `
storage: { pool_path: tank/vms }
images:
  ${images}
web:
  count: 3
  memory: 256
  cpu: 1
  image: debian
  disk: { root: 20, data: 1 }
  network: { lan: br0 }
${change}`;
  return parseConfigurationFile({ text, source: "config.yaml" }).configuration;
}

function onEachRelease(
  name: string,
  test: (lab: Lab) => Promise<void>,
  simulator: SimulatorOptions = {},
): void {
  for (const version of RELEASES) {
    Deno.test(`${name} (${version})`, () =>
      withLab({ simulator: { ...simulator, version } }, async (lab) => {
        addFile(lab.simulator.store, IMAGE, { sizeBytes: 300 * 1024 ** 2, head: qcow2Head(2 * GIB) });
        await test(lab);
      }));
  }
}

function goldens({ store }: Simulator): string[] {
  return [...store.datasets.keys()].filter((name) => name.startsWith("tank/images/"));
}

function conversions({ calls }: Simulator) {
  return calls.filter(({ method }) => method === "vm.device.convert" || method === "vm.import_disk_image");
}

function clones({ calls }: Simulator) {
  return calls.filter(({ method }) => method.endsWith(".snapshot.clone"));
}

onEachRelease("three VMs are made from one conversion and three clones", async ({ simulator, manager }) => {
  const configuration = configured();
  const plan = await manager.operations.planCreation({ configuration });
  assert.deepEqual(plan.findings.filter(({ severity }) => severity === "error"), []);
  assert.deepEqual(plan.vms[0]?.steps, [
    "vm",
    "image",
    "clone",
    "display",
    "nic0",
    "disk0",
    "disk1",
    "start",
  ]);
  const result = await manager.operations.create({ configuration });
  assert.equal(result.status, "done", JSON.stringify(result.vms));
  const [golden = "", ...others] = goldens(simulator);
  assert.deepEqual(others, []);
  assert.equal(conversions(simulator).length, 1);
  assert.equal(clones(simulator).length, 3);
  const { store } = simulator;
  assert.deepEqual(store.datasets.get(golden)?.userProperties, { "truenas-vm-manager:image": IMAGE });
  for (const vm of store.vms.values()) {
    const disk = store.datasets.get(`tank/vms/${vm.config.name}-disk0`);
    assert.deepEqual([disk?.origin, disk?.content, disk?.volsizeBytes], [`${golden}@ready`, IMAGE, 20 * GIB]);
    assert.equal(disk?.userProperties[ZVOL_PROPERTIES.vm], vm.config.uuid);
    assert.equal(vm.state, "RUNNING");
  }
  assert.ok([...store.devices.values()].every(({ attributes }) => attributes.dtype !== "CDROM"));
  const again = await manager.operations.planCreation({ configuration });
  assert.deepEqual(again.vms.map(({ action }) => action), ["keep", "keep", "keep"]);
});

onEachRelease(
  "a second type uses the image that is there, and takes no conversion",
  async ({ simulator, manager }) => {
    await manager.operations.create({ configuration: configured() });
    const more = configured("api: { count: 1, memory: 256, cpu: 1, image: debian, disk: { root: 30 } }");
    const plan = await manager.operations.planCreation({ configuration: more });
    assert.deepEqual(plan.vms.at(-1)?.steps.slice(0, 3), ["vm", "clone", "display"]);
    assert.equal((await manager.operations.create({ configuration: more })).status, "done");
    assert.equal(conversions(simulator).length, 1);
    assert.equal(simulator.store.datasets.get("tank/vms/api01-disk0")?.volsizeBytes, 30 * GIB);
  },
);

onEachRelease(
  "clone: false gives each VM a full copy, one conversion after another",
  async ({ simulator, manager }) => {
    const configuration = configured("  clone: false");
    const plan = await manager.operations.planCreation({ configuration });
    assert.deepEqual(plan.vms[0]?.steps.slice(0, 3), ["vm", "image", "display"]);
    const result = await manager.operations.create({ configuration });
    assert.equal(result.status, "done", JSON.stringify(result.vms));
    assert.deepEqual(goldens(simulator), []);
    const jobs = [...simulator.store.jobs.values()].filter(({ method }) => /convert|import/.test(method));
    assert.equal(
      new Set(jobs.filter(({ state }) => state === "SUCCESS").map(({ arguments: it }) => JSON.stringify(it)))
        .size,
      3,
    );
    for (const name of ["web01", "web02", "web03"]) {
      const disk = simulator.store.datasets.get(`tank/vms/${name}-disk0`);
      assert.deepEqual([disk?.origin, disk?.content, disk?.sparse], [null, IMAGE, false]);
    }
    const again = await manager.operations.planCreation({ configuration });
    assert.deepEqual(again.vms.map(({ action }) => action), ["keep", "keep", "keep"]);
  },
);

onEachRelease(
  "a VM tells its image and how many zvols are clones of its disks, by one call for all VMs",
  async ({ simulator, manager }) => {
    const copies = `
copy: { count: 1, memory: 256, cpu: 1, image: debian, clone: false, disk: { root: 20 }, network: { lan: br0 } }
plain: { count: 1, memory: 256, cpu: 1, cdrom: none, disk: { root: 2 }, network: { lan: br0 } }`;
    const configuration = configured(copies);
    assert.equal((await manager.operations.create({ configuration })).status, "done");
    const { store } = simulator;
    addSnapshot(store, "tank/vms/web01-disk1@mine");
    // One clone is a disk of no VM.
    addClone(store, "tank/vms/web01-disk1@mine", "tank/elsewhere");
    const vms = await manager.list();
    const calls = simulator.calls.length;
    const told = async (known: typeof configuration | null) => {
      const lineage = await manager.inventory.lineage(known, 10_000);
      return Object.fromEntries(vms.map((vm) => [vm.name, Object.values(lineage(vm))]));
    };
    const expected = { copy01: ["debian", 0], plain01: [null, 0], web01: ["debian", 1] };
    const { web02, web03, ...others } = await told(configuration);
    // What keeps the list of VMs current may read besides.
    const own = simulator.calls.slice(calls).filter(({ params }) =>
      JSON.stringify(params).includes('"VOLUME"')
    );
    assert.deepEqual(own.map(({ method }) => method), ["pool.dataset.query"]);
    assert.deepEqual([others, web02, web03], [expected, ["debian", 0], ["debian", 0]]);
    // What the golden zvol is called says it without the configuration.
    assert.deepEqual(await told(null), await told(configuration));
    simulator.addFault({ method: "pool.dataset.query", action: "fail", times: Infinity });
    assert.deepEqual((await told(configuration)).web01, [null, null]);
  },
);

onEachRelease(
  "the disks are destroyed with their VMs, and the image stays for the next ones",
  async ({ simulator, manager }) => {
    await manager.operations.create({ configuration: configured() });
    await manager.destroyManagedVms(["web"]);
    const left = [...simulator.store.datasets.values()].filter(({ type }) => type === "VOLUME");
    assert.deepEqual(left.map(({ name }) => name), goldens(simulator));
    // It belongs to no VM, and is no leftover either.
    assert.deepEqual((await manager.planCleaning()).zvols, { known: true, value: [] });
    await manager.operations.create({ configuration: configured() });
    assert.equal(conversions(simulator).length, 1);
  },
);

onEachRelease(
  "somebody else's conversion is waited for, and one that was joined by mistake is asked for again",
  async ({ simulator, manager }) => {
    const { store } = simulator;
    simulator.setTimes({ convertMs: 150, deviceMs: 0 });
    addDataset(store, { name: "tank/VMs/theirs", type: "VOLUME", volsizeBytes: 2 * GIB, sparse: true });
    addDataset(store, { name: "tank/VMs/others", type: "VOLUME", volsizeBytes: 2 * GIB, sparse: true });
    const isOld = !["25.10", "26.0", "27.0"].includes(simulator.version);
    const peer = new Peer(simulator.url, simulator.version === "24.10" ? "legacy" : "current");
    await peer.open();
    await peer.login();
    const ask = (zvol: string) =>
      isOld
        ? peer.result("vm.import_disk_image", { diskimg: IMAGE, zvol })
        : peer.result("vm.device.convert", { source: IMAGE, destination: zvol });
    await ask("tank/VMs/theirs");
    await ask("tank/VMs/others");
    const result = await manager.operations.create({ configuration: configured() });
    assert.equal(result.status, "done", JSON.stringify(result.vms));
    assert.equal(store.datasets.get(goldens(simulator)[0] ?? "")?.content, IMAGE);
    await peer.close();
  },
);

onEachRelease(
  "a conversion that TrueNAS refuses fails its VMs with the reason, and leaves nothing",
  async ({ simulator, manager }) => {
    const before = [...simulator.store.datasets.keys()];
    simulator.addFault({
      methods: (method) => /convert$|import_disk_image$/.test(method),
      action: "fail",
      times: Infinity,
    });
    const result = await manager.operations.create({ configuration: configured() });
    assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["rolled-back", "rolled-back", "rolled-back"]);
    assert.match(result.vms[0]?.message ?? "", /Simulated failure/);
    assert.deepEqual([...simulator.store.datasets.keys()].filter((name) => name !== "tank/images"), before);
    assert.equal(simulator.store.vms.size, 0);
  },
);

onEachRelease(
  "a pool that fills up in the middle is told, and nothing is left",
  async ({ simulator, manager }) => {
    const result = await manager.operations.create({ configuration: configured("  sparse: true") });
    assert.match(result.vms[0]?.message ?? "", /No space left on device/);
    assert.deepEqual(goldens(simulator), []);
    assert.equal(simulator.store.vms.size, 0);
  },
  { poolFreeBytes: 100 * 1024 ** 2 },
);

onEachRelease(
  "a cancelled operation waits for the conversion, and removes what it made",
  async ({ simulator, manager }) => {
    simulator.setTimes({ convertMs: 300 });
    const cancel = new AbortController();
    const observer = (event: OperationEvent) => {
      if (event.type === "progress" && event.percent > 0) cancel.abort("roll-back");
    };
    const { operation: view } = await manager.operations.create({ configuration: configured() }, {
      observer,
      signal: cancel.signal,
    });
    assert.equal(view.status, "cancelled");
    const jobs = [...simulator.store.jobs.values()].filter(({ method }) => /convert|import/.test(method));
    assert.deepEqual(jobs.map(({ state }) => state), ["SUCCESS"]);
    assert.deepEqual(goldens(simulator), []);
    assert.equal(simulator.store.vms.size, 0);
  },
);

/** The errors of a plan, by field. */
async function problems({ manager }: Lab, configuration = configured()): Promise<string[]> {
  const { findings } = await manager.operations.planCreation({ configuration });
  return findings.filter(({ severity }) => severity === "error").map(({ field, message }) =>
    `${field}: ${message}`
  );
}

onEachRelease("what cannot work is said in the plan, at its place", async (lab) => {
  const { store, version } = lab.simulator;
  const isOld = ["24.10", "25.04.2"].includes(version);
  store.files.delete(IMAGE);
  assert.match(
    (await problems(lab)).join(),
    /^web\.image: The file .*debian\.qcow2 of the image debian does not exist/,
  );
  addFile(store, IMAGE, { head: qcow2Head(30 * GIB) });
  const small = isOld
    ? /^$/
    : /^web\.disk\.root: The image debian needs 30 GiB, and the disk has 20 GiB; enlarge it$/;
  assert.match((await problems(lab)).join(), small);
  addFile(store, "/mnt/tank/iso/debian.img", { head: qcow2Head(GIB) });
  const named = isOld
    ? /^$/
    : /^web\.image: TrueNAS converts only files whose names end in qcow2.*rename .*debian\.img/;
  assert.match(
    (await problems(lab, configured("", "debian: { path: /mnt/tank/iso/debian.img }"))).join(),
    named,
  );
});

onEachRelease("a zvol in the image's place that this program did not make is left alone", async (lab) => {
  await lab.manager.operations.create({ configuration: configured() });
  const { store } = lab.simulator;
  const golden = store.datasets.get(goldens(lab.simulator)[0] ?? "");
  assert.ok(golden);
  golden.userProperties = {};
  await lab.manager.destroyManagedVms(["web"]);
  assert.match(
    (await problems(lab)).join(),
    /^web\.image: tank\/images\/debian-\w+ exists, and this program did not make it/,
  );
});

onEachRelease("a file that changed gets another golden zvol", async ({ simulator, manager }) => {
  await manager.operations.create({ configuration: configured() });
  addFile(simulator.store, IMAGE, { sizeBytes: 301 * 1024 ** 2, head: qcow2Head(2 * GIB) });
  await manager.destroyManagedVms(["web"]);
  await manager.operations.create({ configuration: configured() });
  assert.equal(goldens(simulator).length, 2);
});

const MAKER = {
  username: "maker",
  password: "secret",
  roles: [
    "VM_WRITE",
    "VM_DEVICE_WRITE",
    "DATASET_WRITE",
    "DATASET_DELETE",
    "FILESYSTEM_ATTRS_READ",
    "SNAPSHOT_READ",
  ],
} as const;

Deno.test("an account that may not take snapshots gets full copies, and the plan says why", async () => {
  await using simulator = await startSimulator({ version: "27.0", times: TEST_TIMES, accounts: [MAKER] });
  const path = "/mnt/tank/images/files-debian/debian.qcow2";
  const { sizeBytes } = addFile(simulator.store, path, { head: qcow2Head(2 * GIB) });
  addDataset(simulator.store, { name: "tank/images", type: "FILESYSTEM" });
  // The file is one that this program wrote, so its header was checked.
  const userProperties = {
    [FILE_PROPERTIES.path]: path,
    [FILE_PROPERTIES.version]: `${sizeBytes} 0`,
    [FILE_PROPERTIES.format]: "qcow2",
  };
  addDataset(simulator.store, { name: "tank/images/files-debian", type: "FILESYSTEM", userProperties });
  await using manager = new VMManager({ ...credentials(simulator), username: "maker", password: "secret" });
  await manager.connect();
  const configuration = configured("", `debian: { path: ${path} }`);
  const { findings } = await manager.operations.planCreation({ configuration });
  const wanted =
    "Each disk of web is converted by itself instead of cloned, because the account does not have the role SNAPSHOT_WRITE";
  assert.ok(findings.some(({ severity, message }) => severity === "warning" && message === wanted));
  assert.equal((await manager.operations.create({ configuration })).status, "done");
  assert.equal(clones(simulator).length, 0);
});

onEachRelease(
  "a VM that is replaced gets a new clone, and keeps the disk that does not differ",
  async ({ simulator, manager }) => {
    await manager.operations.create({ configuration: configured() });
    const text = configured();
    const { web } = text.types;
    assert.ok(web);
    const smaller = { ...text, types: { web: { ...web, disk: { root: 10, data: 1 } } } };
    const plan = await manager.operations.planCreation({ configuration: smaller });
    assert.deepEqual(plan.vms.map(({ action }) => action), ["replace", "replace", "replace"]);
    const reconcile = { ...NOTHING_CHANGED, replace: ["web02"] };
    const result = await manager.operations.create({ configuration: smaller, reconcile });
    assert.equal(result.status, "done", JSON.stringify(result.vms));
    const disk = simulator.store.datasets.get("tank/vms/web02-disk0");
    assert.deepEqual([disk?.content, disk?.volsizeBytes], [IMAGE, 10 * GIB]);
    // Before 25.10 the size of an image is unknown, so a zvol made for larger disks cannot be cloned.
    const isOld = ["24.10", "25.04.2"].includes(simulator.version);
    assert.equal(conversions(simulator).length, isOld ? 2 : 1);
  },
);

onEachRelease("an image that another program is preparing is left to it", async (lab) => {
  const { simulator, manager } = lab;
  await manager.operations.create({ configuration: configured() });
  await manager.destroyManagedVms(["web"]);
  const [name = ""] = goldens(simulator);
  const golden = simulator.store.datasets.get(name);
  assert.ok(golden);
  simulator.store.snapshots.clear();
  golden.userProperties = { [ZVOL_PROPERTIES.vm]: "theirs", [ZVOL_PROPERTIES.operation]: "theirs" };
  const before = conversions(simulator).length;
  const { vms } = await manager.operations.create({ configuration: configured() });
  assert.match(vms[0]?.message ?? "", /is being made by the operation theirs of another program/);
  assert.equal(simulator.store.datasets.get(name), golden);
  assert.equal(conversions(simulator).length, before);
});
