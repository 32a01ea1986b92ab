/**
 * The entry point: reads arguments, environment and files of secrets, computes the permissions the command needs, and
 * starts a worker with exactly these. Everything that handles foreign input (network, YAML, templates) runs in the worker.
 */
import { resolve } from "node:path";
import { type Options, readArguments } from "./lib/command_line/arguments.ts";
import { readEnvFile } from "./lib/configuration/env_file.ts";
import type { EnvironmentName } from "./lib/configuration/environment.ts";
import { readSettings, type Settings } from "./lib/configuration/settings.ts";
import { ConfigurationError } from "./lib/errors/errors.ts";
import {
  describePermissions,
  type Permissions,
  permissionsOf,
  type WorkerCommand,
} from "./lib/configuration/permissions.ts";
import {
  EXIT,
  explainError,
  print,
  printError,
  UsageError,
  withErrorsExplained,
} from "./lib/command_line/process.ts";
import { VERSION } from "./lib/version.ts";
import type { FromWorker, Launch, ToWorker } from "./routes/server/worker.ts";

async function main(args: readonly string[]): Promise<number> {
  const call = readArguments(args);
  if (call.command === "help") {
    print(call.text);
    return EXIT.done;
  }
  const { command, options } = call;
  if (command !== "version") return await launch(command, options);
  print(options.json ? JSON.stringify({ version: VERSION }) : VERSION);
  return EXIT.done;
}

/** Maximum number of connections to a pinned NAS: the session's and one per serial console. */
const MAX_PINNED = 16;

/** Runs a command in a worker. */
async function launch(command: WorkerCommand, options: Options): Promise<number> {
  const { settings, problems } = await settingsOf(command, options);
  const isPinned = command !== "demo" && settings !== null && settings.certFingerprint !== null;
  const tunnelFolder = isPinned ? await Deno.makeTempDir({ prefix: "truenas-vm-manager-" }) : null;
  const tunnelSockets = tunnelFolder === null
    ? []
    : Array.from({ length: MAX_PINNED }, (_, index) => `${tunnelFolder}/nas${index}.sock`);
  const configFile = options.config ?? "config.yaml";
  const innerPort = isServing(command) ? freePort() : 0;
  const configTarget = targetOf(configFile);
  const started = { command, options, settings, configFile, configTarget, tunnelSockets, innerPort };
  const permissions = permissionsOf(started);
  const maxConnections = isServing(command) ? countConnections() : 0;
  try {
    return await inWorker({ ...started, problems, permissions, maxConnections });
  } finally {
    if (tunnelFolder !== null) await Deno.remove(tunnelFolder, { recursive: true });
  }
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

/** The settings with command line overrides. `validate` continues without them and reports the problems. */
async function settingsOf(
  command: WorkerCommand,
  { envFile, logLevel }: Options,
): Promise<Pick<Launch, "settings" | "problems">> {
  if (command === "simulate") return { settings: null, problems: [] };
  const env = (name: EnvironmentName) => name === "LOG_LEVEL" && logLevel ? logLevel : Deno.env.get(name);
  const read = async (): Promise<Settings> =>
    readSettings({
      env,
      envFile: await readEnvFile(envFile ?? ".env", {
        required: envFile !== undefined,
        warn: (message) => printError(`Warning: ${message}`),
      }),
      needNas: command !== "demo",
    });
  try {
    return { settings: await read(), problems: [] };
  } catch (error) {
    if (command !== "validate" || !(error instanceof ConfigurationError)) throw error;
    return { settings: null, problems: [error.message] };
  }
}

/** Service managers send SIGKILL after ten seconds or more. */
const STOP_MS = 9_500;

/** Starts the worker, forwards signals to it and returns its exit code. */
async function inWorker(launch: Launch): Promise<number> {
  const worker = startWorker(launch.permissions);
  const send = (message: ToWorker) => worker.postMessage(message);
  const ended = Promise.withResolvers<number>();
  let isLoaded = false;
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data !== "loaded") return ended.resolve(data.ended);
    isLoaded = true;
    send({ launch });
  };
  worker.onerror = (event) => {
    event.preventDefault();
    printError(explainError(new Error(event.message)));
    ended.resolve(EXIT.failed);
  };
  const isServer = isServing(launch.command);
  onStopSignal(() => {
    // A worker that has not loaded has started nothing and would miss the message.
    if (!isLoaded) return ended.resolve(EXIT.done);
    send("stop");
    if (!isServer) return;
    setTimeout(() => {
      printError(
        "Stopping took too long, so the program ended without waiting. The next start recovers interrupted operations",
      );
      Deno.exit(EXIT.failed);
    }, STOP_MS);
  });
  return await ended.promise;
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
function onStopSignal(stop: () => void): void {
  let isStopping = false;
  const onSignal = () => {
    if (isStopping) Deno.exit(EXIT.failed);
    isStopping = true;
    stop();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
}

/** Whether stack traces were requested. */
const DEBUGGING = /(^| )--log-level[ =]DEBUG( |$)/i;

if (import.meta.main) {
  Deno.exit(await withErrorsExplained(() => main(Deno.args), { trace: DEBUGGING.test(Deno.args.join(" ")) }));
}
