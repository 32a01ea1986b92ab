/** What the dashboard may touch, computed from its settings: this NAS, this address, these files, and nothing else. Pure. */
import type { Options } from "./arguments.ts";
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

/** What a dashboard is started with. */
export interface Started {
  readonly options: Options;
  readonly settings: Settings;
  /** The file of the configuration. */
  readonly configFile: string;
  /** Where sockets of pinned connections may be made; none without a pin. */
  readonly tunnelSockets: readonly string[];
  /** The NAS is simulated, in the same process. */
  readonly simulated: boolean;
}

/** The least that a dashboard needs. The secrets' own files are not among it: they were read before. */
export function permissionsOf(
  { options, settings, configFile, tunnelSockets, simulated }: Started,
): Permissions {
  const { listenHost, listenPort, stateDir, caFile, tls } = settings;
  const nas = simulated ? SIMULATED : addressOf(settings);
  const sockets = [...nas.sockets, ...tunnelSockets];
  const written = [...(simulated ? [] : [stateDir]), ...sockets];
  const files = [options.templatesDir, caFile, tls?.certFile, tls?.keyFile];
  return {
    net: [withPort(listenHost, listenPort), ...nas.net, ...sockets.map((path) => `unix:${path}`)],
    read: [configFile, ...files.filter((path) => typeof path === "string"), ...written],
    write: written,
    env: [],
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
