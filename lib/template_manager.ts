/** The JSON templates of VMs and devices: read and checked once, copied for each use. */
import { z } from "./zod.ts";
import cdromTemplate from "../templates/devices/cdrom.json" with { type: "json" };
import diskTemplate from "../templates/devices/disk.json" with { type: "json" };
import displayTemplate from "../templates/devices/display.json" with { type: "json" };
import nicTemplate from "../templates/devices/nic.json" with { type: "json" };
import vmTemplate from "../templates/vms/vm.json" with { type: "json" };
import { ConfigurationError, type Problem, TrueNASError } from "./errors/errors.ts";
import { fileExists, readTextFile } from "./configuration/files.ts";
import { zvolPath } from "./inventory/names.ts";
import { reasonOf, systemErrorCode } from "./errors/system_errors.ts";
import { type DeviceType, rulesFor, VERSION_RULES, type VersionRules } from "./truenas/versions.ts";

const integer = z.number().int().safe();
const vmSpec = z.object({
  name: z.string().optional(),
  description: z.string().optional(),
  vcpus: integer.min(1).optional(),
  cores: integer.min(1).optional(),
  threads: integer.min(1).optional(),
  memory: integer.min(20).optional(),
  min_memory: integer.min(20).nullable().optional(),
  cpu_mode: z.enum(["CUSTOM", "HOST-MODEL", "HOST-PASSTHROUGH"]).optional(),
  cpu_model: z.string().nullable().optional(),
  cpuset: z.string().nullable().optional(),
  nodeset: z.string().nullable().optional(),
  enable_cpu_topology_extension: z.boolean().optional(),
  pin_vcpus: z.boolean().optional(),
  suspend_on_snapshot: z.boolean().optional(),
  trusted_platform_module: z.boolean().optional(),
  hyperv_enlightenments: z.boolean().optional(),
  bootloader: z.enum(["UEFI", "UEFI_CSM"]).optional(),
  bootloader_ovmf: z.string().nullable().optional(),
  autostart: z.boolean().optional(),
  hide_from_msr: z.boolean().optional(),
  ensure_display_device: z.boolean().optional(),
  time: z.enum(["LOCAL", "UTC"]).optional(),
  shutdown_timeout: integer.min(5).max(300).optional(),
  arch_type: z.string().nullable().optional(),
  machine_type: z.string().nullable().optional(),
  command_line_args: z.string().optional(),
  enable_secure_boot: z.boolean().optional(),
}).passthrough();

const sectorSize = z.union([z.literal(512), z.literal(4096)]).nullable().optional();
const attributes = {
  DISPLAY: z.object({
    dtype: z.literal("DISPLAY"),
    type: z.enum(["SPICE", "VNC"]).optional(),
    resolution: z.string().optional(),
    bind: z.string().min(1).optional(),
    wait: z.boolean().optional(),
    web: z.boolean().optional(),
  }).passthrough(),
  CDROM: z.object({ dtype: z.literal("CDROM") }).passthrough(),
  NIC: z.object({
    dtype: z.literal("NIC"),
    type: z.enum(["E1000", "VIRTIO"]).optional(),
    trust_guest_rx_filters: z.boolean().optional(),
  }).passthrough(),
  DISK: z.object({
    dtype: z.literal("DISK"),
    type: z.enum(["AHCI", "VIRTIO"]).optional(),
    iotype: z.enum(["NATIVE", "THREADS", "IO_URING"]).optional(),
    logical_sectorsize: sectorSize,
    physical_sectorsize: sectorSize,
  }).passthrough(),
} satisfies Record<DeviceType, z.ZodType>;

function deviceSpec(dtype: DeviceType) {
  return z.strictObject({ attributes: attributes[dtype], order: integer.optional() });
}

/** The argument of vm.create. `memory` in MiB. */
export interface VmSpec {
  /** The VM's name. */
  name: string;
  /** Cores per socket. */
  cores: number;
  /** Threads per core. */
  threads: number;
  /** MiB. */
  memory: number;
  /** Sockets, in TrueNAS's words. */
  vcpus?: number;
  /** Free text. */
  description?: string;
  /** Any further key of vm.create. */
  [key: string]: unknown;
}

/** The argument of vm.device.create (25.04.2 and later: `dtype` inside the attributes). */
export interface DeviceSpec {
  /** The VM's id. */
  vm: number;
  /** What the device is; `dtype` says which kind. */
  attributes: { dtype: string; [key: string]: unknown };
  /** The boot order: lower boots first. */
  order?: number;
}

interface DeviceTemplate {
  readonly attributes: Readonly<Record<string, unknown>> & { readonly dtype: string };
  readonly order?: number | undefined;
}

interface Templates {
  readonly vm: Readonly<Record<string, unknown>>;
  readonly devices: Readonly<Record<DeviceType, DeviceTemplate>>;
}

const FILES = {
  vm: "vms/vm.json",
  DISPLAY: "devices/display.json",
  CDROM: "devices/cdrom.json",
  NIC: "devices/nic.json",
  DISK: "devices/disk.json",
} as const satisfies Record<DeviceType | "vm", string>;

const EMBEDDED: Readonly<Record<DeviceType | "vm", unknown>> = {
  vm: vmTemplate,
  DISPLAY: displayTemplate,
  CDROM: cdromTemplate,
  NIC: nicTemplate,
  DISK: diskTemplate,
};

const DEVICE_TYPES: readonly DeviceType[] = ["DISPLAY", "CDROM", "NIC", "DISK"];

/** What a VM type has otherwise than the templates say: keys of vm.create, and of each device's attributes, or `order`. */
export interface TemplateOverrides {
  /** Keys of vm.create. */
  readonly vm?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of the display. */
  readonly display?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of the CD-ROM. */
  readonly cdrom?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of every NIC. */
  readonly nic?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of every disk. */
  readonly disk?: Readonly<Record<string, unknown>> | undefined;
}

/** What the plan says itself, and no template can. */
const PLANNED_KEYS: Readonly<Record<DeviceType | "vm", readonly string[]>> = {
  vm: ["name", "cores", "threads", "memory", "uuid"],
  DISPLAY: ["port", "web_port", "password"],
  CDROM: ["path"],
  NIC: ["nic_attach", "mac"],
  DISK: ["path", "create_zvol", "zvol_name", "zvol_volsize"],
};

const OVERRIDES: readonly (readonly [keyof TemplateOverrides, DeviceType | "vm"])[] = [
  ["vm", "vm"],
  ["display", "DISPLAY"],
  ["cdrom", "CDROM"],
  ["nic", "NIC"],
  ["disk", "DISK"],
];

/** Everything that is wrong with overrides, each at its path below `template`: `disk.type`. */
export function checkOverrides(overrides: TemplateOverrides): Problem[] {
  return OVERRIDES.flatMap(([part, name]) => {
    const values = overrides[part] ?? {};
    const known = VERSION_RULES.flatMap((rules) =>
      name === "vm" ? rules.vmCreateKeys : [...rules.deviceKeys[name], "order"]
    );
    const keys = Object.keys(values);
    const planned = keys.filter((key) => PLANNED_KEYS[name].includes(key)).map((key) => ({
      field: `${part}.${key}`,
      message: `${key} is what the configuration says elsewhere; it cannot be overridden here`,
    }));
    const unknown = keys.filter((key) => !known.includes(key)).map((key) => ({
      field: `${part}.${key}`,
      message: `No TrueNAS takes the key ${JSON.stringify(key)}`,
    }));
    const { order, ...rest } = values;
    const checked = name === "vm" ? vmSpec.safeParse(values) : deviceSpec(name).safeParse({
      attributes: { ...rest, dtype: name },
      ...(order === undefined ? {} : { order }),
    });
    const wrong = (checked.error?.issues ?? []).map(({ path, message }) => ({
      field: [part, ...path.filter((key) => key !== "attributes").map(String)].join("."),
      message,
    }));
    return [...planned, ...unknown, ...wrong];
  });
}

/** How templates are checked. */
export interface TemplateOptions {
  /** The release whose keys alone are allowed, for example `25.10`; default: those of every known release. */
  readonly version?: string;
}

/**
 * Holds the templates and makes the arguments of vm.create and vm.device.create from them. Each result is a copy of
 * its own: changing one changes no other.
 *
 * @example Custom template directory
 * ```ts
 * const templates = new TemplateManager("./my-templates"); // vms/vm.json, devices/{display,cdrom,nic,disk}.json
 * const spec = templates.createVmSpec("worker01", 4, 1, 8192);
 * ```
 */
export class TemplateManager {
  /** The directory that the templates were read from; null for the embedded ones. */
  readonly basePath: string | null;
  #templates: Templates;

  /**
   * Reads and checks all templates.
   *
   * @param basePath A directory with vms/vm.json and devices/{display,cdrom,nic,disk}.json, or with templates/ above
   * these, as the Python tool has it; default: the embedded ones. What the plan says anyway may be null in them.
   * @throws {ConfigurationError} naming the file, for a missing file, invalid JSON (with line and column), a wrong
   * value, or a key that TrueNAS would refuse.
   */
  constructor(basePath?: string, options: TemplateOptions = {}) {
    this.basePath = basePath ?? null;
    const folder = basePath === undefined ? undefined : folderOf(basePath);
    const read = (name: DeviceType | "vm") =>
      folder === undefined ? EMBEDDED[name] : withoutPlanned(name, readTemplate(`${folder}/${FILES[name]}`));
    const vm = this.#parse("vm", vmSpec, read("vm"));
    const device = (dtype: DeviceType) => this.#parse(dtype, deviceSpec(dtype), read(dtype));
    const devices = {
      DISPLAY: device("DISPLAY"),
      CDROM: device("CDROM"),
      NIC: device("NIC"),
      DISK: device("DISK"),
    };
    this.#templates = { vm, devices };
    this.#expectKeys(options.version === undefined ? VERSION_RULES : [rulesFor(options.version)]);
  }

  /**
   * Checks that a release takes every key of the templates.
   *
   * @param release For example `25.10.7`.
   * @throws {ConfigurationError} naming file and key.
   */
  checkVersion(release: string): void {
    this.#expectKeys([rulesFor(release)]);
  }

  /** The same templates with some keys otherwise; see {@link checkOverrides} for what is possible. */
  withOverrides(overrides: TemplateOverrides | undefined): TemplateManager {
    if (overrides === undefined) return this;
    const { vm, devices } = this.#templates;
    const device = (dtype: DeviceType, values: Readonly<Record<string, unknown>> = {}): DeviceTemplate => {
      const { order, ...own } = values;
      const template = devices[dtype];
      return {
        attributes: { ...template.attributes, ...own },
        order: typeof order === "number" ? order : template.order,
      };
    };
    const overridden = new TemplateManager();
    overridden.#templates = {
      vm: { ...vm, ...overrides.vm },
      devices: {
        DISPLAY: device("DISPLAY", overrides.display),
        CDROM: device("CDROM", overrides.cdrom),
        NIC: device("NIC", overrides.nic),
        DISK: device("DISK", overrides.disk),
      },
    };
    return overridden;
  }

  /** What the templates say where a configuration says nothing. */
  get defaults(): { readonly autostart: boolean } {
    return { autostart: this.#templates.vm.autostart !== false };
  }

  /** The argument of vm.create: one VM with so many cores (of `threads` threads each) and so much memory in MiB. */
  createVmSpec(name: string, cores: number, threads: number, memory: number): VmSpec {
    return { ...structuredClone(this.#templates.vm), name, cores, threads, memory };
  }

  /** A display on this port. The web port is TrueNAS's choice unless given. */
  createDisplayDevice(vmId: number, port: number, password: string, webPort?: number): DeviceSpec {
    return this.#device("DISPLAY", vmId, {
      port,
      password,
      ...(webPort === undefined ? {} : { web_port: webPort }),
    });
  }

  /** A CD-ROM with the image at this path below /mnt. */
  createCdromDevice(vmId: number, path: string): DeviceSpec {
    return this.#device("CDROM", vmId, { path });
  }

  /** A NIC on this bridge. Without a MAC TrueNAS up to 25.10 draws a new one at each start. */
  createNicDevice(vmId: number, nicAttach: string, mac?: string): DeviceSpec {
    const fixed = mac === undefined ? {} : { mac: mac.toLowerCase().replaceAll("-", ":") };
    return this.#device("NIC", vmId, { nic_attach: nicAttach, ...fixed });
  }

  /** A disk on a new zvol (`tank/vms/worker01-disk0`) of so many bytes. */
  createDiskDevice(vmId: number, zvolName: string, sizeBytes: number): DeviceSpec {
    return this.#device("DISK", vmId, { create_zvol: true, zvol_name: zvolName, zvol_volsize: sizeBytes });
  }

  /** A disk on a zvol that is there already. */
  createAttachedDiskDevice(vmId: number, zvolName: string): DeviceSpec {
    return this.#device("DISK", vmId, { path: zvolPath(zvolName) });
  }

  #device(dtype: DeviceType, vm: number, own: Readonly<Record<string, unknown>>): DeviceSpec {
    const { attributes, order } = structuredClone(this.#templates.devices[dtype]);
    return { vm, attributes: { ...attributes, ...own }, ...(order === undefined ? {} : { order }) };
  }

  #parse<T>(name: DeviceType | "vm", schema: z.ZodType<T>, value: unknown): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new ConfigurationError(this.#fileName(name), parsed.error.issues.map(toProblem));
  }

  #expectKeys(allowed: readonly VersionRules[]): void {
    const { vm, devices } = this.#templates;
    this.#expectKnown("vm", Object.keys(vm), allowed.map(({ vmCreateKeys }) => vmCreateKeys), allowed);
    for (const dtype of DEVICE_TYPES) {
      const keys = Object.keys(devices[dtype].attributes).filter((key) => key !== "dtype");
      this.#expectKnown(dtype, keys, allowed.map(({ deviceKeys }) => deviceKeys[dtype]), allowed);
    }
  }

  #expectKnown(
    name: DeviceType | "vm",
    keys: readonly string[],
    known: readonly (readonly string[])[],
    versions: readonly VersionRules[],
  ): void {
    const refused = keys.filter((key) => !known.some((names) => names.includes(key)));
    if (refused.length === 0) return;
    const who = versions.length === 1 ? `TrueNAS ${versions[0]?.id}` : "every TrueNAS";
    const problems = refused.map((key) => ({
      field: key,
      message: `${who} refuses the key ${JSON.stringify(key)}; remove it`,
    }));
    throw new ConfigurationError(this.#fileName(name), problems);
  }

  #fileName(name: DeviceType | "vm"): string {
    return `${this.basePath ?? "templates"}/${FILES[name]}`;
  }
}

function toProblem(issue: z.core.$ZodIssue): Problem {
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => JSON.stringify(key)).join(", ");
    return {
      field: issue.path.join("."),
      message: `Unknown key ${keys}; a device template has attributes and order`,
    };
  }
  return { field: issue.path.join("."), message: issue.message };
}

/** The directory itself, or the one named templates in it, where only that has the files. */
function folderOf(basePath: string): string {
  const folder = basePath.replace(/(?<=.)\/+$/, "");
  const isAbove = !fileExists(`${folder}/${FILES.vm}`) && fileExists(`${folder}/templates/${FILES.vm}`);
  return isAbove ? `${folder}/templates` : folder;
}

/**
 * A template without the keys that the plan fills in and that are null there, and without the keys that make a zvol:
 * a disk is also added on a zvol that exists.
 */
function withoutPlanned(name: DeviceType | "vm", template: unknown): unknown {
  if (!isObject(template)) return template;
  const planned = (key: string, value: unknown) =>
    PLANNED_KEYS[name].includes(key) && (value === null || ZVOL_KEYS.includes(key));
  const rest = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([key, value]) => !planned(key, value)));
  if (name === "vm") return rest(template);
  const { vm, ...device } = template;
  const attributes = isObject(device.attributes) ? { attributes: rest(device.attributes) } : {};
  return { ...(vm === undefined || vm === null ? {} : { vm }), ...device, ...attributes };
}

const ZVOL_KEYS: readonly string[] = ["create_zvol", "zvol_name", "zvol_volsize"];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readTemplate(path: string): unknown {
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    const missing = systemErrorCode(error) === "ENOENT";
    const message = missing ? "There is no such template file" : `Cannot be read: ${reasonOf(error)}`;
    throw new ConfigurationError(path, [{ field: "", message }], { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new TrueNASError(reasonOf(error), { cause: error });
    const { message, ...place } = jsonMistake(text, error);
    throw new ConfigurationError(path, [{ field: "", message: `Invalid JSON: ${message}`, ...place }], {
      cause: error,
    });
  }
}

/** What is wrong and where, both from 1. */
function jsonMistake(text: string, error: SyntaxError): { message: string; line: number; column: number } {
  const before = text.slice(0, mistakeOffset(text, error)).split("\n");
  const message = error.message.replace(/ in JSON at position.*$/s, "").replace(
    /, (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s,
    "",
  );
  return { message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** V8 tells the offset of most mistakes; a text that ends too soon has it at its end. */
function mistakeOffset(text: string, { message }: SyntaxError): number {
  if (message.startsWith(UNEXPECTED_TOKEN)) return unexpectedTokenOffset(text);
  const said = / JSON at position (\d+)/.exec(message)?.[1];
  return said === undefined ? text.length : Number(said);
}

/** How V8 begins the one message that quotes the text instead of telling the offset. */
const UNEXPECTED_TOKEN = "Unexpected token ";

/** The text up to the token only ends too soon, and any longer part of it has the mistake: the place is between. */
function unexpectedTokenOffset(text: string): number {
  let without = 0;
  let within = text.length;
  while (within - without > 1) {
    const middle = Math.floor((without + within) / 2);
    if (hasUnexpectedToken(text.slice(0, middle))) within = middle;
    else without = middle;
  }
  return within - 1;
}

function hasUnexpectedToken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return error instanceof SyntaxError && error.message.startsWith(UNEXPECTED_TOKEN);
  }
}
