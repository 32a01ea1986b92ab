/** What a command may touch, computed from its settings: this NAS, this address, these files, and nothing else. Pure. */
import type { Options } from "../command_line/arguments.ts";
import type { CommandName } from "../command_line/commands.ts";
import type { Settings } from "./environment.ts";
import { parseNasAddress } from "./nas_address.ts";

/** What a part of the program may do, in the runtime's own words; everything that is not named is refused. */
export interface Permissions {
  /** `host:port`: what it may connect to, and listen on. */
  readonly net: string[];
  /** Files and folders. */
  readonly read: string[];
  /** Files and folders. */
  readonly write: string[];
  /** Names in the environment. */
  readonly env: string[];
  /** Programs. */
  readonly run: false;
  /** Facts of the machine. */
  readonly sys: false;
  /** Libraries of machine code. */
  readonly ffi: false;
  /** Code from elsewhere. */
  readonly import: false;
}

/** A command that does more than print text of its own. */
export type WorkerCommand = Exclude<CommandName, "help" | "version">;

/** What a command is started with. */
export interface Started {
  readonly command: WorkerCommand;
  readonly options: Options;
  /** null where the command needs none, or where they could not be read. */
  readonly settings: Settings | null;
  /** The file of the configuration. */
  readonly configFile: string;
  /** Where sockets of pinned connections may be made; none without a pin. */
  readonly tunnelSockets: readonly string[];
  /** Where a dashboard's server listens on loopback, behind what limits its connections; 0 for others. */
  readonly innerPort: number;
}

interface Needs {
  /** It serves the dashboard at its address. */
  readonly listens: boolean;
  readonly nas: "configured" | "simulated" | "none";
  /** It reads config.yaml. */
  readonly configuration: boolean;
  /** It writes the journal. */
  readonly journal: boolean;
}

const NEEDS: Readonly<Record<WorkerCommand, Needs>> = {
  serve: { listens: true, nas: "configured", configuration: true, journal: true },
  demo: { listens: true, nas: "simulated", configuration: true, journal: false },
  simulate: { listens: false, nas: "simulated", configuration: false, journal: false },
  list: { listens: false, nas: "configured", configuration: false, journal: false },
  plan: { listens: false, nas: "configured", configuration: true, journal: false },
  create: { listens: false, nas: "configured", configuration: true, journal: true },
  destroy: { listens: false, nas: "configured", configuration: true, journal: true },
  export: { listens: false, nas: "configured", configuration: true, journal: false },
  validate: { listens: false, nas: "none", configuration: true, journal: false },
};

/** The YAML parser reads these two names while it parses; nothing secret is in them. */
const YAML_ENVIRONMENT = ["LOG_STREAM", "LOG_TOKENS"] as const;

/** The least that a command needs. The secrets' own files are not among it: they were read before. */
export function permissionsOf(
  { command, options, settings, configFile, tunnelSockets, innerPort }: Started,
): Permissions {
  const needs = NEEDS[command];
  const nas = reached(needs, settings);
  const sockets = [...nas.sockets, ...tunnelSockets];
  const { output } = options.export;
  const written = [
    ...(needs.journal && settings !== null ? [settings.stateDir] : []),
    ...(command === "export" && output !== undefined ? [output] : []),
    ...sockets,
  ];
  const tls = needs.listens ? settings?.tls : null;
  const files = [
    needs.configuration ? configFile : null,
    options.templatesDir,
    settings?.caFile,
    tls?.certFile,
    tls?.keyFile,
  ];
  const listening = needs.listens && settings !== null
    ? [withPort(settings.listenHost, settings.listenPort), withPort("127.0.0.1", innerPort)]
    : [];
  return {
    net: [...listening, ...nas.net, ...sockets.map((path) => `unix:${path}`)],
    read: [...files.filter((path) => typeof path === "string"), ...written],
    write: written,
    env: needs.configuration ? [...YAML_ENVIRONMENT] : [],
    run: false,
    sys: false,
    ffi: false,
    import: false,
  };
}

/** One line for the log. */
export function describePermissions({ net, read, write }: Permissions): string {
  const of = (what: string, names: readonly string[]) => `${what} ${names.join(", ") || "nothing"}`;
  return [of("connect and listen:", net), of("read:", read), of("write:", write)].join("; ");
}

interface Reached {
  readonly net: readonly string[];
  readonly sockets: readonly string[];
}

/** The simulated NAS takes any free port. */
const SIMULATED: Reached = { net: ["127.0.0.1"], sockets: [] };

function reached({ nas }: Needs, settings: Settings | null): Reached {
  if (nas === "simulated") return SIMULATED;
  return nas === "none" || settings === null ? { net: [], sockets: [] } : addressOf(settings);
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

function addressOf({ nas, certFingerprint }: Settings): Reached {
  const parsed = parseNasAddress(nas?.host ?? "");
  if (!parsed.ok) return { net: [], sockets: [] };
  const { address } = parsed;
  // What goes through a socket is for the runtime a connection to the name and port that it was asked for.
  if (address.kind === "unix") return { net: [withPort(address.host, HTTP_PORT)], sockets: [address.path] };
  const { port } = new URL(address.url);
  const ports = port !== ""
    ? [Number(port)]
    : address.kind === "ws"
    ? [HTTP_PORT]
    : certFingerprint === null
    ? [HTTPS_PORT]
    : [HTTPS_PORT, HTTP_PORT];
  return { net: ports.map((it) => withPort(address.host, it)), sockets: [] };
}

function withPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
