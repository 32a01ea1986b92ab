/**
 * The program: arguments, environment, signals. A dashboard runs in a worker that may touch its NAS, its address and
 * its files, and nothing else; this part gives up its own permissions once that runs.
 */
import { type Options, readArguments, USAGE, UsageError } from "./lib/arguments.ts";
import type { Terminal } from "./lib/command_line.ts";
import { type EnvironmentName, readSettings, type Settings } from "./lib/environment.ts";
import { ConfigurationError, TrueNASError } from "./lib/errors.ts";
import { printable } from "./lib/printable.ts";
import { describePermissions, type Permissions, permissionsOf } from "./lib/permissions.ts";
import { VERSION } from "./lib/version.ts";

/** What the program ends with: see the README. */
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

async function main(args: readonly string[]): Promise<number> {
  const { command, options } = readArguments(args);
  switch (command) {
    case "help":
      print(USAGE);
      return EXIT.done;
    case "version":
      print(VERSION);
      return EXIT.done;
    case "validate":
      return await validate(options);
    case "list":
    case "plan":
    case "create":
    case "destroy":
      return await work(command, options);
    case "simulate":
      return await simulate(options);
    case "demo":
    case "serve":
      return await launch(command, options);
  }
}

/** Runs something that ends with an exit code; an error is told, and has one too. */
async function explained(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${error.message}\nSee: main.ts help`);
      return EXIT.usage;
    }
    if (error instanceof ConfigurationError) {
      complain(error.message);
      return EXIT.usage;
    }
    complain(
      error instanceof TrueNASError
        ? error.message
        : `An error of this program: ${error instanceof Error ? error.stack : error}`,
    );
    return EXIT.failed;
  }
}

function print(text: string): void {
  write(Deno.stdout, text);
}

function complain(text: string): void {
  write(Deno.stderr, text);
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(`${printable(text)}\n`);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

/** The environment, with what the command line says instead. */
function settingsOf({ envFile, logLevel }: Options, needNas: boolean): Settings {
  const env = (name: EnvironmentName) => name === "LOG_LEVEL" && logLevel ? logLevel : Deno.env.get(name);
  return readSettings({
    env,
    envFile: { path: envFile ?? ".env", required: envFile !== undefined },
    needNas,
  });
}

function configFileOf({ config = "config.yaml" }: Options): string {
  return config;
}

async function validate(options: Options): Promise<number> {
  const program = await import("./lib/program.ts");
  const problems = program.validate(configFileOf(options), options, () => settingsOf(options, true));
  if (problems.length > 0) {
    complain(problems.join("\n"));
    return EXIT.usage;
  }
  print("Configuration, templates and environment are good");
  return EXIT.done;
}

async function simulate(options: Options): Promise<number> {
  const { startSimulator } = await import("./lib/simulator/simulator.ts");
  const stopped = Promise.withResolvers<void>();
  onStopSignal(stopped.resolve);
  await using simulator = await startSimulator(options.simulator);
  print(`Simulated TrueNAS ${simulator.version} at ${simulator.url} (account admin, password truenas)`);
  await stopped.promise;
  return EXIT.done;
}

/** list, plan, create and destroy. */
async function work(command: "list" | "plan" | "create" | "destroy", options: Options): Promise<number> {
  const settings = settingsOf(options, true);
  const isTTY = Deno.stdin.isTerminal();
  if (command === "destroy" && !options.yes && !isTTY) {
    throw new UsageError(
      "There is no terminal to confirm on; add --yes to destroy what destroy lists. Nothing was sent",
    );
  }
  const terminal: Terminal = {
    print,
    tell: options.json ? complain : print,
    ask: isTTY ? (question) => globalThis.prompt(question) : null,
    json: options.json,
  };
  const cancel = new AbortController();
  Deno.addSignalListener("SIGINT", () => cancel.abort());
  const { signal } = cancel;
  const configFile = configFileOf(options);
  const program = await import("./lib/program.ts");
  const done = await program.work({
    command,
    options,
    settings,
    configFile,
    terminal,
    askOtp: isTTY ? askOtp : null,
    signal,
  });
  return done ? EXIT.done : EXIT.failed;
}

/** On a terminal the one-time password is asked for there. */
function askOtp(): Promise<string> {
  const typed = globalThis.prompt("The NAS asks for a one-time password:");
  return typed === null
    ? Promise.reject(new UsageError("No one-time password was given"))
    : Promise.resolve(typed.trim());
}

/** What the worker is called, by which it knows itself. */
const WORKER = "dashboard";

/** A service manager kills after ten seconds or more. */
const STOP_MS = 9_500;

/** Connections to a pinned NAS: the session's, and one for each serial console. */
const MAX_PINNED = 16;

/** What the worker is sent first. */
interface Launch {
  readonly command: "demo" | "serve";
  readonly options: Options;
  readonly settings: Settings;
  readonly permissions: Permissions;
  readonly tunnelSockets: readonly string[];
}

/** Its modules are there. */
const LOADED = "loaded";

/** What the worker says: that it is there, and at last its exit code. */
type Told = typeof LOADED | number;

interface Sent {
  readonly launch: Launch;
  /** Tells when to stop, and takes the exit code. */
  readonly port: MessagePort;
}

/** Serves the dashboard in a worker with the least permissions, and passes signals on to it. */
async function launch(command: "demo" | "serve", options: Options): Promise<number> {
  const settings = settingsOf(options, command === "serve");
  const pinned = command === "serve" && settings.certFingerprint !== null;
  const tunnelFolder = pinned ? await Deno.makeTempDir({ prefix: "truenas-vm-manager-" }) : null;
  const configFile = configFileOf(options);
  const simulated = command === "demo";
  const tunnelSockets = tunnelFolder === null
    ? []
    : Array.from({ length: MAX_PINNED }, (_, index) => `${tunnelFolder}/nas${index}.sock`);
  const permissions = permissionsOf({ options, settings, configFile, tunnelSockets, simulated });
  try {
    return await inWorker({ command, options, settings, permissions, tunnelSockets });
  } finally {
    if (tunnelFolder !== null) await Deno.remove(tunnelFolder, { recursive: true });
  }
}

function inWorker(launch: Launch): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const worker = new Worker(import.meta.url, {
    type: "module",
    name: WORKER,
    deno: { permissions: { ...launch.permissions } },
  });
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<Told>) => data === LOADED ? giveUp(launch) : resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    complain(`An error of this program: ${event.message}`);
    resolve(EXIT.failed);
  };
  onStopSignal(() => {
    port1.postMessage("stop");
    setTimeout(() => {
      complain("Stopping took too long; ended at once");
      Deno.exit(EXIT.failed);
    }, STOP_MS);
  });
  const sent: Sent = { launch, port: port2 };
  worker.postMessage(sent, [port2]);
  return promise;
}

/** What starts the worker has done its work: what it was allowed, nobody needs any more, but to remove its folder. */
function giveUp({ tunnelSockets }: Launch): void {
  const files = ["read", "write"] as const;
  for (
    const name of ["net", "env", "run", "sys", "ffi", ...(tunnelSockets.length === 0 ? files : [])] as const
  ) {
    Deno.permissions.revokeSync({ name });
  }
}

/** The worker's side. */
async function serve({ launch, port }: Sent): Promise<number> {
  const { command, options, settings, permissions, tunnelSockets } = launch;
  const stopped = Promise.withResolvers<void>();
  port.onmessage = () => stopped.resolve();
  const demo = command === "demo";
  // Every module before the permission to read them is given up.
  const [{ serveDashboard }, { configurationReader, trustOf }, simulated] = await Promise.all([
    import("./routes/server.ts"),
    import("./lib/program.ts"),
    demo ? import("./lib/simulator/simulator.ts") : null,
  ]);
  port.postMessage(LOADED);
  const configuration = configurationReader(configFileOf(options), demo && options.config === undefined);
  configuration();
  const nasOptions = { foreignVms: DEMO_VMS, times: DEMO_TIMES, ...options.simulator };
  await using simulator = simulated === null ? null : await simulated.startSimulator(nasOptions);
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
    stopped: stopped.promise,
  });
  return EXIT.done;
}

const DEMO_VMS = 5;
/** Slow enough to watch the steps, as on a NAS with spinning disks. */
const DEMO_TIMES = { callMs: 120, zvolMs: 700, startMs: 900 } as const;

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

if (import.meta.main) {
  if (globalThis.name === WORKER) {
    addEventListener("message", async (event) => {
      const { data } = event as MessageEvent<Sent>;
      data.port.postMessage(await explained(() => serve(data)));
    });
  } else Deno.exit(await explained(() => main(Deno.args)));
}
