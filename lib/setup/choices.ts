/** The result of set-up: where disks go, what VMs boot from, and the files that say so. */
import type { EnvFile } from "../configuration/environment/environment.ts";
import { parseConfigurationFile } from "../configuration/configuration_file.ts";
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { makeFolder, replaceFileAtOnce } from "../configuration/files.ts";
import { storedSettingsPath, storedSettingsText } from "../configuration/environment/stored_settings.ts";
import type { NasAddress } from "../configuration/environment/nas_address.ts";
import type { Account } from "./sign_in.ts";

/** Where disks go, and what VMs boot from. */
export interface ChosenPlaces {
  readonly poolPath: string;
  readonly cdromPath: string;
  /** For the example VM type; null: it has no network. */
  readonly bridge: string | null;
}

/** A configuration with one example VM type. */
export function starterConfiguration({ poolPath, cdromPath, bridge }: ChosenPlaces): string {
  return `# Written by set-up. Every section except storage is a VM type; docs/configuration.md describes them all.

storage:
  # The dataset for the disks (zvols).
  pool_path: ${scalar(poolPath)}
  # The install image.
  cdrom_path: ${scalar(cdromPath)}

# The VMs of this type are called worker01, worker02, …
worker:
  count: 1 # 0 to 99
  memory: 4096 # MiB
  cpu: 2 # vCPUs in total
  disk: # name: GiB, in order
    root: 20
${bridge === null ? "" : `  network: # name: bridge of the NAS, in order\n    lan: ${scalar(bridge)}\n`}`;
}

/** Quotes a value that YAML could read as something else. */
function scalar(value: string): string {
  return /^[A-Za-z/][\w./-]*$/.test(value) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(value)
    ? value
    : JSON.stringify(value);
}

/** What is wrong with the chosen places, each at its field. */
export function problemsOf(places: ChosenPlaces): readonly Problem[] {
  try {
    parseConfigurationFile({ text: starterConfiguration(places), source: "config.yaml" });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ field, message }) => ({
      field: field === "storage.pool_path" ? "dataset" : field === "storage.cdrom_path" ? "iso" : "",
      message,
    }));
  }
}

/** The connection that set-up has tried. */
export interface Connection {
  readonly address: NasAddress;
  readonly account: Account;
  readonly fingerprint: string | null;
}

const OWN: readonly string[] = [
  "TRUENAS_HOST",
  "API_USERNAME",
  "API_PASSWORD",
  "API_PASSWORD_FILE",
  "TRUENAS_API_KEY",
  "TRUENAS_API_KEY_FILE",
  "TRUENAS_CERT_FINGERPRINT",
];

/** The settings to store: those of the connection anew, the others as they were. */
export function settingsOf(
  { address, account, fingerprint }: Connection,
  { earlier, displayPassword, dashboardPassword }: {
    readonly earlier: EnvFile;
    /** null: it is set elsewhere. */
    readonly displayPassword: string | null;
    /** null: none was set during set-up. */
    readonly dashboardPassword: string | null;
  },
): EnvFile {
  const isLocal = address.kind === "unix";
  const secret = account.method === "key" ? "TRUENAS_API_KEY" : "API_PASSWORD";
  return {
    TRUENAS_HOST: address.kind === "wss" ? address.url.slice("wss://".length) : address.url,
    ...(isLocal ? {} : { API_USERNAME: account.username, [secret]: account.secret }),
    ...(fingerprint === null ? {} : { TRUENAS_CERT_FINGERPRINT: fingerprint }),
    ...Object.fromEntries(Object.entries(earlier).filter(([name]) => !OWN.includes(name))),
    ...(displayPassword === null ? {} : { VNC_PASSWORD: displayPassword }),
    ...(dashboardPassword === null ? {} : { DASHBOARD_PASSWORD: dashboardPassword }),
  };
}

/** VNC uses at most 8 characters of a password. */
const DISPLAY_PASSWORD_CHARS = 8;
/** Without letters and digits that look alike. */
const READABLE = "abcdefghijkmnpqrstuvwxyz23456789";

/** A random text that is easy to read and type. */
export function randomText(length: number = DISPLAY_PASSWORD_CHARS): string {
  // 256 is a multiple of the 32 characters, so that each is equally likely.
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return [...bytes].map((byte) => READABLE[byte % READABLE.length]).join("");
}

/**
 * Stores the settings, readable by their owner only. The earlier ones stay until the new ones are complete.
 *
 * @returns the file's path.
 * @throws an Error of the operating system.
 */
export function storeSettings(stateDir: string, settings: EnvFile): string {
  makeFolder(stateDir);
  const path = storedSettingsPath(stateDir);
  replaceFileAtOnce(path, storedSettingsText(settings));
  return path;
}

/**
 * Writes a configuration into the state folder.
 *
 * @throws an Error of the operating system.
 */
export function storeConfiguration(stateDir: string, path: string, places: ChosenPlaces): void {
  makeFolder(stateDir);
  replaceFileAtOnce(path, starterConfiguration(places));
}
