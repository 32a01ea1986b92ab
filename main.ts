/**
 * The program: arguments, environment, signals. A dashboard runs in a worker that may touch its NAS, its address and
 * its files, and nothing else; this part gives up its own permissions once that runs.
 */
import { type Options, readArguments } from "./lib/arguments.ts";
import type { Terminal } from "./lib/command_line.ts";
import { type ConfigurationFile, readConfiguration } from "./lib/config_file.ts";
import { type EnvironmentName, readEnvFile, readSettings, type Settings } from "./lib/environment.ts";
import { ConfigurationError } from "./lib/errors.ts";
import { permissionsOf } from "./lib/permissions.ts";
import { complain, EXIT, explained, explainError, print, UsageError } from "./lib/process.ts";
import { VERSION } from "./lib/version.ts";
import type { Launch, Order, TextRead, Told } from "./routes/worker.ts";

/** Parts of the program, each loaded by the commands that need it. */
interface Parts {
  "lib/config_text.ts": typeof import("./lib/config_text.ts");
  "lib/program.ts": typeof import("./lib/program.ts");
  "lib/simulator/simulator.ts": typeof import("./lib/simulator/simulator.ts");
}

/**
 * Loads a part. Its address is no literal: what an import names literally is read at each start, and kept, whatever
 * the command; that was a tenth of a dashboard's start, and 4 MB. A binary holds the parts that tests/support/compile.ts names.
 */
async function load<P extends keyof Parts>(part: P): Promise<Parts[P]> {
  return await import(import.meta.resolve(`./${part}`));
}

async function main(args: readonly string[]): Promise<number> {
  const call = readArguments(args);
  if (call.command === "help") {
    print(call.text);
    return EXIT.done;
  }
  const { command, options } = call;
  switch (command) {
    case "version":
      print(options.json ? JSON.stringify({ version: VERSION }) : VERSION);
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

/** The environment, with what the command line says instead. */
async function settingsOf({ envFile, logLevel }: Options, needNas: boolean): Promise<Settings> {
  const env = (name: EnvironmentName) => name === "LOG_LEVEL" && logLevel ? logLevel : Deno.env.get(name);
  return readSettings({
    env,
    envFile: await readEnvFile(envFile ?? ".env", { required: envFile !== undefined }),
    needNas,
  });
}

function configFileOf({ config = "config.yaml" }: Options): string {
  return config;
}

async function validate(options: Options): Promise<number> {
  const program = await load("lib/program.ts");
  const problems = await program.validate(configFileOf(options), options, () => settingsOf(options, true));
  if (options.json) print(JSON.stringify({ problems }, null, 2));
  else if (problems.length > 0) complain(problems.join("\n"));
  else print("Configuration, templates and environment are good");
  return problems.length > 0 ? EXIT.usage : EXIT.done;
}

async function simulate(options: Options): Promise<number> {
  const { startSimulator } = await load("lib/simulator/simulator.ts");
  const stopped = Promise.withResolvers<void>();
  onStopSignal(stopped.resolve);
  await using simulator = await startSimulator(options.simulator);
  const { version, url } = simulator;
  print(
    options.json
      ? JSON.stringify({ version, url, username: "admin", password: "truenas" })
      : `Simulated TrueNAS ${version} at ${url} (account admin, password truenas)`,
  );
  await stopped.promise;
  return EXIT.done;
}

/** list, plan, create and destroy. */
async function work(command: "list" | "plan" | "create" | "destroy", options: Options): Promise<number> {
  const settings = await settingsOf(options, true);
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
  const program = await load("lib/program.ts");
  return await program.work({
    command,
    options,
    settings,
    configFile,
    terminal,
    askOtp: isTTY ? askOtp : null,
    signal,
  });
}

/** On a terminal the one-time password is asked for there. */
function askOtp(): Promise<string> {
  const typed = globalThis.prompt("The NAS asks for a one-time password:");
  return typed === null
    ? Promise.reject(new UsageError("No one-time password was given"))
    : Promise.resolve(typed.trim());
}

/** A service manager kills after ten seconds or more. */
const STOP_MS = 9_500;

/** Connections to a pinned NAS: the session's, and one for each serial console. */
const MAX_PINNED = 16;

/** Serves the dashboard in a worker with the least permissions, and passes signals on to it. */
async function launch(command: "demo" | "serve", options: Options): Promise<number> {
  const settings = await settingsOf(options, command === "serve");
  const pinned = command === "serve" && settings.certFingerprint !== null;
  const tunnelFolder = pinned ? await Deno.makeTempDir({ prefix: "truenas-vm-manager-" }) : null;
  const configFile = configFileOf(options);
  const simulated = command === "demo";
  const hasExample = simulated && options.config === undefined;
  const tunnelSockets = tunnelFolder === null
    ? []
    : Array.from({ length: MAX_PINNED }, (_, index) => `${tunnelFolder}/nas${index}.sock`);
  const permissions = permissionsOf({ options, settings, configFile, tunnelSockets, simulated });
  try {
    return await inWorker({ command, options, settings, configFile, hasExample, permissions, tunnelSockets });
  } finally {
    if (tunnelFolder !== null) await Deno.remove(tunnelFolder, { recursive: true });
  }
}

async function inWorker(begun: Omit<Launch, "configuration">): Promise<number> {
  const entry = begun.command === "demo" ? "./routes/demo.ts" : "./routes/serve.ts";
  const worker = new Worker(import.meta.resolve(entry), {
    type: "module",
    deno: { permissions: { ...begun.permissions } },
  });
  const send = (order: Order) => worker.postMessage(order);
  const [loaded, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<number>()];
  worker.onmessage = ({ data }: MessageEvent<Told>) => {
    if (data === "loaded") loaded.resolve();
    else if ("ended" in data) ended.resolve(data.ended);
    else void readText(data.parse).then((read) => send({ read }));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    complain(explainError(new Error(event.message)));
    ended.resolve(EXIT.failed);
  };
  let listens = false;
  onStopSignal(() => {
    // Nothing was begun yet.
    if (!listens) return ended.resolve(EXIT.done);
    send("stop");
    setTimeout(() => {
      complain("Stopping took too long; ended at once");
      Deno.exit(EXIT.failed);
    }, STOP_MS);
  });
  // While the worker's modules are being loaded, beside it.
  const file = readConfiguration(begun.configFile, begun.hasExample);
  const read = await readText(file);
  if (!read.ok) throw new ConfigurationError(file.source, read.problems);
  // It is sent nothing before it listens: what comes while its modules are being loaded is lost.
  const over = await Promise.race([loaded.promise, ended.promise]);
  if (over !== undefined) return over;
  listens = true;
  giveUp(begun);
  send({ launch: { ...begun, configuration: { ...file, parsed: read.text } } });
  return await ended.promise;
}

/** Reads YAML for the worker, which has the network and the rights: the parser needs neither. */
async function readText({ text, source }: ConfigurationFile): Promise<TextRead> {
  const { parseText } = await load("lib/config_text.ts");
  try {
    return { ok: true, text: parseText(text, source) };
  } catch (error) {
    // Whatever it is: the dashboard goes on, and tells of it where the file is used.
    const unforeseen = [{ field: "", message: `Cannot be read: ${error}` }];
    return { ok: false, problems: error instanceof ConfigurationError ? error.problems : unforeseen };
  }
}

/** What starts the worker has done its work: what it was allowed, nobody needs any more, but to remove its folder. */
function giveUp({ tunnelSockets }: Pick<Launch, "tunnelSockets">): void {
  const files = ["read", "write"] as const;
  for (
    const name of ["net", "run", "sys", "ffi", ...(tunnelSockets.length === 0 ? files : [])] as const
  ) {
    Deno.permissions.revokeSync({ name });
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
  Deno.exit(await explained(() => main(Deno.args), { trace: DEBUGGING.test(Deno.args.join(" ")) }));
}
