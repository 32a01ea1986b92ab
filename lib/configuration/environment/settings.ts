/** The settings of the dashboard and the command line, from environment variables. */
import { LOG_LEVELS, type LogLevel } from "../../observability/log_levels.ts";
import { choiceExpected, LISTEN_PORTS, parseWholeNumber, show, wholeNumberExpected } from "../../inputs.ts";
import {
  type EnvironmentName,
  type EnvironmentVariables,
  readFingerprint,
  readFlag,
  readNas,
  type ReadOptions,
  readVariables,
  type Variables,
} from "./environment.ts";
import { WEBHOOK_FORMATS } from "../../notifications/notice.ts";
import type { WebhookTarget } from "../../notifications/webhook.ts";
import { isAddressRange, normalAddress } from "./ip_addresses.ts";
import { parsePublicHost } from "./public_host.ts";

/** Where the journal is kept unless STATE_DIR says otherwise. */
export const DEFAULT_STATE_DIR = "./state";

/** How the NAS reaches this machine. */
export interface SeedAddress {
  /** A name or an address. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** How a reverse proxy tells who has signed in there. */
export interface AuthProxy {
  /** In lower case: `x-remote-user`. */
  readonly header: string;
  /** Who may make changes; everybody else only looks. */
  readonly admins: readonly string[];
}

/** The settings of the dashboard and the command line. */
export interface Settings {
  /** null when no NAS is needed (demo). */
  readonly nas: EnvironmentVariables | null;
  readonly caFile: string | null;
  /** Pairs of uppercase hexadecimal digits separated by colons. */
  readonly certFingerprint: string | null;
  /** Password for signing in; null: no password is required. */
  readonly dashboardPassword: string | null;
  readonly viewerPassword: string | null;
  /** What opens the metrics without a password; null: nothing does. */
  readonly metricsToken: string | null;
  /** Where browsers and viewers reach the NAS; null: at the same address as this program. */
  readonly publicHost: string | null;
  readonly allowedHosts: readonly string[];
  /** `/vms`, or empty for the root. */
  readonly basePath: string;
  /** Addresses and ranges of trusted reverse proxies. */
  readonly trustedProxies: readonly string[];
  /** Who signs people in besides the dashboard; null: nobody does. */
  readonly authProxy: AuthProxy | null;
  /** Files for serving HTTPS; null: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  readonly listenHost: string;
  /** 0 picks a free one. */
  readonly listenPort: number;
  /** Where the NAS fetches images from this machine; null: nowhere. */
  readonly seed: SeedAddress | null;
  /** Folder of the journal. */
  readonly stateDir: string;
  /** How long an operation waits while the NAS is away, in minutes. */
  readonly waitMinutes: number;
  /** Whether creations that a restart of this program interrupted are resumed. */
  readonly resume: boolean;
  /** What is told of what happened; null: nothing is. */
  readonly webhook: WebhookTarget | null;
  readonly readOnly: boolean;
  readonly noDestroy: boolean;
  readonly logLevel: LogLevel;
  /** Whether somebody asked for this level. */
  readonly isLogLevelSet: boolean;
  readonly logFormat: "text" | "json";
  /** Whether progress is drawn in place, where the output is a terminal. */
  readonly drawsProgress: boolean;
  /** Whether colours are added to it. */
  readonly colors: boolean;
}

/**
 * Every setting.
 *
 * @throws {ConfigurationError} listing everything that is missing or wrong.
 */
export function readSettings(options: ReadOptions = {}): Settings {
  return readVariables(options, (variables) => {
    const { get } = variables;
    return {
      nas: options.needNas === false ? null : readNas(variables, options),
      caFile: get("TRUENAS_CA_FILE") ?? null,
      certFingerprint: readFingerprint(variables),
      dashboardPassword: get("DASHBOARD_PASSWORD") ?? null,
      viewerPassword: readViewerPassword(variables),
      metricsToken: readMetricsToken(variables),
      publicHost: readPublicHost(variables),
      allowedHosts: readAllowedHosts(variables),
      basePath: readBasePath(variables),
      trustedProxies: readTrustedProxies(variables),
      authProxy: readAuthProxy(variables),
      tls: readTls(variables),
      listenHost: get("HOST") ?? "127.0.0.1",
      listenPort: readPort(variables, "PORT", DEFAULT_PORT),
      seed: readSeed(variables),
      stateDir: get("STATE_DIR") ?? DEFAULT_STATE_DIR,
      waitMinutes: readWaitMinutes(variables),
      resume: readChoice(variables, "RESUME", ["on", "off"] as const) !== "off",
      webhook: readWebhook(variables),
      readOnly: readFlag(variables, "READ_ONLY"),
      noDestroy: readFlag(variables, "NO_DESTROY"),
      logLevel: readChoice(variables, "LOG_LEVEL", LOG_LEVELS) ?? "INFO",
      isLogLevelSet: get("LOG_LEVEL") !== undefined,
      logFormat: readChoice(variables, "LOG_FORMAT", ["text", "json"] as const) ?? "text",
      drawsProgress: get("TERM") !== "dumb" && get("CI") === undefined,
      colors: get("NO_COLOR") === undefined,
    };
  });
}

function readViewerPassword({ get, refuse }: Variables): string | null {
  const viewer = get("DASHBOARD_VIEWER_PASSWORD");
  if (viewer === undefined) return null;
  const password = get("DASHBOARD_PASSWORD");
  if (password === undefined) refuse("DASHBOARD_VIEWER_PASSWORD", "Requires DASHBOARD_PASSWORD; set both");
  if (viewer === password) {
    refuse("DASHBOARD_VIEWER_PASSWORD", "Must differ from DASHBOARD_PASSWORD; choose another password");
  }
  return viewer;
}

/** Shorter ones could be guessed. */
const MIN_TOKEN_CHARS = 16;

function readMetricsToken({ get, refuse }: Variables): string | null {
  const token = get("METRICS_TOKEN");
  if (token === undefined) return null;
  if (!/^[!-~]+$/.test(token) || token.length < MIN_TOKEN_CHARS) {
    const how = "for example what openssl rand -hex 32 prints";
    refuse(
      "METRICS_TOKEN",
      `Needs at least ${MIN_TOKEN_CHARS} letters, digits or signs without spaces; ${how}`,
    );
  }
  return token;
}

function readWebhook(variables: Variables): WebhookTarget | null {
  const { get, refuse } = variables;
  const [url, secret = null] = [get("WEBHOOK_URL"), get("WEBHOOK_SECRET")];
  const format = readChoice(variables, "WEBHOOK_FORMAT", WEBHOOK_FORMATS) ?? "generic";
  if (url === undefined) {
    if (secret !== null) refuse("WEBHOOK_SECRET", "Requires WEBHOOK_URL; set both");
    return null;
  }
  // The value is not shown, because it may contain a secret.
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    refuse("WEBHOOK_URL", "WEBHOOK_URL must be an address such as https://ntfy.sh/my-topic");
    return null;
  }
  return { url, secret, format };
}

function readPublicHost({ get, refuse }: Variables): string | null {
  const text = get("NAS_PUBLIC_HOST") ?? null;
  if (text !== null && parsePublicHost(text) === null) {
    const expected = "a host such as nas.lan, nas.lan:444 or https://nas.lan";
    refuse("NAS_PUBLIC_HOST", `NAS_PUBLIC_HOST must be ${expected}, found ${show(text)}`);
  }
  return text;
}

/** Rejects patterns and URLs, which would never match, so that the dashboard would refuse every request. */
function readAllowedHosts({ get, refuse }: Variables): readonly string[] {
  const hosts = listOf(get("ALLOWED_HOSTS"));
  const isHost = (text: string) =>
    normalAddress(text) !== null || (/^[^*/@\s]+$/.test(text) && URL.canParse(`http://${text}/`));
  for (const host of hosts.filter((it) => !isHost(it))) {
    const expected = "comma-separated host names such as vms.lan";
    refuse("ALLOWED_HOSTS", `ALLOWED_HOSTS must be ${expected}, found ${show(host)}`);
  }
  return hosts;
}

function readBasePath({ get, refuse }: Variables): string {
  const path = (get("BASE_PATH") ?? "").replace(/\/+$/, "");
  if (path !== "" && !/^(\/[\w.~-]+)+$/.test(path)) {
    refuse("BASE_PATH", `BASE_PATH must be a path such as /vms, found ${show(path)}`);
  }
  return path;
}

/** A proxy makes the dashboard reachable from elsewhere, so it requires a password as listening there would. */
function readTrustedProxies({ get, refuse }: Variables): readonly string[] {
  const proxies = listOf(get("TRUSTED_PROXIES"));
  for (const proxy of proxies.filter((it) => !isAddressRange(it))) {
    const example = "write one such as 192.0.2.1, or a range such as 172.16.0.0/12";
    refuse("TRUSTED_PROXIES", `${show(proxy)} is not an address; ${example}`);
  }
  if (proxies.length > 0 && get("DASHBOARD_PASSWORD") === undefined) {
    const message =
      "A reverse proxy makes the dashboard reachable from other machines, which requires a password; " +
      "set DASHBOARD_PASSWORD, or remove TRUSTED_PROXIES";
    refuse("TRUSTED_PROXIES", message);
  }
  return proxies;
}

/** Headers that mean something else, or that a client sets by itself. */
const OTHER_HEADERS =
  /^(authorization|cookie|host|origin|referer|connection|upgrade|x-forwarded-(for|host|proto|port)|sec-.*)$/;

function readAuthProxy({ get, refuse }: Variables): AuthProxy | null {
  const header = get("AUTH_PROXY_HEADER")?.toLowerCase();
  if (header === undefined) {
    if (get("AUTH_PROXY_ADMINS") !== undefined) {
      refuse("AUTH_PROXY_ADMINS", "Requires AUTH_PROXY_HEADER; set both");
    }
    return null;
  }
  if (!/^[a-z0-9-]+$/.test(header) || OTHER_HEADERS.test(header)) {
    const expected = "the name of a header that only the proxy sets, such as X-Remote-User";
    refuse("AUTH_PROXY_HEADER", `AUTH_PROXY_HEADER must be ${expected}, found ${show(header)}`);
  }
  if (get("TRUSTED_PROXIES") === undefined) {
    const message = "Is only believed from a trusted proxy; set TRUSTED_PROXIES to its address";
    refuse("AUTH_PROXY_HEADER", message);
  }
  return { header, admins: listOf(get("AUTH_PROXY_ADMINS")) };
}

/** Values separated by commas or spaces. */
function listOf(text = ""): readonly string[] {
  return text.split(/[\s,]+/).filter((value) => value !== "");
}

function readTls({ get, refuse }: Variables): Settings["tls"] {
  const [certFile, keyFile] = [get("TLS_CERT_FILE"), get("TLS_KEY_FILE")];
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined || keyFile !== undefined) {
    refuse("TLS_CERT_FILE", "HTTPS requires both TLS_CERT_FILE and TLS_KEY_FILE; set the missing one");
  }
  return null;
}

const DEFAULT_PORT = "8080";
const DEFAULT_SEED_PORT = "8081";

function readPort({ get, refuse }: Variables, name: "PORT" | "SEED_PORT", usual: string): number {
  const text = get(name) ?? usual;
  const port = parseWholeNumber(text, LISTEN_PORTS);
  if (port === null) refuse(name, wholeNumberExpected(name, LISTEN_PORTS, text));
  return port ?? 0;
}

function readSeed(variables: Variables): SeedAddress | null {
  const { get, refuse } = variables;
  const host = get("SEED_HOST")?.replace(/^\[(.*)\]$/, "$1");
  if (host === undefined) {
    if (get("SEED_PORT") !== undefined) refuse("SEED_PORT", "Requires SEED_HOST; set both");
    return null;
  }
  if (normalAddress(host) === null && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) {
    const expected = "a name or address of this machine such as vms.lan or 192.0.2.10, without a port";
    refuse("SEED_HOST", `SEED_HOST must be ${expected}, found ${show(host)}`);
  }
  return { host, port: readPort(variables, "SEED_PORT", DEFAULT_SEED_PORT) };
}

/** How long an operation can be told to wait, in minutes: up to a day. */
export const WAIT_MINUTES = { lowest: 0, highest: 24 * 60 } as const;

function readWaitMinutes({ get, refuse }: Variables): number {
  const text = get("WAIT_MINUTES") ?? "15";
  const minutes = parseWholeNumber(text, WAIT_MINUTES);
  if (minutes === null) refuse("WAIT_MINUTES", wholeNumberExpected("WAIT_MINUTES", WAIT_MINUTES, text));
  return minutes ?? 0;
}

function readChoice<T extends string>(
  { get, refuse }: Variables,
  name: EnvironmentName,
  choices: readonly T[],
): T | undefined {
  const text = get(name);
  const chosen = choices.find((choice) => choice.toLowerCase() === text?.toLowerCase());
  if (text !== undefined && chosen === undefined) refuse(name, choiceExpected(name, choices, text));
  return chosen;
}
