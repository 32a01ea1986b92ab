/** The JSON templates of VMs and devices: read and checked once, copied for each use. */
import { ConfigurationError, type Problem } from "./errors/errors.ts";
import { zvolPath } from "./inventory/names.ts";
import { type DeviceType, rulesFor, VERSION_RULES, type VersionRules } from "./truenas/versions.ts";
import type { TemplateOverrides } from "./vm_templates/overrides.ts";
import { type DeviceSpec, deviceSpec, type VmSpec, vmSpec } from "./vm_templates/specs.ts";
import { EMBEDDED, FILES, folderOf, readTemplate, withoutPlanned } from "./vm_templates/template_files.ts";
import { z } from "./zod.ts";

interface DeviceTemplate {
  readonly attributes: Readonly<Record<string, unknown>> & { readonly dtype: string };
  readonly order?: number | undefined;
}

interface Templates {
  readonly vm: Readonly<Record<string, unknown>>;
  readonly devices: Readonly<Record<DeviceType, DeviceTemplate>>;
}

const DEVICE_TYPES: readonly DeviceType[] = ["DISPLAY", "CDROM", "NIC", "DISK"];

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
