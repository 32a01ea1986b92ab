/**
 * (h) VMs from one image: converted once and cloned, against the lower bound of that and against a conversion for each VM. The
 * size of the image is only a duration here, because TrueNAS converts one image at a time whatever else it does.
 */
import { parseConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import { qcow2Head } from "../../lib/simulator/images/disk_image.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { addFile } from "../../lib/simulator/store.ts";
import { MAX_RUNNING_CALLS } from "../../lib/truenas/connection/protocol.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import type { Report } from "./report.ts";

const GIB = 1024 ** 3;
const IMAGE = "/mnt/tank/iso/debian.qcow2";
const CALL_MS = 20;
const ZVOL_MS = 300;
/** What has to wait for the conversion: the clone, its growth, its device, the start. */
const CALLS_AFTER = 4;

function configuration(count: number, clone: boolean) {
  const text = `
storage: { pool_path: tank/vms }
images: { debian: { path: ${IMAGE} } }
web:
  count: ${count}
  memory: 64
  cpu: 1
  image: debian
  clone: ${clone}
  disk: { root: 20 }
  network: { lan: br0 }
`;
  return parseConfigurationFile({ text, source: "bench" }).configuration;
}

/** One conversion onto a new zvol, its snapshot, then all clones, ten calls at once. */
function boundMs(count: number, convertMs: number): number {
  const golden = CALL_MS + ZVOL_MS + convertMs + CALL_MS;
  const chain = CALLS_AFTER * CALL_MS + ZVOL_MS;
  return golden + Math.max(chain, count * chain / MAX_RUNNING_CALLS);
}

async function measure(count: number, convertMs: number, clone: boolean): Promise<number> {
  const times = {
    callMs: CALL_MS,
    zvolMs: ZVOL_MS,
    startMs: 0,
    shutdownMs: 0,
    deleteRunningMs: 0,
    convertMs,
  };
  await using simulator = await startSimulator({ times, version: "25.10" });
  addFile(simulator.store, IMAGE, { sizeBytes: 300 * 1024 ** 2, head: qcow2Head(2 * GIB) });
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  await using manager = new VMManager({ host: simulator.url, ...account });
  await manager.connect();
  const started = performance.now();
  const { status, vms } = await manager.operations.create({ configuration: configuration(count, clone) });
  if (status !== "done" || vms.length !== count) throw new Error(`the benchmark's work ended as ${status}`);
  return performance.now() - started;
}

/** Measures. */
export async function benchClones(report: Report, quick: boolean): Promise<void> {
  report.title("VMs from one image: converted once and cloned, and converted for each; a zvol takes 300 ms");
  report.head("clones", ["VMs", "ms a conv.", "bound", "clones", "x bound", "conversions", "x faster"]);
  for (const [count, convertMs] of quick ? [[20, 5_000]] as const : [[5, 10_000], [20, 10_000]] as const) {
    const bound = boundMs(count, convertMs);
    const clones = await measure(count, convertMs, true);
    const conversions = await measure(count, convertMs, false);
    report.row("clones", [
      count,
      convertMs,
      bound,
      clones,
      clones / bound,
      conversions,
      conversions / clones,
    ]);
  }
}
