/**
 * Protects first configurations on a CD-ROM: the guest finds its own before it starts, nothing but what was made for the VM is ever
 * removed, and nothing of it is left when the VM is gone.
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { sha256Hex } from "../../../lib/hashes.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { type FlatConfiguration, fromFlat, toFlat } from "../../../lib/configuration/flat_configuration.ts";
import type { SeedSection } from "../../../lib/first_boot/types.ts";
import { offeringOn } from "../../../lib/images/offering/offering.ts";
import { pathServerWhenNeeded, startPathServer } from "../../../lib/secret_paths/path_server.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset, addFile, devicesOf } from "../../../lib/simulator/store.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { Peer } from "../../support/peer.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { IMAGE, IMAGE_BYTES, IMAGE_DISK_BYTES } from "../../support/images/images_lab.ts";
import { addImageMaker } from "../../support/images/image_maker.ts";
import { withFolder } from "../../support/program/program.ts";
import { repeatedly } from "../../support/deadline.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { credentials, type Lab, onEach, outcomes, vmNamed, vmNames, workers } from "../../support/lab.ts";

const SEED: SeedSection = { kind: "cloud-init", user: "admin", run: ["echo do-not-log-me"] };
const TYPES = [{ type: "worker", startPort: 5920 }];

function seeded(count = 1, change: Parameters<typeof workers>[0] = {}): FlatConfiguration {
  return workers({
    count,
    seed: SEED,
    network: { lan: "br0" },
    addresses: { lan: { range: "10.0.0.21-29/24", gateway: "10.0.0.1" } },
    ...change,
  });
}

const REQUEST = { configuration: seeded(), types: TYPES };

/** The datasets of seeds on the NAS. */
function seeds({ store }: Simulator): string[] {
  return [...store.datasets.keys()].filter((name) => name.includes("/seed-")).toSorted();
}

function cdOf(simulator: Simulator, name: string) {
  const vm = vmNamed(simulator, name);
  assert.ok(vm !== undefined, `${name} exists`);
  return devicesOf(simulator.store, vm.id).find(({ attributes }) =>
    attributes.dtype === "CDROM" && String(attributes.path).endsWith("/seed.iso")
  );
}

function isoText({ store }: Simulator, path: unknown): string {
  const file = store.files.get(String(path));
  assert.ok(file !== undefined, `${path} exists`);
  return new TextDecoder().decode(file.head);
}

async function create({ simulator, manager }: Lab, request = REQUEST) {
  const result = await manager.create(request);
  assert.deepEqual(outcomes(result).filter((it) => !it.endsWith("created")), [], JSON.stringify(result));
  return cdOf(simulator, "worker01");
}

onEach(
  "a VM with a static address gets its seed on a CD-ROM behind its disk, and starts with it",
  async (lab) => {
    const { simulator, manager } = lab;
    const plan = await manager.planCreation(REQUEST);
    assert.equal(plan.vms[0]?.seed?.way, "disk");
    assert.deepEqual(plan.vms[0]?.steps.slice(-2), ["seed", "start"]);
    assert.deepEqual(plan.findings.filter(({ severity }) => severity === "error"), []);
    const cd = await create(lab);
    const uuid = String(vmNamed(simulator, "worker01")?.config.uuid);
    const [dataset = ""] = seeds(simulator);
    assert.equal(dataset, `tank/images/seed-worker01-${uuid.replaceAll("-", "").slice(0, 8)}`);
    assert.equal(cd?.attributes.path, `/mnt/${dataset}/seed.iso`);
    const disk = devicesOf(simulator.store, cd?.vm ?? 0).find(({ attributes }) =>
      attributes.dtype === "DISK"
    );
    assert.ok((cd?.order ?? 0) > (disk?.order ?? Infinity), "the disk boots first");
    const text = isoText(simulator, cd?.attributes.path);
    for (const part of ["CD001", "cidata", uuid, "do-not-log-me", "10.0.0.21"]) {
      assert.ok(
        text.includes(part),
        part,
      );
    }
    assert.equal(vmNamed(simulator, "worker01")?.state, "RUNNING");
    const views = JSON.stringify([manager.operations.store.list(), plan]);
    assert.doesNotMatch(views, /#cloud-config|instance-id/, "what was rendered is nowhere else");
    const again = await manager.planCreation(REQUEST);
    assert.deepEqual(again.vms.map(({ action, differences }) => [action, differences]), [["keep", []]]);
  },
);

onEach("destroying a VM removes its seed, and nothing that only has its name", async (lab) => {
  const { simulator, manager } = lab;
  await create(lab, { ...REQUEST, configuration: seeded(2) });
  const [, foreign = ""] = seeds(simulator);
  const dataset = simulator.store.datasets.get(foreign);
  assert.ok(dataset !== undefined && foreign.includes("/seed-worker02-"));
  // What was marked for another VM is not removed, although this one has it on its CD-ROM.
  dataset.userProperties["truenas-vm-manager:vm"] = crypto.randomUUID();
  addDataset(simulator.store, { name: "tank/images/seed-worker01-00000000", type: "FILESYSTEM" });
  const result = await manager.destroyPlanned(await manager.planDestruction({ prefixes: ["worker"] }));
  assert.deepEqual(outcomes(result), ["worker01 destroyed", "worker02 destroyed"]);
  assert.deepEqual(seeds(simulator), ["tank/images/seed-worker01-00000000", foreign]);
});

onEach("a creation that fails after the seed takes it back", async (lab) => {
  const { simulator, manager } = lab;
  simulator.addFault({ method: "vm.start", action: "fail", times: 5 });
  const result = await manager.create(REQUEST);
  assert.deepEqual(outcomes(result), ["worker01 rolled-back"]);
  assert.match(
    result.vms[0]?.message ?? "",
    /Removed again: the VM, 2 disks, its first configuration \(seed\)/,
  );
  assert.deepEqual([seeds(simulator), vmNames(simulator)], [[], []]);
});

Deno.test("a file that arrives otherwise than it was sent fails the step, and nothing is left", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await using manager = new VMManager(credentials(simulator));
  await manager.connect();
  simulator.addFault({
    method: "filesystem.stat",
    matches: ([path]) => String(path).endsWith("/seed.iso"),
    action: "answer",
    result: { type: "FILE", size: 7 },
    times: 9,
  });
  const result = await manager.create(REQUEST);
  assert.deepEqual(outcomes(result), ["worker01 rolled-back"]);
  assert.match(result.vms[0]?.message ?? "", /did not arrive on the NAS as it was sent: .* has 7 bytes/);
  assert.deepEqual(seeds(simulator), []);
});

Deno.test("a replaced VM gets a seed of its own, and the old one goes", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await using manager = new VMManager(credentials(simulator));
  await manager.connect();
  await create({ simulator, manager });
  const before = seeds(simulator);
  const { worker } = seeded();
  assert.ok(worker !== undefined && "disk" in worker);
  const configuration = { ...seeded(), worker: { ...worker, disk: { root: 9 } } } as FlatConfiguration;
  const request = {
    configuration,
    types: TYPES,
    reconcile: { ...NOTHING_CHANGED, replace: ["worker01"] },
  };
  const plan = await manager.planCreation(request);
  assert.equal(plan.vms[0]?.action, "replace", JSON.stringify(plan.vms[0]));
  const result = await manager.create(request);
  assert.deepEqual(outcomes(result), ["worker01 replaced"], JSON.stringify(result));
  const after = seeds(simulator);
  assert.equal(after.length, 1);
  assert.notDeepEqual(after, before);
  assert.equal(cdOf(simulator, "worker01")?.attributes.path, `/mnt/${after[0]}/seed.iso`);
});

Deno.test("a seed that is left without its VM is an orphan, and one that is attached is none", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await using manager = new VMManager(credentials(simulator));
  await manager.connect();
  await create({ simulator, manager });
  const [seed = ""] = seeds(simulator);
  const found = async () => {
    const { zvols } = await manager.planCleaning();
    return zvols.known ? zvols.value.map(({ name }) => name) : [];
  };
  assert.deepEqual(await found(), []);
  const vm = vmNamed(simulator, "worker01");
  for (const { id } of devicesOf(simulator.store, vm?.id ?? 0)) simulator.store.devices.delete(id);
  simulator.store.vms.delete(vm?.id ?? 0);
  assert.ok((await found()).includes(seed));
});

Deno.test("an account that can bring no file to the NAS is told so by the plan, with what to do", async () => {
  const roles = ["VM_WRITE", "VM_DEVICE_WRITE", "DATASET_WRITE", "DATASET_DELETE"];
  const account = { username: "maker", password: "secret-maker", roles };
  await using simulator = await startSimulator({ times: TEST_TIMES, accounts: [account] });
  await using manager = new VMManager({ ...credentials(simulator), ...account });
  await manager.connect();
  const plan = await manager.planCreation(REQUEST);
  assert.deepEqual(plan.vms.map(({ action }) => action), ["blocked"]);
  const [finding] = plan.findings.filter(({ severity }) => severity === "error");
  assert.equal(finding?.field, "worker.seed");
  assert.match(finding?.message ?? "", /comes on a CD-ROM, because the guest has to know its static address/);
  assert.match(
    finding?.message ?? "",
    /only full administrators may upload files.*set SEED_HOST and grant CLOUD_SYNC_WRITE$/,
  );
});

/** Somebody else who works on the NAS. */
async function signedIn({ url }: Simulator): Promise<Peer & AsyncDisposable> {
  const peer = new Peer(url);
  await peer.open();
  await peer.login();
  return Object.assign(peer, { [Symbol.asyncDispose]: () => peer.close() });
}

/** Ten minutes, after which a guest is taken to have booted. */
const FIRST_BOOT_MS = 600_000;

for (const version of ["25.10", "27.0"] as const) {
  Deno.test(`a VM that is stopped after its first boot loses its seed, wherever it was stopped (${version})`, async () => {
    await using simulator = await startSimulator({ times: TEST_TIMES, version });
    const time = { ms: 1_800_000_000_000 };
    await using manager = new VMManager({ ...credentials(simulator), now: () => time.ms });
    await manager.connect();
    await create({ simulator, manager });
    const [dataset = ""] = seeds(simulator);
    const id = vmNamed(simulator, "worker01")?.id ?? 0;
    await using nas = await signedIn(simulator);
    const seen = (state: string) =>
      repeatedly(
        `the list shows that it is ${state}`,
        async () => (await manager.inventory.live.ready()).vms?.[0]?.state === state || null,
      );

    await seen("RUNNING");
    await nas.result("vm.poweroff", id);
    await seen("STOPPED");
    assert.deepEqual(seeds(simulator), [dataset], "its first boot may not be over");
    await nas.result("vm.start", id);
    await seen("RUNNING");
    time.ms += FIRST_BOOT_MS;
    await nas.result("vm.poweroff", id);
    await repeatedly("its seed is gone", () => Promise.resolve(seeds(simulator).length === 0 || null));
    assert.equal(cdOf(simulator, "worker01"), undefined);
    assert.ok(vmNamed(simulator, "worker01") !== undefined);
    const kinds = devicesOf(simulator.store, id).map(({ attributes }) => attributes.dtype);
    assert.equal(kinds.filter((it) => it === "CDROM").length, 1, "its install image stays");
  });
}

Deno.test("a CD-ROM that only looks like a seed is left when its VM is stopped", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const time = { ms: 1_800_000_000_000 };
  await using manager = new VMManager({ ...credentials(simulator), now: () => time.ms });
  await manager.connect();
  await create({ simulator, manager });
  const [dataset = ""] = seeds(simulator);
  const stored = simulator.store.datasets.get(dataset);
  assert.ok(stored !== undefined);
  stored.userProperties["truenas-vm-manager:vm"] = crypto.randomUUID();
  await manager.inventory.live.ready();
  time.ms += FIRST_BOOT_MS;
  const id = vmNamed(simulator, "worker01")?.id ?? 0;
  await using nas = await signedIn(simulator);
  const { length } = simulator.calls;
  await nas.result("vm.poweroff", id);
  await repeatedly(
    "it is looked at",
    () =>
      Promise.resolve(
        simulator.calls.slice(length).some(({ method, params }) =>
          method === "pool.dataset.query" && JSON.stringify(params).includes(dataset)
        ) || null,
      ),
  );
  await manager.list();
  assert.deepEqual(seeds(simulator), [dataset]);
  assert.ok(cdOf(simulator, "worker01") !== undefined);
});

Deno.test("the NAS fetches a seed from this program for an account that is no full administrator", async () => {
  await withFolder("", async (folder) => {
    await using simulator = await startSimulator({ version: "27.0", times: TEST_TIMES });
    await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
    const offering = offeringOn(paths, folder);
    const account = addImageMaker(simulator);
    await using manager = new VMManager({
      ...credentials(simulator),
      ...account,
      paths,
      offering,
      simulated: true,
    });
    await manager.connect();
    const cd = await create({ simulator, manager });
    const text = isoText(simulator, cd?.attributes.path);
    assert.match(text, /do-not-log-me/);
    assert.match(text, /phone_home/, "the guest can tell this program that it has started");
    assert.equal(simulator.store.cloudCredentials.size, 0, "nothing of the transfer is left");
  });
});

Deno.test("a clone does not have the seed of its original, which goes only when no VM has it", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await using manager = new VMManager(credentials(simulator));
  await manager.connect();
  await create({ simulator, manager });
  const vm = vmNamed(simulator, "worker01");
  const clone = { id: vm?.id ?? 0, name: "worker01", uuid: String(vm?.config.uuid) };
  const { vms } = await manager.changes.change(clone, { kind: "clone", name: "copy" }).finished;
  assert.equal(vms[0]?.message, "Cloned as copy");
  assert.equal(cdOf(simulator, "copy"), undefined);
  // As TrueNAS's own pages clone it.
  const id = vmNamed(simulator, "copy")?.id ?? 0;
  const [seed = ""] = seeds(simulator);
  const attributes = { dtype: "CDROM", path: `/mnt/${seed}/seed.iso` };
  simulator.store.devices.set(999, { id: 999, vm: id, order: 1_010, attributes });
  const result = await manager.destroyPlanned(
    await manager.planDestruction({ prefixes: ["worker"], keepDisks: true }),
  );
  assert.match(result.vms[0]?.message ?? "", /seed\) stays, because another VM has it on a CD-ROM$/);
  assert.deepEqual(seeds(simulator), [seed]);
});

Deno.test("a guest that has answered from its CD-ROM loses it at its next stop, however soon", async () => {
  const guests = { bootMs: 5, setupMs: 5, retryMs: 1 };
  await using simulator = await startSimulator({ times: { ...TEST_TIMES, deviceMs: 0 }, guests });
  addDataset(simulator.store, { name: "tank/images", type: "FILESYSTEM" });
  addFile(simulator.store, IMAGE, { sizeBytes: IMAGE_BYTES, head: qcow2Head(IMAGE_DISK_BYTES) });
  await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
  await using manager = new VMManager({ ...credentials(simulator), paths, simulated: true });
  await manager.connect();
  const own = fromFlat(seeded(1, { image: "debian", disk: { root: 20 }, ready: { when: "phone-home" } }));
  const configuration = toFlat({ ...own, images: { debian: { path: IMAGE } } });
  const plan = await manager.planCreation({ configuration, types: TYPES });
  assert.deepEqual(plan.vms[0]?.steps.slice(-3), ["seed", "start", "ready"]);
  const result = await manager.create({ configuration, types: TYPES });
  assert.deepEqual(outcomes(result), ["worker01 created"], JSON.stringify(result.vms));
  const ready = result.operation.vms[0]?.steps.find(({ step }) => step === "ready");
  assert.equal(ready?.status, "done", JSON.stringify(ready));
  assert.equal(seeds(simulator).length, 1);

  await using nas = await signedIn(simulator);
  assert.equal(await nas.result("core.ping_remote", { hostname: "10.0.0.21" }), true);
  const id = vmNamed(simulator, "worker01")?.id ?? 0;
  await nas.result("vm.poweroff", id);
  await repeatedly("its seed is gone", () => Promise.resolve(seeds(simulator).length === 0 || null));
  assert.equal(cdOf(simulator, "worker01"), undefined);
  await nas.result("vm.start", id);
  const again = await manager.planCreation({ configuration, types: TYPES });
  assert.equal(again.vms[0]?.action, "keep");
});

Deno.test("a guest with its seed on a CD-ROM is heard after a restart of this program, or said not to be", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await withFolder("", async (folder) => {
    const path = await startPathServer({ host: "127.0.0.1", port: 0 });
    const { port } = path;
    await path[Symbol.asyncDispose]();
    const program = async (at: number, work: (manager: VMManager) => Promise<void>) => {
      using journal = Journal.open(folder);
      await using paths = await startPathServer({ host: "127.0.0.1", port: at });
      const options = { paths, simulated: true, journal };
      await using manager = new VMManager({ ...credentials(simulator), ...options });
      await manager.connect();
      await work(manager);
    };
    const resumed = async (manager: VMManager) => {
      const [view] = manager.operations.store.list();
      return await manager.operations.resume(view?.id ?? "") ?? assert.fail("it can be resumed");
    };
    const waiting = (manager: VMManager) =>
      repeatedly(
        "it is waited for",
        () =>
          Promise.resolve(
            manager.operations.store.list()[0]?.vms[0]?.steps.at(-1)?.status === "running" || null,
          ),
      );
    const interrupted = (manager: VMManager) => manager.operations.drain({ finishMs: 0, cancelMs: 5_000 });
    await program(port, async (manager) => {
      const ended = manager.create({
        configuration: seeded(1, { ready: { when: "phone-home" } }),
        types: TYPES,
      });
      await waiting(manager);
      await interrupted(manager);
      assert.equal((await ended).status, "interrupted");
    });
    const text = isoText(simulator, cdOf(simulator, "worker01")?.attributes.path);
    const [home = "", token = ""] = /http:\/\/127\.0\.0\.1:\d+\/([0-9a-f]{64})\/phone-home/.exec(text) ?? [];
    const journal = await journalText(folder);
    assert.ok(token !== "" && journal.includes(sha256Hex(token)) && !journal.includes(token));
    await program(0, async (manager) => {
      const { vms: [vm] } = await (await resumed(manager)).finished;
      assert.match(vm?.message ?? "", /worker01 cannot be heard any more, because .*SEED_PORT was changed/);
    });
    await program(port, async (manager) => {
      const { finished } = await resumed(manager);
      await waiting(manager);
      const uuid = String(vmNamed(simulator, "worker01")?.config.uuid);
      const said = await fetch(home, { method: "POST", body: new URLSearchParams({ instance_id: uuid }) });
      assert.deepEqual([said.status, await said.text()], [200, "Thank you"]);
      assert.equal((await finished).status, "done");
    });
  });
});

async function journalText(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((it) => it.isFile());
  return (await Promise.all(files.map(({ parentPath, name }) => readFile(`${parentPath}/${name}`, "utf8"))))
    .join("");
}
