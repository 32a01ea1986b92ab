/**
 * The dashboard's side of the worker in which it runs: what it is sent, and what it says. Its permissions let it touch
 * its NAS, its address and its files, and nothing else; see lib/permissions.ts.
 */
import type { Options } from "../lib/arguments.ts";
import { type ConfigurationFile, readConfiguration } from "../lib/config_file.ts";
import type { ConfigurationText } from "../lib/config_text.ts";
import type { Settings } from "../lib/environment.ts";
import { ConfigurationError, type Problem } from "../lib/errors.ts";
import { describePermissions, type Permissions } from "../lib/permissions.ts";
import { EXIT, explained, print, UsageError } from "../lib/process.ts";
import { trustOf } from "../lib/trust.ts";
import { configurationReader, type ParsedFile } from "./configuration.ts";
import { serveDashboard } from "./server.ts";

/** What the dashboard is started with. */
export interface Launch {
  readonly command: "demo" | "serve";
  readonly options: Options;
  readonly settings: Settings;
  readonly configFile: string;
  /** The example that is part of the program is taken when there is no such file. */
  readonly hasExample: boolean;
  readonly permissions: Permissions;
  readonly tunnelSockets: readonly string[];
  /** The configuration as it was at the start. */
  readonly configuration: ParsedFile;
}

/** What became of a text of the configuration. */
export type TextRead =
  | { readonly ok: true; readonly text: ConfigurationText }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What the worker is sent: to begin, and later to stop; and texts that it asked to have read, in their order. */
export type Order = "stop" | { readonly launch: Launch } | { readonly read: TextRead };

/** What the worker says: that all its modules are there and it listens, which text it needs read, and its exit code. */
export type Told = "loaded" | { readonly parse: ConfigurationFile } | { readonly ended: number };

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
    if ("read" in data) return asked.shift()?.resolve(data.read);
    scope.postMessage({
      ended: await explained(() => serve(data.launch, startNas, stopped.promise), {
        trace: data.launch.settings.logLevel === "DEBUG",
      }),
    });
  });
  scope.postMessage("loaded");
}

/** Whoever waits for a text. */
const asked: PromiseWithResolvers<TextRead>[] = [];

/** Texts are read where there are neither rights nor a network. */
async function parse(file: ConfigurationFile): Promise<ConfigurationText> {
  const asking = Promise.withResolvers<TextRead>();
  asked.push(asking);
  scope.postMessage({ parse: file });
  const read = await asking.promise;
  if (!read.ok) throw new ConfigurationError(file.source, read.problems);
  return read.text;
}

const DEMO_VMS = 5;
/** Slow enough to watch the steps, as on a NAS with spinning disks. */
const DEMO_TIMES = { callMs: 120, zvolMs: 700, startMs: 900 } as const;

async function serve(launch: Launch, startNas: StartNas | null, stopped: Promise<void>): Promise<number> {
  const { options, settings, configFile, hasExample, permissions, tunnelSockets } = launch;
  const configuration = configurationReader({
    read: () => readConfiguration(configFile, hasExample),
    parse,
    first: launch.configuration,
  });
  await configuration();
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
