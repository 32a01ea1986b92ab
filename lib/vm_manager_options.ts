/** How to reach a NAS, and how to work there: what a manager is made with. */
import { type NasAddress, normalizeFingerprint, parseNasAddress } from "./configuration/nas_address.ts";
import { ConfigurationError } from "./errors/errors.ts";
import { type Logger, redactor, silentLogger } from "./observability/logging.ts";
import type { Metrics } from "./observability/metrics.ts";
import { callMeter } from "./observability/telemetry.ts";
import type { OperationJournal } from "./operations/journal.ts";
import type { SettleTimeouts } from "./operations/steps/run_step.ts";
import type { TemplateManager } from "./template_manager.ts";
import { CONNECTION_WAIT_MS, type SessionOptions } from "./truenas/connection/session.ts";
import type { Patience } from "./truenas/read_inventory.ts";

/** How to reach a NAS, and how to work there. */
export interface VMManagerOptions {
  /** Host, host:port, a ws:// or wss:// URL, or unix:/path/to/socket; a bare host means wss://. */
  readonly host: string;
  /** The account. Not needed over a unix socket. */
  readonly username?: string;
  /** For a password login. */
  readonly password?: string;
  /** Instead of a password. Never sent over an unencrypted connection, because TrueNAS revokes it then. */
  readonly apiKey?: string;
  /** The password of the displays of VMs made here; needed to create, not to list or destroy. */
  readonly vncPassword?: string;
  /** Default: the embedded templates. */
  readonly templateManager?: TemplateManager;
  /** Extra trusted certificates, PEM. */
  readonly caCerts?: readonly string[];
  /** The one certificate that is trusted, by its SHA-256 fingerprint (64 hexadecimal digits, colons or not). */
  readonly certFingerprint?: string;
  /** Where sockets of pinned connections may be made, one each; default anywhere below the system's temporary folder. */
  readonly tunnelSockets?: readonly string[];
  /** Asks for a one-time password when the NAS wants one; default: the connection's `submitOtp` hands it over. */
  readonly askOtp?: () => Promise<string>;
  /** Logins at most within a time in milliseconds; default 6 in a minute. */
  readonly logins?: { readonly most: number; readonly withinMs: number };
  /** How browsers and viewers reach the NAS: host, host:port, or an http:// or https:// URL; default `host`, or what the NAS tells. */
  readonly publicHost?: string;
  /** Refuses every write. */
  readonly readOnly?: boolean;
  /** Refuses every deletion. */
  readonly noDestroy?: boolean;
  /** VMs worked on at once; default 20, twice as many as TrueNAS runs calls at once on one connection. */
  readonly parallel?: number;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** The simulated NAS of the demo. */
  readonly simulated?: boolean;
  /** How long a call of unknown outcome is watched for its effect. */
  readonly settle?: SettleTimeouts;
  /** How long a reading waits for a connection that is being made again, in milliseconds; default 30 s. */
  readonly connectionWaitMs?: number;
  /**
   * A reading for a page or a plan ends once the NAS has sent nothing for this long and does not answer a ping either,
   * in milliseconds; default: it waits as long as a slow NAS may take.
   */
  readonly silenceMs?: number;
  /** Where every step is written down before it is done; default nowhere. */
  readonly journal?: OperationJournal;
  /** Numbers for a monitoring system are kept here; default nowhere. */
  readonly metrics?: Metrics;
  /** Waits between attempts to connect again, in milliseconds. */
  readonly backoffMs?: readonly number[];
}

/**
 * How a session is made for a manager.
 *
 * @throws {ConfigurationError} when the host or the fingerprint cannot be read.
 */
export function sessionOptionsOf(options: VMManagerOptions): SessionOptions {
  const { logger = silentLogger } = options;
  const secrets = [options.password, options.apiKey, options.vncPassword];
  return {
    address: addressOf(options),
    username: options.username ?? null,
    password: options.password ?? null,
    apiKey: options.apiKey ?? null,
    caCerts: options.caCerts ?? [],
    fingerprint: fingerprintOf(options),
    ...(options.tunnelSockets === undefined ? {} : { tunnelSockets: options.tunnelSockets }),
    ...(options.askOtp === undefined ? {} : { askOtp: options.askOtp }),
    ...(options.metrics === undefined ? {} : { onCall: callMeter(options.metrics) }),
    ...(options.logins === undefined ? {} : { logins: options.logins }),
    guard: { readOnly: options.readOnly ?? false, noDestroy: options.noDestroy ?? false },
    redact: redactor(secrets.filter((secret) => secret !== undefined)),
    simulated: options.simulated ?? false,
    logger,
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  };
}

function addressOf({ host }: VMManagerOptions): NasAddress {
  const parsed = parseNasAddress(host);
  if (!parsed.ok) throw new ConfigurationError("host", [parsed.problem]);
  return parsed.address;
}

function fingerprintOf({ certFingerprint }: VMManagerOptions): string | null {
  if (certFingerprint === undefined) return null;
  const fingerprint = normalizeFingerprint(certFingerprint);
  if (fingerprint !== null) return fingerprint;
  const message = "A SHA-256 fingerprint has 64 hexadecimal digits, in pairs with colons or without";
  throw new ConfigurationError("certFingerprint", [{ field: "", message }]);
}

/** How long a manager's readings wait. */
export function patienceOf(
  { connectionWaitMs = CONNECTION_WAIT_MS, silenceMs }: VMManagerOptions,
): Patience {
  return { connectionWaitMs, ...(silenceMs === undefined ? {} : { silenceMs }) };
}
