/**
 * (a) Creating and destroying VMs: the program against the lower bound given by the NAS's limits, and against one call
 * at a time, as in scripts.
 */
import { parseConfiguration } from "../../lib/configuration/load_configuration.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import { TemplateManager } from "../../lib/template_manager.ts";
import { MAX_RUNNING_CALLS } from "../../lib/truenas/connection/protocol.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import { openSession } from "../support/session.ts";
import { type DistantNas, startDistantNas } from "./nas.ts";
import type { Report } from "./report.ts";

const ZVOL_MS = 300;
const DISKS = 2;
const NICS = 2;
const GIB = 1024 ** 3;
/** Between creating and destroying. */
const LIST_MS = 1_000;

/** vm.create, display, CD-ROM, NICs, for each disk its zvol and its device, and the start. */
const CALLS = 1 + 1 + 1 + NICS + 2 * DISKS + 1;

/** The longest chain of one VM in which nothing can overlap: the VM, a zvol, its device, the start. */
const CHAIN_CALLS = 4;

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

/**
 * A VM is powered off, its zvols are removed one by one, each as slowly as it was created and in parallel, and the VM last,
 * so that an interrupted destruction is known by it. Up to 25.10 TrueNAS deletes one VM at a time.
 */
function destructionBoundMs(count: number, callMs: number, version: SimulatedVersion): number {
  const workMs = count * (callMs + DISKS * (callMs + ZVOL_MS) + callMs) / MAX_RUNNING_CALLS;
  const serial = version === "25.10" ? count : 1;
  return Math.max(workMs, callMs + (callMs + ZVOL_MS) + serial * callMs);
}

/** What is measured of one way to work. */
interface Took {
  readonly createMs: number;
  readonly destroyMs: number;
}

interface Round {
  readonly count: number;
  readonly callMs: number;
  readonly version?: SimulatedVersion;
  /** Default: as on the NAS itself. */
  readonly way?: "unix socket" | "network";
}

async function nasFor({ callMs, version = "25.10", way = "unix socket" }: Round): Promise<DistantNas> {
  const times = { callMs, zvolMs: ZVOL_MS, startMs: 0, shutdownMs: 0, deleteRunningMs: 0 };
  return await startDistantNas({ times, version }, way);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The program: from the order to the last VM, with its plan and its own looks at the NAS. */
async function measureProgram(round: Round, journal?: Journal): Promise<Took> {
  using nas = await nasFor(round);
  await using manager = new VMManager({
    host: nas.url,
    username: "admin",
    password: "truenas",
    vncPassword: "pw",
    ...(journal === undefined ? {} : { journal }),
  });
  await manager.connect();
  const expectDone = async (work: Promise<{ status: string }>) => {
    const { status } = await work;
    if (status !== "done") throw new Error(`the benchmark's work ended as ${status}`);
  };
  const create = () => expectDone(manager.createVmType(configuration(round.count), "worker", 5920));
  const createMs = await timed(create);
  // Nobody confirms a destruction before the list has heard of the VMs.
  await new Promise((resolve) => setTimeout(resolve, LIST_MS));
  const destroyMs = await timed(() => expectDone(manager.destroyManagedVms(["worker"])));
  return { createMs, destroyMs };
}

/** A script: one call after another, no plan and no looks, with the zvols made by their devices. */
async function measureScript(round: Round): Promise<Took> {
  using nas = await nasFor(round);
  const session = await openSession(nas.url);
  const templates = new TemplateManager();
  const ids: number[] = [];
  const create = async (n: number) => {
    const name = `worker${String(n).padStart(2, "0")}`;
    const { id } = await session.call("vm.create", [templates.createVmSpec(name, 1, 1, 64)]);
    ids.push(id);
    const devices = [
      templates.createDisplayDevice(id, 5920 + n, "pw", 7920 + n),
      templates.createCdromDevice(id, "/mnt/tank/iso/debian.iso"),
      ...["br0", "br1"].map((bridge) => templates.createNicDevice(id, bridge)),
      ...Array.from(
        { length: DISKS },
        (_, disk) => templates.createDiskDevice(id, `tank/vms/${name}-disk${disk}`, GIB),
      ),
    ];
    for (const device of devices) await session.call("vm.device.create", [{ ...device }]);
    await session.call("vm.start", [id]);
  };
  const destroy = async (id: number, n: number) => {
    await session.call("vm.poweroff", [id]);
    await session.call("vm.delete", [id, { zvols: false, force: false }]);
    const name = `worker${String(n).padStart(2, "0")}`;
    for (let disk = 0; disk < DISKS; disk++) {
      await session.call("pool.dataset.delete", [`tank/vms/${name}-disk${disk}`, { recursive: false }]);
    }
  };
  const createMs = await timed(async () => {
    for (let n = 1; n <= round.count; n++) await create(n);
  });
  const destroyMs = await timed(async () => {
    for (const [index, id] of ids.entries()) await destroy(id, index + 1);
  });
  await session.close();
  return { createMs, destroyMs };
}

/** Measures; `quick` leaves out what takes minutes. */
export async function benchWork(report: Report, quick: boolean): Promise<void> {
  report.title(
    `Creating and destroying VMs with ${DISKS} disks and ${NICS} NICs; a zvol takes ${ZVOL_MS} ms`,
  );
  const heads = ["VMs", "ms a call", "bound", "program", "x bound", "one by one", "x faster"];
  const rows: { round: Round; program: Took; script: Took }[] = [];
  report.head("create", heads);
  for (const callMs of quick ? [20] : [5, 20, 100]) {
    for (const count of quick ? [1, 5, 20] : [1, 5, 20, 50]) {
      const round = { count, callMs };
      const [program, script] = [await measureProgram(round), await measureScript(round)];
      rows.push({ round, program, script });
      const bound = creationBoundMs(count, callMs);
      report.row("create", [
        count,
        callMs,
        bound,
        program.createMs,
        program.createMs / bound,
        script.createMs,
        script.createMs / program.createMs,
      ]);
    }
  }
  report.title("Destroying them on TrueNAS 25.10, which deletes one VM at a time");
  report.head("destroy", heads);
  for (const { round, program, script } of rows) {
    reportDestruction(report, "destroy", { ...round, version: "25.10" }, [program, script]);
  }
  report.title("Destroying them on TrueNAS 27.0");
  report.head("destroy27", heads);
  for (const count of quick ? [20] : [1, 5, 20, 50]) {
    const round = { count, callMs: 20, version: "27.0" } as const;
    reportDestruction(report, "destroy27", round, [await measureProgram(round), await measureScript(round)]);
  }
  report.title(
    "Creating over the network: the runtime's WebSocket holds a call back until the last one was acknowledged",
  );
  report.head("network", heads);
  for (const callMs of quick ? [20] : [20, 100]) {
    const round = { count: 20, callMs, way: "network" } as const;
    const [program, script] = [await measureProgram(round), await measureScript(round)];
    const bound = creationBoundMs(20, callMs);
    const { createMs } = program;
    report.row("network", [
      20,
      callMs,
      bound,
      createMs,
      createMs / bound,
      script.createMs,
      script.createMs / createMs,
    ]);
  }
  report.title("Creating with the journal, each step on the disk before its call, and without");
  report.head("journal", ["VMs", "ms a call", "without", "with", "ratio"]);
  for (const callMs of quick ? [20] : [5, 20]) {
    const round = { count: 20, callMs };
    const folder = await Deno.makeTempDir();
    const without = await measureProgram(round);
    using journal = Journal.open(folder);
    const withOne = await measureProgram(round, journal);
    report.row("journal", [
      20,
      callMs,
      without.createMs,
      withOne.createMs,
      withOne.createMs / without.createMs,
    ]);
    await Deno.remove(folder, { recursive: true });
  }
}

function reportDestruction(
  report: Report,
  name: string,
  { count, callMs, version = "25.10" }: Round,
  [program, script]: readonly [Took, Took],
): void {
  const bound = destructionBoundMs(count, callMs, version);
  report.row(name, [
    count,
    callMs,
    bound,
    program.destroyMs,
    program.destroyMs / bound,
    script.destroyMs,
    script.destroyMs / program.destroyMs,
  ]);
}
