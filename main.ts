/**
 * The program: it reads its arguments, the environment and the files of secrets, computes the permissions that the
 * command needs, and starts a worker that has these and no others. Whatever meets foreign input (the network, YAML,
 * templates) runs in that worker.
 */
import { type Options, readArguments } from "./lib/command_line/arguments.ts";
import {
  type EnvironmentName,
  readEnvFile,
  readSettings,
  type Settings,
} from "./lib/configuration/environment.ts";
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

/** Connections to a pinned NAS: the session's, and one for each serial console. */
const MAX_PINNED = 16;

/** Runs a command in its worker. */
async function launch(command: WorkerCommand, options: Options): Promise<number> {
  const { settings, problems } = await settingsOf(command, options);
  const isPinned = command !== "demo" && settings !== null && settings.certFingerprint !== null;
  const tunnelFolder = isPinned ? await Deno.makeTempDir({ prefix: "truenas-vm-manager-" }) : null;
  const tunnelSockets = tunnelFolder === null
    ? []
    : Array.from({ length: MAX_PINNED }, (_, index) => `${tunnelFolder}/nas${index}.sock`);
  const configFile = options.config ?? "config.yaml";
  const innerPort = isServing(command) ? freePort() : 0;
  const started = { command, options, settings, configFile, tunnelSockets, innerPort };
  const permissions = permissionsOf(started);
  const maxConnections = isServing(command) ? countConnections() : 0;
  try {
    return await inWorker({ ...started, problems, permissions, maxConnections });
  } finally {
    if (tunnelFolder !== null) await Deno.remove(tunnelFolder, { recursive: true });
  }
}

function isServing(command: WorkerCommand): boolean {
  return command === "serve" || command === "demo";
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Connections at most: each page has a stream, and there are 1,000 of these. */
const MAX_CONNECTIONS = 1_500;
/** What is open for one: towards the browser, and both ends of the way to the server behind. */
const FILES_EACH = 3;
/** What else is open at once: the NAS, consoles, the journal, the simulated NAS. */
const RESERVED_FILES = 128;

/**
 * How many connections the operating system's limit on open files leaves. The limit itself can be read only with all
 * permissions, so it is tried out.
 */
function countConnections(): number {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < MAX_CONNECTIONS * FILES_EACH + RESERVED_FILES) {
      files.push(Deno.openSync("/dev/null"));
    }
  } catch {
    // The limit.
  }
  for (const file of files) file.close();
  return Math.floor(Math.max(files.length / 2, files.length - RESERVED_FILES) / FILES_EACH);
}

/** The environment, with what the command line says instead. `validate` goes on without, and tells what is wrong with it. */
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

/** A service manager kills after ten seconds or more. */
const STOP_MS = 9_500;

/** Starts the worker, passes signals on to it, and waits for its exit code. */
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
    // Until its modules are loaded the worker has started nothing, and would not get the message.
    if (!isLoaded) return ended.resolve(EXIT.done);
    send("stop");
    if (!isServer) return;
    setTimeout(() => {
      printError("Stopping took too long; ended at once");
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
      `The runtime gave this program fewer permissions than the command needs, so nothing was started. ` +
        `It needs: ${
          describePermissions(permissions)
        }. Start it as deno task start does, or with deno run -A`,
    );
  }
}

/** Calls back at SIGINT or SIGTERM. A second signal ends the program at once. */
function onStopSignal(stop: () => void): void {
  let asked = false;
  const onSignal = () => {
    if (asked) Deno.exit(EXIT.failed);
    asked = true;
    stop();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
}

/** Traces of faults are wanted. */
const DEBUGGING = /(^| )--log-level[ =]DEBUG( |$)/i;

if (import.meta.main) {
  Deno.exit(await withErrorsExplained(() => main(Deno.args), { trace: DEBUGGING.test(Deno.args.join(" ")) }));
}
