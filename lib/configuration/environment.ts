/** Reads the environment by name and reports every problem in one message. Nothing else reads it. */
import { isAddressRange, normalAddress } from "./ip_addresses.ts";
import { type EnvEntry, parseEnvText } from "./env_file.ts";
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { choiceExpected, LISTEN_PORTS, parseWholeNumber, wholeNumberExpected } from "../inputs.ts";
import { decodeText, readTextFile } from "./files.ts";
import { LOG_LEVELS, type LogLevel } from "../observability/log_levels.ts";
import { normalizeFingerprint, parseNasAddress } from "./nas_address.ts";
import { parsePublicHost } from "./public_host.ts";
import { didYouMean } from "../command_line/nearest.ts";
import { isMissing, reasonOf } from "../errors/system_errors.ts";

/** Every environment variable, with its help. */
export const ENVIRONMENT_NAMES = {
  TRUENAS_HOST:
    "The NAS: host, host:port, a ws:// or wss:// URL, or unix:/path/to/socket; a bare host means wss://",
  NAS_PUBLIC_HOST:
    "Where browsers and viewers reach the NAS for consoles: host, host:port or an https:// URL; default TRUENAS_HOST",
  API_USERNAME: "User name on the NAS",
  API_PASSWORD: "Password of API_USERNAME",
  TRUENAS_API_KEY: "API key of API_USERNAME, instead of API_PASSWORD",
  VNC_PASSWORD: "Password for the SPICE displays of new VMs",
  TRUENAS_CA_FILE: "PEM file with an additional CA certificate to trust",
  TRUENAS_CERT_FINGERPRINT: "SHA-256 fingerprint of the NAS's certificate; no other certificate is trusted",
  HOST: "Address the dashboard listens on; default 127.0.0.1",
  DASHBOARD_PASSWORD: "Password for signing in to the dashboard; required unless it listens on loopback only",
  DASHBOARD_VIEWER_PASSWORD: "Second password, for viewers, who cannot make changes",
  ALLOWED_HOSTS: "Comma-separated host names of the dashboard; IP addresses are always allowed",
  BASE_PATH: "Path at which a reverse proxy serves the dashboard, such as /vms; default /",
  TRUSTED_PROXIES:
    "Addresses or ranges of reverse proxies whose X-Forwarded-For, -Host and -Proto headers are trusted",
  TLS_CERT_FILE: "PEM file with the dashboard's certificate, to serve HTTPS without a proxy",
  TLS_KEY_FILE: "PEM file with the key of TLS_CERT_FILE",
  PORT: "Port the dashboard listens on; default 8080, 0 picks a free one",
  STATE_DIR: "Folder of the operation journal; default ./state",
  READ_ONLY: "Set to 1 to refuse every change on the NAS",
  NO_DESTROY: "Set to 1 to refuse every deletion on the NAS",
  LOG_LEVEL: "DEBUG, INFO (default), WARNING or ERROR",
  LOG_FORMAT: "text (default) or json",
} as const;

/** A variable whose value is a secret; `NAME_FILE` can name a file that contains it. */
export type SecretName =
  | "API_PASSWORD"
  | "TRUENAS_API_KEY"
  | "VNC_PASSWORD"
  | "DASHBOARD_PASSWORD"
  | "DASHBOARD_VIEWER_PASSWORD";

const SECRETS: readonly SecretName[] = [
  "API_PASSWORD",
  "TRUENAS_API_KEY",
  "VNC_PASSWORD",
  "DASHBOARD_PASSWORD",
  "DASHBOARD_VIEWER_PASSWORD",
];

/** The variable that names a secret's file: `API_PASSWORD_FILE`. */
export type SecretFile = `${SecretName}_FILE`;

/** A variable that this program reads. */
export type EnvironmentName = keyof typeof ENVIRONMENT_NAMES | SecretFile;

/** Looks up a value; tests replace the process's environment. */
export type Environment = (name: EnvironmentName) => string | undefined;

/** What a script needs to connect and create VMs. */
export interface EnvironmentVariables {
  /** TRUENAS_HOST. */
  readonly host: string;
  /** API_USERNAME; empty over a unix socket. */
  readonly username: string;
  /** Empty when an API key is used instead. */
  readonly password: string;
  /** TRUENAS_API_KEY. */
  readonly apiKey?: string;
  /** VNC_PASSWORD. */
  readonly vncPassword: string;
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
  /** Where browsers and viewers reach the NAS; null: at the same address as this program. */
  readonly publicHost: string | null;
  readonly allowedHosts: readonly string[];
  /** `/vms`, or empty for the root. */
  readonly basePath: string;
  /** Addresses and ranges of trusted reverse proxies. */
  readonly trustedProxies: readonly string[];
  /** Files for serving HTTPS; null: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  readonly listenHost: string;
  /** 0 picks a free one. */
  readonly listenPort: number;
  /** Folder of the journal. */
  readonly stateDir: string;
  readonly readOnly: boolean;
  readonly noDestroy: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
}

/** Values by name. */
export type EnvFile = Readonly<Record<string, string | undefined>>;

/** How settings are read. */
export interface ReadOptions {
  /** Default: the process's own environment. */
  readonly env?: Environment;
  /** Values from a file, see {@link readEnvFile}; the environment takes precedence. */
  readonly envFile?: EnvFile;
  /** Whether the NAS and account are required; default true. */
  readonly needNas?: boolean;
}

function processEnvironment(name: EnvironmentName): string | undefined {
  return Deno.env.get(name);
}

/** How a file of values is read. */
export interface EnvFileOptions {
  /** Whether a missing file is an error; by default it counts as empty. */
  readonly required?: boolean;
  /** Called with a warning about unknown names and about text treated as a comment; default: no warnings. */
  readonly warn?: (message: string) => void;
}

/**
 * Reads a file of NAME=value lines (`.env`). A `#` starts a comment only after a space.
 *
 * @param path Path of the file.
 * @throws {ConfigurationError} (as a rejection) when the file cannot be read.
 */
export async function readEnvFile(
  path: string,
  { required = false, warn }: EnvFileOptions = {},
): Promise<EnvFile> {
  let text: string;
  try {
    text = decodeText(await Deno.readFile(path));
  } catch (error) {
    const missing = isMissing(error);
    if (missing && !required) return {};
    const message = missing ? "No such file" : `The file cannot be read: ${reasonOf(error)}`;
    throw new ConfigurationError(path, [{ field: "", message }], { cause: error });
  }
  const { entries, mistakes } = parseEnvText(text);
  if (mistakes.length > 0) {
    throw new ConfigurationError(
      path,
      mistakes.map(({ line, message }) => ({ field: "", message, line })),
    );
  }
  if (warn !== undefined) {
    for (const entry of entries) {
      for (const doubt of doubtsAbout(entry)) warn(`${path}:${entry.line}: ${doubt}`);
    }
  }
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

function doubtsAbout({ name, hasComment }: EnvEntry): string[] {
  const known = [...Object.keys(ENVIRONMENT_NAMES), ...SECRETS.map((secret) => `${secret}_FILE`)];
  if (!known.includes(name)) {
    return [`${name} is not a setting of this program and has no effect${didYouMean(name, known)}`];
  }
  const isSecret = SECRETS.some((secret) => secret === name);
  if (!isSecret || !hasComment) return [];
  return [
    `The text after # in ${name} was treated as a comment. Quote the value if the # belongs to it`,
  ];
}

/**
 * The four settings that a script needs.
 *
 * @throws {ConfigurationError} naming every setting that is missing.
 *
 * @example
 * ```ts
 * const envFile = await readEnvFile(".env");
 * const { host, username, password, vncPassword } = getEnvironmentVariables({ envFile });
 * ```
 */
export function getEnvironmentVariables(options: ReadOptions = {}): EnvironmentVariables {
  const problems: Problem[] = [];
  const variables = readNas(lookup(options, problems), problems);
  if (variables !== null && problems.length === 0) return variables;
  throw new ConfigurationError("environment", problems);
}

/**
 * Every setting.
 *
 * @throws {ConfigurationError} listing everything that is missing or wrong.
 */
export function readSettings(options: ReadOptions = {}): Settings {
  const problems: Problem[] = [];
  const get = lookup(options, problems);
  const settings: Settings = {
    nas: options.needNas === false ? null : readNas(get, problems),
    caFile: get("TRUENAS_CA_FILE") ?? null,
    certFingerprint: readFingerprint(get, problems),
    dashboardPassword: get("DASHBOARD_PASSWORD") ?? null,
    viewerPassword: readViewerPassword(get, problems),
    publicHost: readPublicHost(get, problems),
    allowedHosts: readAllowedHosts(get, problems),
    basePath: readBasePath(get, problems),
    trustedProxies: readTrustedProxies(get, problems),
    tls: readTls(get, problems),
    listenHost: get("HOST") ?? "127.0.0.1",
    listenPort: readPort(get("PORT") ?? "8080", problems),
    stateDir: get("STATE_DIR") ?? "./state",
    readOnly: readFlag(get, "READ_ONLY", problems),
    noDestroy: readFlag(get, "NO_DESTROY", problems),
    logLevel: oneOf(get, "LOG_LEVEL", LOG_LEVELS, "INFO", problems),
    logFormat: oneOf(get, "LOG_FORMAT", ["text", "json"], "text", problems),
  };
  if (problems.length === 0) return settings;
  throw new ConfigurationError("environment", problems);
}

/** An empty value counts as absent, because `NAME=` in a file means that it was not filled in. */
function lookup(
  { env = processEnvironment, envFile: file = {} }: ReadOptions,
  problems: Problem[],
): Environment {
  const own: Environment = (name) => {
    const value = env(name) ?? file[name];
    return value === undefined || value.trim() === "" ? undefined : value;
  };
  const fromFiles = new Map<EnvironmentName, string | undefined>();
  for (const name of SECRETS) {
    const path = own(`${name}_FILE`);
    if (path !== undefined) fromFiles.set(name, readSecret(name, path, own(name), problems));
  }
  return (name) => fromFiles.has(name) ? fromFiles.get(name) : own(name);
}

/** Reads a secret from its file, without the trailing newline that editors add. */
function readSecret(
  name: string,
  path: string,
  direct: string | undefined,
  problems: Problem[],
): string | undefined {
  const field = `${name}_FILE`;
  if (direct !== undefined) {
    problems.push({ field, message: `Both ${name} and ${field} are set; remove one of them` });
    return undefined;
  }
  try {
    const text = readTextFile(path).replace(/\r?\n$/, "");
    if (text.trim() === "") problems.push({ field, message: `The file ${path} is empty` });
    return text;
  } catch (error) {
    problems.push({ field, message: `Cannot read ${path}: ${reasonOf(error)}` });
    return undefined;
  }
}

function readViewerPassword(get: Environment, problems: Problem[]): string | null {
  const viewer = get("DASHBOARD_VIEWER_PASSWORD") ?? null;
  const password = get("DASHBOARD_PASSWORD") ?? null;
  const refuse = (message: string) => problems.push({ field: "DASHBOARD_VIEWER_PASSWORD", message });
  if (viewer !== null && password === null) refuse("Requires DASHBOARD_PASSWORD; set both");
  if (viewer !== null && viewer === password) {
    refuse("Must differ from DASHBOARD_PASSWORD; choose another password");
  }
  return viewer;
}

/** Rejects patterns and URLs, which would never match, so that the dashboard would refuse every request. */
function readAllowedHosts(get: Environment, problems: Problem[]): readonly string[] {
  const hosts = list(get("ALLOWED_HOSTS"));
  const isHost = (text: string) =>
    normalAddress(text) !== null || (/^[^*/@\s]+$/.test(text) && URL.canParse(`http://${text}/`));
  for (const host of hosts.filter((it) => !isHost(it))) {
    problems.push({
      field: "ALLOWED_HOSTS",
      message: `ALLOWED_HOSTS must be comma-separated host names such as vms.lan, found ${
        JSON.stringify(host)
      }`,
    });
  }
  return hosts;
}

/** A proxy makes the dashboard reachable from elsewhere, so it requires a password as listening there would. */
function readTrustedProxies(get: Environment, problems: Problem[]): readonly string[] {
  const proxies = list(get("TRUSTED_PROXIES"));
  const refuse = (message: string) => problems.push({ field: "TRUSTED_PROXIES", message });
  for (const proxy of proxies) {
    if (!isAddressRange(proxy)) {
      refuse(
        `${
          JSON.stringify(proxy)
        } is not an address; write one such as 192.0.2.1, or a range such as 172.16.0.0/12`,
      );
    }
  }
  if (proxies.length > 0 && get("DASHBOARD_PASSWORD") === undefined) {
    refuse(
      "A reverse proxy makes the dashboard reachable from other machines, which requires a password; set DASHBOARD_PASSWORD, or remove TRUSTED_PROXIES",
    );
  }
  return proxies;
}

function readPublicHost(get: Environment, problems: Problem[]): string | null {
  const text = get("NAS_PUBLIC_HOST") ?? null;
  if (text === null || parsePublicHost(text) !== null) return text;
  problems.push({
    field: "NAS_PUBLIC_HOST",
    message: `NAS_PUBLIC_HOST must be a host such as nas.lan, nas.lan:444 or https://nas.lan, found ${
      JSON.stringify(text)
    }`,
  });
  return null;
}

/** Values separated by commas or spaces. */
function list(text = ""): readonly string[] {
  return text.split(/[\s,]+/).filter((name) => name !== "");
}

function readBasePath(get: Environment, problems: Problem[]): string {
  const path = (get("BASE_PATH") ?? "").replace(/\/+$/, "");
  if (path === "" || /^(\/[\w.~-]+)+$/.test(path)) return path;
  const message = `BASE_PATH must be a path such as /vms, found ${JSON.stringify(path)}`;
  problems.push({ field: "BASE_PATH", message });
  return "";
}

function readTls(get: Environment, problems: Problem[]): Settings["tls"] {
  const [certFile, keyFile] = [get("TLS_CERT_FILE"), get("TLS_KEY_FILE")];
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined || keyFile !== undefined) {
    problems.push({
      field: "TLS_CERT_FILE",
      message: "HTTPS requires both TLS_CERT_FILE and TLS_KEY_FILE; set the missing one",
    });
  }
  return null;
}

function readNas(get: Environment, problems: Problem[]): EnvironmentVariables | null {
  const host = get("TRUENAS_HOST");
  const overSocket = host?.trim().startsWith("unix:") ?? false;
  const missing: string[] = [];
  if (host === undefined) missing.push("TRUENAS_HOST");
  if (!overSocket && get("API_USERNAME") === undefined) missing.push("API_USERNAME");
  if (!overSocket && get("API_PASSWORD") === undefined && get("TRUENAS_API_KEY") === undefined) {
    missing.push("API_PASSWORD (or TRUENAS_API_KEY)");
  }
  if (get("VNC_PASSWORD") === undefined) missing.push("VNC_PASSWORD");
  if (missing.length > 0) {
    problems.push({
      field: "",
      message: `Missing: ${missing.join(", ")}; set them in the environment or in .env`,
    });
  }
  if (host === undefined) return null;
  const address = parseNasAddress(host);
  if (!address.ok) problems.push(address.problem);
  const apiKey = get("TRUENAS_API_KEY");
  return {
    host,
    username: get("API_USERNAME") ?? "",
    password: get("API_PASSWORD") ?? "",
    vncPassword: get("VNC_PASSWORD") ?? "",
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

function readFingerprint(get: Environment, problems: Problem[]): string | null {
  const text = get("TRUENAS_CERT_FINGERPRINT");
  if (text === undefined) return null;
  const fingerprint = normalizeFingerprint(text);
  if (fingerprint === null) {
    const wanted = "a SHA-256 fingerprint has 64 hexadecimal digits, with or without colons between pairs";
    problems.push({
      field: "TRUENAS_CERT_FINGERPRINT",
      message: `${wanted}, found ${JSON.stringify(text)}`,
    });
  }
  return fingerprint;
}

function readPort(text: string, problems: Problem[]): number {
  const port = parseWholeNumber(text, LISTEN_PORTS);
  if (port === null) {
    problems.push({ field: "PORT", message: wholeNumberExpected("PORT", LISTEN_PORTS, text) });
  }
  return port ?? 0;
}

function readFlag(get: Environment, name: EnvironmentName, problems: Problem[]): boolean {
  const text = get(name)?.toLowerCase() ?? "0";
  if (["1", "true", "yes"].includes(text)) return true;
  if (["0", "false", "no"].includes(text)) return false;
  // A misspelt value must not silently disable the protection.
  problems.push({ field: name, message: `${name} must be 1 or 0, found ${JSON.stringify(text)}` });
  return true;
}

function oneOf<T extends string>(
  get: Environment,
  name: EnvironmentName,
  choices: readonly T[],
  usual: T,
  problems: Problem[],
): T {
  const text = get(name);
  if (text === undefined) return usual;
  const chosen = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
  if (chosen !== undefined) return chosen;
  problems.push({ field: name, message: choiceExpected(name, choices, text) });
  return usual;
}
