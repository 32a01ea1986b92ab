/** What main.ts and its worker tell each other. */
import type { Options } from "../../lib/command_line/arguments.ts";
import type { OuterSetting } from "../../lib/configuration/environment/stored_settings.ts";
import type { Settings } from "../../lib/configuration/environment/settings.ts";
import type { Permissions, WorkerCommand } from "../../lib/configuration/permissions.ts";
import type { HandOver } from "../auth/hand_over.ts";
import type { SetupStart } from "../setup/setup.ts";

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
  /** Where the dashboard listens for agents; null if it does not. */
  readonly agentSocket: string | null;
  /** A free loopback port for the dashboard; 0 for other commands. */
  readonly innerPort: number;
  /** The most connections to the dashboard at once. */
  readonly maxConnections: number;
  /** What set-up needs; null: the command itself runs. */
  readonly setup: SetupStart | null;
  /** Settings of the connection that set-up cannot change. */
  readonly outerSettings: readonly OuterSetting[];
  /** The signed-in browser that comes from the part that was served before; null if there is none. */
  readonly handOver: HandOver | null;
}

/** What is served: the dashboard, or set-up while no NAS is connected. */
export type ServedPart = "dashboard" | "setup";

/** What is to be served in a part's place. */
export interface NextPart {
  readonly next: ServedPart;
  readonly port: number;
  readonly handOver: HandOver | null;
}

/** How the parts of the program take turns at one port, so that nothing listens there only for a moment. */
export interface Turn {
  /** Says that this part is ready to listen; resolves when the one before has stopped listening, or this one is stopped. */
  readonly untilPortIsFree: () => Promise<void>;
  /** Says that this part has stopped listening. */
  readonly portIsFree: () => void;
  /** Starts the other part of the program at this port, and ends this one. */
  readonly switchTo: (next: NextPart) => void;
}

/** A port to the worker that downloads images, which main.ts starts when it is first asked for. */
export interface Downloading {
  readonly downloads: MessagePort;
}

/** A port to the same worker, which also probes the ports of guests. */
export interface Probing {
  readonly probes: MessagePort;
}

/** To the worker: start, listen once the port is free, and later stop. */
export type ToWorker = { readonly launch: Launch } | "listen" | "stop";

/**
 * From the worker: ready to launch, ready to listen, then what to start in its place at its port, no longer listening, and
 * later the exit code.
 */
export type FromWorker =
  | "loaded"
  | "ready"
  | NextPart
  | "closed"
  | Downloading
  | Probing
  | { readonly ended: number };
