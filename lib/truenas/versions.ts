/**
 * Everything that differs between TrueNAS versions and matters here, as data; nothing else in the program knows a
 * version. Source of every entry: TrueNAS's own middleware code and the JSON Schemas of its API models.
 */

/** What one version is like. */
export interface VersionRules {
  /** The release train: `25.10`. */
  readonly id: string;
  /** What its API is spoken in. 24.x knows only the older protocol at /websocket. */
  readonly protocol: "legacy" | "jsonrpc";
  /** Keys that vm.create takes; any other fails the whole call. */
  readonly vmCreateKeys: readonly string[];
  /** Keys of the attributes of each device that is made here; any other fails the call. */
  readonly deviceKeys: Readonly<Record<DeviceType, readonly string[]>>;
  /** Where an install image may lie: 25.10.1 and later refuse the pool's root dataset. */
  readonly cdromRule: "anywhere" | "not-pool-root";
  /** Where a device's `dtype` stands: beside its attributes (24.x), or in them. */
  readonly dtype: "beside" | "inside";
  /** How to sign in: auth.login_ex tells why it refuses; 24.x has only auth.login. */
  readonly login: "login_ex" | "login";
  /** How an API key is shown: SCRAM proves it without sending it (26 and later). */
  readonly keyLogin: "plain" | "scram";
  /** Whether vm.reset is there (27.0). */
  readonly canReset: boolean;
  /** Whether the guest's addresses can be asked for (27.0). */
  readonly guestIps: boolean;
  /** Whether vm.delete holds a lock until its zvols are gone, so that deletions wait for each other (up to 25.10). */
  readonly serialDeletes: boolean;
  /**
   * By what a stopped VM shows that it ran: its log's path (up to 25.10), or its libvirt domain (from 26.0 on, where
   * vm.log_file_path answers null for every VM). Neither proves that a VM never ran.
   */
  readonly showsRun: "log" | "domain";
  /** What the methods of snapshots are called: pool.snapshot.* from 25.10 on. */
  readonly snapshotMethods: "zfs.snapshot" | "pool.snapshot";
  /** Displays that VMs may have: VNC came with 25.10. */
  readonly displayTypes: readonly string[];
  /** Whether it is covered by the tests against the simulated NAS. */
  readonly tested: boolean;
}

/** Devices that are made here. */
export type DeviceType = "DISPLAY" | "CDROM" | "NIC" | "DISK";

const VM_KEYS_24_04 = [
  "name",
  "description",
  "vcpus",
  "cores",
  "threads",
  "memory",
  "min_memory",
  "cpu_mode",
  "cpu_model",
  "cpuset",
  "nodeset",
  "pin_vcpus",
  "suspend_on_snapshot",
  "trusted_platform_module",
  "hyperv_enlightenments",
  "bootloader",
  "bootloader_ovmf",
  "autostart",
  "hide_from_msr",
  "ensure_display_device",
  "time",
  "shutdown_timeout",
  "arch_type",
  "machine_type",
  "uuid",
  "command_line_args",
] as const;

const VM_KEYS_24_10 = [...VM_KEYS_24_04, "enable_cpu_topology_extension"] as const;
const VM_KEYS_25_04 = [...VM_KEYS_24_10, "enable_secure_boot"] as const;

const DEVICE_KEYS = {
  DISPLAY: ["type", "resolution", "port", "web_port", "bind", "wait", "password", "web"],
  CDROM: ["path"],
  NIC: ["type", "nic_attach", "mac", "trust_guest_rx_filters"],
  DISK: [
    "type",
    "path",
    "create_zvol",
    "zvol_name",
    "zvol_volsize",
    "logical_sectorsize",
    "physical_sectorsize",
    "iotype",
    "serial",
  ],
} as const satisfies Record<DeviceType, readonly string[]>;

/** 24.x has no `serial` of its own to set. */
const DEVICE_KEYS_24 = { ...DEVICE_KEYS, DISK: DEVICE_KEYS.DISK.filter((key) => key !== "serial") };

const DEVICE_KEYS_27 = { ...DEVICE_KEYS, NIC: [...DEVICE_KEYS.NIC, "pci_address"] };

/** The versions, oldest first. */
export const VERSION_RULES: readonly VersionRules[] = [
  {
    id: "24.04",
    protocol: "legacy",
    dtype: "beside",
    login: "login",
    keyLogin: "plain",
    canReset: false,
    guestIps: false,
    serialDeletes: true,
    showsRun: "log",
    snapshotMethods: "zfs.snapshot",
    vmCreateKeys: VM_KEYS_24_04,
    deviceKeys: DEVICE_KEYS_24,
    cdromRule: "anywhere",
    displayTypes: ["SPICE"],
    tested: true,
  },
  {
    id: "24.10",
    protocol: "legacy",
    dtype: "beside",
    login: "login",
    keyLogin: "plain",
    canReset: false,
    guestIps: false,
    serialDeletes: true,
    showsRun: "log",
    snapshotMethods: "zfs.snapshot",
    vmCreateKeys: VM_KEYS_24_10,
    deviceKeys: DEVICE_KEYS_24,
    cdromRule: "anywhere",
    displayTypes: ["SPICE"],
    tested: true,
  },
  {
    id: "25.04",
    protocol: "jsonrpc",
    dtype: "inside",
    login: "login_ex",
    keyLogin: "plain",
    canReset: false,
    guestIps: false,
    serialDeletes: true,
    showsRun: "log",
    snapshotMethods: "zfs.snapshot",
    vmCreateKeys: VM_KEYS_25_04,
    deviceKeys: DEVICE_KEYS,
    cdromRule: "anywhere",
    displayTypes: ["SPICE"],
    tested: true,
  },
  {
    id: "25.10.0",
    protocol: "jsonrpc",
    dtype: "inside",
    login: "login_ex",
    keyLogin: "plain",
    canReset: false,
    guestIps: false,
    serialDeletes: true,
    showsRun: "log",
    snapshotMethods: "pool.snapshot",
    vmCreateKeys: VM_KEYS_25_04,
    deviceKeys: DEVICE_KEYS,
    cdromRule: "anywhere",
    displayTypes: ["SPICE", "VNC"],
    tested: true,
  },
  {
    id: "25.10",
    protocol: "jsonrpc",
    dtype: "inside",
    login: "login_ex",
    keyLogin: "plain",
    canReset: false,
    guestIps: false,
    serialDeletes: true,
    showsRun: "log",
    snapshotMethods: "pool.snapshot",
    vmCreateKeys: VM_KEYS_25_04,
    deviceKeys: DEVICE_KEYS,
    cdromRule: "not-pool-root",
    displayTypes: ["SPICE", "VNC"],
    tested: true,
  },
  {
    id: "26.0",
    protocol: "jsonrpc",
    dtype: "inside",
    login: "login_ex",
    keyLogin: "scram",
    canReset: false,
    guestIps: false,
    serialDeletes: false,
    showsRun: "domain",
    snapshotMethods: "pool.snapshot",
    vmCreateKeys: VM_KEYS_25_04,
    deviceKeys: DEVICE_KEYS,
    cdromRule: "not-pool-root",
    displayTypes: ["SPICE", "VNC"],
    tested: true,
  },
  {
    id: "27.0",
    protocol: "jsonrpc",
    dtype: "inside",
    login: "login_ex",
    keyLogin: "scram",
    canReset: true,
    guestIps: true,
    serialDeletes: false,
    showsRun: "domain",
    snapshotMethods: "pool.snapshot",
    vmCreateKeys: VM_KEYS_25_04,
    deviceKeys: DEVICE_KEYS_27,
    cdromRule: "not-pool-root",
    displayTypes: ["SPICE", "VNC"],
    tested: true,
  },
] satisfies readonly VersionRules[];

/** The rules of a release such as `25.10.7`; of the newest known one for a release that is newer or unknown. */
export function rulesFor(release: string): VersionRules {
  const bare = release.replace(/^v/, "");
  const matching = VERSION_RULES.filter(({ id }) =>
    bare === id || bare.startsWith(`${id}.`) || bare.startsWith(`${id}-`)
  );
  const mostExact = matching.toSorted((a, b) => b.id.length - a.id.length)[0];
  const newest = VERSION_RULES.at(-1);
  const rules = mostExact ?? newest;
  if (rules === undefined) throw new Error("the table of versions is empty");
  return mostExact === undefined ? { ...rules, tested: false } : rules;
}

/** A call as it is sent. */
export interface SentCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** A call as a release takes it: pool.snapshot.* has another name up to 25.04. */
export function adaptCall(rules: VersionRules, method: string, params: readonly unknown[]): SentCall {
  return {
    method: method.replace(/^pool\.snapshot(?=\.)/, rules.snapshotMethods),
    params: adaptParams(rules, method, params),
  };
}

/** Parameters in the shape of a release: 24.x has the kind of a device beside its attributes. */
function adaptParams(
  { dtype }: VersionRules,
  method: string,
  params: readonly unknown[],
): readonly unknown[] {
  const [spec] = params;
  if (dtype === "inside" || method !== "vm.device.create" || typeof spec !== "object" || spec === null) {
    return params;
  }
  const { attributes, ...rest } = spec as DeviceParams;
  const { dtype: kind, ...own } = attributes;
  return [{ ...rest, dtype: kind, attributes: own }];
}

interface DeviceParams {
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A device row in the newer shape: 24.x has the kind beside the attributes. */
export function withInnerDtype(row: unknown): unknown {
  if (typeof row !== "object" || row === null || !("dtype" in row) || !("attributes" in row)) return row;
  const { dtype, attributes, ...rest } = row;
  return { ...rest, attributes: { ...(attributes as object), dtype } };
}

/** An API version of the NAS's list, and what is known of it. */
export interface ApiChoice {
  /** As the path names it: `v25.10.5`, or `current`. */
  readonly apiVersion: string;
  /** What to tell the person, or null when all is as tested. */
  readonly notice: string | null;
  /** How this NAS takes an API key. */
  readonly keyLogin: VersionRules["keyLogin"];
}

/**
 * Which of a NAS's API versions to use: its own newest one when that is known here, because the NAS loses details when
 * it adapts between versions; otherwise the newest known one that it still offers.
 */
export function chooseApi(listed: readonly string[]): ApiChoice {
  const newest = listed.at(-1);
  const keyLogin = newest === undefined ? "plain" : rulesFor(newest).keyLogin;
  if (newest === undefined || isKnown(newest)) return { apiVersion: "current", notice: null, keyLogin };
  const known = listed.findLast(isKnown);
  if (known === undefined) {
    return {
      apiVersion: "current",
      notice: `The NAS's API ${newest} is not known here, nor any other that it offers; it is used as it is`,
      keyLogin,
    };
  }
  return {
    apiVersion: known,
    notice:
      `The NAS's API ${newest} is newer than this program; ${known} is used, in which the NAS leaves out details`,
    keyLogin: rulesFor(known).keyLogin,
  };
}

function isKnown(apiVersion: string): boolean {
  const bare = apiVersion.replace(/^v/, "");
  return VERSION_RULES.some(({ id, tested }) =>
    tested && bare.startsWith(`${id.split(".").slice(0, 2).join(".")}.`)
  );
}
