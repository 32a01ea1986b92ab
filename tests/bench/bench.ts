/**
 * Benchmarks: each prints what it compares, as ratios in one run, and fails on nothing.
 *
 * Creation: 20 VMs with 2 disks and 2 NICs, as the program does it and one call at a time, against the lower bound
 * that follows from the NAS's own limit (10 calls at once on a connection) and the simulated time of each call.
 * Pages: the list of 10 to 5,000 VMs.
 */
import process from "node:process";
import { parseConfiguration } from "../../lib/config.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { MAX_RUNNING_CALLS } from "../../lib/truenas/protocol.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import { measureList } from "./pages.ts";

const COUNTS = [1, 5, 20] as const;
const CALL_TIMES_MS = [5, 20, 100] as const;
const ZVOL_MS = 300;
const DISKS = 2;
const NICS = 2;
/** A thick zvol of 1 GiB each, so that many fit. */
const DISK_GIB = 1;

function configuration(count: number) {
  return parseConfiguration(
    `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
controlplane: { count: 0, memory: 64, cpu: 1 }
worker:
  count: ${count}
  memory: 64
  cpu: 1
  disk: { root: ${DISK_GIB}, data: ${DISK_GIB} }
  network: { lan: br0, storage: br1 }
`,
    "bench",
  ).configuration;
}

/** What the NAS itself needs: every call's time, 10 at once; one VM's steps come one after the other. */
function lowerBoundMs(count: number, callMs: number): number {
  const chainMs = callMs * (1 + 2 + NICS + DISKS + 1) + DISKS * ZVOL_MS;
  return Math.max(chainMs, count * chainMs / MAX_RUNNING_CALLS);
}

async function measureMs(count: number, callMs: number, parallel: number): Promise<number> {
  const times = { callMs, zvolMs: ZVOL_MS, startMs: 0, shutdownMs: 0, deleteRunningMs: 0 };
  await using simulator = await startSimulator({ times });
  await using manager = new VMManager({
    host: simulator.url,
    username: "admin",
    password: "truenas",
    vncPassword: "pw",
    parallel,
  });
  await manager.connect();
  const started = performance.now();
  const { status } = await manager.createVmType(configuration(count), "worker", 5920);
  const tookMs = performance.now() - started;
  if (status !== "done") throw new Error(`the benchmark's VMs were not made: ${status}`);
  return tookMs;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function cells(values: readonly (string | number)[]): string {
  return values.map((value) => String(value).padStart(14)).join("");
}

print(`Creating VMs with ${DISKS} disks and ${NICS} NICs; a zvol takes ${ZVOL_MS} ms; times in ms`);
print(cells(["VMs", "ms a call", "bound", "program", "x bound", "one at a time", "x faster"]));
for (const callMs of CALL_TIMES_MS) {
  for (const count of COUNTS) {
    const bound = lowerBoundMs(count, callMs);
    const program = await measureMs(count, callMs, MAX_RUNNING_CALLS);
    const single = await measureMs(count, callMs, 1);
    const ratios = [(program / bound).toFixed(2), Math.round(single), (single / program).toFixed(1)];
    print(cells([count, callMs, Math.round(bound), Math.round(program), ...ratios]));
  }
}

print("");
print("The list of VMs: the server's time for the page (median), its size, and requests a second");
print(cells(["VMs", "ms", "kB", "kB gzipped", "requests/s"]));
for (const vms of [10, 100, 1_000, 5_000]) {
  const { medianMs, bytes, gzipBytes, requestsPerSecond } = await measureList(vms);
  const sizes = [Math.round(bytes / 1000), Math.round(gzipBytes / 1000)];
  print(cells([vms, medianMs.toFixed(1), ...sizes, Math.round(requestsPerSecond)]));
}
