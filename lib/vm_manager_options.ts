/** Options of a manager: how to reach the NAS, and how to work with it. */
import {
  type NasAddress,
  normalizeFingerprint,
  parseNasAddress,
} from "./configuration/environment/nas_address.ts";
import { ConfigurationError } from "./errors/errors.ts";
import { type Logger, redactor, silentLogger } from "./observability/logging.ts";
import type { SeedFiles } from "./first_boot/rendering/seed.ts";
import type { ProbePort } from "./first_boot/readiness/probe_port.ts";
import type { LocalDisk } from "./images/acquiring/local_disk.ts";
import type { Offering } from "./images/offering/offering.ts";
import type { OpenUrl } from "./images/acquiring/remote_download.ts";
import type { Metrics } from "./observability/metrics.ts";
import { callMeter } from "./observability/telemetry.ts";
import type { OperationJournal } from "./operations/record/journal.ts";
import type { SettleTimeouts } from "./operations/steps/run_step.ts";
import type { PathServer } from "./secret_paths/path_server.ts";
import type { TemplateManager } from "./template_manager.ts";
import type { SessionOptions } from "./truenas/connection/session.ts";

/** How to reach a NAS, and how to work with it. */
export interface VMManagerOptions {
  /** `nas.lan`, `nas.lan:444` (both use wss://), a ws:// or wss:// URL, or `unix:/path/to/socket`. */
  readonly host: string;
  /** The TrueNAS account; not required over a unix socket. */
  readonly username?: string;
  /** The account's password. */
  readonly password?: string;
  /** An API key instead of the password; never sent unencrypted, because TrueNAS then revokes it. */
  readonly apiKey?: string;
  /** Password of the displays of VMs created here; required only to create VMs. */
  readonly vncPassword?: string;
  /** Default: the embedded templates. */
  readonly templateManager?: TemplateManager;
  /** Additional trusted CA certificates, in PEM format. */
  readonly caCerts?: readonly string[];
  /** The only accepted certificate, by its SHA-256 fingerprint: 64 hexadecimal digits, with or without colons. */
  readonly certFingerprint?: string;
  /** Paths of sockets for pinned connections, one each; default: new ones in the system's temporary folder. */
  readonly tunnelSockets?: readonly string[];
  /** Asks for a one-time password when TrueNAS requires one; default: it is passed to the connection's `submitOtp`. */
  readonly askOtp?: () => Promise<string>;
  /** Maximum number of logins within a period in milliseconds; default 6 per minute. */
  readonly logins?: { readonly most: number; readonly withinMs: number };
  /** How browsers and viewers reach the NAS: a host, host:port, or http:// or https:// URL; default `host`, or an address that TrueNAS reports. */
  readonly publicHost?: string;
  /** Refuses every change. */
  readonly readOnly?: boolean;
  /** Refuses every deletion. */
  readonly noDestroy?: boolean;
  /** How many VMs to work on in parallel; default 20, twice the calls that TrueNAS runs at once on a connection. */
  readonly parallel?: number;
  /** Opens an image at a URL; default: in this worker. */
  readonly openUrl?: OpenUrl;
  /** Asks whether something listens on a port of a guest; default: from this worker. */
  readonly probePort?: ProbePort;
  /** Milliseconds between two checks whether a node still answers; default a minute. */
  readonly checkMs?: number;
  /** Serves files for the NAS to fetch; default: the NAS cannot fetch from this program. */
  readonly offering?: Offering;
  /** Serves guests their seeds; default: seeds come by disk only. */
  readonly paths?: PathServer;
  /** Reads what seeds are made from; default: only values of the configuration itself. */
  readonly seedFiles?: SeedFiles;
  /** The disk of the NAS, where the program runs on it; default: this machine's. */
  readonly disk?: LocalDisk;
  /** Bytes of an image that are sent to the NAS at once, and kept in memory; default 16 MiB. */
  readonly partBytes?: number;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** Whether this is the simulated NAS of the demo. */
  readonly simulated?: boolean;
  /** How long to wait for the effect of a call with an unknown outcome; default 6 s. */
  readonly settle?: SettleTimeouts;
  /** How long operations wait while the NAS is away, in milliseconds; default 15 minutes. */
  readonly waitMs?: number;
  /** Resumes creations that a restart of this program interrupted, once connected; default false. */
  readonly resume?: boolean;
  /** How long reads wait for a lost connection to be restored, in milliseconds; default 30 s. */
  readonly connectionWaitMs?: number;
  /** Ends a read when the NAS sends nothing and answers no ping for so many milliseconds; default: no limit. */
  readonly silenceMs?: number;
  /** Stores every step before it is carried out; default: nothing is stored. */
  readonly journal?: OperationJournal;
  /** Collects metrics for a monitoring system; default: none are collected. */
  readonly metrics?: Metrics;
  /** Delays between attempts to reconnect, in milliseconds; the last one repeats. */
  readonly backoffMs?: readonly number[];
  /** Tells how old readings are, in milliseconds, and is never set back; default `performance.now()`. */
  readonly clock?: () => number;
  /** Tells the time, in milliseconds since 1970 (UTC), for operations and how long they wait; default: the system's. */
  readonly now?: () => number;
}

/**
 * The session's options.
 *
 * @throws {ConfigurationError} when the host or the fingerprint cannot be parsed.
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
