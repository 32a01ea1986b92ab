/** What set-up is served with. */
import type { EnvFile } from "../../lib/configuration/environment/environment.ts";
import type { Logger } from "../../lib/observability/logging.ts";
import type { FindOptions } from "../../lib/setup/find_nas.ts";
import type { HandOver } from "../auth/hand_over.ts";
import type { AccessOptions } from "../server/dashboard.ts";
import type { SetupSessions } from "./sessions.ts";

/** How set-up starts, as the program's entry point knows it. */
export interface SetupStart {
  /** The stored settings; empty on the first run. */
  readonly stored: EnvFile;
  /** The middleware's socket, if the program runs on the NAS itself. */
  readonly localSocket: string | null;
  /** Whether the display password is set outside the stored settings. */
  readonly hasDisplayPassword: boolean;
}

/** The configuration, as set-up finds it. */
export interface FoundConfiguration {
  readonly poolPath: string;
  readonly cdromPath: string;
}

/** The parts of set-up. */
export interface Setup extends SetupStart {
  readonly access: AccessOptions;
  /** Asked for before anything else when the dashboard has no password and is reachable from elsewhere; or null. */
  readonly code: string | null;
  readonly sessions: SetupSessions;
  readonly stateDir: string;
  /** Path of the configuration, also where it does not exist yet. */
  readonly configFile: string;
  /**
   * Reads the configuration; null if there is none.
   *
   * @throws {ConfigurationError} listing every problem.
   */
  readonly configuration: () => FoundConfiguration | null;
  readonly connecting: FindOptions;
  /** The only fingerprint that the environment allows; null: any that a person accepts. */
  readonly certFingerprint: string | null;
  readonly logger: Logger;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** Waits for some milliseconds; for tests. */
  readonly wait?: (ms: number) => Promise<unknown>;
  /** The browser that comes from the dashboard; null if there is none. */
  readonly handOver: HandOver | null;
  /** Ends set-up and starts the dashboard with the stored settings, to which a browser is handed over. */
  readonly openDashboard: (handOver: HandOver | null) => void;
}

/** The stored settings, as set-up has left them. */
export function storedSettings({ stored, sessions }: Pick<Setup, "stored" | "sessions">): EnvFile {
  return sessions.finished?.settings ?? stored;
}

/** Whether a NAS is connected already. */
export function isConnected(setup: Pick<Setup, "stored" | "sessions">): boolean {
  return (storedSettings(setup)["TRUENAS_HOST"] ?? "").trim() !== "";
}
