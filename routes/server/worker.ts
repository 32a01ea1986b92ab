/**
 * Runs the program (server, NAS client, YAML, templates) in a worker that has only the permissions of
 * lib/configuration/permissions.ts from its start.
 */
import { describeSystemError } from "../../lib/errors/system_errors.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import type { Options } from "../../lib/command_line/arguments.ts";
import { readConfiguration } from "../../lib/configuration/configuration_file.ts";
import type { Settings } from "../../lib/configuration/environment/settings.ts";
import {
  describePermissions,
  type Permissions,
  type WorkerCommand,
} from "../../lib/configuration/permissions.ts";
import { EXIT, print, printError, UsageError, withErrorsExplained } from "../../lib/command_line/process.ts";
import { runCommand, validate } from "../../lib/command_line/run_command.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { trustedCertificatesOf } from "../../lib/configuration/environment/trusted_certificates.ts";
import {
  type ConfigurationStore,
  FileStore,
  isUnwritten,
  MemoryStore,
} from "../../lib/configuration/editing/configuration_store.ts";
import type { OuterSetting } from "../../lib/configuration/environment/stored_settings.ts";
import type { SetupStart } from "../setup/setup.ts";
import { configurationReader } from "./configuration.ts";
import { aborted, serveDashboard, type ServedPart } from "./server.ts";
import { STORY_VMS, tellStory } from "../../lib/simulator/story.ts";
import { serveSetup } from "./setup_server.ts";

/** What the worker needs to run a command. */
export interface Launch {
  readonly command: WorkerCommand;
  readonly options: Options;
  /** null if the command needs none or they are invalid. */
  readonly settings: Settings | null;
  /** Problems with the settings; only `validate` runs despite them. */
  readonly problems: readonly string[];
  readonly configFile: string;
  readonly permissions: Permissions;
  readonly tunnelSockets: readonly string[];
  /** A free loopback port for the dashboard; 0 for other commands. */
  readonly innerPort: number;
  /** The most connections to the dashboard at once. */
  readonly maxConnections: number;
  /** What set-up needs; null: the command itself runs. */
  readonly setup: SetupStart | null;
  /** Settings of the connection that set-up cannot change. */
  readonly outerSettings: readonly OuterSetting[];
}

/** To the worker: start, and later stop. */
export type ToWorker = { readonly launch: Launch } | "stop";

/** From the worker: ready to launch, then what to start in its place at its port, and later the exit code. */
export type FromWorker = "loaded" | { readonly next: ServedPart; readonly port: number } | {
  readonly ended: number;
};

/** Asks for the other part of the program in this one's place. */
function switchTo(next: ServedPart, port: number): void {
  scope.postMessage({ next, port });
}

/** What a worker's global scope has in addition. */
const scope = globalThis as unknown as { postMessage(message: FromWorker): void };

const stopping = new AbortController();

addEventListener("message", async (event) => {
  const { data } = event as MessageEvent<ToWorker>;
  if (data === "stop") return stopping.abort();
  const trace = data.launch.settings?.logLevel === "DEBUG";
  scope.postMessage({ ended: await withErrorsExplained(() => run(data.launch), { trace }) });
});
scope.postMessage("loaded");

async function run(launch: Launch): Promise<number> {
  const { command, options, settings, problems, configFile, tunnelSockets } = launch;
  const { signal } = stopping;
  if (command === "simulate") return await simulate(options, signal);
  if (command === "validate") return validate({ configFile, options, problems });
  if (settings === null) throw new UsageError(`${command} requires settings`);
  if (launch.setup !== null) {
    await serveSetup({ ...launch, settings, setup: launch.setup, print, switchTo, signal });
    return EXIT.done;
  }
  if (command === "serve" || command === "demo") return await serve({ ...launch, settings }, signal);
  return await runCommand({ command, options, settings, configFile, tunnelSockets, signal });
}

async function simulate(options: Options, signal: AbortSignal): Promise<number> {
  await using simulator = await startSimulator(options.simulator).catch(explainPort);
  const { version, url } = simulator;
  print(
    options.json
      ? JSON.stringify({ version, url, username: "admin", password: "truenas" })
      : `Simulated TrueNAS ${version} at ${url} (account admin, password truenas)`,
  );
  await aborted(signal);
  return EXIT.done;
}

function explainPort(cause: unknown): never {
  const why = describeSystemError(cause);
  if (why === null) throw cause;
  const message = `The simulated NAS cannot listen on this port: ${why}. Choose another port, or omit --port`;
  throw new ConfigurationError("simulate", [{ field: "--port", message }], { cause });
}

/**
 * Without a file of a name that was asked for, VM types are added on the dashboard.
 *
 * @throws {ConfigurationError} listing what is wrong with a file that is there.
 */
function checkConfigured(configuration: () => unknown, store: ConfigurationStore, { config }: Options): void {
  if (config === undefined && isUnwritten(store.read().text)) {
    return printError("Warning: There is no config.yaml yet. Add VM types on the dashboard, under Create");
  }
  configuration();
}

const DEMO_VMS = 5;
/** Slow enough to watch, like a NAS with hard disks. */
const DEMO_TIMES = { callMs: 120, zvolMs: 700, startMs: 900 } as const;

async function serve(
  launch: Launch & { settings: Settings },
  signal: AbortSignal,
): Promise<number> {
  const { command, options, settings, configFile, permissions, tunnelSockets } = launch;
  const { innerPort, maxConnections } = launch;
  const isDemo = command === "demo";
  // The demo needs no file, because the example configuration is part of the program.
  const hasExample = isDemo && options.config === undefined;
  const store = isDemo
    ? new MemoryStore(() => readConfiguration(configFile, hasExample))
    : new FileStore({ path: configFile, folder: `${settings.stateDir}/configuration` });
  const configuration = configurationReader(() => store.file());
  checkConfigured(configuration, store, options);
  await using simulator = isDemo
    ? await startSimulator({
      foreignVms: options.story ? STORY_VMS : DEMO_VMS,
      times: DEMO_TIMES,
      screens: true,
      ...options.simulator,
    })
    : null;
  const nas = simulator === null
    ? {
      ...settings.nas,
      ...trustedCertificatesOf(settings),
      ...(tunnelSockets.length === 0 ? {} : { tunnelSockets }),
    }
    : { host: simulator.url, username: "admin", password: "truenas", vncPassword: "demo", simulated: true };
  const { host } = nas;
  if (host === undefined) throw new UsageError("serve requires a NAS. Set TRUENAS_HOST");
  const story = simulator !== null && options.story ? await tellStory(simulator, { ...nas, host }) : null;
  await serveDashboard({
    settings,
    innerPort,
    maxConnections,
    nas: { ...nas, host },
    templatesDir: options.templatesDir,
    configuration,
    configurationStore: store,
    ...(story === null ? {} : { journal: story }),
    permissions: describePermissions(permissions),
    outerSettings: launch.outerSettings,
    envFile: options.envFile ?? ".env",
    switchTo,
    print,
    signal,
  });
  return EXIT.done;
}
