/**
 * (a) Creating and destroying VMs: the program against the lower bound that follows from the NAS's own limits, and
 * against one call at a time, as scripts do it.
 */
import { parseConfiguration } from "../../lib/config.ts";
import { Journal } from "../../lib/operations/journal.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { MAX_RUNNING_CALLS } from "../../lib/truenas/protocol.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import type { Report } from "./report.ts";

const ZVOL_MS = 300;
const DISKS = 2;
const NICS = 2;

/** vm.create, display, CD-ROM, NICs, for each disk its zvol and its device, and the start. */
const CALLS = 1 + 1 + 1 + NICS + 2 * DISKS + 1;

/** The longest chain of one VM in which nothing can overlap: the zvol, its device after the VM, the start. */
const CHAIN_CALLS = 3;

function configuration(count: number) {
  const text = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
controlplane: { count: 0, memory: 64, cpu: 1 }
worker:
  count: ${count}
  memory: 64
  cpu: 1
  disk: { root: 1, data: 1 }
  network: { lan: br0, storage: br1 }
`;
  return parseConfiguration(text, "bench").configuration;
}

/** The NAS runs ten calls of a connection at once, and every call takes its time. */
function creationBoundMs(count: number, callMs: number): number {
  const workMs = count * (CALLS * callMs + DISKS * ZVOL_MS) / MAX_RUNNING_CALLS;
  return Math.max(workMs, CHAIN_CALLS * callMs + ZVOL_MS);
}

/** For each VM poweroff, delete and a look, and for each zvol its removal. */
function destructionBoundMs(count: number, callMs: number): number {
  const calls = 2 + DISKS;
  return Math.max(count * calls * callMs / MAX_RUNNING_CALLS, 3 * callMs);
}

/** Milliseconds that creating and then destroying took. */
async function measure(count: number, callMs: number, parallel: number, journal?: Journal) {
  const times = { callMs, zvolMs: ZVOL_MS, startMs: 0, shutdownMs: 0, deleteRunningMs: 0 };
  await using simulator = await startSimulator({ times });
  await using manager = new VMManager({
    host: simulator.url,
    username: "admin",
    password: "truenas",
    vncPassword: "pw",
    parallel,
    ...(journal === undefined ? {} : { journal }),
  });
  await manager.connect();
  const timed = async (work: () => Promise<{ status: string }>) => {
    const started = performance.now();
    const { status } = await work();
    if (status !== "done") throw new Error(`the benchmark's work ended as ${status}`);
    return performance.now() - started;
  };
  const createMs = await timed(() => manager.createVmType(configuration(count), "worker", 5920));
  const destroyMs = await timed(() => manager.destroyManagedVms(["worker"]));
  return { createMs, destroyMs };
}

/** Measures; `quick` leaves out what takes minutes. */
export async function benchWork(report: Report, quick: boolean): Promise<void> {
  report.title(
    `Creating and destroying VMs with ${DISKS} disks and ${NICS} NICs; a zvol takes ${ZVOL_MS} ms`,
  );
  const heads = ["VMs", "ms a call", "bound", "program", "x bound", "one by one", "x faster"];
  for (const what of ["create", "destroy"] as const) {
    report.head(what, heads);
    for (const callMs of quick ? [20] : [5, 20, 100]) {
      for (const count of quick ? [5, 20] : [1, 5, 20, 50]) {
        const program = await measure(count, callMs, MAX_RUNNING_CALLS);
        const single = await measure(count, callMs, 1);
        const bound = what === "create" ? creationBoundMs(count, callMs) : destructionBoundMs(count, callMs);
        const [took, alone] = [program[`${what}Ms`], single[`${what}Ms`]];
        report.row(what, [count, callMs, bound, took, took / bound, alone, alone / took]);
      }
    }
  }
  report.head("journal", ["VMs", "ms a call", "without", "with", "ratio"]);
  const folder = await Deno.makeTempDir();
  const without = await measure(20, 20, MAX_RUNNING_CALLS);
  using journal = Journal.open(folder);
  const withOne = await measure(20, 20, MAX_RUNNING_CALLS, journal);
  report.row("journal", [20, 20, without.createMs, withOne.createMs, withOne.createMs / without.createMs]);
  await Deno.remove(folder, { recursive: true });
}
