/** All in which the simulated releases differ: texts, shapes and rules, each as the real release has it. */
import schemas2504 from "./schemas/v25_04_0.json" with { type: "json" };
import schemas25042 from "./schemas/v25_04_2.json" with { type: "json" };
import schemas25 from "./schemas/v25_10_5.json" with { type: "json" };
import schemas26 from "./schemas/v26_0_0.json" with { type: "json" };
import schemas27 from "./schemas/v27_0_0.json" with { type: "json" };
import { legacySchemas } from "./wire/legacy_models.ts";
import type { MethodSchema } from "./wire/schema_check.ts";
import type { SimulatedVersion } from "./types.ts";
import { ERRNO } from "../errors/errno.ts";

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
  /** vm.log_file_path finds the log of a VM that ran (up to 25.10); later releases look for a file of the old name. */
  readonly findsVmLog: boolean;
  /** Renaming a UEFI VM that never started is done, and then answered with an error: its NVRAM file is not there. */
  readonly renamesNvram: boolean;
  /** vm.get_memory_usage of a VM that is stopped is 0 (27.0), and a mistake before. */
  readonly stoppedUsesNothing: boolean;
  /** Queries check their limit themselves (25.10 and 26.0); 27.0's schema does, and 25.04 takes any. */
  readonly checksLimit: boolean;
  readonly suspendOnSnapshot: boolean;
  /** A SPICE display without any port is refused (null is compared with null). */
  readonly refusesPortlessSpice: boolean;
  /** A NIC without a MAC gets one in its row. */
  readonly fillsMac: boolean;
  /** MACs have to be colon-separated, and are lower-cased. */
  readonly strictMac: boolean;
  readonly masksDisplayPasswords: boolean;
  readonly mechanismChoicesBeforeLogin: boolean;
  /** CRUD events carry the row (25.10 and later), or only its id. */
  readonly eventFields: boolean;
  /** Wrong one-time passwords that may be mended before the exchange is over. */
  readonly otpRetries: number;
  /** The kind of a device stands beside its attributes (24.x), not in them; and updates replace all attributes. */
  readonly topLevelDtype: boolean;
  /** vm.device.update takes whole attributes of a kind, with their defaults (25.04), and not single keys. */
  readonly typedUpdates: boolean;
  /** The older protocol answers its own ping (24.x). */
  readonly answersPing: boolean;
  /** Secure boot needs a firmware file that has it (25.10 and later), or takes any. */
  readonly checksFirmware: boolean;
  /** core.set_options answers with the options (25.10 and later), or with nothing. */
  readonly tellsOptions: boolean;
  /** NICs have a PCI address (27.0). */
  readonly nicPciAddress: boolean;
  /**
   * How ZFS is reached: up to 25.10 by libzfs, which refuses to destroy what is depended on; from 26 on by zfs.resource,
   * whose recursive destroy takes the clones of others and tells of no failure.
   */
  readonly zfs: "classic" | "resource";
  /** Where the methods of snapshots are: zfs.snapshot up to 25.04. */
  readonly snapshotNamespace: "zfs.snapshot" | "pool.snapshot";
  /** zfs.resource.query tells of a tier (26 and later). */
  readonly resourceTier: boolean;
  /** Fields of a pool row that other releases do not have. */
  readonly poolFields: Readonly<Record<string, unknown>>;
  readonly texts: {
    readonly alreadyRunning: (name: string) => string;
    readonly startSuspended: (name: string) => string;
    /** A poweroff, stop, suspend or resume in the wrong state. */
    readonly wrongState: (found: WrongState) => StateRefusal;
    readonly parentMissing: (parent: string) => string;
    readonly zvolMissing: (zvol: string, path: string) => string;
    /** null: an image may lie in the pool's root. */
    readonly isoInPoolRoot: ((pool: string) => string) | null;
    /** null: a relative path is refused only for lying outside of the pools. */
    readonly isoRelative: string | null;
    /** An image is looked for before its place is judged. */
    readonly looksBeforePool: boolean;
    readonly isoMissing: (path: string) => IsoMissing;
    /** A disk's path that is none of a zvol. */
    readonly noZvolPath: readonly string[];
    /** A disk's path that is a filesystem's. */
    readonly noVolume: (dataset: string, path: string) => string;
    readonly datasetExists: (name: string) => string;
    /** A path that the VM has already. */
    readonly attachedTwice: (vm: string, path: string, dtype: string) => string;
    /** Where a mistake in the attributes of vm.device.update is told, by its place in vm.device.create. */
    readonly updatePath: (createPath: string) => string;
    readonly deviceGone: (name: string, device: string) => string;
  };
}

/** What is said of an image that is not there: a validation error, a CallError, or Python's own exception. */
export type IsoMissing =
  | {
    readonly kind: "validation";
    readonly attribute: string;
    readonly message: string;
    readonly errno: number;
  }
  | { readonly kind: "call"; readonly errno: number; readonly reason: string }
  | { readonly kind: "plain"; readonly reason: string };

/** A VM that is not in the state that a call wants. */
export interface WrongState {
  readonly name: string;
  readonly wanted: readonly string[];
  readonly state: string;
  readonly everStarted: boolean;
}

/** How a state is refused: with a CallError, or with libvirt's own exception. */
export interface StateRefusal {
  readonly kind: "call" | "libvirt";
  readonly reason: string;
}

/** libvirt's words: a VM that never ran has no domain yet. */
function libvirtRefusal({ name, wanted, state, everStarted }: WrongState): string {
  if (state === "STOPPED") return `Domain '${name}' ${everStarted ? "is not active" : "does not exist"}`;
  if (wanted.includes("SUSPENDED")) return `Domain '${name}' is not suspended`;
  return "Requested operation is not valid: domain is not running";
}

function missingIso(attribute: string, message: string, errno: number): IsoMissing {
  return { kind: "validation", attribute, message, errno };
}

function methods(schemas: unknown): Readonly<Record<string, MethodSchema>> {
  return schemas as Readonly<Record<string, MethodSchema>>;
}

const V25_10: Profile = {
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
  schemas: methods(schemas25),
  lifecycle: "raw",
  nicChoices: "map",
  deleteRunning: "powers-off",
  serialDeletes: true,
  deleteAnswers: true,
  cancelsOnDisconnect: false,
  unusedDomainState: "SHUTOFF",
  findsVmLog: true,
  renamesNvram: true,
  stoppedUsesNothing: false,
  checksLimit: true,
  suspendOnSnapshot: false,
  refusesPortlessSpice: false,
  fillsMac: false,
  strictMac: false,
  masksDisplayPasswords: false,
  mechanismChoicesBeforeLogin: false,
  eventFields: true,
  otpRetries: 3,
  topLevelDtype: false,
  typedUpdates: false,
  answersPing: false,
  checksFirmware: true,
  tellsOptions: true,
  nicPciAddress: false,
  zfs: "classic",
  snapshotNamespace: "pool.snapshot",
  resourceTier: false,
  poolFields: {},
  texts: {
    alreadyRunning: (name) => `'${name}' is already running`,
    startSuspended: (name) => `'${name}' VM is suspended and can only be resumed/powered off`,
    wrongState: ({ wanted }) => ({
      kind: "call",
      reason: `VM state is currently not '${wanted.join(" / ")}'`,
    }),
    parentMissing: (parent) => `Parent dataset ${parent} does not exist.`,
    zvolMissing: () => "Zvol referenced by path does not exist",
    isoInPoolRoot: () => "The path must be a dataset or a directory within a dataset.",
    isoRelative: null,
    looksBeforePool: false,
    isoMissing: () => ({ kind: "call", errno: ERRNO.ENOENT, reason: "Path not found." }),
    noZvolPath: ['Disk path must start with "/dev/zvol/"'],
    noVolume: () => "Path specified does not reference to a VOLUME",
    attachedTwice: (vm, path) => `${vm} has "${path}" already configured`,
    datasetExists: (name) => `Failed to create dataset: cannot create '${name}': dataset already exists`,
    updatePath: (path) => path.replace(/^vm_device_create\.(attributes\.[A-Z_]+\.)?/, ""),
    deviceGone: (_name, device) => `VM will not start as ${device} device(s) are not available.`,
  },
};

const V27: Profile = {
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
  schemas: methods(schemas27),
  lifecycle: "rows",
  nicChoices: "grouped",
  deleteRunning: "refuses",
  serialDeletes: false,
  deleteAnswers: null,
  cancelsOnDisconnect: true,
  unusedDomainState: null,
  findsVmLog: false,
  renamesNvram: false,
  stoppedUsesNothing: true,
  checksLimit: false,
  suspendOnSnapshot: true,
  refusesPortlessSpice: true,
  fillsMac: true,
  strictMac: true,
  masksDisplayPasswords: true,
  mechanismChoicesBeforeLogin: true,
  eventFields: true,
  otpRetries: 0,
  topLevelDtype: false,
  typedUpdates: false,
  answersPing: false,
  checksFirmware: true,
  tellsOptions: true,
  nicPciAddress: true,
  zfs: "resource",
  snapshotNamespace: "pool.snapshot",
  resourceTier: true,
  poolFields: { all_sed: false },
  texts: {
    alreadyRunning: (name) => `VM '${name}' is already running`,
    startSuspended: (name) => `VM '${name}' is already running`,
    wrongState: (found) => ({ kind: "libvirt", reason: libvirtRefusal(found) }),
    parentMissing: (parent) => `Parent '${parent}' does not exist.`,
    zvolMissing: (zvol, path) => `Zvol (${zvol}) path (${path}) does not exist.`,
    isoInPoolRoot: (pool) =>
      `The specified path is located in the root dataset of pool '${pool}'. VM resources must be stored within a child ` +
      `dataset of the pool, not the pool root. Create a dataset under '${pool}' (e.g., ${pool}/iso) and move your files there.`,
    isoRelative: "Path must be an absolute path",
    looksBeforePool: true,
    isoMissing: (path) => missingIso("attributes.path", `Path ${path} does not exist`, ERRNO.EINVAL),
    noZvolPath: ["Disk path must start with '/dev/zvol/'.", 'Disk path must start with "/dev/zvol/".'],
    noVolume: (dataset, path) => `Path '${path}' (${dataset}) is not a volume.`,
    attachedTwice: (vm, path, dtype) =>
      `${vm} has ${dtype === "DISK" ? `"${path}"` : `'${path}'`} already configured`,
    datasetExists: (name) =>
      `Failed to create dataset ${name}: cannot create '${name}': dataset already exists`,
    updatePath: (path) => path.replace(/^vm_device_create\./, ""),
    deviceGone: (name, device) => `Cannot start domain ${name}: ${device} is not available`,
  },
};

/** 26.0 is as 27.0, with models of its own. */
const V26: Profile = {
  ...V27,
  release: "26.0.0",
  apiVersions: V27.apiVersions.filter((version) => version !== "v27.0.0"),
  schemas: methods(schemas26),
  stoppedUsesNothing: false,
  checksLimit: true,
  nicPciAddress: false,
};

/** VMs came back with 25.04.2: events have no fields yet, and images may lie in the pool's root. */
const V25_04_2: Profile = {
  ...V25_10,
  release: "25.04.2.6",
  apiVersions: ["v25.04.0", "v25.04.1", "v25.04.2"],
  schemas: methods(schemas25042),
  eventFields: false,
  snapshotNamespace: "zfs.snapshot",
  checksLimit: false,
  typedUpdates: true,
  checksFirmware: false,
  tellsOptions: false,
  texts: {
    ...V25_10.texts,
    isoInPoolRoot: null,
    looksBeforePool: true,
    isoMissing: (path) => ({ kind: "plain", reason: `[Errno 2] No such file or directory: '${path}'` }),
  },
};

/** Without any vm.*. */
const V25_04_0: Profile = {
  ...V25_04_2,
  release: "25.04.0",
  apiVersions: ["v24.10", "v25.04.0"],
  schemas: methods(schemas2504),
};

const MISSING_24_10 = "Path does not exist (underlying dataset may be locked or the path is just missing).";

/** Only the older protocol, and models of their own. */
const V24_10: Profile = {
  ...V25_04_2,
  release: "24.10.2.4",
  apiVersions: [],
  schemas: legacySchemas(methods(schemas25042), ["enable_secure_boot"]),
  topLevelDtype: true,
  answersPing: true,
  texts: { ...V25_04_2.texts, isoMissing: () => missingIso("path", MISSING_24_10, ERRNO.ENOENT) },
};

const V24_04: Profile = {
  ...V24_10,
  release: "24.04.2.5",
  schemas: legacySchemas(methods(schemas25042), ["enable_secure_boot", "enable_cpu_topology_extension"]),
  texts: {
    ...V24_10.texts,
    isoMissing: (path) =>
      missingIso("attributes.path", `Unable to locate CDROM device at ${path}`, ERRNO.EINVAL),
  },
};

/** The releases that can be simulated. */
export const PROFILES = {
  "24.04": V24_04,
  "24.10": V24_10,
  "25.04.0": V25_04_0,
  "25.04.2": V25_04_2,
  "25.10": V25_10,
  "26.0": V26,
  "27.0": V27,
} as const satisfies Record<SimulatedVersion, Profile>;
