/** What main.ts and its worker tell each other. */
import type { Options } from "../../lib/command_line/arguments.ts";
import type { OuterSetting } from "../../lib/configuration/environment/stored_settings.ts";
import type { Settings } from "../../lib/configuration/environment/settings.ts";
import type { Permissions, WorkerCommand } from "../../lib/configuration/permissions.ts";
import type { SetupStart } from "../setup/setup.ts";
import type { ServedPart } from "./server.ts";

/** What the worker needs to run a command. */
export interface Launch {
  readonly command: WorkerCommand;
  readonly options: Options;
  /** null if the command needs none or they are invalid. */
  readonly settings: Settings | null;
  /** Problems with the settings; only `validate` runs despite them. */
  readonly problems: readonly string[];
  readonly configFile: string;
  readonly permissions: Permissions;
  readonly tunnelSockets: readonly string[];
  /** A free loopback port for the dashboard; 0 for other commands. */
  readonly innerPort: number;
  /** The most connections to the dashboard at once. */
  readonly maxConnections: number;
  /** What set-up needs; null: the command itself runs. */
  readonly setup: SetupStart | null;
  /** Settings of the connection that set-up cannot change. */
  readonly outerSettings: readonly OuterSetting[];
}

/** To the worker: start, and later stop. */
export type ToWorker = { readonly launch: Launch } | "stop";

/** From the worker: ready to launch, then what to start in its place at its port, and later the exit code. */
export type FromWorker = "loaded" | { readonly next: ServedPart; readonly port: number } | {
  readonly ended: number;
};
