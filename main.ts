/**
 * The program: arguments, environment, composition, signals; all work is in lib and routes.
 */
import process from "node:process";
import embeddedConfiguration from "./config.yaml" with { type: "text" };
import { type Options, readArguments, USAGE, UsageError } from "./lib/arguments.ts";
import { parseConfiguration, readConfigurationFile } from "./lib/config.ts";
import {
  create,
  type CreationWish,
  destroy,
  expectTypes,
  listVms,
  showPlan,
  type Terminal,
} from "./lib/command_line.ts";
import { type EnvironmentName, readSettings, type Settings } from "./lib/environment.ts";
import { ConfigurationError, TrueNASError } from "./lib/errors.ts";
import { printable, setupLogging } from "./lib/logging.ts";
import { isUnencrypted, parseNasAddress } from "./lib/nas_address.ts";
import { Metrics } from "./lib/metrics.ts";
import { Journal } from "./lib/operations/journal.ts";
import { TemplateManager } from "./lib/template_manager.ts";
import { VERSION } from "./lib/version.ts";
import { VMManager, type VMManagerOptions } from "./lib/vm_manager.ts";
import { createApp } from "./routes/app.tsx";
import type { Dashboard } from "./routes/dashboard.ts";
import { OneTimeTokens } from "./routes/tokens.ts";

/** What the program ends with: see the README. */
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

async function main(args: readonly string[]): Promise<number> {
  try {
    const { command, options } = readArguments(args);
    switch (command) {
      case "help":
        print(USAGE);
        return EXIT.done;
      case "version":
        print(VERSION);
        return EXIT.done;
      case "validate":
        return validate(options);
      case "list":
      case "plan":
      case "create":
      case "destroy":
        return await work(command, options);
      case "simulate":
        return await simulate(options);
      case "demo":
        return await demo(options);
      case "serve":
        return await serve(options);
    }
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): number {
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

function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
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

const DEFAULT_CONFIG = "config.yaml";

/** The demo works anywhere: without a file of that name it takes the example that is part of the program. */
function configurationReader({ config }: Options, fallback: boolean): Dashboard["configuration"] {
  const path = config ?? DEFAULT_CONFIG;
  return () => {
    try {
      return parseConfiguration(readConfigurationFile(path), path);
    } catch (error) {
      const missing = error instanceof ConfigurationError && error.cause instanceof Error &&
        "code" in error.cause &&
        error.cause.code === "ENOENT";
      if (!missing || !fallback || config !== undefined) throw error;
      return parseConfiguration(embeddedConfiguration, "the embedded config.yaml");
    }
  };
}

function validate(options: Options): number {
  const problems: string[] = [];
  const attempt = (check: () => void) => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(error.message);
    }
  };
  attempt(() => settingsOf(options, true));
  attempt(configurationReader(options, false));
  attempt(() => new TemplateManager(options.templatesDir));
  if (problems.length > 0) {
    complain(problems.join("\n"));
    return EXIT.usage;
  }
  print("Configuration, templates and environment are good");
  return EXIT.done;
}

async function simulate(options: Options): Promise<number> {
  const { startSimulator } = await import("./lib/simulator/simulator.ts");
  const stopped = stopSignal();
  await using simulator = await startSimulator(options.simulator);
  print(`Simulated TrueNAS ${simulator.version} at ${simulator.url} (account admin, password truenas)`);
  await stopped;
  return EXIT.done;
}

/** list, plan, create and destroy. */
async function work(command: "list" | "plan" | "create" | "destroy", options: Options): Promise<number> {
  const settings = settingsOf(options, true);
  const wish = command === "plan" || command === "create" ? creationWish(options) : null;
  if (command === "destroy" && !options.yes && !process.stdin.isTTY) {
    throw new UsageError(
      "There is no terminal to confirm on; add --yes to destroy what destroy lists. Nothing was sent",
    );
  }
  const terminal: Terminal = {
    print,
    tell: options.json ? complain : print,
    ask: process.stdin.isTTY ? (question) => globalThis.prompt(question) : null,
    json: options.json,
  };
  // Only what writes is written down: while a dashboard keeps the journal, the command line may still look.
  const writes = command === "create" || command === "destroy";
  using journal = writes ? Journal.open(settings.stateDir) : undefined;
  await using manager = new VMManager({
    ...managerOptions(options, settings),
    ...(journal === undefined ? {} : { journal }),
  });
  await manager.connect();
  const cancel = new AbortController();
  Deno.addSignalListener("SIGINT", () => cancel.abort());
  const success = command === "list"
    ? await listVms(manager, terminal)
    : command === "destroy"
    ? await destroy(
      manager,
      {
        prefixes: options.prefixes,
        unmarked: options.unmarked,
        keepDisks: options.keepDisks,
        shutdown: options.shutdown,
        confirmed: options.yes,
      },
      terminal,
      cancel.signal,
    )
    : wish !== null && command === "plan"
    ? await showPlan(manager, wish, terminal)
    : wish !== null && await create(manager, wish, terminal, cancel.signal);
  return success ? EXIT.done : EXIT.failed;
}

function creationWish(options: Options): CreationWish {
  const parsed = configurationReader(options, false)();
  expectTypes(parsed.configuration, options.types);
  const { types, parallel, onFailure } = options;
  return {
    ...parsed,
    types,
    ...(parallel === undefined ? {} : { parallel }),
    ...(onFailure === undefined ? {} : { onFailure }),
  };
}

/** What the environment says of the NAS, with a log whose secrets are blanked out. */
function managerOptions(options: Options, settings: Settings): VMManagerOptions {
  const { nas, readOnly, noDestroy, logLevel, logFormat } = settings;
  if (nas === null) throw new UsageError("The environment names no NAS");
  const secrets = [nas.password, nas.apiKey, nas.vncPassword].filter((secret) => secret !== undefined);
  const logger = setupLogging(logLevel, { format: logFormat, secrets });
  const templateManager = new TemplateManager(options.templatesDir);
  return {
    ...nas,
    ...trustOf(settings),
    ...(process.stdin.isTTY ? { askOtp } : {}),
    templateManager,
    readOnly,
    noDestroy,
    logger,
  };
}

const DEMO_VMS = 5;
/** Slow enough to watch the steps, as on a NAS with spinning disks. */
const DEMO_TIMES = { callMs: 120, zvolMs: 700, startMs: 900 } as const;

async function demo(options: Options): Promise<number> {
  const settings = settingsOf(options, false);
  const { startSimulator } = await import("./lib/simulator/simulator.ts");
  await using simulator = await startSimulator({
    foreignVms: DEMO_VMS,
    times: DEMO_TIMES,
    ...options.simulator,
  });
  if (options.config !== undefined) configurationReader(options, false)();
  const nas = { host: simulator.url, username: "admin", password: "truenas", vncPassword: "demo" };
  return await dashboard(options, settings, { ...nas, simulated: true });
}

async function serve(options: Options): Promise<number> {
  const settings = settingsOf(options, true);
  const { nas } = settings;
  if (nas === null) throw new UsageError("serve needs a NAS");
  configurationReader(options, false)();
  return await dashboard(options, settings, { ...nas, ...trustOf(settings) });
}

/** How it signs in, without a secret. */
function describeAccount({ host, username, apiKey }: VMManagerOptions): string {
  if (host.trim().startsWith("unix:")) return "as root, over the NAS's own socket";
  return `as ${username ?? ""}, ${apiKey === undefined ? "with a password" : "with an API key"}`;
}

/** Which certificates of the NAS are trusted beside the public ones. */
function trustOf({ caFile, certFingerprint }: Settings): Partial<VMManagerOptions> {
  return {
    caCerts: caFile === null ? [] : [readCaFile(caFile)],
    ...(certFingerprint === null ? {} : { certFingerprint }),
  };
}

/** On a terminal the one-time password is asked for there. */
function askOtp(): Promise<string> {
  const typed = globalThis.prompt("The NAS asks for a one-time password:");
  return typed === null
    ? Promise.reject(new UsageError("No one-time password was given"))
    : Promise.resolve(typed.trim());
}

function readCaFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigurationError(
      "TRUENAS_CA_FILE",
      [{ field: "", message: `Cannot read ${path}: ${error}` }],
      { cause: error },
    );
  }
}

/** A page waits this long for a connection, and then says what is wrong with it. */
const PAGE_PATIENCE_MS = 2_000;

/** A service manager kills after ten seconds or more: what is under way may finish, and is cancelled after that. */
const WIND_DOWN = { finishMs: 4_000, cancelMs: 3_000 } as const;
const LAST_MS = 9_500;

/** Addresses that only this machine reaches. */
const LOOPBACK: readonly string[] = ["127.0.0.1", "::1", "localhost"];

async function dashboard(options: Options, settings: Settings, nas: VMManagerOptions): Promise<number> {
  // The demo's NAS forgets everything when it ends, and so does its history.
  using journal = nas.simulated ? undefined : Journal.open(settings.stateDir);
  const { listenHost, listenPort, readOnly, noDestroy, logLevel, logFormat } = settings;
  const { dashboardPassword, viewerPassword } = settings;
  if (!LOOPBACK.includes(listenHost) && dashboardPassword === null) {
    const message =
      `It listens beyond this machine (${listenHost}) only with a password: set DASHBOARD_PASSWORD, or HOST=127.0.0.1`;
    throw new ConfigurationError("environment", [{ field: "HOST", message }]);
  }
  const tls = readTls(settings);
  const secrets = [nas.password, nas.apiKey, nas.vncPassword, dashboardPassword, viewerPassword].filter((
    secret,
  ) => typeof secret === "string");
  const logger = setupLogging(logLevel, { format: logFormat, secrets });
  const templateManager = new TemplateManager(options.templatesDir);
  const metrics = new Metrics();
  const startedAt = Date.now() / 1000;
  metrics.gauge("process_start_time_seconds", () => [{ value: startedAt }]);
  metrics.gauge("process_resident_memory_bytes", () => [{ value: Deno.memoryUsage().rss }]);
  await using manager = new VMManager({
    ...nas,
    metrics,
    templateManager,
    readOnly,
    noDestroy,
    logger,
    ...(journal === undefined ? {} : { journal }),
    patienceMs: PAGE_PATIENCE_MS,
  });
  const ending = new AbortController();
  const stopping = new AbortController();
  const address = parseNasAddress(nas.host);
  const app = createApp({
    manager,
    host: nas.simulated ? "demo" : address.ok ? address.address.host : nas.host,
    simulated: nas.simulated ?? false,
    account: describeAccount(nas),
    unencrypted: address.ok && isUnencrypted(address.address),
    configuration: configurationReader(options, nas.simulated ?? false),
    tokens: new OneTimeTokens(),
    metrics,
    access: {
      password: dashboardPassword,
      viewerPassword,
      secure: tls !== null,
      allowedHosts: [listenHost, ...settings.allowedHosts],
    },
    logger,
    now: Date.now,
    ending: ending.signal,
    stopping: stopping.signal,
  });
  const stopped = stopSignal();
  const server = listen((request, info) => app.fetch(request, info), {
    listenHost,
    listenPort,
    simulated: nas.simulated ?? false,
    tls,
  });
  void manager.keepConnected();
  await stopped;
  logger.info("Stopping: nothing more is begun, and what is under way may finish", {
    waitMs: WIND_DOWN.finishMs,
  });
  const last = setTimeout(() => {
    logger.error("Stopping took too long; ended at once");
    Deno.exit(EXIT.failed);
  }, LAST_MS);
  ending.abort();
  for (const { id, title } of await manager.windDown(WIND_DOWN)) {
    logger.warning("Not over; its page tells of it after the next start", { operation: id, title });
  }
  stopping.abort();
  await server.shutdown();
  await manager.disconnect();
  clearTimeout(last);
  logger.info("Stopped");
  return EXIT.done;
}

interface ListenOptions {
  readonly listenHost: string;
  readonly listenPort: number;
  readonly simulated: boolean;
  readonly tls: Tls | null;
}

/** Certificate and key, both PEM. */
interface Tls {
  readonly cert: string;
  readonly key: string;
}

function readTls({ tls }: Settings): Tls | null {
  if (tls === null) return null;
  const read = (field: string, path: string) => {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      throw new ConfigurationError("environment", [{ field, message: `Cannot read ${path}: ${error}` }]);
    }
  };
  return { cert: read("TLS_CERT_FILE", tls.certFile), key: read("TLS_KEY_FILE", tls.keyFile) };
}

function listen(
  handler: Deno.ServeHandler,
  { listenHost, listenPort, simulated, tls }: ListenOptions,
): Deno.HttpServer {
  const onListen = ({ port }: Deno.NetAddr) => {
    const host = listenHost.includes(":") ? `[${listenHost}]` : listenHost;
    const scheme = tls === null ? "http" : "https";
    print(
      `TrueNAS VM Manager is ready at ${scheme}://${host}:${port}/${simulated ? " (simulated NAS)" : ""}`,
    );
  };
  try {
    return Deno.serve({ ...tls, hostname: listenHost, port: listenPort, onListen }, handler);
  } catch (error) {
    if (tls !== null && !(error instanceof Deno.errors.AddrInUse)) {
      const message = `Certificate and key cannot be used together: ${
        error instanceof Error ? error.message : error
      }`;
      throw new ConfigurationError("environment", [{ field: "TLS_CERT_FILE", message }], { cause: error });
    }
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    const message =
      `Port ${listenPort} is in use on ${listenHost}; set PORT to another one, or to 0 for a free one`;
    throw new ConfigurationError("environment", [{ field: "PORT", message }], { cause: error });
  }
}

/** Waits for SIGINT or SIGTERM. A second signal ends the program at once. */
function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const onSignal = () => {
    if (asked) Deno.exit(EXIT.failed);
    asked = true;
    resolve();
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  return promise;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
