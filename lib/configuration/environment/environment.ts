/** Reads environment variables: from the process, a file of values, or a secret's own file. Nothing else reads them. */
import process from "node:process";
import { ConfigurationError, type Problem } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import { show } from "../../inputs.ts";
import { readTextFile } from "../files.ts";
import { normalizeFingerprint, parseNasAddress } from "./nas_address.ts";

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
  METRICS_TOKEN: "Token with which Prometheus reads /metrics and nothing else, without a password",
  ALLOWED_HOSTS: "Comma-separated host names of the dashboard; IP addresses are always allowed",
  BASE_PATH: "Path at which a reverse proxy serves the dashboard, such as /vms; default /",
  TRUSTED_PROXIES:
    "Addresses or ranges of reverse proxies whose X-Forwarded-For, -Host and -Proto headers are trusted",
  AUTH_PROXY_HEADER: "Header in which a trusted proxy names who has signed in there, such as X-Remote-User",
  AUTH_PROXY_ADMINS: "Comma-separated names of those who may make changes; others only look",
  TLS_CERT_FILE: "PEM file with the dashboard's certificate, to serve HTTPS without a proxy",
  TLS_KEY_FILE: "PEM file with the key of TLS_CERT_FILE",
  PORT: "Port the dashboard listens on; default 8080, 0 picks a free one",
  SEED_HOST:
    "Name or address by which the NAS reaches this machine, to fetch images from it; default: it fetches none",
  SEED_PORT: "Port for SEED_HOST; default 8081, 0 picks a free one",
  STATE_DIR: "Folder of the operation journal; default ./state",
  WAIT_MINUTES: "How long an operation waits while the NAS is away, in minutes; default 15",
  RESUME: "on (default) or off: after a restart, resume the creations that it interrupted",
  READ_ONLY: "Set to 1 to refuse every change on the NAS",
  NO_DESTROY: "Set to 1 to refuse every deletion on the NAS",
  WEBHOOK_URL:
    "Address that is told of operations that ended, nodes that do not answer, and a NAS that is away",
  WEBHOOK_SECRET: "Secret with which what is sent to WEBHOOK_URL is signed",
  WEBHOOK_FORMAT: "generic (default: JSON), ntfy or slack",
  LOG_LEVEL: "DEBUG, INFO (default), WARNING or ERROR",
  LOG_FORMAT: "text (default) or json",
  NO_COLOR: "Set to anything to show progress without colours",
  TERM: "dumb: progress is printed line by line, as where the output is no terminal",
  CI: "Set to anything: the same",
} as const;

const SECRETS: readonly SecretName[] = [
  "API_PASSWORD",
  "TRUENAS_API_KEY",
  "VNC_PASSWORD",
  "DASHBOARD_PASSWORD",
  "DASHBOARD_VIEWER_PASSWORD",
  "METRICS_TOKEN",
  "WEBHOOK_URL",
  "WEBHOOK_SECRET",
];

/** A variable whose value is a secret; `NAME_FILE` can name a file that contains it. */
export type SecretName = Extract<
  keyof typeof ENVIRONMENT_NAMES,
  `${string}_PASSWORD` | "TRUENAS_API_KEY" | "METRICS_TOKEN" | "WEBHOOK_URL" | "WEBHOOK_SECRET"
>;

/** How secrets are kept out of the environment, as help. */
export const SECRET_FILES_HELP = `Add _FILE to name a file that contains the value: ${
  SECRETS.map((name) => `${name}_FILE`).join(", ")
}`;

/** Whether a variable's value is a secret. */
export function isSecret(name: string): boolean {
  return SECRETS.some((secret) => secret === name);
}

/** The names of all variables. */
export const VARIABLE_NAMES: readonly string[] = [
  ...Object.keys(ENVIRONMENT_NAMES),
  ...SECRETS.map((name) => `${name}_FILE`),
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
  /** VNC_PASSWORD; empty where it is not set and not required. */
  readonly vncPassword: string;
  /** The certificate in TRUENAS_CA_FILE. */
  readonly caCerts?: readonly string[];
  /** TRUENAS_CERT_FINGERPRINT. */
  readonly certFingerprint?: string;
  /** READ_ONLY. */
  readonly readOnly?: boolean;
  /** NO_DESTROY. */
  readonly noDestroy?: boolean;
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
  /** Whether VNC_PASSWORD is required with them; default true. */
  readonly needDisplayPassword?: boolean;
}

/**
 * The settings that a script needs.
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
  return readVariables(options, (variables) => ({
    ...readNas(variables, options),
    ...readTrust(variables),
    ...(readFlag(variables, "READ_ONLY") ? { readOnly: true } : {}),
    ...(readFlag(variables, "NO_DESTROY") ? { noDestroy: true } : {}),
  }));
}

function readTrust(variables: Variables): Pick<EnvironmentVariables, "caCerts" | "certFingerprint"> {
  const caFile = variables.get("TRUENAS_CA_FILE");
  const certFingerprint = readFingerprint(variables);
  return {
    ...(caFile === undefined ? {} : { caCerts: readCaFile(variables, caFile) }),
    ...(certFingerprint === null ? {} : { certFingerprint }),
  };
}

function readCaFile({ refuse }: Variables, path: string): readonly string[] {
  try {
    return [readTextFile(path)];
  } catch (error) {
    refuse("TRUENAS_CA_FILE", `Cannot read ${path}: ${reasonOf(error)}`);
    return [];
  }
}

/** What variables are read with. */
export interface Variables {
  /** A variable's value; undefined when it is absent or empty. */
  readonly get: Environment;
  /** Adds a problem. */
  readonly refuse: (field: string, message: string) => void;
}

/**
 * Reads variables and collects the problems.
 *
 * @throws {ConfigurationError} listing every problem.
 */
export function readVariables<T>(options: ReadOptions, read: (variables: Variables) => T): T {
  const problems: Problem[] = [];
  const refuse = (field: string, message: string) => void problems.push({ field, message });
  const values = read({ get: lookup(options, refuse), refuse });
  if (problems.length === 0) return values;
  throw new ConfigurationError("environment", problems);
}

/** An empty value counts as absent, because `NAME=` in a file means that it was not filled in. */
function lookup(
  { env = processEnvironment, envFile = {} }: ReadOptions,
  refuse: Variables["refuse"],
): Environment {
  const own: Environment = (name) => {
    const value = env(name) ?? envFile[name];
    return value === undefined || value.trim() === "" ? undefined : value;
  };
  const secrets = new Map<EnvironmentName, string | undefined>();
  for (const name of SECRETS) {
    const path = own(`${name}_FILE`);
    if (path === undefined) continue;
    if (own(name) === undefined) secrets.set(name, readSecret(`${name}_FILE`, path, refuse));
    else refuse(`${name}_FILE`, `Both ${name} and ${name}_FILE are set; remove one of them`);
  }
  return (name) => secrets.has(name) ? secrets.get(name) : own(name);
}

function processEnvironment(name: EnvironmentName): string | undefined {
  return process.env[name];
}

/** Reads a secret from its file, without the trailing newline that editors add. */
function readSecret(field: SecretFile, path: string, refuse: Variables["refuse"]): string | undefined {
  try {
    const text = readTextFile(path).replace(/\r?\n$/, "");
    if (text.trim() === "") refuse(field, `The file ${path} is empty; write the secret into it`);
    return text;
  } catch (error) {
    refuse(field, `Cannot read ${path}: ${reasonOf(error)}`);
    return undefined;
  }
}

/** The NAS's address and account. */
export function readNas(
  { get, refuse }: Variables,
  { needDisplayPassword = true }: Pick<ReadOptions, "needDisplayPassword">,
): EnvironmentVariables {
  const host = get("TRUENAS_HOST");
  const apiKey = get("TRUENAS_API_KEY");
  const needsAccount = !host?.trim().startsWith("unix:");
  const missing = [
    ...(host === undefined ? ["TRUENAS_HOST"] : []),
    ...(needsAccount && get("API_USERNAME") === undefined ? ["API_USERNAME"] : []),
    ...(needsAccount && (get("API_PASSWORD") ?? apiKey) === undefined
      ? ["API_PASSWORD (or TRUENAS_API_KEY)"]
      : []),
    ...(needDisplayPassword && get("VNC_PASSWORD") === undefined ? ["VNC_PASSWORD"] : []),
  ];
  if (missing.length > 0) {
    refuse("", `Missing: ${missing.join(", ")}; set them in the environment or in .env`);
  }
  const address = host === undefined ? null : parseNasAddress(host);
  if (address?.ok === false) refuse(address.problem.field, address.problem.message);
  return {
    host: host ?? "",
    username: get("API_USERNAME") ?? "",
    password: get("API_PASSWORD") ?? "",
    vncPassword: get("VNC_PASSWORD") ?? "",
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/** TRUENAS_CERT_FINGERPRINT, as pairs of uppercase hexadecimal digits with colons; null where it is not set. */
export function readFingerprint({ get, refuse }: Variables): string | null {
  const text = get("TRUENAS_CERT_FINGERPRINT");
  if (text === undefined) return null;
  const fingerprint = normalizeFingerprint(text);
  if (fingerprint === null) {
    const expected = "a SHA-256 fingerprint has 64 hexadecimal digits, with or without colons between pairs";
    refuse("TRUENAS_CERT_FINGERPRINT", `${expected}, found ${show(text)}`);
  }
  return fingerprint;
}

/** Whether a variable is set to 1, true or yes. */
export function readFlag({ get, refuse }: Variables, name: EnvironmentName): boolean {
  const text = get(name) ?? "0";
  const isOn = ["1", "true", "yes"].includes(text.toLowerCase());
  const isOff = ["0", "false", "no"].includes(text.toLowerCase());
  if (!isOn && !isOff) refuse(name, `${name} must be 1 or 0, found ${show(text)}`);
  return isOn;
}
