/** The dashboard as a server: put together from its settings, listening, and stopped in order. */
import { isLoopback, isWithin } from "../../lib/configuration/ip_addresses.ts";
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import type { Settings } from "../../lib/configuration/environment.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import { readTextFile } from "../../lib/configuration/files.ts";
import { describeSystemError, reasonOf, systemErrorCode } from "../../lib/errors/system_errors.ts";
import { type Logger, setupLogging } from "../../lib/observability/logging.ts";
import { Metrics } from "../../lib/observability/metrics.ts";
import { isUnencrypted, parseNasAddress } from "../../lib/configuration/nas_address.ts";
import { Journal } from "../../lib/operations/journal.ts";
import { residentBytes } from "../../lib/command_line/process.ts";
import { logStrayErrors, runDetached } from "../../lib/command_line/unhandled_errors.ts";
import { TemplateManager } from "../../lib/template_manager.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import { paths, setBasePath } from "../../templates/paths.ts";
import { createApp } from "../app.tsx";
import { listen, type Listener, type ListenerOptions, type Tls } from "./guarded_listener.ts";
import { OneTimeTokens } from "../auth/tokens.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";

/** What a server is started with. */
export interface ServerOptions {
  readonly settings: Settings;
  /** The NAS and its account. */
  readonly nas: VMManagerOptions;
  readonly templatesDir: string | undefined;
  /** Reads the configuration anew. */
  readonly configuration: () => ParsedConfiguration;
  /** What the program may touch, for the log. */
  readonly permissions: string;
  /** Says one line on standard output. */
  readonly print: (text: string) => void;
  /** A free port of loopback, where the server itself listens. */
  readonly innerPort: number;
  /** How many connections there may be at once. */
  readonly maxConnections: number;
  /** Ends the serving. */
  readonly signal: AbortSignal;
}

/** OpenTelemetry's own mark, which the runtime sets when it exports (`@opentelemetry/api`, its global registry). */
const IS_TRACED = Symbol.for("opentelemetry.js.api.1") in globalThis;

/** Loaded with this module, before its first request. */
const telemetry = IS_TRACED ? await import("./telemetry.ts") : null;

/** A page waits this long for a connection, and then says what is wrong with it. */
const PAGE_PATIENCE_MS = 2_000;

/** A page waits no longer than twice this for a NAS that is connected and answers nothing at all. */
const PAGE_SILENCE_MS = 2_000;

/** A service manager kills after ten seconds or more: what is under way may finish, and is cancelled after that. */
const WIND_DOWN = { finishMs: 4_000, cancelMs: 3_000 } as const;

/**
 * Serves until it is told to stop.
 *
 * @throws {ConfigurationError} when it cannot start: nothing was sent to the NAS then.
 */
export async function serveDashboard(options: ServerOptions): Promise<void> {
  const { settings, nas, configuration, signal } = options;
  // The demo's NAS forgets everything when it ends, and so does its history.
  using journal = nas.simulated ? undefined : Journal.open(settings.stateDir);
  const { listenHost, readOnly, noDestroy, logLevel, logFormat } = settings;
  const { dashboardPassword, viewerPassword } = settings;
  if (!isLoopback(listenHost) && dashboardPassword === null) {
    const message =
      `It listens beyond this machine (${listenHost}) only with a password: set DASHBOARD_PASSWORD, or HOST=127.0.0.1`;
    throw new ConfigurationError("environment", [{ field: "HOST", message }]);
  }
  const tls = readTls(settings);
  const secrets = [nas.password, nas.apiKey, nas.vncPassword, dashboardPassword, viewerPassword].filter((
    secret,
  ) => typeof secret === "string");
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
    ...(journal === undefined ? {} : { journal }),
    ...(settings.publicHost === null ? {} : { publicHost: settings.publicHost }),
    connectionWaitMs: PAGE_PATIENCE_MS,
    silenceMs: PAGE_SILENCE_MS,
  });
  setBasePath(settings.basePath);
  const ending = new AbortController();
  const stopping = new AbortController();
  const address = parseNasAddress(nas.host);
  const account = describeAccount(nas);
  const app = createApp({
    manager,
    host: nas.simulated ? "demo" : address.ok ? address.address.host : nas.host,
    simulated: nas.simulated ?? false,
    account,
    unencrypted: address.ok && isUnencrypted(address.address),
    configuration,
    tokens: new OneTimeTokens(),
    metrics,
    access: {
      password: dashboardPassword,
      viewerPassword,
      secure: tls !== null,
      allowedHosts: [listenHost, ...settings.allowedHosts],
      trustedProxies: settings.trustedProxies,
    },
    logger,
    now: Date.now,
    ending: ending.signal,
    stopping: stopping.signal,
  }, telemetry);
  logger.info("Starting", {
    nas: `${manager.connection.address} ${account}`,
    journal: journal === undefined ? "none" : settings.stateDir,
    access: describeAccess(settings),
    writes: readOnly ? "none (READ_ONLY)" : noDestroy ? "no deletions (NO_DESTROY)" : "all",
    permissions: options.permissions,
  });
  const listener = startListening((request, info) => app.fetch(request, info), options, { tls, logger });
  runDetached(manager.connection.keepConnected(), "connecting to the NAS", logger);
  await aborted(signal);
  logger.info("Stopping: nothing more is begun, and what is under way may finish", {
    waitMs: WIND_DOWN.finishMs,
  });
  ending.abort();
  for (const { id, title } of await manager.operations.drain(WIND_DOWN)) {
    logger.warning("Not over; its page tells of it after the next start", { operation: id, title });
  }
  stopping.abort();
  await listener.close();
  await manager.disconnect();
  logger.info("Stopped");
}

/** Resolves when the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (!signal.aborted) await promise;
}

/** How it signs in, without a secret. */
function describeAccount({ host, username, apiKey }: VMManagerOptions): string {
  if (host.trim().startsWith("unix:")) return "as root, over the NAS's own socket";
  return `as ${username ?? ""}, ${apiKey === undefined ? "with a password" : "with an API key"}`;
}

function describeAccess({ dashboardPassword, viewerPassword }: Settings): string {
  if (dashboardPassword === null) return "everybody on this machine";
  return viewerPassword === null ? "by password" : "by password, viewers by theirs";
}

function readTls({ tls }: Settings): Tls | null {
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

/** Listens, and says where. */
function startListening(
  handler: ListenerOptions["handler"],
  { settings, innerPort, maxConnections, nas, print }: ServerOptions,
  { tls, logger }: { readonly tls: Tls | null; readonly logger: Logger },
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
  const what = nas.simulated ? " (simulated NAS)" : "";
  print(`TrueNAS VM Manager is ready at ${scheme}://${host}:${listener.port}${paths.home()}${what}`);
  return listener;
}

function cannotListen(error: unknown, { listenHost, listenPort, tls }: Settings): unknown {
  const refuse = (field: string, message: string) =>
    new ConfigurationError("environment", [{ field, message }], { cause: error });
  const system = systemErrorCode(error) === null ? null : describeSystemError(error);
  if (error instanceof Deno.errors.AddrInUse) {
    const said = `Port ${listenPort} is in use on ${listenHost}`;
    return refuse("PORT", `${said}; set PORT to another one, or to 0 for a free one`);
  }
  if (system !== null) {
    const said = `Cannot listen on ${listenHost}, port ${listenPort}: ${system}`;
    return refuse("HOST", `${said}. Set HOST or PORT to another one`);
  }
  if (tls === null) return error;
  return refuse(
    "TLS_CERT_FILE",
    "Certificate and key cannot be used together: both must be PEM, and belong to each other " +
      `(the runtime says: ${reasonOf(error)})`,
  );
}
