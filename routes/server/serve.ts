/** Starts the dashboard from what the program was launched with. */
import type { Options } from "../../lib/command_line/arguments.ts";
import { EXIT, print, printError, UsageError } from "../../lib/command_line/process.ts";
import { readConfiguration } from "../../lib/configuration/configuration_file.ts";
import {
  type ConfigurationStore,
  FileStore,
  isUnwritten,
  MemoryStore,
} from "../../lib/configuration/editing/configuration_store.ts";
import type { Settings } from "../../lib/configuration/environment/settings.ts";
import { trustedCertificatesOf } from "../../lib/configuration/environment/trusted_certificates.ts";
import { githubKeys } from "../../lib/first_boot/github_keys.ts";
import { seedFolder } from "../../lib/first_boot/seed_folder.ts";
import type { ProbePort } from "../../lib/first_boot/readiness/probe_port.ts";
import type { OpenUrl } from "../../lib/images/acquiring/remote_download.ts";
import type { FetchText } from "../../lib/images/source/fetch_text.ts";
import { describePermissions } from "../../lib/configuration/permissions.ts";
import { offeringOn } from "../../lib/images/offering/offering.ts";
import { setupLogging } from "../../lib/observability/logging.ts";
import { startPathServer } from "../../lib/secret_paths/path_server.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";
import { configurationReader } from "./configuration.ts";
import type { Launch, Turn } from "./launch.ts";
import { serveDashboard } from "./server.ts";

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

/** What the dashboard is started with. */
export interface ServeOptions extends Turn, Omit<Launch, "settings"> {
  readonly settings: Settings;
  readonly openUrl: OpenUrl;
  readonly fetchText: FetchText;
  /** Probes ports of guests. */
  readonly probePort: ProbePort;
  readonly signal: AbortSignal;
}

/** Serves the dashboard, of the configured NAS or of the demo's, until the signal is aborted. */
export async function serve(launch: ServeOptions): Promise<number> {
  const { command, options, settings, configFile, permissions, tunnelSockets } = launch;
  const { innerPort, maxConnections, handOver, untilPortIsFree, portIsFree, switchTo, signal } = launch;
  const isDemo = command === "demo";
  // The demo needs no file, because the example configuration is part of the program.
  const hasExample = isDemo && options.config === undefined;
  // The simulated NAS is loaded only where it is needed.
  await using demo = isDemo ? await (await import("./demo_nas.ts")).startDemoNas(options) : null;
  const example = () => {
    const { text, source } = readConfiguration(configFile, hasExample);
    return { text: hasExample ? text + (demo?.sections ?? "") : text, source };
  };
  const store = isDemo
    ? new MemoryStore(example)
    : new FileStore({ path: configFile, folder: `${settings.stateDir}/configuration` });
  const configuration = configurationReader(() => store.file());
  checkConfigured(configuration, store, options);
  const { stateDir, logLevel, logFormat } = settings;
  // The demo's guests are simulated by this program, so they reach it anywhere.
  const seed = isDemo ? { host: "127.0.0.1", port: 0 } : settings.seed;
  const logger = setupLogging(logLevel, { format: logFormat });
  await using paths = seed === null ? null : await startPathServer(seed, { logger });
  await serveDashboard({
    settings,
    innerPort,
    maxConnections,
    nas: {
      ...demo?.nas ?? configuredNas(settings, tunnelSockets),
      openUrl: launch.openUrl,
      seedFiles: seedFolder({ configFile, keysOf: githubKeys({ fetchText: launch.fetchText }) }),
      ...(paths === null ? {} : { paths, ...(isDemo ? {} : { offering: offeringOn(paths, stateDir) }) }),
      probePort: demo?.probePort ?? launch.probePort,
    },
    templatesDir: options.templatesDir,
    configuration,
    configurationStore: store,
    ...(demo?.journal ? { journal: demo.journal } : {}),
    permissions: describePermissions(permissions),
    outerSettings: launch.outerSettings,
    agentSocket: launch.agentSocket,
    configFile,
    envFile: options.envFile ?? ".env",
    handOver,
    untilPortIsFree,
    portIsFree,
    switchTo,
    print,
    signal,
  });
  return EXIT.done;
}

function configuredNas(settings: Settings, tunnelSockets: readonly string[]): VMManagerOptions {
  const { nas } = settings;
  if (nas === null) throw new UsageError("serve requires a NAS. Set TRUENAS_HOST");
  return {
    ...nas,
    ...trustedCertificatesOf(settings),
    ...(tunnelSockets.length === 0 ? {} : { tunnelSockets }),
  };
}
