/** The JSON templates of VMs and devices. */
import { sha256Hex } from "./hashes.ts";
import { ConfigurationError, type Problem } from "./errors/errors.ts";
import { zvolPath } from "./inventory/names.ts";
import { type DeviceType, rulesFor, VERSION_RULES, type VersionRules } from "./truenas/versions.ts";
import { show } from "./inputs.ts";
import { OVERRIDE_KEYS, type TemplateOverrides } from "./vm_templates/overrides.ts";
import { type DeviceSpec, deviceSpec, type VmSpec, vmSpec } from "./vm_templates/specs.ts";
import {
  EMBEDDED,
  FILES,
  folderOf,
  parseTemplate,
  readTemplate,
  type TemplateName,
  withoutPlanned,
} from "./vm_templates/template_files.ts";
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
  /** Only keys of this TrueNAS release are allowed, such as `25.10`; default: those of any known release. */
  readonly version?: string;
}

/**
 * Holds the templates and creates the arguments of vm.create and vm.device.create from them. Each result is a separate
 * copy.
 *
 * @example Custom template directory
 * ```ts
 * const templates = new TemplateManager("./my-templates"); // vms/vm.json, devices/{display,cdrom,nic,disk}.json
 * const spec = templates.createVmSpec("worker01", 4, 1, 8192);
 * ```
 */
export class TemplateManager {
  /** The folder with the templates; null for the embedded ones. */
  readonly basePath: string | null;
  #templates: Templates;
  #revision = 0;

  /**
   * Reads and checks all templates.
   *
   * @param basePath A folder with vms/vm.json and devices/{display,cdrom,nic,disk}.json, or with these in a folder
   * `templates`, as the Python tool has them; default: the embedded ones. Keys that the plan sets can be null.
   * @throws {ConfigurationError} naming the file, when it is missing, is not JSON (with line and column), or has an
   * invalid value or a key that TrueNAS refuses.
   */
  constructor(basePath?: string, options: TemplateOptions = {}) {
    this.basePath = basePath ?? null;
    const folder = basePath === undefined ? undefined : folderOf(basePath);
    const read = (name: DeviceType | "vm") =>
      folder === undefined ? EMBEDDED[name] : withoutPlanned(name, readTemplate(`${folder}/${FILES[name]}`));
    const vm = this.#parse("vm", vmSpec, read("vm"));
    const device = (dtype: DeviceType) => this.#parse(dtype, deviceSpec(dtype), read(dtype));
    this.#templates = { vm, devices: forEachType(device) };
    this.#expectKeys(options.version === undefined ? VERSION_RULES : [rulesFor(options.version)]);
  }

  /**
   * Checks that a TrueNAS release such as `25.10.7` accepts every key of the templates.
   *
   * @throws {ConfigurationError} naming file and key.
   */
  checkVersion(release: string): void {
    this.#expectKeys([rulesFor(release)]);
  }

  /** The templates with some settings replaced; {@link checkOverrides} checks them. */
  withOverrides(overrides: TemplateOverrides | undefined): TemplateManager {
    if (overrides === undefined) return this;
    const { vm, devices } = this.#templates;
    const device = (dtype: DeviceType): DeviceTemplate => {
      const { order, ...own } = overrides[OVERRIDE_KEYS[dtype]] ?? {};
      const template = devices[dtype];
      return {
        attributes: { ...template.attributes, ...own },
        order: typeof order === "number" ? order : template.order,
      };
    };
    const overridden = new TemplateManager();
    overridden.#templates = { vm: { ...vm, ...overrides.vm }, devices: forEachType(device) };
    return overridden;
  }

  /**
   * Uses another text for one template from now on.
   *
   * @throws {ConfigurationError} as the constructor does; nothing is changed then.
   */
  replace(name: TemplateName, text: string): void {
    this.#templates = this.#withText(name, text);
    this.#revision++;
  }

  /** Grows with each replaced template. */
  get revision(): number {
    return this.#revision;
  }

  /** SHA-256 of the templates, in hexadecimal digits: equal templates have equal digests. */
  get digest(): string {
    return sha256Hex(JSON.stringify(this.#templates));
  }

  /** What is wrong with a text for one template: for a release, such as `25.10`, or for every known one. */
  problemsWith(name: TemplateName, text: string, release: string | null): readonly Problem[] {
    try {
      const changed = new TemplateManager();
      changed.#templates = this.#withText(name, text);
      changed.#expectKeys(release === null ? VERSION_RULES : [rulesFor(release)]);
      return [];
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
  }

  #withText(name: TemplateName, text: string): Templates {
    const value = withoutPlanned(name, parseTemplate(this.#fileName(name), text));
    const { vm, devices } = this.#templates;
    return name === "vm"
      ? { vm: this.#parse(name, vmSpec, value), devices }
      : { vm, devices: { ...devices, [name]: this.#parse(name, deviceSpec(name), value) } };
  }

  /** Settings for configurations that do not have them. */
  get defaults(): { readonly autostart: boolean } {
    return { autostart: this.#templates.vm.autostart !== false };
  }

  /** The argument of vm.create; `threads` per core, `memory` in MiB. */
  createVmSpec(name: string, cores: number, threads: number, memory: number): VmSpec {
    return { ...structuredClone(this.#templates.vm), name, cores, threads, memory };
  }

  /** A display on this port; TrueNAS chooses the web port unless it is given. */
  createDisplayDevice(vmId: number, port: number, password: string, webPort?: number): DeviceSpec {
    return this.#device("DISPLAY", vmId, {
      port,
      password,
      ...(webPort === undefined ? {} : { web_port: webPort }),
    });
  }

  /** A CD-ROM with the image at this path under /mnt. */
  createCdromDevice(vmId: number, path: string): DeviceSpec {
    return this.#device("CDROM", vmId, { path });
  }

  /** A NIC on this bridge. Without a MAC address, TrueNAS up to 25.10 generates a new one at each start. */
  createNicDevice(vmId: number, nicAttach: string, mac?: string): DeviceSpec {
    const fixed = mac === undefined ? {} : { mac: mac.toLowerCase().replaceAll("-", ":") };
    return this.#device("NIC", vmId, { nic_attach: nicAttach, ...fixed });
  }

  /** A disk on a new zvol such as `tank/vms/worker01-disk0`. */
  createDiskDevice(vmId: number, zvolName: string, sizeBytes: number): DeviceSpec {
    return this.#device("DISK", vmId, { create_zvol: true, zvol_name: zvolName, zvol_volsize: sizeBytes });
  }

  /** A disk on an existing zvol. */
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
    const release = versions.length === 1 ? `TrueNAS ${versions[0]?.id}` : "Every TrueNAS release";
    const problems = refused.map((key) => ({
      field: key,
      message: `${release} refuses the key ${show(key)}; remove it`,
    }));
    throw new ConfigurationError(this.#fileName(name), problems);
  }

  #fileName(name: DeviceType | "vm"): string {
    return `${this.basePath ?? "templates"}/${FILES[name]}`;
  }
}

function forEachType<T>(make: (dtype: DeviceType) => T): Record<DeviceType, T> {
  return { DISPLAY: make("DISPLAY"), CDROM: make("CDROM"), NIC: make("NIC"), DISK: make("DISK") };
}

function toProblem(issue: z.core.$ZodIssue): Problem {
  const message = issue.code === "unrecognized_keys"
    ? `Unknown key ${issue.keys.map(show).join(", ")}; a device template has attributes and order`
    : issue.message;
  return { field: issue.path.join("."), message };
}
