/** All in which the simulated releases differ: texts, shapes and rules, each as the real release has it. */
import schemas25 from "./schemas/v25_10_5.json" with { type: "json" };
import schemas27 from "./schemas/v27_0_0.json" with { type: "json" };
import type { MethodSchema } from "./schema_check.ts";
import type { SimulatedVersion } from "./types.ts";

/** A simulated release. */
export interface Profile {
  /** What system.version_short says. */
  readonly release: string;
  /** What GET /api/versions lists, oldest first. */
  readonly apiVersions: readonly string[];
  readonly schemas: Readonly<Record<string, MethodSchema>>;
  /** Lifecycle events are libvirt's own, raw and repeated (up to 25.10), or full rows of vm.query. */
  readonly lifecycle: "raw" | "rows";
  /** nic_attach_choices as a map of names, or as lists by kind. */
  readonly nicChoices: "map" | "grouped";
  /** What vm.delete of a running VM does without force. */
  readonly deleteRunning: "powers-off" | "refuses";
  /** Deletions wait for each other. */
  readonly serialDeletes: boolean;
  readonly deleteAnswers: true | null;
  /** Pending calls of a connection end with it. */
  readonly cancelsOnDisconnect: boolean;
  /** The domain_state of a VM that was never started. */
  readonly unusedDomainState: "SHUTOFF" | null;
  readonly suspendOnSnapshot: boolean;
  /** A SPICE display without any port is refused (null is compared with null). */
  readonly refusesPortlessSpice: boolean;
  /** A NIC without a MAC gets one in its row. */
  readonly fillsMac: boolean;
  /** MACs have to be colon-separated, and are lower-cased. */
  readonly strictMac: boolean;
  readonly masksDisplayPasswords: boolean;
  readonly mechanismChoicesBeforeLogin: boolean;
  /** Fields of a pool row that other releases do not have. */
  readonly poolFields: Readonly<Record<string, unknown>>;
  readonly texts: {
    readonly alreadyRunning: (name: string) => string;
    readonly startSuspended: (name: string) => string;
    /** A poweroff, stop, suspend or resume in the wrong state. */
    readonly wrongState: (name: string, wanted: string, everStarted: boolean) => StateRefusal;
    readonly parentMissing: (parent: string) => string;
    readonly zvolMissing: (zvol: string, path: string) => string;
    readonly isoInPoolRoot: (pool: string) => string;
    /** null: a plain FileNotFoundError instead of a validation error. */
    readonly isoMissing: ((path: string) => string) | null;
    readonly deviceGone: (name: string, device: string) => string;
  };
}

/** How a state is refused: with a CallError, or with libvirt's own exception. */
export interface StateRefusal {
  readonly kind: "call" | "libvirt";
  readonly reason: string;
}

/** The releases that can be simulated. */
export const PROFILES = {
  "25.10": {
    release: "25.10.7",
    apiVersions: [
      "v25.04.0",
      "v25.04.1",
      "v25.04.2",
      "v25.10.0",
      "v25.10.1",
      "v25.10.2",
      "v25.10.3",
      "v25.10.4",
      "v25.10.5",
    ],
    schemas: schemas25 as unknown as Readonly<Record<string, MethodSchema>>,
    lifecycle: "raw",
    nicChoices: "map",
    deleteRunning: "powers-off",
    serialDeletes: true,
    deleteAnswers: true,
    cancelsOnDisconnect: false,
    unusedDomainState: "SHUTOFF",
    suspendOnSnapshot: false,
    refusesPortlessSpice: false,
    fillsMac: false,
    strictMac: false,
    masksDisplayPasswords: false,
    mechanismChoicesBeforeLogin: false,
    poolFields: {},
    texts: {
      alreadyRunning: (name) => `'${name}' is already running`,
      startSuspended: (name) => `'${name}' VM is suspended and can only be resumed/powered off`,
      wrongState: (_name, wanted) => ({ kind: "call", reason: `VM state is currently not '${wanted}'` }),
      parentMissing: (parent) => `Parent dataset ${parent} does not exist.`,
      zvolMissing: () => "Zvol referenced by path does not exist",
      isoInPoolRoot: () => "The path must be a dataset or a directory within a dataset.",
      isoMissing: null,
      deviceGone: (_name, device) => `VM will not start as ${device} device(s) are not available.`,
    },
  },
  "27.0": {
    release: "27.0.0",
    apiVersions: [
      "v25.04.0",
      "v25.04.1",
      "v25.04.2",
      "v25.10.0",
      "v25.10.1",
      "v25.10.2",
      "v25.10.3",
      "v25.10.4",
      "v25.10.5",
      "v26.0.0",
      "v27.0.0",
    ],
    schemas: schemas27 as unknown as Readonly<Record<string, MethodSchema>>,
    lifecycle: "rows",
    nicChoices: "grouped",
    deleteRunning: "refuses",
    serialDeletes: false,
    deleteAnswers: null,
    cancelsOnDisconnect: true,
    unusedDomainState: null,
    suspendOnSnapshot: true,
    refusesPortlessSpice: true,
    fillsMac: true,
    strictMac: true,
    masksDisplayPasswords: true,
    mechanismChoicesBeforeLogin: true,
    poolFields: { all_sed: false },
    texts: {
      alreadyRunning: (name) => `VM '${name}' is already running`,
      startSuspended: (name) => `VM '${name}' is already running`,
      wrongState: (name, _wanted, everStarted) => ({
        kind: "libvirt",
        reason: everStarted ? `Domain '${name}' is not active` : `Domain '${name}' does not exist`,
      }),
      parentMissing: (parent) => `Parent '${parent}' does not exist.`,
      zvolMissing: (zvol, path) => `Zvol (${zvol}) path (${path}) does not exist.`,
      isoInPoolRoot: (pool) =>
        `The specified path is located in the root dataset of pool '${pool}'. VM resources must be stored within a child ` +
        `dataset of the pool, not the pool root. Create a dataset under '${pool}' (e.g., ${pool}/iso) and move your files there.`,
      isoMissing: (path) => `Path ${path} does not exist`,
      deviceGone: (name, device) => `Cannot start domain ${name}: ${device} is not available`,
    },
  },
} as const satisfies Record<SimulatedVersion, Profile>;
