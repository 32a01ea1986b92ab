/**
 * Protects what the simulated NAS's guests claim: they ask for a seed in the order and with the words of a real cloud-init (22.4 in
 * Debian 12, recorded), phone home as it does, and are never kinder: no meta-data, no disk or no seed, no sign of life.
 */
import assert from "node:assert/strict";
import { isoImage } from "../../../lib/first_boot/iso/iso_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset, addFile } from "../../../lib/simulator/store.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { soon } from "../../support/deadline.ts";
import { device, newVm, Peer } from "../../support/peer.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ ops";
const USER_DATA = `#cloud-config\nusers:\n  - name: ops\n    ssh_authorized_keys: ["${KEY}"]\n`;
const MAC = "00:a0:98:00:00:07";

/** Without pauses, so that what has to happen happens at once. */
const GUESTS = { bootMs: 20, setupMs: 20, retryMs: 1 };

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly from: string;
  readonly agent: string | null;
  readonly body: string;
}

/** Serves a seed to whoever asks, and keeps what was asked. */
class SeedFolder implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly files = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request, info) => {
        const { method, url, headers } = request;
        const path = new URL(url).pathname;
        const from = info.remoteAddr.hostname;
        this.seen.push({ method, path, from, agent: headers.get("user-agent"), body: await request.text() });
        const text = method === "POST" ? "" : this.files.get(path.slice("/seed/".length));
        return text === undefined ? new Response("Not found", { status: 404 }) : new Response(text);
      },
    );
    this.files.set("meta-data", 'instance-id: "i-1"\nlocal-hostname: "worker01"\n');
    this.files.set("user-data", USER_DATA);
    const home =
      `phone_home: { url: "${this.url}home", post: [instance_id, hostname, pub_key_ed25519], tries: 2 }`;
    this.files.set("vendor-data", `#cloud-config\nmanual_cache_clean: true\n${home}\n`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/seed/`;
  }

  get asked(): readonly string[] {
    return this.seen.map(({ method, path }) => `${method} ${path}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }
}

interface GuestLab {
  readonly simulator: Simulator;
  readonly peer: Peer;
  readonly seed: SeedFolder;
}

async function withGuests(test: (lab: GuestLab) => Promise<void>): Promise<void> {
  await using seed = new SeedFolder();
  await using simulator = await startSimulator({ version: "27.0", times: TEST_TIMES, guests: GUESTS });
  const peer = new Peer(simulator.url);
  await peer.open();
  await peer.login();
  await test({ simulator, peer, seed });
  await peer.close();
}

/** A VM with a card, and a disk to which an image was written. */
async function vmWithImage(
  { simulator: { store }, peer }: GuestLab,
  args: string,
  content: string | null = "image",
) {
  const id = await newVm(peer, `worker${store.lastVmId + 1}`, { command_line_args: args });
  const zvol = `tank/vms/disk${id}`;
  addDataset(store, { name: zvol, type: "VOLUME", volsizeBytes: 1024 ** 3, sparse: true, content });
  await peer.result(
    "vm.device.create",
    device(id, { dtype: "DISK", path: `/dev/zvol/${zvol}`, type: "VIRTIO" }),
  );
  await peer.result("vm.device.create", device(id, { dtype: "NIC", nic_attach: "br0", mac: MAC }));
  return id;
}

const argsOf = (url: string) => `-smbios 'type=1,serial=ds=nocloud-net;s=${url}'`;

/** Starts a VM, and waits until its serial console has shown this. */
async function boot({ simulator, peer }: GuestLab, id: number, last: RegExp): Promise<string> {
  const shown = Promise.withResolvers<string>();
  let text = "";
  const forget = simulator.onConsole(id, (part) => {
    text += part;
    if (last.test(text)) shown.resolve(text);
  });
  await peer.result("vm.start", id);
  return await soon(shown.promise, `the console shows ${last}`).finally(forget);
}

const FINISHED = /Cloud-init v\. 22\.4\.2 finished at .*\r\n/;

Deno.test("a guest fetches its seed as cloud-init does, phones home, and says so on its console", async () => {
  await withGuests(async (lab) => {
    const { simulator, peer, seed } = lab;
    seed.files.set("user-data", `${USER_DATA}packages: [qemu-guest-agent]\n`);
    const id = await vmWithImage(lab, argsOf(seed.url));
    const text = await boot(lab, id, FINISHED);
    assert.deepEqual(seed.asked, [
      "GET /seed/meta-data",
      "GET /seed/user-data",
      "GET /seed/vendor-data",
      "POST /seed/home",
    ]);
    const { from, agent, body } = seed.seen.at(-1) ?? {};
    assert.equal(agent, "Cloud-Init/22.4.2");
    const { pub_key_ed25519: hostKey, ...home } = Object.fromEntries(new URLSearchParams(body));
    assert.deepEqual(home, { instance_id: "i-1", hostname: "worker01" });
    assert.match(String(hostKey), /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\S+ root@worker01\n$/);
    assert.match(
      text,
      new RegExp(
        `ci-info: \\| +enp0s2 +\\| +True +\\| +${from} +\\| +255.255.255.0 +\\| +global +\\| +${MAC}`,
      ),
    );
    assert.match(text, /Authorized keys from \/home\/ops\/\.ssh\/authorized_keys for user ops/);
    assert.match(text, new RegExp(`Datasource DataSourceNoCloudNet \\[seed=dmi,${seed.url}\\]`));
    const [card] = await peer.result("vm.get_guest_network_interfaces", id) as {
      ip_addresses: { ip_address: string }[];
    }[];
    assert.equal(card?.ip_addresses[0]?.ip_address, from, "the agent says the same address");

    await peer.result("vm.poweroff", id);
    const again = await boot(lab, id, FINISHED);
    assert.match(again, /worker01 login:/);
    assert.equal(seed.asked.length, 4, "a guest that trusts its first seed asks for none again");

    await peer.result("vm.poweroff", id);
    const disk = simulator.store.datasets.get(`tank/vms/disk${id}`);
    assert.ok(disk !== undefined);
    disk.content = "image";
    await boot(lab, id, FINISHED);
    assert.equal(seed.asked.length, 8, "a disk that is as it was before is another first boot");
  });
});

Deno.test("a seed on a CD needs its label and both files; a guest without a seed shows nothing of one", async () => {
  await withGuests(async (lab) => {
    const { simulator: { store }, peer, seed } = lab;
    const cdOf = async (label: string, files: ReadonlyMap<string, string>) => {
      const id = await vmWithImage(lab, "");
      const path = `/mnt/tank/iso/seed${id}.iso`;
      addFile(store, path, {
        head: isoImage(
          label,
          new Map([...files].map(([name, text]) => [name, new TextEncoder().encode(text)])),
        ),
      });
      await peer.result("vm.device.create", device(id, { dtype: "CDROM", path }));
      return id;
    };
    const text = await boot(lab, await cdOf("cidata", seed.files), FINISHED);
    assert.match(text, /Datasource DataSourceNoCloud \[seed=\/dev\/sr0\]/);
    assert.deepEqual(seed.asked, ["POST /seed/home"]);

    const withoutMeta = new Map([...seed.files].filter(([name]) => name !== "meta-data"));
    for (const [label, files] of [["data", seed.files], ["cidata", withoutMeta]] as const) {
      const shown = await boot(lab, await cdOf(label, files), /localhost login: /);
      assert.doesNotMatch(shown, /ci-info|finished/, label);
    }
    const empty = await vmWithImage(lab, argsOf(seed.url), null);
    await peer.result("vm.start", empty);
    const none = await boot(lab, await vmWithImage(lab, ""), /localhost login: /);
    assert.doesNotMatch(none, /finished/);
    assert.deepEqual(seed.asked, ["POST /seed/home"], "an empty disk asks for nothing");
  });
});

Deno.test("a guest is as strict as a real one about a seed that is wrong, missing or far away", async () => {
  await withGuests(async (lab) => {
    const { peer, seed } = lab;
    seed.files.set("user-data", "#cloud-config\nusers:\n  - name: [ops\n");
    const broken = await boot(lab, await vmWithImage(lab, argsOf(seed.url)), FINISHED);
    assert.match(
      broken,
      /util\.py\[WARNING\]: Failed loading yaml blob\. Invalid format at line \d+ column \d+/,
    );
    assert.doesNotMatch(broken, /Authorized keys/);
    assert.equal(seed.asked.at(-1), "POST /seed/home", "vendor data still counts, as recorded");

    seed.seen.length = 0;
    seed.files.delete("meta-data");
    const missing = await boot(lab, await vmWithImage(lab, argsOf(seed.url)), FINISHED);
    assert.match(
      missing,
      /Getting data from <class .*DataSourceNoCloudNet'> failed[\s\S]*Datasource DataSourceNone/,
    );
    assert.deepEqual(seed.asked, Array.from({ length: 11 }, () => "GET /seed/meta-data"));

    // A NAS's guest might reach it; the simulated one leaves this machine alone.
    const far = await boot(lab, await vmWithImage(lab, argsOf("http://192.0.2.1/seed/")), FINISHED);
    assert.match(far, /DataSourceNone/);

    seed.seen.length = 0;
    const id = await vmWithImage(lab, argsOf(seed.url));
    await peer.result("vm.start", id);
    await peer.result("vm.poweroff", id);
    const other = await vmWithImage(lab, argsOf(seed.url));
    await boot(lab, other, FINISHED);
    assert.equal(
      new Set(seed.seen.map(({ from }) => from)).size,
      1,
      "a VM that was switched off asks no more",
    );
  });
});
