/** Starts the dashboard from its settings, listens, and stops it in order. */
import { Approvals } from "../../lib/agents/approvals.ts";
import { dashboardAddress, nasOf } from "../../lib/agents/dashboard_address.ts";
import { isLoopback, isWithin } from "../../lib/configuration/environment/ip_addresses.ts";
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import type { ConfigurationStore } from "../../lib/configuration/editing/configuration_store.ts";
import { TemplateTexts } from "../../lib/configuration/editing/template_texts.ts";
import type { Settings } from "../../lib/configuration/environment/settings.ts";
import type { OuterSetting } from "../../lib/configuration/environment/stored_settings.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import { readTextFile } from "../../lib/configuration/files.ts";
import { describeSystemError, reasonOf, systemErrorCode } from "../../lib/errors/system_errors.ts";
import { type Logger, setupLogging } from "../../lib/observability/logging.ts";
import { Metrics } from "../../lib/observability/metrics.ts";
import { isUnencrypted, parseNasAddress } from "../../lib/configuration/environment/nas_address.ts";
import { Journal, type OperationJournal } from "../../lib/operations/record/journal.ts";
import { residentBytes } from "../../lib/command_line/process.ts";
import { logStrayErrors, runDetached } from "../../lib/errors/unhandled_errors.ts";
import { TemplateManager } from "../../lib/template_manager.ts";
import { watch } from "../../lib/notifications/watch.ts";
import { Webhook } from "../../lib/notifications/webhook.ts";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { VMManager } from "../../lib/vm_manager.ts";
import { paths, setBasePath } from "../../templates/paths.ts";
import { createApp } from "../app.tsx";
import { serveAgents } from "./agents.ts";
import { aborted } from "./http/aborted.ts";
import { listen, type Listener, type ListenerOptions, type Tls } from "./http/guarded_listener.ts";
import type { HandOver } from "../auth/hand_over.ts";
import type { Turn } from "./launch.ts";
import { OneTimeTokens } from "../auth/tokens.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";

/** Options of the server. */
export interface ServerOptions extends Turn {
  readonly settings: Settings;
  /** The NAS and the account on it. */
  readonly nas: VMManagerOptions;
  readonly templatesDir: string | undefined;
  /** What the demo's story left; default none for a simulated NAS, and the one of the state folder for others. */
  readonly journal?: OperationJournal;
  /** Reads the current configuration. */
  readonly configuration: () => ParsedConfiguration;
  /** Where it is kept and saved. */
  readonly configurationStore: ConfigurationStore;
  /** Where agents reach the dashboard; null if they do not. */
  readonly agentSocket: string | null;
  /** Path of the configuration file. */
  readonly configFile: string;
  /** The program's permissions, for the log. */
  readonly permissions: string;
  /** Prints a line on standard output. */
  readonly print: (text: string) => void;
  /** A free loopback port for the inner server. */
  readonly innerPort: number;
  /** The most connections at once. */
  readonly maxConnections: number;
  /** Settings of the connection that set-up cannot change. */
  readonly outerSettings: readonly OuterSetting[];
  /** Path of the file of settings. */
  readonly envFile: string;
  /** The signed-in browser that comes from set-up; null if there is none. */
  readonly handOver: HandOver | null;
  /** Stops the server. */
  readonly signal: AbortSignal;
}

/** How long a page waits for the NAS before it shows an error. */
const PAGE_CONNECTION_WAIT_MS = 2_000;

/** A page waits at most twice this long for a connected NAS that does not respond. */
const PAGE_SILENCE_MS = 2_000;

/** Operations may finish, then are cancelled, within the ten seconds that service managers allow at least. */
const WIND_DOWN = { finishMs: 4_000, cancelMs: 3_000 } as const;

/**
 * Serves until the signal is aborted.
 *
 * @throws {ConfigurationError} when it cannot start; nothing was sent to the NAS then.
 */
export async function serveDashboard(options: ServerOptions): Promise<void> {
  const { settings, nas, configuration, configurationStore, signal } = options;
  // The simulated NAS keeps nothing, so its history is not kept either.
  using opened = nas.simulated ? undefined : Journal.open(settings.stateDir);
  const journal = opened ?? options.journal;
  const { listenHost, readOnly, noDestroy, logLevel, logFormat } = settings;
  const { dashboardPassword, viewerPassword } = settings;
  if (!isLoopback(listenHost) && dashboardPassword === null) {
    const message =
      `Listening on ${listenHost} requires a password. Set DASHBOARD_PASSWORD, or HOST=127.0.0.1`;
    throw new ConfigurationError("environment", [{ field: "HOST", message }]);
  }
  const tls = readTls(settings);
  const secrets = [
    nas.password,
    nas.apiKey,
    nas.vncPassword,
    dashboardPassword,
    viewerPassword,
    settings.metricsToken,
    settings.webhook?.url,
    settings.webhook?.secret,
  ].filter((secret) => typeof secret === "string");
  const logger = setupLogging(logLevel, { format: logFormat, secrets });
  logStrayErrors(logger);
  const templateManager = new TemplateManager(options.templatesDir);
  const metrics = new Metrics();
  const startedAt = Date.now() / 1000;
  metrics.gauge("process_start_time_seconds", () => [{ value: startedAt }]);
  metrics.gauge("process_resident_memory_bytes", () => [{ value: residentBytes() }]);
  await using manager = new VMManager({
    ...nas,
    metrics,
    templateManager,
    readOnly,
    noDestroy,
    logger,
    waitMs: settings.waitMinutes * 60_000,
    // The demo's story shows an operation to decide about.
    resume: settings.resume && !readOnly && !nas.simulated,
    ...(journal === undefined ? {} : { journal }),
    ...(settings.publicHost === null ? {} : { publicHost: settings.publicHost }),
    connectionWaitMs: PAGE_CONNECTION_WAIT_MS,
    silenceMs: PAGE_SILENCE_MS,
  });
  manager.readiness.start();
  await using _notifications = notifications(settings, manager, logger);
  setBasePath(settings.basePath);
  let port = settings.listenPort;
  const ending = new AbortController();
  const stopping = new AbortController();
  const approvals = opened === undefined ? null : new Approvals({
    journal: opened.approvals,
    audit: manager.audit,
    nas: nasOf(nas.host),
    now: Date.now,
  });
  const address = parseNasAddress(nas.host);
  const account = describeAccount(nas);
  const app = createApp({
    manager,
    host: nas.simulated ? "demo" : address.ok ? address.address.host : nas.host,
    simulated: nas.simulated ?? false,
    account,
    unencrypted: address.ok && isUnencrypted(address.address),
    configuration,
    configurationStore,
    templateTexts: new TemplateTexts({
      templatesDir: options.templatesDir,
      versionsFolder: `${settings.stateDir}/templates`,
      isDemo: nas.simulated ?? false,
    }),
    tokens: new OneTimeTokens(),
    approvals: readOnly ? null : approvals,
    metrics,
    handOver: options.handOver,
    access: {
      password: dashboardPassword,
      viewerPassword,
      metricsToken: settings.metricsToken,
      authProxy: settings.authProxy,
      secure: tls !== null,
      allowedHosts: [listenHost, ...settings.allowedHosts],
      trustedProxies: settings.trustedProxies,
    },
    connectionSettings: {
      outer: options.outerSettings,
      envFile: options.envFile,
      startSetup: (handOver) => options.switchTo({ next: "setup", port, handOver }),
    },
    logger,
    now: Date.now,
    ending: ending.signal,
    stopping: stopping.signal,
  });
  logger.info("Starting", {
    nas: `${manager.connection.address} ${account}`,
    journal: opened === undefined ? "none" : settings.stateDir,
    access: describeAccess(settings),
    writes: readOnly ? "none (READ_ONLY)" : noDestroy ? "no deletions (NO_DESTROY)" : "all",
    permissions: options.permissions,
  });
  await options.untilPortIsFree();
  if (signal.aborted) return;
  const note = nas.simulated ? " (simulated NAS)" : "";
  const listener = startListening((request, info) => app.fetch(request, info), options, {
    tls,
    logger,
    note,
  });
  port = listener.port;
  await using _agents = approvals === null || options.agentSocket === null
    ? null
    : await serveAgents(options.agentSocket, {
      manager,
      approvals,
      configuration,
      nas: nas.host,
      configFile: resolve(options.configFile),
      dashboard: dashboardAddress(settings, port),
      isReadOnly: readOnly,
      secrets,
      logger,
    });
  runDetached(manager.connection.keepConnected(), "connecting to the NAS", logger);
  await aborted(signal);
  logger.info("Stopping. No new operations start; running ones may finish", {
    waitMs: WIND_DOWN.finishMs,
  });
  ending.abort();
  for (const { id, title } of await manager.operations.drain(WIND_DOWN)) {
    logger.warning("Operation not finished. Its page shows it after the next start", {
      operation: id,
      title,
    });
  }
  stopping.abort();
  await listener.close();
  options.portIsFree();
  await manager.disconnect();
  logger.info("Stopped");
}

/** Tells the webhook of what happens, until it is disposed of; nothing without one. */
function notifications({ webhook }: Settings, manager: VMManager, logger: Logger): AsyncDisposable | null {
  if (webhook === null) return null;
  const now = Date.now;
  const hook = new Webhook(webhook, {
    logger,
    now,
    // A wait that was cut short is over, too.
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
  });
  const { operations: { store: operations }, connection, readiness } = manager;
  const end = watch({ operations, connection, readiness, now }, (notice) => hook.send(notice));
  return {
    [Symbol.asyncDispose]: async () => {
      end();
      await hook[Symbol.asyncDispose]();
    },
  };
}

/** How the program signs in to the NAS, without secrets. */
function describeAccount({ host, username, apiKey }: VMManagerOptions): string {
  if (host.trim().startsWith("unix:")) return "as root, over the NAS's local socket";
  return `as ${username ?? ""}, ${apiKey === undefined ? "with a password" : "with an API key"}`;
}

function describeAccess({ dashboardPassword, viewerPassword }: Settings): string {
  if (dashboardPassword === null) return "anyone on this machine";
  return viewerPassword === null ? "by password" : "by password, with a viewer password";
}

/**
 * The dashboard's certificate and key.
 *
 * @throws {ConfigurationError} when a file cannot be read.
 */
export function readTls({ tls }: Settings): Tls | null {
  if (tls === null) return null;
  const read = (field: string, path: string) => {
    try {
      return readTextFile(path);
    } catch (error) {
      throw new ConfigurationError("environment", [{
        field,
        message: `Cannot read ${path}: ${reasonOf(error)}`,
      }]);
    }
  };
  return { cert: read("TLS_CERT_FILE", tls.certFile), key: read("TLS_KEY_FILE", tls.keyFile) };
}

/** Listens and prints the address; `note` is printed behind it. */
export function startListening(
  handler: ListenerOptions["handler"],
  { settings, innerPort, maxConnections, print }: Pick<
    ServerOptions,
    "settings" | "innerPort" | "maxConnections" | "print"
  >,
  { tls, logger, note }: { readonly tls: Tls | null; readonly logger: Logger; readonly note: string },
): Listener {
  const { listenHost: hostname, listenPort: port, trustedProxies } = settings;
  const isShared = (address: string) => isWithin(address, trustedProxies);
  let listener: Listener;
  try {
    listener = listen({ hostname, port, innerPort, tls, maxConnections, isShared, handler, logger });
  } catch (error) {
    throw cannotListen(error, settings);
  }
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const scheme = tls === null ? "http" : "https";
  print(`TrueNAS VM Manager is ready at ${scheme}://${host}:${listener.port}${paths.home()}${note}`);
  return listener;
}

/** Linux lets only root listen on ports below this one. */
const FIRST_UNPRIVILEGED_PORT = 1024;

function cannotListen(error: unknown, { listenHost, listenPort, tls }: Settings): unknown {
  const refuse = (field: string, message: string) =>
    new ConfigurationError("environment", [{ field, message }], { cause: error });
  const system = systemErrorCode(error) === null ? null : describeSystemError(error);
  if (systemErrorCode(error) === "EADDRINUSE") {
    const message =
      `Port ${listenPort} is in use on ${listenHost}. Set PORT to another port, or to 0 for a free one`;
    return refuse("PORT", message);
  }
  if (systemErrorCode(error) === "EACCES" && listenPort < FIRST_UNPRIVILEGED_PORT) {
    const message = `Only root may listen on port ${listenPort}: it is below ${FIRST_UNPRIVILEGED_PORT}. ` +
      "Set PORT to a higher one; a reverse proxy can listen on the lower one";
    return refuse("PORT", message);
  }
  if (system !== null) {
    const message = `Cannot listen on ${listenHost}, port ${listenPort}: ${system}. Set another HOST or PORT`;
    return refuse("HOST", message);
  }
  if (tls === null) return error;
  return refuse(
    "TLS_CERT_FILE",
    "The TLS certificate and key cannot be used. Both must be PEM files and belong together " +
      `(${reasonOf(error)})`,
  );
}
