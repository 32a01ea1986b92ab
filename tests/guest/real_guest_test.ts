/**
 * Protects first boot with real guests: two VMs are created on a simulated NAS, and QEMU boots a Debian for each with what the NAS
 * would pass to it. One fetches its first configuration (seed) from this program, the other reads it from its CD; both get name, user,
 * key and address, phone home, and stay the same machine when they restart without their seed. Takes minutes without KVM, so it is a
 * task of its own.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import { seedArgumentOf } from "../../lib/first_boot/command_line_args.ts";
import { seedFolder } from "../../lib/first_boot/seed_folder.ts";
import { startPathServer } from "../../lib/secret_paths/path_server.ts";
import { qcow2Head } from "../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../lib/simulator/simulator.ts";
import { addDataset, addFile, devicesOf } from "../../lib/simulator/store.ts";
import { GIB } from "../../lib/units.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import { TEST_TIMES } from "../support/pages/dashboard.ts";
import { expectPrograms } from "../support/guest/commands.ts";
import { type GuestImage, guestImage } from "../support/guest/image.ts";
import { hasKvm } from "../support/guest/kvm.ts";
import { bootGuest, type GuestVm, type RealGuest } from "../support/guest/real_guest.ts";
import { credentials, outcomes, vmNamed } from "../support/lab.ts";

/** This machine, as QEMU's own network shows it to guests. */
const HOST = "10.0.2.2";
const KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ ops@example.org";

/** On the simulated NAS; its contents are those of the image that QEMU boots. */
const IMAGE = "/mnt/tank/images/debian.qcow2";

const SAME = `
  count: 1
  memory: 1024
  cpu: 2
  image: debian
  disk: { root: 20 }
  network: { lan: br0 }
  ready: { when: phone-home, timeout: 25m }
  seed:
    kind: cloud-init
    user: ops
    ssh_keys: ["${KEY}"]
    timezone: Europe/Berlin`;
const CONFIG = `
storage: { pool_path: tank/vms, image_path: tank/images }
images: { debian: { path: ${IMAGE} } }
byurl:${SAME}
    run: ["echo once >> /root/ran"]
bydisk:${SAME}
    user_data: seeds/server.yaml
  addresses: { lan: { list: [10.0.2.77/24], gateway: ${HOST}, dns: [10.0.2.3] } }
`;

/** The example of docs/first-boot.md, without what it downloads. */
const USER_DATA = `#cloud-config
write_files:
  - path: /etc/rancher/k3s/config.yaml
    permissions: "0600"
    content: |
      token: choose-a-long-secret
      node-name: {{ vm.hostname }}
      tls-san: [{{ vm.ip }}]
runcmd:
  - echo once >> /root/ran
`;
const WRITTEN = "token: choose-a-long-secret\nnode-name: bydisk01\ntls-san: [10.0.2.77]";

interface Booted extends AsyncDisposable {
  readonly guest: RealGuest;
  readonly uuid: string;
  readonly commandLineArgs: string;
}

/** What QEMU would be told by the NAS. */
async function machineOf(simulator: Simulator, name: string, folder: string): Promise<GuestVm> {
  const vm = vmNamed(simulator, name);
  assert.ok(vm !== undefined, name);
  const devices = devicesOf(simulator.store, vm.id);
  const cds = devices.filter(({ attributes }) => attributes.dtype === "CDROM");
  const cd = simulator.store.files.get(String(cds[0]?.attributes.path));
  assert.ok(cds.length <= 1 && (cds.length === 0) === (cd === undefined), "at most one CD, which is there");
  const cdrom = `${folder}/${name}.iso`;
  if (cd !== undefined) {
    assert.equal(cd.head.length, cd.sizeBytes, "the simulated NAS keeps all of it");
    await Deno.writeFile(cdrom, cd.head);
  }
  return {
    uuid: String(vm.config.uuid),
    commandLineArgs: String(vm.config.command_line_args ?? ""),
    mac: String(devices.find(({ attributes }) => attributes.dtype === "NIC")?.attributes.mac),
    cdrom: cd === undefined ? null : cdrom,
  };
}

/** Boots a VM as soon as the NAS has started it. */
async function bootWhenStarted(
  { simulator, folder, image, useKvm, ended }: {
    readonly simulator: Simulator;
    readonly folder: string;
    readonly image: GuestImage;
    readonly useKvm: boolean;
    readonly ended: Promise<unknown>;
  },
  name: string,
): Promise<Booted> {
  while (vmNamed(simulator, name)?.state !== "RUNNING") {
    const pause = new Promise<"waited">((resolve) => setTimeout(resolve, 100, "waited"));
    const what = await Promise.race([ended, pause]);
    assert.equal(what, "waited", `${name} was never started: ${JSON.stringify(what)}`);
  }
  const machine = await machineOf(simulator, name, folder);
  const guest = await bootGuest(image, machine, useKvm);
  const { uuid, commandLineArgs } = machine;
  return { guest, uuid, commandLineArgs, [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose]() };
}

/** Who it is, in its own words. */
async function identity(guest: RealGuest): Promise<readonly string[]> {
  const text = await guest.ask("cat /var/lib/cloud/data/instance-id /etc/hostname /etc/ssh/ssh_host_*.pub");
  return text.split("\n");
}

async function expectSetUp(
  { guest, uuid }: Booted,
  name: string,
  address: string,
): Promise<readonly string[]> {
  const who = await identity(guest);
  assert.deepEqual(who.slice(0, 2), [uuid, name]);
  assert.equal(await guest.ask("cat /home/ops/.ssh/authorized_keys"), KEY);
  assert.equal(await guest.ask("su ops -c 'sudo -n id -u' 2> /dev/null"), "0", "the user may use sudo");
  assert.match(await guest.ask("ip -4 -o address show scope global"), new RegExp(`inet ${address}/24 `));
  const ran = await guest.ask("cat /root/ran; readlink -f /etc/localtime");
  assert.equal(ran, "once\n/usr/share/zoneinfo/Europe/Berlin");
  return who;
}

async function expectSameAfterReboot({ guest }: Booted, who: readonly string[]): Promise<void> {
  await guest.reboot();
  await guest.ask("cloud-init status --wait > /dev/null || true");
  assert.deepEqual(await identity(guest), who, "the same instance with the same host key");
  assert.equal(await guest.ask("cat /root/ran"), "once", "what runs once has run once");
}

Deno.test("real guests come up from their seeds, phone home, and stay who they are without them", async () => {
  await expectPrograms();
  const useKvm = await hasKvm();
  const image = await guestImage();
  const folder = await Deno.makeTempDir();
  await using _folder = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  await using simulator = await startSimulator({ times: TEST_TIMES, version: "25.10" });
  addDataset(simulator.store, { name: "tank/images", type: "FILESYSTEM" });
  addFile(simulator.store, IMAGE, { sizeBytes: GIB, head: qcow2Head(2 * GIB) });
  await using paths = await startPathServer({ host: HOST, port: 0 });
  await Deno.mkdir(`${folder}/seeds`);
  await Deno.writeTextFile(`${folder}/seeds/server.yaml`, USER_DATA);
  const seedFiles = seedFolder({ configFile: `${folder}/config.yaml`, keysOf: () => Promise.resolve("") });
  await using manager = new VMManager({ ...credentials(simulator), paths, seedFiles });
  await manager.connect();
  const configuration = parseConfigurationFile({ text: CONFIG, source: "config.yaml" });
  const types = [{ type: "byurl", startPort: 5920 }, { type: "bydisk", startPort: 5930 }];

  const created = manager.operations.create({ ...configuration, types });
  const lab = { simulator, folder, image, useKvm, ended: created };
  const [byUrl, byDisk] = await Promise.all(
    ["byurl01", "bydisk01"].map((name) => bootWhenStarted(lab, name)),
  );
  assert.ok(byUrl !== undefined && byDisk !== undefined);
  await using _url = byUrl;
  await using _disk = byDisk;
  const url = seedArgumentOf(byUrl.commandLineArgs)?.url ?? "";
  assert.match(url, /^http:\/\/10\.0\.2\.2:\d+\//);
  assert.equal(byDisk.commandLineArgs, "");

  const result = await Promise.race([created, byUrl.guest.runs, byDisk.guest.runs]);
  const shown = () => [byUrl, byDisk].map(({ guest }) => guest.console().slice(-3_000)).join("\n\n");
  assert.deepEqual(outcomes(result).toSorted(), ["bydisk01 created", "byurl01 created"], shown());
  const signsOf = (name: string) => {
    const steps = result.operation.vms.find((vm) => vm.name === name)?.steps ?? [];
    return steps.find(({ step }) => step === "ready")?.signs ?? [];
  };
  const signs = ["byurl01", "bydisk01"].map(signsOf);
  assert.deepEqual(signs.map((all) => all.at(-1)?.kind), ["phone-home", "phone-home"]);
  assert.ok(signs[0]?.some(({ kind }) => kind === "seed-fetched"), "the first one fetched it");

  await Promise.all([byUrl, byDisk].map(({ guest }) => guest.shows(/Cloud-init v\. .* finished at /)));
  const first = await expectSetUp(byUrl, "byurl01", "10.0.2.15");
  const second = await expectSetUp(byDisk, "bydisk01", "10.0.2.77");
  assert.equal(await byDisk.guest.ask("cat /etc/rancher/k3s/config.yaml"), WRITTEN);
  const told = signs.map((all) =>
    all.flatMap((sign) => sign.kind === "phone-home" ? sign.hostKeys ?? [] : [])
  );
  assert.deepEqual(told, [first.slice(2), second.slice(2)], "the host keys that they told are their own");

  // From here the server is at another address than from the guest's network.
  const answer = await fetch(url.replace(HOST, "127.0.0.1"));
  assert.equal(answer.status, 404, "the seed is gone");
  await answer.body?.cancel();
  await byDisk.guest.eject();
  await Promise.all([expectSameAfterReboot(byUrl, first), expectSameAfterReboot(byDisk, second)]);
});
