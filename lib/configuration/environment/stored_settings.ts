/**
 * The settings that set-up stores: a file of NAME=value lines in the state folder. The environment and `.env` take
 * precedence, and secrets are used only for the NAS and account they were stored with.
 */
import type { EnvFile, Environment, EnvironmentName } from "./environment.ts";

const STORED_FILE = "settings.env";

/** Path of the stored settings. */
export function storedSettingsPath(stateDir: string): string {
  return `${stateDir}/${STORED_FILE}`;
}

/** Where settings come from, in order of precedence. */
export interface SettingSources {
  readonly env: Environment;
  /** The values of `.env`. */
  readonly envFile: EnvFile;
  /** The values of the stored settings. */
  readonly stored: EnvFile;
}

const ADDRESS = ["TRUENAS_HOST"] as const;
const ACCOUNT = ["API_USERNAME"] as const;
const ACCOUNT_SECRETS = [
  "API_PASSWORD",
  "API_PASSWORD_FILE",
  "TRUENAS_API_KEY",
  "TRUENAS_API_KEY_FILE",
] as const;
const DISPLAY_PASSWORD = ["VNC_PASSWORD", "VNC_PASSWORD_FILE"] as const;
/** What connects to a NAS and signs in. */
const CONNECTION: readonly EnvironmentName[] = [
  ...ADDRESS,
  ...ACCOUNT,
  ...ACCOUNT_SECRETS,
  "TRUENAS_CERT_FINGERPRINT",
];
const NAS: readonly EnvironmentName[] = [...ADDRESS, ...ACCOUNT, ...ACCOUNT_SECRETS, ...DISPLAY_PASSWORD];

/** Whether no setting of a NAS has a value anywhere, so that the program starts with set-up. */
export function needsSetup(sources: SettingSources): boolean {
  const { get } = withStored(sources);
  return NAS.every((name) => get(name) === undefined);
}

/** A setting of the connection that the stored settings cannot change. */
export interface OuterSetting {
  readonly name: string;
  readonly where: "environment" | "file";
}

/** The settings of the connection that the environment or `.env` sets. */
export function outerSettings({ env, envFile }: SettingSources): OuterSetting[] {
  return CONNECTION.flatMap((name): OuterSetting[] => {
    if (filled(env(name)) !== undefined) return [{ name, where: "environment" }];
    return filled(env(name) ?? envFile[name]) === undefined ? [] : [{ name, where: "file" }];
  });
}

/** Looks up a setting in all sources; undefined when it has no value anywhere. */
export function withStored(sources: SettingSources): { readonly get: Environment } {
  const own = outerOf(sources);
  const stored = usableOf(sources.stored, own);
  return { get: (name) => own(name) ?? filled(stored[name]) };
}

function outerOf({ env, envFile }: SettingSources): Environment {
  return (name) => filled(env(name) ?? envFile[name]);
}

/** An empty value counts as absent. */
function filled(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value;
}

/** The stored settings that still apply beside those of the environment and `.env`. */
function usableOf(stored: EnvFile, own: Environment): EnvFile {
  const differs = (name: EnvironmentName) => own(name) !== undefined && own(name) !== stored[name];
  const unused = new Set<string>(["STATE_DIR"]);
  // A secret is not sent to another NAS, and not as another account's.
  if (differs("TRUENAS_HOST")) { for (const name of CONNECTION) unused.add(name); }
  const hasSecret = ACCOUNT_SECRETS.some((name) => own(name) !== undefined);
  if (hasSecret || differs("API_USERNAME")) { for (const name of ACCOUNT_SECRETS) unused.add(name); }
  for (const secret of ["VNC_PASSWORD", "DASHBOARD_PASSWORD", "DASHBOARD_VIEWER_PASSWORD"] as const) {
    if (own(`${secret}_FILE`) !== undefined) unused.add(secret);
    if (own(secret) !== undefined) unused.add(`${secret}_FILE`);
  }
  return Object.fromEntries(Object.entries(stored).filter(([name]) => !unused.has(name)));
}

const HEADING = "# Written by set-up. The environment and .env take precedence over these settings.\n" +
  "# This file holds secrets: keep it readable by its owner only.\n";

/** The text of the stored settings. */
export function storedSettingsText(values: EnvFile): string {
  const lines = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quoted(value)}\n`]
  );
  return HEADING + lines.join("");
}

/** Quotes a value unless every reader of such files takes it literally. */
function quoted(value: string): string {
  if (/^[\w.:/@%+,-]+$/.test(value)) return value;
  return `"${value.replaceAll(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}
