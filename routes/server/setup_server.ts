/** Serves set-up, before the dashboard has a NAS. */
import type { OuterSetting } from "../../lib/configuration/environment/stored_settings.ts";
import type { Options } from "../../lib/command_line/arguments.ts";
import {
  type ConfigurationFile,
  parseConfigurationFile,
  readConfigurationFile,
} from "../../lib/configuration/configuration_file.ts";
import { isLoopback } from "../../lib/configuration/environment/ip_addresses.ts";
import { writingProblem } from "../../lib/configuration/files.ts";
import { describePermissions, type Permissions } from "../../lib/configuration/permissions.ts";
import { trustedCertificatesOf } from "../../lib/configuration/environment/trusted_certificates.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import { isMissing } from "../../lib/errors/system_errors.ts";
import { logStrayErrors } from "../../lib/errors/unhandled_errors.ts";
import { setupLogging } from "../../lib/observability/logging.ts";
import { randomText } from "../../lib/setup/choices.ts";
import { paths, setBasePath } from "../../templates/paths.ts";
import { createSetupApp } from "../setup/app.tsx";
import { SetupSessions } from "../setup/sessions.ts";
import type { FoundConfiguration, SetupStart } from "../setup/setup.ts";
import { aborted } from "./http/aborted.ts";
import type { Turn } from "./launch.ts";
import { readTls, type ServerOptions, startListening } from "./server.ts";

/** Options of the server of set-up. */
export interface SetupServerOptions extends
  Turn,
  Pick<
    ServerOptions,
    "settings" | "innerPort" | "maxConnections" | "print" | "handOver" | "signal"
  > {
  readonly setup: SetupStart;
  readonly options: Options;
  readonly configFile: string;
  readonly tunnelSockets: readonly string[];
  readonly permissions: Permissions;
  /** Settings of the connection that set-up cannot change. */
  readonly outerSettings: readonly OuterSetting[];
}

/** In two groups: `abcd-efgh`. */
const CODE_GROUP_CHARS = 4;

/**
 * Serves until the signal is aborted.
 *
 * @throws {ConfigurationError} when it cannot start.
 */
export async function serveSetup(serving: SetupServerOptions): Promise<void> {
  const { settings, setup, options, configFile, tunnelSockets, permissions, print, signal } = serving;
  const { listenHost, logLevel, logFormat, dashboardPassword, viewerPassword } = settings;
  const configuration = () => configurationIn(configFile, options);
  configuration();
  const tls = readTls(settings);
  const secrets = [...Object.entries(setup.stored), ["", dashboardPassword], ["", viewerPassword]].flatMap(
    ([name, value]) => value && (name === "" || /PASSWORD|KEY/.test(name ?? "")) ? [value] : [],
  );
  const logger = setupLogging(logLevel, { format: logFormat, secrets });
  logStrayErrors(logger);
  setBasePath(settings.basePath);
  const code = dashboardPassword !== null || isLoopback(listenHost) ? null : newCode();
  const { TRUENAS_HOST: host = "", API_USERNAME: username = "" } = setup.stored;
  const method = setup.stored["API_PASSWORD"] === undefined ? "key" : "password";
  const sessions = new SetupSessions({ host, username, method });
  const { caCerts = [] } = trustedCertificatesOf(settings);
  let port = settings.listenPort;
  const app = createSetupApp({
    ...setup,
    access: {
      password: dashboardPassword,
      viewerPassword: null,
      metricsToken: null,
      authProxy: null,
      secure: tls !== null,
      allowedHosts: [listenHost, ...settings.allowedHosts],
      trustedProxies: settings.trustedProxies,
    },
    code,
    sessions,
    stateDir: settings.stateDir,
    configFile,
    configuration,
    connecting: { caCerts, tunnelSockets },
    // The one that set-up stored earlier is what it may change.
    certFingerprint: serving.outerSettings.some(({ name }) => name === "TRUENAS_CERT_FINGERPRINT")
      ? settings.certFingerprint
      : null,
    logger,
    now: Date.now,
    handOver: serving.handOver,
    openDashboard: (handOver) => serving.switchTo({ next: "dashboard", port, handOver }),
  });
  const error = writingProblem(settings.stateDir);
  if (error !== null) {
    const remedy = "make it writable, or choose another one in STATE_DIR";
    logger.warning(`The state folder cannot be written, so set-up cannot finish; ${remedy}`, {
      folder: settings.stateDir,
      error,
    });
  }
  logger.info("Starting set-up, because no NAS is configured or the connection is to be changed", {
    permissions: describePermissions(permissions),
  });
  await serving.untilPortIsFree();
  if (signal.aborted) return;
  const note = " (no NAS is connected yet: open it to set one up)";
  const listener = startListening((request, info) => app.fetch(request, info), serving, {
    tls,
    logger,
    note,
  });
  port = listener.port;
  if (code !== null) print(`The code for ${paths.setup()} is ${code}. It works once`);
  await aborted(signal);
  await listener.close();
  serving.portIsFree();
  await sessions.close();
}

function newCode(): string {
  return `${randomText(CODE_GROUP_CHARS)}-${randomText(CODE_GROUP_CHARS)}`;
}

/** What the configuration says; null where there is none, unless it was named on the command line. */
function configurationIn(path: string, { config }: Options): FoundConfiguration | null {
  let file: ConfigurationFile;
  try {
    file = { text: readConfigurationFile(path), source: path };
  } catch (error) {
    const isAbsent = error instanceof ConfigurationError && isMissing(error.cause);
    if (isAbsent && config === undefined) return null;
    throw error;
  }
  const { storage } = parseConfigurationFile(file).configuration;
  return { poolPath: storage.pool_path, cdromPath: storage.cdrom_path };
}
