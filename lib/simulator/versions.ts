/** The differences between the simulated releases: texts, shapes and rules, each as in the real release. */
import schemas2504 from "./schemas/v25_04_0.json" with { type: "json" };
import schemas25042 from "./schemas/v25_04_2.json" with { type: "json" };
import schemas25 from "./schemas/v25_10_5.json" with { type: "json" };
import schemas26 from "./schemas/v26_0_0.json" with { type: "json" };
import schemas27 from "./schemas/v27_0_0.json" with { type: "json" };
import { legacySchemas } from "./wire/legacy_models.ts";
import type { MethodSchema } from "./wire/schema_check.ts";
import type { SimulatedVersion } from "./types.ts";
import { ERRNO } from "../errors/errno.ts";
import type { Invalid } from "./wire/wire_errors.ts";

/** A simulated release. */
export interface Profile {
  /** The answer of system.version_short. */
  readonly release: string;
  /** The answer of GET /api/versions, oldest first. */
  readonly apiVersions: readonly string[];
  readonly schemas: Readonly<Record<string, MethodSchema>>;
  /** Lifecycle events are libvirt's own, raw and repeated (up to 25.10), or full rows of vm.query. */
  readonly lifecycle: "raw" | "rows";
  /** nic_attach_choices as a map of names, or as lists by kind. */
  readonly nicChoices: "map" | "grouped";
  /** Effect of vm.delete of a running VM without force. */
  readonly deleteRunning: "powers-off" | "refuses";
  /** Deletions run one after another. */
  readonly serialDeletes: boolean;
  readonly deleteAnswers: true | null;
  /** A lost connection cancels its pending calls. */
  readonly cancelsOnDisconnect: boolean;
  /** The domain_state of a VM that was never started. */
  readonly unusedDomainState: "SHUTOFF" | null;
  /** vm.log_file_path finds the log of a VM that ran (up to 25.10); later releases look for a file of the old name. */
  readonly findsVmLog: boolean;
  /** Renaming a UEFI VM that never started succeeds but answers with an error, because its NVRAM file is missing. */
  readonly renamesNvram: boolean;
  /** vm.get_memory_usage of a stopped VM is 0 (27.0); earlier releases refuse it. */
  readonly stoppedUsesNothing: boolean;
  /** Queries check their limit themselves (25.10 and 26.0); in 27.0 the schema does, and 25.04 accepts any. */
  readonly checksLimit: boolean;
  /** A SPICE display without any port is refused, because null equals null. */
  readonly refusesPortlessSpice: boolean;
  /** A NIC without a MAC address gets one in its row. */
  readonly fillsMac: boolean;
  /** MAC addresses must be colon-separated and are converted to lower case. */
  readonly strictMac: boolean;
  readonly masksDisplayPasswords: boolean;
  readonly mechanismChoicesBeforeLogin: boolean;
  /** CRUD events contain the row (25.10 and later), or only its id. */
  readonly eventFields: boolean;
  /** The fields of reporting.realtime: those of 24.x, of 25.04, or with the pools (25.10 and later). */
  readonly realtime: "legacy" | "without-pools" | "with-pools";
  /** Number of wrong one-time passwords before the exchange ends. */
  readonly otpRetries: number;
  /** A device's dtype is next to its attributes (24.x), not inside, and updates replace all attributes. */
  readonly topLevelDtype: boolean;
  /** vm.device.update takes all attributes of a dtype, with their defaults (25.04), instead of single keys. */
  readonly typedUpdates: boolean;
  /** The legacy protocol answers its own ping (24.x). */
  readonly answersPing: boolean;
  /** Secure boot requires a firmware file that supports it (25.10 and later); earlier releases accept any. */
  readonly checksFirmware: boolean;
  /** core.set_options answers with the options (25.10 and later), or with null. */
  readonly returnsOptions: boolean;
  /** NICs have a PCI address (27.0). */
  readonly nicPciAddress: boolean;
  /**
   * The ZFS engine: libzfs up to 25.10, which refuses to destroy what others depend on; zfs.resource from 26 on, whose
   * recursive destroy deletes the clones of others and reports no failure.
   */
  readonly zfs: "classic" | "resource";
  /** Namespace of the snapshot methods: zfs.snapshot up to 25.04. */
  readonly snapshotNamespace: "zfs.snapshot" | "pool.snapshot";
  /** zfs.resource.query returns a tier (26 and later). */
  readonly resourceTier: boolean;
  /** filesystem.mkdir refuses links in a path and names a missing parent (27.0). */
  readonly refusesLinkedFolders: boolean;
  /** Additional fields of a pool row. */
  readonly poolFields: Readonly<Record<string, unknown>>;
  readonly texts: {
    readonly alreadyRunning: (name: string) => string;
    readonly startSuspended: (name: string) => string;
    /** A poweroff, stop, suspend or resume in the wrong state. */
    readonly wrongState: (found: WrongState) => StateRefusal;
    readonly parentMissing: (parent: string) => string;
    readonly zvolMissing: (zvol: string, path: string) => string;
    /** null: an image can be in the pool's root. */
    readonly isoInPoolRoot: ((pool: string) => string) | null;
    /** null: a relative path is refused only as being outside the pools. */
    readonly isoRelative: string | null;
    /** The existence of an image is checked before its location. */
    readonly checksExistenceFirst: boolean;
    readonly isoMissing: (path: string) => IsoMissing;
    /** A disk's path that is not a zvol's. */
    readonly noZvolPath: readonly string[];
    /** A disk's path that is a filesystem's. */
    readonly noVolume: (dataset: string, path: string) => string;
    readonly datasetExists: (name: string) => string;
    /** A path that is already attached to the VM. */
    readonly attachedTwice: (vm: string, path: string, dtype: string) => string;
    /** The path of a mistake in vm.device.update, by its path in vm.device.create. */
    readonly updatePath: (createPath: string) => string;
    readonly deviceMissing: (name: string, device: string) => string;
  };
}

/** The answer about a missing image: a validation error, a CallError, or Python's own exception. */
export type IsoMissing =
  | { readonly kind: "validation"; readonly invalid: Invalid }
  | { readonly kind: "call"; readonly errno: number; readonly reason: string }
  | { readonly kind: "plain"; readonly reason: string };

/** A VM in another state than a call requires. */
export interface WrongState {
  readonly name: string;
  readonly wanted: readonly string[];
  readonly state: string;
  readonly everStarted: boolean;
}

/** The refusal of a state: a CallError, or libvirt's own exception. */
export interface StateRefusal {
  readonly kind: "call" | "libvirt";
  readonly reason: string;
}

/** libvirt's words; a VM that never ran has no domain yet. */
function libvirtRefusal({ name, wanted, state, everStarted }: WrongState): string {
  if (state === "STOPPED") return `Domain '${name}' ${everStarted ? "is not active" : "does not exist"}`;
  if (wanted.includes("SUSPENDED")) return `Domain '${name}' is not suspended`;
  return "Requested operation is not valid: domain is not running";
}

function invalidIso(attribute: string, message: string, errno: number = ERRNO.EINVAL): IsoMissing {
  return { kind: "validation", invalid: [attribute, message, errno] };
}

type Schemas = Readonly<Record<string, MethodSchema>>;

/** All API versions up to one, oldest first. */
function versionsUpTo(last: string): readonly string[] {
  const patches = [1, 2, 3, 4, 5].map((patch) => `v25.10.${patch}`);
  const all = ["v25.04.0", "v25.04.1", "v25.04.2", "v25.10.0", ...patches, "v26.0.0", "v27.0.0"];
  return all.slice(0, all.indexOf(last) + 1);
}

const SCHEMAS_25_04_2 = schemas25042 as Schemas;

const V25_10: Profile = {
  release: "25.10.7",
  apiVersions: versionsUpTo("v25.10.5"),
  schemas: schemas25 as Schemas,
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
  refusesPortlessSpice: false,
  fillsMac: false,
  strictMac: false,
  masksDisplayPasswords: false,
  mechanismChoicesBeforeLogin: false,
  eventFields: true,
  realtime: "with-pools",
  otpRetries: 3,
  topLevelDtype: false,
  typedUpdates: false,
  answersPing: false,
  checksFirmware: true,
  returnsOptions: true,
  nicPciAddress: false,
  zfs: "classic",
  snapshotNamespace: "pool.snapshot",
  resourceTier: false,
  refusesLinkedFolders: false,
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
    checksExistenceFirst: false,
    isoMissing: () => ({ kind: "call", errno: ERRNO.ENOENT, reason: "Path not found." }),
    noZvolPath: ['Disk path must start with "/dev/zvol/"'],
    noVolume: () => "Path specified does not reference to a VOLUME",
    attachedTwice: (vm, path) => `${vm} has "${path}" already configured`,
    datasetExists: (name) => `Failed to create dataset: cannot create '${name}': dataset already exists`,
    updatePath: (path) => path.replace(/^vm_device_create\.(attributes\.[A-Z_]+\.)?/, ""),
    deviceMissing: (_name, device) => `VM will not start as ${device} device(s) are not available.`,
  },
};

const V27: Profile = {
  ...V25_10,
  release: "27.0.0",
  apiVersions: versionsUpTo("v27.0.0"),
  schemas: schemas27 as Schemas,
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
  refusesPortlessSpice: true,
  fillsMac: true,
  strictMac: true,
  masksDisplayPasswords: true,
  mechanismChoicesBeforeLogin: true,
  otpRetries: 0,
  nicPciAddress: true,
  zfs: "resource",
  resourceTier: true,
  refusesLinkedFolders: true,
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
    checksExistenceFirst: true,
    isoMissing: (path) => invalidIso("attributes.path", `Path ${path} does not exist`),
    noZvolPath: ["Disk path must start with '/dev/zvol/'.", 'Disk path must start with "/dev/zvol/".'],
    noVolume: (dataset, path) => `Path '${path}' (${dataset}) is not a volume.`,
    attachedTwice: (vm, path, dtype) =>
      `${vm} has ${dtype === "DISK" ? `"${path}"` : `'${path}'`} already configured`,
    datasetExists: (name) =>
      `Failed to create dataset ${name}: cannot create '${name}': dataset already exists`,
    updatePath: (path) => path.replace(/^vm_device_create\./, ""),
    deviceMissing: (name, device) => `Cannot start domain ${name}: ${device} is not available`,
  },
};

/** 26.0 is like 27.0, with its own models. */
const V26: Profile = {
  ...V27,
  release: "26.0.0",
  apiVersions: versionsUpTo("v26.0.0"),
  schemas: schemas26 as Schemas,
  stoppedUsesNothing: false,
  checksLimit: true,
  refusesLinkedFolders: false,
  nicPciAddress: false,
};

/** VMs returned with 25.04.2: events have no fields yet, and images can be in the pool's root. */
const V25_04_2: Profile = {
  ...V25_10,
  release: "25.04.2.6",
  apiVersions: versionsUpTo("v25.04.2"),
  schemas: SCHEMAS_25_04_2,
  eventFields: false,
  realtime: "without-pools",
  snapshotNamespace: "zfs.snapshot",
  checksLimit: false,
  typedUpdates: true,
  checksFirmware: false,
  returnsOptions: false,
  texts: {
    ...V25_10.texts,
    isoInPoolRoot: null,
    checksExistenceFirst: true,
    isoMissing: (path) => ({ kind: "plain", reason: `[Errno 2] No such file or directory: '${path}'` }),
  },
};

/** The release without any VM API. */
const V25_04_0: Profile = {
  ...V25_04_2,
  release: "25.04.0",
  apiVersions: ["v24.10", "v25.04.0"],
  schemas: schemas2504 as Schemas,
};

const MISSING_24_10 = "Path does not exist (underlying dataset may be locked or the path is just missing).";

/** Only the legacy protocol, and its own models. */
const V24_10: Profile = {
  ...V25_04_2,
  realtime: "legacy",
  release: "24.10.2.4",
  apiVersions: [],
  schemas: legacySchemas(SCHEMAS_25_04_2, ["enable_secure_boot"]),
  topLevelDtype: true,
  answersPing: true,
  texts: { ...V25_04_2.texts, isoMissing: () => invalidIso("path", MISSING_24_10, ERRNO.ENOENT) },
};

const V24_04: Profile = {
  ...V24_10,
  release: "24.04.2.5",
  schemas: legacySchemas(SCHEMAS_25_04_2, ["enable_secure_boot", "enable_cpu_topology_extension"]),
  texts: {
    ...V24_10.texts,
    isoMissing: (path) => invalidIso("attributes.path", `Unable to locate CDROM device at ${path}`),
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
