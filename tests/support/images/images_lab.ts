/** A simulated NAS with images on it, and a connection that is signed in. */
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset, addFile } from "../../../lib/simulator/store.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import { TEST_TIMES } from "../pages/dashboard.ts";
import { Peer } from "../peer.ts";
import { endedJob, type JobRow } from "../recorded_calls.ts";

export const GIB = 1024 ** 3;

/** An image of 2 GiB whose file takes 300 MiB. */
export const IMAGE = "/mnt/tank/images/debian.qcow2";
export const IMAGE_BYTES = 300 * 1024 ** 2;
export const IMAGE_DISK_BYTES = 2 * GIB;

/** The releases with a VM API that are sold or to come. */
export const RELEASES = ["24.10", "25.04.2", "25.10", "26.0", "27.0"] as const satisfies SimulatedVersion[];
/** Those with vm.device.convert. */
export const CONVERTING = ["25.10", "26.0", "27.0"] as const satisfies SimulatedVersion[];

/** What a test gets. */
export interface ImagesLab {
  readonly simulator: Simulator;
  readonly peer: Peer;
  readonly version: SimulatedVersion;
  /** Adds a zvol that has its device already. */
  readonly addZvol: (name: string, volsizeBytes?: number) => void;
  /** Calls a method that is a job and waits for its end. */
  readonly job: (method: string, ...params: unknown[]) => Promise<JobRow>;
}

/** A test on each of these releases. */
export function onReleases(
  versions: readonly SimulatedVersion[],
  name: string,
  test: (lab: ImagesLab) => Promise<void>,
  options: SimulatorOptions = {},
): void {
  for (const version of versions) {
    Deno.test(`${name} (${version})`, async () => {
      const times = { ...TEST_TIMES, ...options.times };
      await using simulator = await startSimulator({ ...options, version, times });
      const { store } = simulator;
      addDataset(store, { name: "tank/images", type: "FILESYSTEM" });
      addFile(store, IMAGE, { sizeBytes: IMAGE_BYTES, head: qcow2Head(IMAGE_DISK_BYTES) });
      // 24.10 has only the older protocol.
      const peer = new Peer(simulator.url, version === "24.10" ? "legacy" : "current");
      await peer.open();
      await peer.login();
      const addZvol = (zvol: string, volsizeBytes = IMAGE_DISK_BYTES) =>
        void addDataset(store, { name: zvol, type: "VOLUME", volsizeBytes, sparse: true, createdAt: 0 });
      const job = async (method: string, ...params: unknown[]) =>
        await endedJob(peer, await peer.result(method, ...params) as number);
      await test({ simulator, peer, version, addZvol, job });
      await peer.close();
    });
  }
}
