/**
 * The dashboard's side of the worker in which it runs: what it is sent, and what it says. Its permissions let it touch
 * its NAS, its address and its files, and nothing else; see lib/permissions.ts.
 */
import type { Options } from "../lib/arguments.ts";
import type { Settings } from "../lib/environment.ts";
import { describePermissions, type Permissions } from "../lib/permissions.ts";
import { EXIT, explained, print, UsageError } from "../lib/process.ts";
import { configurationReader, trustOf } from "../lib/program.ts";
import { serveDashboard } from "./server.ts";

/** What the dashboard is started with. */
export interface Launch {
  readonly command: "demo" | "serve";
  readonly options: Options;
  readonly settings: Settings;
  readonly configFile: string;
  readonly permissions: Permissions;
  readonly tunnelSockets: readonly string[];
}

/** What the worker is sent: to begin, and later to stop. */
export type Order = Launch | "stop";

/** What the worker says: that all its modules are there and it listens, and at last its exit code. */
export type Told = "loaded" | number;

/** A simulated NAS that runs. */
export interface RunningNas extends AsyncDisposable {
  readonly url: string;
}

type StartNas = (options: Options["simulator"]) => Promise<RunningNas>;

/** What a worker's scope has beyond the global one. */
const scope = globalThis as unknown as { postMessage(told: Told): void };

/** Waits for the launch, serves, and says how it ended; the demo has a NAS of its own. */
export function awaitLaunch(startNas: StartNas | null): void {
  const stopped = Promise.withResolvers<void>();
  addEventListener("message", async (event) => {
    const { data } = event as MessageEvent<Order>;
    if (data === "stop") return stopped.resolve();
    scope.postMessage(await explained(() => serve(data, startNas, stopped.promise)));
  });
  scope.postMessage("loaded");
}

const DEMO_VMS = 5;
/** Slow enough to watch the steps, as on a NAS with spinning disks. */
const DEMO_TIMES = { callMs: 120, zvolMs: 700, startMs: 900 } as const;

async function serve(launch: Launch, startNas: StartNas | null, stopped: Promise<void>): Promise<number> {
  const { options, settings, configFile, permissions, tunnelSockets } = launch;
  const configuration = configurationReader(configFile, startNas !== null && options.config === undefined);
  configuration();
  await using simulator = startNas === null
    ? null
    : await startNas({ foreignVms: DEMO_VMS, times: DEMO_TIMES, ...options.simulator });
  const nas = simulator === null
    ? { ...settings.nas, ...trustOf(settings), ...(tunnelSockets.length === 0 ? {} : { tunnelSockets }) }
    : { host: simulator.url, username: "admin", password: "truenas", vncPassword: "demo", simulated: true };
  const { host } = nas;
  if (host === undefined) throw new UsageError("serve needs a NAS");
  await serveDashboard({
    settings,
    nas: { ...nas, host },
    templatesDir: options.templatesDir,
    configuration,
    permissions: describePermissions(permissions),
    print,
    stopped,
  });
  return EXIT.done;
}
