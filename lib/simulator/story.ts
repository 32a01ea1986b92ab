/**
 * The demo's story: a NAS under load, on which a VM could not be created and was rolled back, an operation was interrupted
 * and waits for a decision, and a VM has less memory than the example configuration says. The next creation goes slowly,
 * fails in part, and waits for a NAS that goes away in the middle, so that every state can be seen.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseConfigurationFile } from "../configuration/configuration_file.ts";
import { MemoryJournal } from "../operations/record/memory_journal.ts";
import type { Simulator } from "./simulator.ts";
import type { SimulatedTimes } from "./types.ts";
import { VMManager } from "../vm_manager.ts";
import type { VMManagerOptions } from "../vm_manager_options.ts";

/** VMs that are on the NAS already. */
export const STORY_VMS = 14;

/** As long as a busy NAS with hard disks takes. */
const STORY_TIMES = {
  callMs: 250,
  zvolMs: 2_500,
  startMs: 3_000,
} as const satisfies Partial<SimulatedTimes>;
/** What happened before the story begins is over quickly. */
const PAST_TIMES = { callMs: 2, zvolMs: 5, startMs: 5 } as const satisfies Partial<SimulatedTimes>;

const PAST = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
controlplane:
  count: 1
  memory: 2048
  cpu: 2
  disk: { root: 20 }
  network: { lan: br0 }
  start: false
web:
  count: 3
  memory: 1024
  cpu: 2
  disk: { root: 20 }
  network: { lan: br0 }
db:
  count: 3
  memory: 2048
  cpu: 2
  disk: { root: 20, data: 100 }
  network: { lan: br0 }
`;

const BUSY = { errno: 16, errname: "EBUSY", reason: "[EBUSY] dataset is busy" } as const;
const FULL = { errno: 28, errname: "ENOSPC", reason: "[ENOSPC] out of space" } as const;

const BY = { by: { who: "admin", from: "127.0.0.1" } } as const;

/** Lets the past happen on the simulated NAS. The journal is what a program that starts now finds. */
export async function tellStory(
  simulator: Simulator,
  nas: VMManagerOptions & { readonly host: string },
): Promise<MemoryJournal> {
  const journal = new MemoryJournal();
  const configuration = parseConfigurationFile({ text: PAST, source: "story.yaml" });
  simulator.setTimes(PAST_TIMES);
  // What it abandons gives up at once.
  const past = new VMManager({ ...nas, journal, connectionWaitMs: 1, settle: { settleMs: 1, pollMs: 1 } });
  await past.connect();
  const { operations } = past;
  await operations.create({ ...configuration, types: [{ type: "controlplane", startPort: 5910 }] }, BY);
  failNext(simulator, "web02-disk0");
  simulator.addFault({
    method: "vm.device.create",
    matches: (params) => JSON.stringify(params).includes("web01-disk0"),
    action: "fail",
    error: BUSY,
  });
  await past.operations.create({ ...configuration, types: [{ type: "web", startPort: 5930 }] }, BY);
  const left = await interrupt(simulator, past, {
    ...configuration,
    types: [{ type: "db", startPort: 5940 }],
  }, journal);
  simulator.setTimes(STORY_TIMES);
  failNext(simulator, "worker02-disk1");
  return left;
}

/** How long the NAS is away, in milliseconds: long enough to be noticed and read about. */
const OUTAGE_MS = 12_000;

/** Lets the NAS go away once, while the last VM of the next creation gets its disk, until this is disposed of. */
export function goAwayOnce(simulator: Simulator): AsyncDisposable {
  const gone = Promise.withResolvers<void>();
  const ended = new AbortController();
  let outage: Promise<void> | null = null;
  const goAway = async () => {
    await simulator.goAway();
    gone.resolve();
    await sleep(OUTAGE_MS, null, { signal: ended.signal }).then(() => simulator.comeBack(), () => {});
  };
  simulator.addFault({
    method: "vm.device.create",
    matches: (params) => {
      const isLast = JSON.stringify(params).includes("worker03-disk1");
      if (isLast) outage ??= goAway();
      return isLast;
    },
    action: "hold",
    until: gone.promise,
  });
  return {
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await outage;
    },
  };
}

/** The next time that a VM gets this disk, the pool is full. */
function failNext(simulator: Simulator, disk: string): void {
  simulator.addFault({
    method: "vm.device.create",
    matches: (params) => JSON.stringify(params).includes(disk),
    action: "fail",
    error: FULL,
  });
}

/** Begins a creation and abandons it in the middle, like a program that was killed. */
async function interrupt(
  simulator: Simulator,
  manager: VMManager,
  request: Parameters<VMManager["operations"]["planCreation"]>[0],
  journal: MemoryJournal,
): Promise<MemoryJournal> {
  const others = Promise.withResolvers<void>();
  simulator.addFault({
    method: "vm.device.create",
    matches: (params) => JSON.stringify(params).includes("db02-disk1"),
    action: "stall",
  });
  manager.operations.store.onEvent(({ vms }) => {
    if (vms.filter(({ outcome }) => outcome === null).length === 1) others.resolve();
  });
  const plan = await manager.operations.planCreation(request);
  await manager.operations.startCreation(request, plan.fingerprint, BY);
  await others.promise;
  const left = journal.copy();
  // What the abandoned manager still records goes into the journal that nobody reads any more.
  await manager.operations.drain({ finishMs: 0, cancelMs: 0 });
  await manager.disconnect();
  return left;
}
