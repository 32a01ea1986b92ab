/** The simulated NAS of the demo, with the past that `--story` lets it have. */
import type { Options } from "../../lib/command_line/arguments.ts";
import type { OperationJournal } from "../../lib/operations/record/journal.ts";
import type { ProbePort } from "../../lib/first_boot/readiness/probe_port.ts";
import { startDemoImages } from "../../lib/simulator/demo_images.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { goAwayOnce, STORY_VMS, tellStory } from "../../lib/simulator/story.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";

/** The NAS, how it is signed in to, and the journal of its past; null without one. */
export interface DemoNas extends AsyncDisposable {
  readonly nas: VMManagerOptions;
  readonly journal: OperationJournal | null;
  /** Its guests are simulated, so their ports are asked of it. */
  readonly probePort: ProbePort;
  /** The sections that it adds to the example configuration. */
  readonly sections: string;
}

const DEMO_VMS = 5;
/** Slow enough to watch, like a NAS with hard disks. */
const DEMO_TIMES = { callMs: 120, zvolMs: 700, startMs: 900 } as const;

/** Starts it; it stops when it is disposed of. */
export async function startDemoNas({ story, simulator: options }: Options): Promise<DemoNas> {
  const simulator = await startSimulator({
    foreignVms: story ? STORY_VMS : DEMO_VMS,
    times: DEMO_TIMES,
    screens: true,
    guests: {},
    ...options,
  });
  const account = { username: "admin", password: "truenas", vncPassword: "demo" };
  const nas = { host: simulator.url, ...account, simulated: true };
  const journal = story ? await tellStory(simulator, nas) : null;
  // The story is about what goes wrong, without images.
  const images = story ? null : await startDemoImages(simulator.store);
  const outage = story ? goAwayOnce(simulator) : null;
  const stop = async () => {
    await outage?.[Symbol.asyncDispose]();
    await images?.[Symbol.asyncDispose]();
    await simulator[Symbol.asyncDispose]();
  };
  const probePort: ProbePort = ({ address, port }) => Promise.resolve(simulator.portOf(address, port));
  return { nas, journal, probePort, sections: images?.sections ?? "", [Symbol.asyncDispose]: stop };
}
