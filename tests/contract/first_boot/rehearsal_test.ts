/**
 * Protects rehearsals without a NAS: played guests of Talos, Flatcar and Debian have the addresses of their seeds and open the ports
 * that nodes are waited for at, where a program beside the simulated NAS can reach them, too.
 */
import assert from "node:assert/strict";
import { fromFlat, toFlat } from "../../../lib/configuration/flat_configuration.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { probePort } from "../../../lib/first_boot/readiness/probe_port.ts";
import { pathServerWhenNeeded } from "../../../lib/secret_paths/path_server.ts";
import { portOpener } from "../../../lib/simulator/guests/open_port.ts";
import type { OpenPort } from "../../../lib/simulator/guests/ports.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset, addFile } from "../../../lib/simulator/store.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { IMAGE, IMAGE_BYTES, IMAGE_DISK_BYTES } from "../../support/images/images_lab.ts";
import { credentials, workers } from "../../support/lab.ts";
import { generatedTalos } from "../../support/vms/talos_samples.ts";

const GUESTS = { bootMs: 5, setupMs: 5, retryMs: 1 };
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ ops";
const FILES: Readonly<Record<string, string>> = {
  "talos11.yaml": generatedTalos("1.11", "controlplane"),
  "talos13.yaml": generatedTalos("1.13", "worker"),
  "edge.ign": '{ "ignition": { "version": "3.4.0" } }',
};
const seedFiles = {
  read: (path: string) => Promise.resolve(FILES[path] ?? assert.fail(path)),
  keysOf: () => Promise.resolve(""),
};
const fixed = { addresses: { lan: { list: ["10.0.0.31/24"], gateway: "10.0.0.1" } } };
const CASES: Readonly<Record<string, Partial<VmTypeSection>>> = {
  "10.0.0.31 port 50000": {
    ...fixed,
    seed: { kind: "talos", config: "talos11.yaml" },
    ready: { when: "talos" },
  },
  "127.20.0.11 port 50000": { seed: { kind: "talos", config: "talos13.yaml" }, ready: { when: "talos" } },
  "10.0.0.31 port 22 (SSH-2.0-OpenSSH_9.2p1)": {
    ...fixed,
    seed: { kind: "ignition", config: "edge.ign", ssh_keys: [KEY] },
    ready: { when: "tcp:22" },
  },
  "127.20.0.11 port 80": { seed: { kind: "cloud-init", packages: ["nginx"] }, ready: { when: "tcp:80" } },
};

/** How a guest is reached. */
interface Reached {
  readonly probe: (simulator: Simulator) => typeof probePort;
  /** Opens its ports on this machine. */
  readonly openPort?: OpenPort;
  /** VMs that are there already; their number decides the guest's address. */
  readonly foreignVms?: number;
}

/** What the ready step says of a worker whose guest the simulated NAS plays. */
async function rehearsed(
  change: Partial<VmTypeSection>,
  { probe, openPort = () => {}, foreignVms = 0 }: Reached,
): Promise<string> {
  const times = { ...TEST_TIMES, deviceMs: 0 };
  const options = { times, guests: GUESTS, version: "25.10", openPort, foreignVms } as const;
  await using simulator = await startSimulator(options);
  addDataset(simulator.store, { name: "tank/images", type: "FILESYSTEM" });
  addFile(simulator.store, IMAGE, { sizeBytes: IMAGE_BYTES, head: qcow2Head(IMAGE_DISK_BYTES) });
  await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
  const own = { paths, simulated: true, seedFiles, probePort: probe(simulator) };
  await using manager = new VMManager({ ...credentials(simulator), ...own });
  await manager.connect();
  const section = workers({
    count: 1,
    image: "debian",
    disk: { root: 20 },
    network: { lan: "br0" },
    ...change,
  });
  const configuration = toFlat({ ...fromFlat(section), images: { debian: { path: IMAGE } } });
  const { status, operation, vms } = await manager.create({
    configuration,
    types: [{ type: "worker", startPort: 5920 }],
  });
  assert.equal(status, "done", JSON.stringify(vms));
  return operation.vms[0]?.steps.find(({ step }) => step === "ready")?.detail ?? "";
}

Deno.test("played guests answer at the ports that nodes are waited for at, as the demo asks for them", async () => {
  for (const [answer, change] of Object.entries(CASES)) {
    const asked = (simulator: Simulator): typeof probePort => ({ address, port }) =>
      Promise.resolve(simulator.portOf(address, port));
    assert.equal(await rehearsed(change, { probe: asked }), `answers on ${answer}`);
  }
});

Deno.test("a program beside the simulated NAS reaches the ports of guests at loopback addresses", async () => {
  const change = CASES["127.20.0.11 port 50000"] ?? assert.fail();
  const openPort = portOpener((port, error) => assert.fail(`${port}: ${error.message}`));
  // Guests of tests that run at the same time have the first addresses.
  const reached = { probe: () => probePort, openPort, foreignVms: 30 };
  assert.equal(await rehearsed(change, reached), "answers on 127.20.0.41 port 50000");
  const gone = await probePort({ address: "127.20.0.41", port: 50_000, timeoutMs: 1_000 });
  assert.equal(gone.state, "refused", "the guest has ended");
});
