/**
 * Protects the list of images, and removing one, on releases that destroy differently: what VMs depend on stays, a promoted clone
 * keeps its data, and nothing is asked of the NAS that could take clones with it.
 */
import assert from "node:assert/strict";
import { FILE_PROPERTIES } from "../../../lib/images/acquiring/image_files.ts";
import { vmsOf } from "../../../lib/images/listing/image_list.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addClone, addHold, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { addDataset, addFile } from "../../../lib/simulator/store.ts";
import { type Lab, withLab } from "../../support/lab.ts";
import { IMAGE, imageConfiguration } from "../../faults/support/image_configuration.ts";

const GIB = 1024 ** 3;
const FILES = "tank/images/files-debian";

/** Two VMs are clones of the image, whose file this program put there. */
function withImage(name: string, test: (lab: Lab & { readonly golden: string }) => Promise<void>): void {
  for (const version of ["24.10", "25.10", "27.0"] as const) {
    Deno.test(`${name} (${version})`, () =>
      withLab({ simulator: { version } }, async (lab) => {
        const { store } = lab.simulator;
        addDataset(store, { name: "tank/images", type: "FILESYSTEM" });
        const userProperties = { [FILE_PROPERTIES.path]: IMAGE };
        addDataset(store, { name: FILES, type: "FILESYSTEM", userProperties });
        addFile(store, IMAGE, { sizeBytes: 1_000_000, head: qcow2Head(2 * GIB) });
        addFile(store, "/mnt/tank/images/other.iso", { sizeBytes: 5 });
        const { status } = await lab.manager.operations.create({ configuration: imageConfiguration(2) });
        assert.equal(status, "done", "the premise");
        const golden = [...store.datasets.keys()].find((it) => it.startsWith("tank/images/debian-"));
        assert.ok(golden !== undefined, "the premise");
        await test({ ...lab, golden });
      }));
  }
}

const configuration = imageConfiguration(2);
const ALL = { image: "debian", only: [], promote: false };

function destructive({ simulator }: Lab) {
  return simulator.calls.filter(({ method }) => /delete|destroy|promote/.test(method));
}

withImage("the list shows the image with its zvol, its file and the VMs that use it", async (lab) => {
  const { golden, manager } = lab;
  const list = await manager.inventory.images(configuration, Date.now);
  const [image, ...others] = list.images;
  assert.ok(image !== undefined && others.length === 0);
  assert.deepEqual([image.name, image.state, image.declared?.types], ["debian", "ready", ["web"]]);
  assert.deepEqual(
    image.versions.map(({ zvol, isReady, isCurrent, sizeBytes, path }) => [
      zvol,
      isReady,
      isCurrent,
      sizeBytes,
      path,
    ]),
    [[golden, true, true, lab.simulator.store.datasets.get(golden)?.volsizeBytes, IMAGE]],
  );
  assert.deepEqual(vmsOf(image).map((vm) => vm?.name), ["web01", "web02"]);
  assert.deepEqual(image.datasets.map(({ name }) => name), [FILES]);
  assert.ok(list.files.known);
  assert.deepEqual(list.files.value.map(({ path, format, images }) => [path, format, images]), [
    [IMAGE, "disk", ["debian"]],
    ["/mnt/tank/images/other.iso", "iso", []],
  ]);
  // Without a configuration the zvols still tell what they are.
  const [left] = (await manager.inventory.images(null, Date.now)).images;
  assert.deepEqual([left?.name, left?.state, left?.declared], ["debian", "ready", null]);
});

withImage("an image with clones is not removed, and its VMs are named", async (lab) => {
  const { golden, manager, simulator } = lab;
  const plan = await manager.operations.planImageRemoval(ALL, configuration);
  assert.equal(plan.phrase, "remove debian");
  assert.deepEqual(plan.parts.map(({ name, blocked }) => [name, blocked]), [
    [golden, ["web01 and web02 are clones of it"]],
    [FILES, []],
  ]);
  const started = await manager.operations.startImageRemoval(ALL, { configuration, shown: plan.fingerprint });
  assert.ok(!started.started, "not even its file is removed");
  assert.ok(simulator.store.datasets.has(golden) && simulator.store.datasets.has(FILES));
  const onlyFile = { ...ALL, only: [FILES] };
  const { fingerprint: shown } = await manager.operations.planImageRemoval(onlyFile, configuration);
  const file = await manager.operations.startImageRemoval(onlyFile, { configuration, shown });
  assert.ok(file.started);
  assert.equal((await file.operation.finished).status, "done");
  assert.ok(simulator.store.datasets.has(golden) && !simulator.store.datasets.has(FILES));
  assert.deepEqual(destructive(lab).map(({ method, params }) => [method, params]), [
    ["pool.dataset.delete", [FILES, { recursive: false }]],
  ]);
});

withImage("with a promoted clone the image is removed, and every disk keeps its data", async (lab) => {
  const { golden, manager, simulator } = lab;
  const { store } = simulator;
  const request = { ...ALL, promote: true };
  const plan = await manager.operations.planImageRemoval(request, configuration);
  assert.deepEqual(plan.parts.map(({ promotion, blocked }) => [promotion?.vm, promotion?.others, blocked]), [
    ["web01", ["tank/vms/web02-disk0"], []],
    [undefined, undefined, []],
  ]);
  const started = await manager.operations.startImageRemoval(request, {
    configuration,
    shown: plan.fingerprint,
  });
  assert.ok(started.started);
  const view = await started.operation.finished;
  assert.equal(view.status, "done", JSON.stringify(view.vms));
  assert.ok(!store.datasets.has(golden) && !store.datasets.has(FILES));
  const [first, second] = ["web01", "web02"].map((vm) => store.datasets.get(`tank/vms/${vm}-disk0`));
  assert.deepEqual([first?.content, second?.content], [IMAGE, IMAGE]);
  assert.deepEqual([first?.origin, second?.origin], [null, "tank/vms/web01-disk0@ready"]);
  for (const { method, params } of destructive(lab)) {
    assert.doesNotMatch(JSON.stringify([method, params]), /true/, "nothing is destroyed recursively");
  }
});

withImage("nothing is removed that has changed since it was shown", async (lab) => {
  const { golden, manager, simulator } = lab;
  const { store } = simulator;
  const request = { ...ALL, promote: true };
  const plan = await manager.operations.planImageRemoval(request, configuration);
  addClone(store, `${golden}@ready`, "tank/vms/by_hand");
  const later = await manager.operations.startImageRemoval(request, {
    configuration,
    shown: plan.fingerprint,
  });
  assert.ok(!later.started, "the plan is another one");
  assert.deepEqual(later.plan.parts[0]?.promotion?.others, ["tank/vms/web02-disk0", "tank/vms/by_hand"]);
  addHold(store, `${golden}@ready`);
  const held = await manager.operations.planImageRemoval(request, configuration);
  assert.match(held.parts[0]?.blocked.join() ?? "", /@ready has a hold/);
  assert.ok(store.datasets.has(golden));
});

withImage("a zvol of somebody else is none of an image's parts", async ({ manager, simulator }) => {
  const { store } = simulator;
  addDataset(store, { name: "tank/images/debian-0123abcd", type: "VOLUME", volsizeBytes: GIB });
  addSnapshot(store, "tank/images/debian-0123abcd@ready");
  addDataset(store, { name: "tank/images/files-mine", type: "FILESYSTEM" });
  const plan = await manager.operations.planImageRemoval(ALL, configuration);
  assert.ok(plan.parts.every(({ name }) => name !== "tank/images/debian-0123abcd"));
  const list = await manager.inventory.images(configuration, Date.now);
  assert.deepEqual(list.images.map(({ name }) => name), ["debian"]);
  const other = await manager.operations.planImageRemoval({ ...ALL, image: "mine" }, configuration);
  assert.deepEqual(other.parts, []);
});

withImage("a part that is used by a VM stays, and single parts can be chosen", async (lab) => {
  const { golden, manager, simulator } = lab;
  const device = [...simulator.store.devices.values()].find(({ attributes }) => attributes.dtype === "DISK");
  assert.ok(device !== undefined);
  device.attributes.path = `/dev/zvol/${golden}`;
  const plan = await manager.operations.planImageRemoval({ ...ALL, only: [golden, "gone"] }, configuration);
  assert.deepEqual(plan.parts.map(({ name }) => name), [golden]);
  assert.match(plan.parts[0]?.blocked.join() ?? "", /web0\d uses it/);
  assert.deepEqual(plan.missing, ["gone"]);
});

withImage("what was copied to a backup is none of an image's parts", async (lab) => {
  const { golden, manager, simulator: { store } } = lab;
  const copied = [golden, FILES].map((name) => {
    const original = store.datasets.get(name);
    assert.ok(original !== undefined, "the premise");
    const { type, volsizeBytes, userProperties } = original;
    const copy = name.replace("tank/", "backup/");
    addDataset(store, {
      name: copy,
      type,
      ...(volsizeBytes === null ? {} : { volsizeBytes }),
      userProperties,
    });
    return copy;
  });
  const { parts } = await manager.operations.planImageRemoval(ALL, configuration);
  assert.deepEqual(parts.map(({ name }) => name), [golden, FILES]);
  const [image] = (await manager.inventory.images(configuration, Date.now)).images;
  assert.deepEqual(image?.versions.map(({ zvol }) => zvol), [golden]);
  assert.deepEqual(image?.datasets.map(({ name }) => name), [FILES]);
  assert.ok(copied.every((name) => store.datasets.has(name)));
});
