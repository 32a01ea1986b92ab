/** Computes from the settings what a command may access: this NAS, this address, these files and nothing else. Pure. */
import type { Options } from "../command_line/arguments.ts";
import type { CommandName } from "../command_line/commands.ts";
import type { Settings } from "./environment/settings.ts";
import type { LocalImages } from "./local_images.ts";
import { normalAddress } from "./environment/ip_addresses.ts";
import { parseNasAddress } from "./environment/nas_address.ts";
import { drainHook, SHELL } from "../command_line/commands/drain_hook.ts";
import { DISPLAY_PORTS, displayHosts } from "../consoles/display_target.ts";

/** No command runs programs, or loads native libraries or remote code. */
const DENIED = { run: false, ffi: false, import: false } as const;

/** Images are anywhere, and may redirect; what downloads them has nothing else. */
export const DOWNLOADS = {
  ...DENIED,
  net: true,
  read: false,
  write: false,
  env: false,
  sys: false,
} as const;

/** Permissions in the runtime's terms; everything else is denied. */
export type Permissions = Omit<typeof DENIED, "run"> & {
  /** Programs; only a drain hook needs one. */
  readonly run: false | string[];
  /** `host:port` to connect to or listen on; true: any. */
  readonly net: string[] | true;
  /** Files and folders. */
  readonly read: string[];
  /** Files and folders. */
  readonly write: string[];
  /** Environment variables. */
  readonly env: string[];
  /** System information: at most how full a disk is. */
  readonly sys: "statfs"[] | false;
};

/** A command that does more than print its own text. */
export type WorkerCommand = Exclude<CommandName, "version" | "completion" | "man">;

/** What a command was started with. */
export interface Started {
  readonly command: WorkerCommand;
  readonly options: Options;
  /** null where the command needs none or they could not be read. */
  readonly settings: Settings | null;
  /** Path of the configuration file. */
  readonly configFile: string;
  /** The file that this path leads to through links, or null when it is the file itself. */
  readonly configTarget: string | null;
  /** Sockets for pinned connections; empty without a pin. */
  readonly tunnelSockets: readonly string[];
  /** Loopback port of the dashboard's server behind the connection limiter; 0 for other commands. */
  readonly innerPort: number;
  /** Files and folders of images on this machine, if it is the NAS itself; absent otherwise. */
  readonly localImages?: LocalImages;
  /** Files that seeds can be made from, and their folder; absent for a command that makes none. */
  readonly seedFiles?: readonly string[];
  /** Where a dashboard listens for agents; absent for a command that has no use for it. */
  readonly agentSocket?: string | null;
  /** Whether set-up is served, which connects to the address that a person enters. */
  readonly isSetup?: boolean;
  /** The middleware's socket, if the program runs on the NAS itself; used by set-up. */
  readonly localSocket?: string | null;
}

interface Needs {
  /** Serves the dashboard. */
  readonly listens: boolean;
  readonly nas: "configured" | "simulated" | "none";
  /** Reads config.yaml. */
  readonly configuration: boolean;
  /** Writes the journal. */
  readonly journal: boolean;
  /** Saves config.yaml, and nothing else in its folder, and the templates in theirs. */
  readonly saves?: boolean;
}

const NEEDS: Readonly<Record<WorkerCommand, Needs>> = {
  serve: { listens: true, nas: "configured", configuration: true, journal: true, saves: true },
  demo: { listens: true, nas: "simulated", configuration: true, journal: false },
  simulate: { listens: false, nas: "simulated", configuration: false, journal: false },
  list: { listens: false, nas: "configured", configuration: false, journal: false },
  plan: { listens: false, nas: "configured", configuration: true, journal: false },
  create: { listens: false, nas: "configured", configuration: true, journal: true },
  replace: { listens: false, nas: "configured", configuration: true, journal: true },
  destroy: { listens: false, nas: "configured", configuration: true, journal: true },
  images: { listens: false, nas: "configured", configuration: true, journal: true },
  checkpoint: { listens: false, nas: "configured", configuration: true, journal: true },
  vm: { listens: false, nas: "configured", configuration: false, journal: true },
  inventory: { listens: false, nas: "configured", configuration: false, journal: false },
  export: { listens: false, nas: "configured", configuration: true, journal: false },
  mcp: { listens: false, nas: "configured", configuration: true, journal: true },
  validate: { listens: false, nas: "none", configuration: true, journal: false },
};

/** The YAML parser reads these two variables; they hold no secrets. */
const YAML_ENVIRONMENT = ["LOG_STREAM", "LOG_TOKENS"] as const;

/** The least a command needs. Files of secrets are excluded because they were read earlier. */
export function permissionsOf(started: Started): Permissions {
  return started.isSetup ? permissionsOfSetup(started) : permissionsOfCommand(started);
}

/** The NAS's address is not known yet, so set-up can connect anywhere; it runs no other part of the program. */
function permissionsOfSetup(started: Started): Permissions {
  const { settings, tunnelSockets, localSocket } = started;
  const { read, env } = permissionsOfCommand(started);
  const sockets = localSocket == null ? [] : [localSocket];
  const write = [...(settings === null ? [] : [settings.stateDir]), ...tunnelSockets, ...sockets];
  return { net: true, read: [...read, ...sockets], write, env, sys: false, ...DENIED };
}

function permissionsOfCommand(
  started: Started,
): Permissions {
  const { command, options, settings, configFile, configTarget, tunnelSockets, innerPort } = started;
  const { localImages, seedFiles, agentSocket } = started;
  const needs = NEEDS[command];
  const nas = reached(needs, settings);
  const guests = command === "simulate" ? [GUEST_NETWORK] : [];
  const sockets = [...nas.sockets, ...tunnelSockets, ...(agentSocket == null ? [] : [agentSocket])];
  const { output } = options.export;
  const hook = command === "replace" && options.drain !== undefined ? drainHook(options.drain) : null;
  const configuration = configTarget === null ? [configFile] : [configFile, configTarget];
  const written = [
    ...(needs.journal && settings !== null ? [settings.stateDir] : []),
    ...(needs.saves ? configuration : []),
    ...(needs.saves && options.templatesDir !== undefined ? [options.templatesDir] : []),
    ...(command === "export" && output !== undefined ? [output] : []),
    ...(settings?.readOnly === true ? [] : localImages?.folders ?? []),
    ...sockets,
  ];
  const tls = needs.listens ? settings?.tls : null;
  const files = [
    ...(needs.configuration ? configuration : []),
    options.templatesDir,
    settings?.caFile,
    tls?.certFile,
    tls?.keyFile,
    command === "images" ? options.file : undefined,
    ...(seedFiles ?? []),
    ...(localImages?.files ?? []),
    ...(localImages?.folders ?? []),
  ];
  const listening = needs.listens && settings !== null
    ? [withPort(settings.listenHost, settings.listenPort), withPort("127.0.0.1", innerPort)]
    : [];
  const seed = needs.nas === "configured" && needs.journal ? settings?.seed ?? null : null;
  return {
    net: [
      ...listening,
      ...(seed === null ? [] : seedListening(seed)),
      ...nas.net,
      ...guests,
      ...(hook?.kind === "url" ? [hook.host] : []),
      ...(needs.listens ? webhookOf(settings) : []),
      ...sockets.map((path) => `unix:${path}`),
      ...(needs.listens && needs.nas === "configured" && settings?.readOnly !== true
        ? displaysOf(settings)
        : []),
    ],
    read: [...new Set([...files.filter((path) => typeof path === "string"), ...written])],
    write: written,
    // The guests of a simulated NAS read their user data.
    env: needs.configuration || needs.nas === "simulated" ? [...YAML_ENVIRONMENT] : [],
    // Images wait for the NAS on the disk of the journal.
    sys: seed === null ? false : ["statfs"],
    ...DENIED,
    run: hook?.kind === "command" ? [SHELL] : false,
  };
}

/** One line for the log, in which each file and socket is named once. */
export function describePermissions({ net, read, write, sys, run }: Permissions): string {
  const addresses = net === true ? ["any address"] : net;
  const sockets = addresses.flatMap((name) => name.startsWith(UNIX) ? [name.slice(UNIX.length)] : []);
  const files = (all: readonly string[], others: readonly string[] = []) =>
    all.filter((path) => ![...sockets, ...others].includes(path) && !isBelow(path, [...all, ...others]));
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ["connect and listen:", addresses],
    ["read and write:", files(write)],
    ["read:", files(read, write)],
    ["read system information:", sys || []],
    ["run:", run || []],
  ];
  return parts.filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what} ${rangesOf([...new Set(names)]).join(", ")}`).join("; ") || "nothing";
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => plain(path).startsWith(`${plain(folder)}/`));
}

/** `./state` and `state` are one folder. */
function plain(path: string): string {
  return path.replace(/^\.\//, "");
}

/** Names that differ in a number that follows the one before: `nas.lan:5900-7999`, `unix:/tmp/nas0-15.sock`. */
function rangesOf(names: readonly string[]): string[] {
  const ranges: { before: string; after: string; first: number; last: number }[] = [];
  for (const name of names) {
    const [, before = name, digits = "", after = ""] = /^(.*:|.*\D)(\d+)(\.sock)$/.exec(name) ??
      /^(.*:)(\d+)$/.exec(name) ?? [];
    const number = Number(digits || NaN);
    const range = ranges.at(-1);
    if (range?.before === before && range.after === after && range.last + 1 === number) range.last++;
    else ranges.push({ before, after, first: number, last: number });
  }
  return ranges.map(({ before, after, first, last }) =>
    Number.isNaN(first)
      ? before
      : first === last
      ? `${before}${first}${after}`
      : `${before}${first}-${last}${after}`
  );
}

const UNIX = "unix:";

/** The address of SEED_HOST, or all addresses where it is a name, or the address of a router in front. */
function seedListening({ host, port }: NonNullable<Settings["seed"]>): string[] {
  const address = normalAddress(host);
  return [
    ...(address === null ? [] : [withPort(address, port)]),
    withPort(address?.includes(":") ? "::" : "0.0.0.0", port),
  ];
}

/** Where what happened is told; null settings tell nobody. */
function webhookOf(settings: Settings | null): string[] {
  if (settings === null || settings.webhook === null) return [];
  const { hostname, port, protocol } = new URL(settings.webhook.url);
  const usual = protocol === "https:" ? HTTPS_PORT : HTTP_PORT;
  return [withPort(hostname.replace(/^\[(.*)\]$/, "$1"), port === "" ? usual : Number(port))];
}

/** The runtime knows no ranges of ports, so each is named. */
function displaysOf(settings: Settings | null): string[] {
  const parsed = parseNasAddress(settings?.nas?.host ?? "");
  if (!parsed.ok) return [];
  const { first, last } = DISPLAY_PORTS;
  const ports = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const hosts = displayHosts({ address: parsed.address, publicHost: settings?.publicHost ?? null });
  return hosts.flatMap((host) => ports.map((port) => withPort(host, port)));
}

/** The loopback addresses at which the guests of a simulated NAS listen. */
const GUEST_NETWORK = "127.20.0.0/16";

interface Reached {
  readonly net: readonly string[];
  readonly sockets: readonly string[];
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

function reached({ nas }: Needs, settings: Settings | null): Reached {
  // The simulated NAS uses any free port.
  if (nas === "simulated") return { net: ["127.0.0.1"], sockets: [] };
  const parsed = parseNasAddress(settings?.nas?.host ?? "");
  if (nas === "none" || !parsed.ok) return { net: [], sockets: [] };
  const { address } = parsed;
  // The runtime checks a connection through a socket against the name and port that were requested.
  if (address.kind === "unix") return { net: [withPort(address.host, HTTP_PORT)], sockets: [address.path] };
  const { port } = new URL(address.url);
  const ports = port !== ""
    ? [Number(port)]
    : address.kind === "ws"
    ? [HTTP_PORT]
    : settings?.certFingerprint == null
    ? [HTTPS_PORT]
    : [HTTPS_PORT, HTTP_PORT];
  return { net: ports.map((it) => withPort(address.host, it)), sockets: [] };
}

function withPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
