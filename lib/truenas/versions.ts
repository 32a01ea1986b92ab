/**
 * The differences between TrueNAS versions, as data; no other module knows a version. Source of every entry: TrueNAS's
 * middleware code and the JSON Schemas of its API models.
 */

/** The rules of one version. */
export interface VersionRules {
  /** The release train: `25.10`. */
  readonly id: string;
  /** The protocol; 24.x has only the legacy one at /websocket. */
  readonly protocol: "legacy" | "jsonrpc";
  /** Keys that vm.create accepts; any other key fails the call. */
  readonly vmCreateKeys: readonly string[];
  /** Attribute keys of each device type created here; any other key fails the call. */
  readonly deviceKeys: Readonly<Record<DeviceType, readonly string[]>>;
  /** Where install images are allowed: 25.10.1 and later refuse the pool's root dataset. */
  readonly cdromRule: "anywhere" | "not-pool-root";
  /** Position of a device's `dtype`: next to its attributes (24.x) or inside them. */
  readonly dtype: "top-level" | "attributes";
  /** Keys of vm.create that vm.update refuses, so that only a new VM has another value. */
  readonly vmUpdateRefuses: readonly string[];
  /**
   * What vm.device.update does with attributes: replaces all of them (24.x), fills those that are not sent with defaults
   * (25.04), or merges (25.10 and later).
   */
  readonly deviceUpdate: "whole" | "merge";
  /** Login method: auth.login_ex explains refusals; 24.x has only auth.login. */
  readonly login: "login_ex" | "login";
  /** How API keys are authenticated: SCRAM proves a key without sending it (26 and later). */
  readonly keyLogin: "plain" | "scram";
  /** Whether vm.reset exists (27.0). */
  readonly canReset: boolean;
  /** Whether guest addresses can be read (27.0). */
  readonly guestIps: boolean;
  /** Whether vm.delete holds a lock until its zvols are deleted, which serializes deletions (up to 25.10). */
  readonly serialDeletes: boolean;
  /**
   * Evidence that a stopped VM ran: its log path (up to 25.10) or its libvirt domain (from 26.0 on, where vm.log_file_path
   * returns null for every VM). Neither proves that a VM never ran.
   */
  readonly showsRun: "log" | "domain";
  /** Namespace of the snapshot methods: pool.snapshot.* from 25.10 on. */
  readonly snapshotMethods: "zfs.snapshot" | "pool.snapshot";
  /** Whether zfs.resource.snapshot.* exists (26 and later), where nothing else reads a snapshot's own properties. */
  readonly resourceSnapshots: boolean;
  /** How an image is converted onto a zvol: a method of any name up to 25.04, and one that decides by the name later. */
  readonly imageMethod: "vm.import_disk_image" | "vm.device.convert";
  /** The roles of which any allows cloning a snapshot. */
  readonly cloneRoles: readonly string[];
  /** The roles of which any allows promoting a clone. */
  readonly promoteRoles: readonly string[];
  /** The roles of which any allows rolling a zvol back to a snapshot. */
  readonly rollbackRoles: readonly string[];
  /** Display types; VNC was added in 25.10. */
  readonly displayTypes: readonly string[];
  /** Whether it is covered by the tests against the simulated NAS. */
  readonly tested: boolean;
}

/** The device types created here. */
export type DeviceType = "DISPLAY" | "CDROM" | "NIC" | "DISK";

const VM_KEYS_24_04 = words(`
  name description vcpus cores threads memory min_memory cpu_mode cpu_model cpuset nodeset pin_vcpus
  suspend_on_snapshot trusted_platform_module hyperv_enlightenments bootloader bootloader_ovmf autostart
  hide_from_msr ensure_display_device time shutdown_timeout arch_type machine_type uuid command_line_args
`);
const VM_KEYS_24_10 = [...VM_KEYS_24_04, "enable_cpu_topology_extension"];

const DISK_KEYS_24 = words(
  "type path create_zvol zvol_name zvol_volsize logical_sectorsize physical_sectorsize iotype",
);

const DEVICE_KEYS_24: VersionRules["deviceKeys"] = {
  DISPLAY: words("type resolution port web_port bind wait password web"),
  CDROM: ["path"],
  NIC: words("type nic_attach mac trust_guest_rx_filters"),
  DISK: DISK_KEYS_24,
};

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const V24_04: VersionRules = {
  id: "24.04",
  protocol: "legacy",
  dtype: "top-level",
  deviceUpdate: "whole",
  vmUpdateRefuses: [],
  login: "login",
  keyLogin: "plain",
  canReset: false,
  guestIps: false,
  serialDeletes: true,
  showsRun: "log",
  snapshotMethods: "zfs.snapshot",
  resourceSnapshots: false,
  imageMethod: "vm.import_disk_image",
  cloneRoles: ["FULL_ADMIN"],
  promoteRoles: ["FULL_ADMIN"],
  rollbackRoles: ["FULL_ADMIN"],
  vmCreateKeys: VM_KEYS_24_04,
  deviceKeys: DEVICE_KEYS_24,
  cdromRule: "anywhere",
  displayTypes: ["SPICE"],
  tested: true,
};

const V24_10: VersionRules = { ...V24_04, id: "24.10", vmCreateKeys: VM_KEYS_24_10 };

const V25_04: VersionRules = {
  ...V24_10,
  id: "25.04",
  protocol: "jsonrpc",
  dtype: "attributes",
  login: "login_ex",
  promoteRoles: ["DATASET_WRITE"],
  vmCreateKeys: [...VM_KEYS_24_10, "enable_secure_boot"],
  deviceKeys: { ...DEVICE_KEYS_24, DISK: [...DISK_KEYS_24, "serial"] },
};

const V25_10_0: VersionRules = {
  ...V25_04,
  id: "25.10.0",
  deviceUpdate: "merge",
  vmUpdateRefuses: ["bootloader_ovmf", "enable_secure_boot"],
  snapshotMethods: "pool.snapshot",
  imageMethod: "vm.device.convert",
  cloneRoles: ["SNAPSHOT_WRITE", "DATASET_WRITE"],
  rollbackRoles: ["SNAPSHOT_WRITE", "POOL_WRITE"],
  displayTypes: ["SPICE", "VNC"],
};

const V25_10: VersionRules = { ...V25_10_0, id: "25.10", cdromRule: "not-pool-root" };

const V26_0: VersionRules = {
  ...V25_10,
  id: "26.0",
  keyLogin: "scram",
  resourceSnapshots: true,
  serialDeletes: false,
  showsRun: "domain",
};

const V27_0: VersionRules = {
  ...V26_0,
  id: "27.0",
  canReset: true,
  guestIps: true,
  deviceKeys: { ...V26_0.deviceKeys, NIC: [...V26_0.deviceKeys.NIC, "pci_address"] },
};

/** The versions, oldest first. */
export const VERSION_RULES: readonly VersionRules[] = [
  V24_04,
  V24_10,
  V25_04,
  V25_10_0,
  V25_10,
  V26_0,
  V27_0,
];

/** The rules of a release such as `25.10.7`; the newest known rules for a newer or unknown release. */
export function rulesFor(release: string): VersionRules {
  const bare = release.replace(/^v/, "");
  const matching = VERSION_RULES.filter(({ id }) =>
    bare === id || bare.startsWith(`${id}.`) || bare.startsWith(`${id}-`)
  );
  const [mostExact] = matching.toSorted((a, b) => b.id.length - a.id.length);
  return mostExact ?? { ...V27_0, tested: false };
}

/** A call as it is sent. */
export interface SentCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Adapts a call to a release: pool.snapshot.* has another name up to 25.04, and stands for zfs.resource.snapshot.* up to 25.10. */
export function adaptCall(rules: VersionRules, method: string, params: readonly unknown[]): SentCall {
  if (!rules.resourceSnapshots && method.startsWith("zfs.resource.snapshot.")) {
    return adaptCall(rules, ...withoutResources(method, params));
  }
  return {
    method: method.replace(/^pool\.snapshot(?=\.)/, rules.snapshotMethods),
    params: adaptParams(rules, method, params),
  };
}

/** The call of pool.snapshot.* that does the same. */
function withoutResources(method: string, [given]: readonly unknown[]): [string, readonly unknown[]] {
  if (method.endsWith(".create")) {
    const { user_properties: properties, ...spec } = given as { readonly user_properties: unknown };
    return ["pool.snapshot.create", [{ ...spec, properties }]];
  }
  const { paths } = given as { readonly paths: readonly string[] };
  const extra = { holds: true, properties: ["used", "creation"] };
  return ["pool.snapshot.query", [[["dataset", "in", paths]], { extra }]];
}

/** Adapts parameters to a release: 24.x has a device's `dtype` next to its attributes. */
function adaptParams(rules: VersionRules, method: string, params: readonly unknown[]): readonly unknown[] {
  if (method === "vm.query") return withoutUnknownColumns(rules, params);
  if (rules.dtype === "attributes") return params;
  if (method === "cloudsync.credentials.create") return [withOuterProvider(params[0] as CredentialParams)];
  if (method === "vm.device.create") return [withOuterDtype(params[0] as DeviceParams)];
  if (method !== "vm.device.update") return params;
  const [id, change] = params;
  return [id, withOuterDtype(change as DeviceParams)];
}

/** Columns that are read of a VM because templates can state them, besides those that every release has. */
export const TEMPLATE_COLUMNS: readonly string[] = words(`
  min_memory cpu_model cpuset nodeset pin_vcpus suspend_on_snapshot trusted_platform_module
  hyperv_enlightenments bootloader bootloader_ovmf hide_from_msr ensure_display_device time shutdown_timeout
  arch_type machine_type command_line_args enable_cpu_topology_extension enable_secure_boot
`);

function withoutUnknownColumns(
  { vmCreateKeys }: VersionRules,
  params: readonly unknown[],
): readonly unknown[] {
  const [filters, options] = params as readonly [unknown, { readonly select?: readonly string[] }?];
  const unknown = TEMPLATE_COLUMNS.filter((column) => !vmCreateKeys.includes(column));
  if (options?.select === undefined || unknown.length === 0) return params;
  return [filters, { ...options, select: options.select.filter((column) => !unknown.includes(column)) }];
}

interface CredentialParams {
  readonly provider: { readonly type: string };
}

/** 24.x has the kind of a provider next to its attributes. */
function withOuterProvider({ provider: { type, ...attributes }, ...rest }: CredentialParams): unknown {
  return { ...rest, provider: type, attributes };
}

interface DeviceParams {
  readonly attributes?: Readonly<Record<string, unknown>>;
}

function withOuterDtype({ attributes, ...device }: DeviceParams): unknown {
  if (attributes === undefined) return device;
  const { dtype, ...rest } = attributes;
  return { ...device, dtype, attributes: rest };
}

/** Converts a 24.x device row, with `dtype` next to its attributes, to the newer shape. */
export function withInnerDtype(row: unknown): unknown {
  if (typeof row !== "object" || row === null || !("dtype" in row) || !("attributes" in row)) return row;
  const { dtype, attributes, ...rest } = row;
  return { ...rest, attributes: { ...(attributes as object), dtype } };
}

/** A version from the NAS's list, and its known properties. */
export interface ApiChoice {
  /** As the path names it: `v25.10.5`, or `current`. */
  readonly apiVersion: string;
  /** A warning for the user, or null when the version has been tested. */
  readonly notice: string | null;
  /** How this NAS authenticates API keys. */
  readonly keyLogin: VersionRules["keyLogin"];
}

/**
 * Chooses the API version: the NAS's newest if it is known here, because the NAS loses details when it converts between
 * versions; otherwise the newest known one that it still offers.
 */
export function chooseApi(listed: readonly string[]): ApiChoice {
  const newest = listed.at(-1);
  const keyLogin = newest === undefined ? "plain" : rulesFor(newest).keyLogin;
  if (newest === undefined || isKnown(newest)) return { apiVersion: "current", notice: null, keyLogin };
  const known = listed.findLast(isKnown);
  if (known === undefined) {
    const notice =
      `The NAS's API ${newest} has not been tested with this program, nor has any other version it offers; some actions may fail`;
    return { apiVersion: "current", notice, keyLogin };
  }
  const notice =
    `The NAS's API ${newest} is newer than this program, which uses ${known}; some details may be missing`;
  return { apiVersion: known, notice, keyLogin: rulesFor(known).keyLogin };
}

function isKnown(apiVersion: string): boolean {
  const bare = apiVersion.replace(/^v/, "");
  return VERSION_RULES.some(({ id, tested }) =>
    tested && bare.startsWith(`${id.split(".").slice(0, 2).join(".")}.`)
  );
}

/** vm.device.nic_attach_choices: a map of names up to 25.10, and lists by kind (bridges first) from 26.0 on. */
export function nicNames(choices: Readonly<Record<string, string | string[]>>): readonly string[] {
  return Object.entries(choices).flatMap(([name, value]) => Array.isArray(value) ? value : [name]);
}

/** A snapshot in one shape: up to 25.10 its own properties are among ZFS's, and later beside them. */
export function withOwnProperties(row: unknown): unknown {
  if (typeof row !== "object" || row === null) return row;
  const { properties, user_properties: own, holds, ...rest } = row as {
    readonly properties?:
      | Readonly<Record<string, { readonly rawvalue?: string; readonly raw?: string }>>
      | null;
    readonly user_properties?: unknown;
    readonly holds?: unknown;
  };
  const values = Object.entries(properties ?? {}).map(([key, it]) => [key, it.rawvalue ?? it.raw] as const);
  const valueOf = (key: string) => values.find(([name]) => name === key)?.[1];
  return {
    ...rest,
    used: valueOf("used"),
    creation: valueOf("creation"),
    holds: Array.isArray(holds) ? holds : Object.keys(holds ?? {}),
    own: own ?? Object.fromEntries(values.filter(([key]) => key.includes(":"))),
  };
}
