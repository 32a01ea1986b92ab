/**
 * The entry point: reads arguments, environment and files of secrets, computes the permissions the command needs, and
 * starts a worker with exactly these. Everything that handles foreign input (network, YAML, templates) runs in the worker.
 */
import { dirname, join, resolve } from "node:path";
import { type Options, readArguments } from "./lib/command_line/arguments.ts";
import { readEnvFile } from "./lib/configuration/environment/env_file.ts";
import type { EnvironmentName } from "./lib/configuration/environment/environment.ts";
import { localImagesIn } from "./lib/configuration/local_images.ts";
import { fileExists, filesBelow, isSocket, readTextFile } from "./lib/configuration/files.ts";
import { DEFAULT_STATE_DIR, readSettings, type Settings } from "./lib/configuration/environment/settings.ts";
import {
  needsSetup,
  outerSettings,
  type SettingSources,
  storedSettingsPath,
  withStored,
} from "./lib/configuration/environment/stored_settings.ts";
import { ConfigurationError } from "./lib/errors/errors.ts";
import {
  CREATES_NO_DISPLAY,
  MAKES_SEEDS,
  REACHES_AGENTS,
  USES_IMAGES,
} from "./lib/configuration/command_needs.ts";
import {
  describePermissions,
  DOWNLOADS,
  type Permissions,
  permissionsOf,
  type WorkerCommand,
} from "./lib/configuration/permissions.ts";
import { dashboardSocket } from "./lib/agents/socket_path.ts";
import { completionOf, shellOf } from "./lib/command_line/completion.ts";
import { manPage } from "./lib/command_line/man_page.ts";
import {
  EXIT,
  explainError,
  print,
  printError,
  showCursor,
  UsageError,
  withErrorsExplained,
} from "./lib/command_line/process.ts";
import { seedPathsIn, SEEDS_FOLDER } from "./lib/first_boot/seed_paths.ts";
import { refuseProbes } from "./lib/first_boot/readiness/remote_probe.ts";
import { refuseDownloads } from "./lib/images/acquiring/refused_downloads.ts";
import { VERSION } from "./lib/version.ts";
import type { HandOver } from "./routes/auth/hand_over.ts";
import type { FromWorker, Launch, NextPart, ServedPart, ToWorker } from "./routes/server/launch.ts";

async function main(args: readonly string[]): Promise<number> {
  const call = readArguments(args);
  if (call.command === "help") {
    print(call.text);
    return EXIT.done;
  }
  const { command, options } = call;
  if (command === "version") print(options.json ? JSON.stringify({ version: VERSION }) : VERSION);
  else if (command === "completion") print(completionOf(shellOf(options.types)).trimEnd());
  else if (command === "man") print(manPage().trimEnd());
  else return await launch(command, options);
  return EXIT.done;
}

/** Maximum number of connections to a pinned NAS: the session's and one per serial console. */
const MAX_PINNED = 16;

/** What to run: a command, or a part of what `serve` serves in the place of the other one, at its port. */
interface Asked {
  readonly command: WorkerCommand;
  readonly options: Options;
  /** null: set-up if no NAS is set, and the dashboard otherwise. */
  readonly part: ServedPart | null;
  readonly port: number | null;
  readonly handOver: HandOver | null;
}

/** Runs a command in a worker. `serve` changes between set-up and the dashboard, each in a worker of its own. */
async function launch(command: WorkerCommand, options: Options): Promise<number> {
  let running = await prepare({ command, options, part: null, port: null, handOver: null });
  onStopSignal(isServing(command), () => running.stop());
  for (;;) {
    const { code, next } = await running.run();
    if (next === null) return code;
    running = next;
  }
}

/** A worker that is loading, and what it is to run. */
interface Prepared {
  /** Starts it, and waits until it could listen, or has ended. */
  readonly ready: () => Promise<void>;
  /** The one before has stopped listening. */
  readonly listen: () => void;
  /** Runs it to its end; `next` is then loaded, and takes its place. */
  readonly run: () => Promise<{ readonly code: number; readonly next: Prepared | null }>;
  readonly stop: () => void;
}

/** Reads the settings and starts a worker with the permissions they need. */
async function prepare(asked: Asked): Promise<Prepared> {
  const { command, options, part, port, handOver } = asked;
  const { settings, problems, sources } = await settingsOf(asked);
  const isSetup = part === null ? command === "serve" && needsSetup(sources) : part === "setup";
  const usesTunnel = command !== "demo" && settings !== null &&
    (isSetup || settings.certFingerprint !== null);
  const tunnelFolder = usesTunnel ? await Deno.makeTempDir({ prefix: "truenas-vm-manager-" }) : null;
  const tunnelSockets = tunnelFolder === null
    ? []
    : Array.from({ length: MAX_PINNED }, (_, index) => `${tunnelFolder}/nas${index}.sock`);
  const localSocket = isSetup && isSocket(MIDDLEWARE_SOCKET) ? MIDDLEWARE_SOCKET : null;
  const configFile = options.config ?? configFileOf(command, settings);
  const isOnNas = settings?.nas?.host.startsWith("unix:") === true && USES_IMAGES.includes(command);
  const started = {
    ...(MAKES_SEEDS.includes(command) ? { seedFiles: seedFilesOf(configFile) } : {}),
    ...(isOnNas ? { localImages: localImagesIn(textOf(configFile)) } : {}),
    command,
    options,
    settings: settings === null || port === null ? settings : { ...settings, listenPort: port },
    configFile,
    configTarget: targetOf(configFile),
    tunnelSockets,
    innerPort: isServing(command) ? freePort() : 0,
    isSetup,
    localSocket,
    agentSocket: isSetup || settings === null || !REACHES_AGENTS.includes(command)
      ? null
      : dashboardSocket(settings.stateDir),
  };
  const { get } = withStored(sources);
  const setup = {
    stored: sources.stored,
    localSocket,
    hasDisplayPassword: (get("VNC_PASSWORD") ?? get("VNC_PASSWORD_FILE")) !== undefined,
  };
  return inWorker(asked, {
    ...started,
    problems,
    permissions: permissionsOf(started),
    maxConnections: isServing(command) ? countConnections() : 0,
    setup: isSetup ? setup : null,
    outerSettings: outerSettings(sources),
    handOver,
  }, tunnelFolder);
}

/** The files that a configuration may name, and the folder for those that are named later. */
function seedFilesOf(configFile: string): string[] {
  const folder = dirname(configFile);
  return [...filesBelow(folder, seedPathsIn(textOf(configFile))), join(folder, SEEDS_FOLDER)];
}

/** Empty for a file that cannot be read, about which the command itself complains. */
function textOf(path: string): string {
  try {
    return readTextFile(path);
  } catch {
    return "";
  }
}

/** Where TrueNAS listens for programs that run on the NAS itself. */
const MIDDLEWARE_SOCKET = "/var/run/middleware/middlewared.sock";

/** The file in the current folder, or the one that set-up has written where there is none. */
function configFileOf(command: WorkerCommand, settings: Settings | null): string {
  const usual = "config.yaml";
  if (command === "demo" || settings === null || fileExists(usual)) return usual;
  const own = `${settings.stateDir}/${usual}`;
  const isFirstRun = settings.nas === null;
  return isFirstRun || fileExists(own) ? own : usual;
}

/** The file that a path leads to through links, because the runtime asks for permission to that one as well. */
function targetOf(path: string): string | null {
  try {
    const target = Deno.realPathSync(path);
    return target === resolve(path) ? null : target;
  } catch {
    return null;
  }
}

function isServing(command: WorkerCommand): boolean {
  return command === "serve" || command === "demo";
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Maximum number of connections: each page has a stream, and up to 1,000 pages can be open. */
const MAX_CONNECTIONS = 1_500;
/** Open files per connection: the browser's side, and both ends to the server behind. */
const FILES_EACH = 3;
/** Files reserved for everything else: the NAS, consoles, the journal, the simulated NAS. */
const RESERVED_FILES = 128;

/** Finds by trial how many connections the open-file limit allows, because reading the limit requires all permissions. */
function countConnections(): number {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < MAX_CONNECTIONS * FILES_EACH + RESERVED_FILES) {
      files.push(Deno.openSync("/dev/null"));
    }
  } catch {
    // Reached the limit.
  }
  for (const file of files) file.close();
  return Math.floor(Math.max(files.length / 2, files.length - RESERVED_FILES) / FILES_EACH);
}

interface ReadSources extends Pick<Launch, "settings" | "problems"> {
  readonly sources: SettingSources;
}

const NO_SOURCES: SettingSources = { env: () => undefined, envFile: {}, stored: {} };

/** The settings with command line overrides. `validate` continues without them and reports the problems. */
async function settingsOf({ command, options, part }: Asked): Promise<ReadSources> {
  if (command === "simulate") return { settings: null, problems: [], sources: NO_SOURCES };
  const { envFile, logLevel } = options;
  const env = (name: EnvironmentName) => name === "LOG_LEVEL" && logLevel ? logLevel : Deno.env.get(name);
  const warn = (message: string) => printError(`Warning: ${message}`);
  let sources = NO_SOURCES;
  try {
    sources = {
      env,
      envFile: await readEnvFile(envFile ?? ".env", { required: envFile !== undefined, warn }),
      stored: {},
    };
    if (command !== "demo") {
      const stateDir = withStored(sources).get("STATE_DIR") ?? DEFAULT_STATE_DIR;
      const path = storedSettingsPath(stateDir);
      if (fileExists(path)) sources = { ...sources, stored: await readEnvFile(path, { warn }) };
    }
    const isSetup = part === null ? command === "serve" && needsSetup(sources) : part === "setup";
    const settings = readSettings({
      env: withStored(sources).get,
      needNas: command !== "demo" && !isSetup,
      needDisplayPassword: !CREATES_NO_DISPLAY.includes(command),
    });
    return { settings, problems: [], sources };
  } catch (error) {
    if (command !== "validate" || !(error instanceof ConfigurationError)) throw error;
    return { settings: null, problems: [error.message], sources };
  }
}

/** Service managers send SIGKILL after ten seconds or more. */
const STOP_MS = 9_500;

/** Starts the worker; it waits for {@link Prepared.run}. */
function inWorker(asked: Asked, launch: Launch, tunnelFolder: string | null): Prepared {
  const worker = startWorker(launch.permissions);
  const send = (message: ToWorker) => worker.postMessage(message);
  const loaded = Promise.withResolvers<void>();
  const couldListen = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number>();
  let isStarted = false;
  let isStopping = false;
  let isChanging = false;
  let next: Prepared | null = null;
  let downloader: Worker | null = null;
  const start = async () => {
    await Promise.race([loaded.promise, ended.promise]);
    if (isStarted || isStopping) return;
    isStarted = true;
    send({ launch });
  };
  const listen = () => send("listen");
  const stop = () => {
    isStopping = true;
    next?.stop();
    // A worker that has not started has nothing to end and would miss the message.
    if (isStarted) send("stop");
    else ended.resolve(EXIT.done);
  };
  /** The next worker could listen before this one ends, so that nothing listens only for a moment. */
  const change = async ({ next: part, port, handOver }: NextPart) => {
    if (isChanging || isStopping) return;
    isChanging = true;
    next = await prepare({ ...asked, part, port, handOver });
    await next.ready();
    send("stop");
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (typeof data === "object" && "downloads" in data) {
      try {
        downloader ??= startDownloader();
        downloader.postMessage(data.downloads, [data.downloads]);
      } catch (error) {
        // The program itself was started with fewer permissions.
        refuseDownloads(data.downloads, explainError(error));
      }
    } else if (typeof data === "object" && "probes" in data) {
      try {
        downloader ??= startDownloader();
        downloader.postMessage(data, [data.probes]);
      } catch (error) {
        refuseProbes(data.probes, explainError(error));
      }
    } else if (data === "loaded") loaded.resolve();
    else if (data === "ready") couldListen.resolve();
    else if (data === "closed") next?.listen();
    else if ("ended" in data) ended.resolve(data.ended);
    else {
      change(data).catch((error) => {
        printError(explainError(error));
        send("stop");
        ended.resolve(error instanceof ConfigurationError ? EXIT.usage : EXIT.failed);
      });
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    showCursor();
    printError(explainError(new Error(event.message)));
    ended.resolve(EXIT.failed);
  };
  const run = async () => {
    try {
      await start();
      listen();
      const code = await ended.promise;
      const follows = code === EXIT.done && !isStopping ? next : null;
      if (follows === null) next?.stop();
      return { code, next: follows };
    } finally {
      worker.terminate();
      downloader?.terminate();
      if (tunnelFolder !== null) await Deno.remove(tunnelFolder, { recursive: true });
    }
  };
  const ready = async () => {
    await start();
    await Promise.race([couldListen.promise, ended.promise]);
  };
  return { ready, listen, run, stop };
}

/**
 * Starts the worker that downloads images and probes ports of guests: it may connect anywhere and may do nothing else, while the one that handles other
 * foreign input may connect only to the NAS.
 */
function startDownloader(): Worker {
  const url = import.meta.resolve("./routes/server/download_worker.ts");
  const worker = new Worker(url, { type: "module", deno: { permissions: { ...DOWNLOADS } } });
  worker.onerror = (event) => {
    event.preventDefault();
    printError(explainError(new Error(event.message)));
  };
  return worker;
}

function startWorker(permissions: Permissions): Worker {
  const url = import.meta.resolve("./routes/server/worker.ts");
  try {
    return new Worker(url, { type: "module", deno: { permissions: { ...permissions } } });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new UsageError(
      `This command needs more permissions than the program was started with. Nothing was started. ` +
        `Required: ${describePermissions(permissions)}. Use deno task start or deno run -A`,
    );
  }
}

/** Calls `stop` on SIGINT or SIGTERM; a second signal ends the program immediately. */
function onStopSignal(isServer: boolean, stop: () => void): void {
  let isStopping = false;
  const onSignal = () => {
    if (isStopping) {
      showCursor();
      Deno.exit(EXIT.failed);
    }
    isStopping = true;
    stop();
    if (!isServer) return;
    setTimeout(() => {
      printError(
        "Stopping took too long, so the program ended without waiting. The next start recovers interrupted operations",
      );
      Deno.exit(EXIT.failed);
    }, STOP_MS);
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
}

/** Whether stack traces were requested. */
const DEBUGGING = /(^| )--log-level[ =]DEBUG( |$)/i;

if (import.meta.main) {
  Deno.exit(await withErrorsExplained(() => main(Deno.args), { trace: DEBUGGING.test(Deno.args.join(" ")) }));
}
