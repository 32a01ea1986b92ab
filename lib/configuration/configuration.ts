/** What config.yaml can contain. */
import { z } from "../zod.ts";
import type { ConfigurationText, Places } from "./configuration_text.ts";
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { isVmName, normalizeMac } from "../inventory/names.ts";
import { ON_FAILURE, type OnFailure } from "./on_failure.ts";
import { checkOverrides, type TemplateOverrides } from "../vm_templates/overrides.ts";

/** Where VMs keep their disks, and what they are installed from. */
export interface StorageSection {
  /** The dataset in which zvols are created: `tank/vms`. */
  readonly pool_path: string;
  /** The install image: `/mnt/tank/iso/debian.iso`. */
  readonly cdrom_path: string;
}

/** One VM type: how many VMs to create, and their hardware. */
export interface VmTypeSection {
  /** Number of VMs; 0 creates none, and 99 is the maximum because names have two digits. */
  readonly count: number;
  /** Memory in MiB. */
  readonly memory: number;
  /** Total vCPUs, as one socket with this many cores (divided by `threads` where given). */
  readonly cpu: number;
  /** Threads per core; default 1. Must divide `cpu`. */
  readonly threads?: number | undefined;
  /** Disks in order: name to size in GiB. */
  readonly disk: Readonly<Record<string, number>>;
  /** NICs in order: name to bridge. */
  readonly network: Readonly<Record<string, string>>;
  /** Whether the VMs are started after they are created; default true. */
  readonly start?: boolean | undefined;
  /** Whether the VMs start when the NAS boots; the default is in the VM template. */
  readonly autostart?: boolean | undefined;
  /** Whether the VMs are started even if the NAS is short of memory; default false. */
  readonly overcommit?: boolean | undefined;
  /** Free text for the VMs' description, placed before this program's mark. */
  readonly description?: string | undefined;
  /** Whether zvols are sparse, taking space only as data is written; default false, which reserves the full size. */
  readonly sparse?: boolean | undefined;
  /** Fixed MAC addresses by network, the first VM's first; other networks get derived addresses. */
  readonly macs?: Readonly<Record<string, readonly string[]>> | undefined;
  /** How many VMs of this type are worked on in parallel; default: the NAS's limit. */
  readonly parallel?: number | undefined;
  /** What to do when one of these VMs cannot be created; default `roll-back`. */
  readonly on_failure?: OnFailure | undefined;
  /** Settings that differ from the templates. */
  readonly template?: TemplateOverrides | undefined;
}

/** A whole configuration, keyed as in the file. Every section that is not reserved is a VM type. */
export interface Configuration {
  /** Where disks and the install image are. */
  readonly storage: StorageSection;
  /** A VM type. */
  readonly [vmType: string]: StorageSection | VmTypeSection | undefined;
}

/** A configuration, and the position of each of its values. */
export interface ParsedConfiguration {
  /** The configuration. */
  readonly configuration: Configuration;
  /** The positions of its values. */
  readonly places: Places;
}

/** A checked value, or every problem with it. */
export type CheckedConfiguration =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Ranges of the numbers. */
const LIMITS = {
  count: { lowest: 0, highest: 99, unit: "" },
  /** TrueNAS requires at least 20 MiB; no NAS has 16 TiB. */
  memory: { lowest: 20, highest: 16_777_216, unit: " MiB" },
  /** TrueNAS limits the product of sockets, cores and threads. */
  cpu: { lowest: 1, highest: 255, unit: "" },
  threads: { lowest: 1, highest: 255, unit: "" },
  /** 64 TiB. */
  disk: { lowest: 1, highest: 65_536, unit: " GiB" },
  parallel: { lowest: 1, highest: 99, unit: "" },
} as const;

const MAX_DISKS = 16;
const MAX_NICS = 8;
const MAX_TYPE_CHARS = 100;

function wholeNumber(
  what: string,
  { lowest, highest, unit }: { lowest: number; highest: number; unit: string },
) {
  const wanted = `${what} must be a whole number from ${lowest} to ${highest}${unit}`;
  return z.unknown().transform((value, context): number => {
    if (typeof value === "number" && Number.isInteger(value) && value >= lowest && value <= highest) {
      return value;
    }
    const message = value === undefined || value === null
      ? `${what} is missing: ${wanted}`
      : `${wanted}, found ${show(value)}`;
    return refuse(message, context);
  });
}

/** Rejects a value; validation of its parent stops here. */
function refuse(message: string, context: z.RefinementCtx): never {
  context.addIssue({ code: "custom", message, fatal: true });
  return z.NEVER;
}

/** The error for a value that is absent or has the wrong type. */
function otherwise(message: string) {
  return { error: ({ code }: { code: string }) => code === "invalid_type" ? message : undefined };
}

/** Shows a value in a message; callers of the library can pass values that JSON cannot represent. */
function show(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return "a value that is not plain data";
  }
}

function word(what: string, check: (text: string) => string | null) {
  return z.unknown().transform((value, context): string => {
    const message = typeof value !== "string" || value === ""
      ? value === undefined || value === null || value === ""
        ? `${what} is missing`
        : `${what} must be text, found ${show(value)}`
      : check(value);
    if (message === null && typeof value === "string") return value;
    return refuse(message ?? `${what} is missing`, context);
  });
}

/** Names of disks and networks start with a letter: `root`, `lan-2`. */
const PART_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function namedValues<T>(what: string, most: number, value: z.ZodType<T>) {
  const record = z.record(z.string(), value, otherwise(`${what} must be a list of name: value lines`));
  const named = record.superRefine((values, context) => {
    const names = Object.keys(values);
    if (names.length > most) {
      context.addIssue({ code: "custom", message: `The maximum is ${most}, found ${names.length}` });
    }
    for (const name of names.filter((name) => !PART_NAME.test(name))) refuseName(name, context);
  });
  // zod silently drops this key from a record, so the disk would go missing.
  return z.unknown().superRefine((values, context) => {
    const named = typeof values === "object" && values !== null && Object.hasOwn(values, "__proto__");
    if (named) refuseName("__proto__", context);
  }).pipe(named);
}

function refuseName(name: string, context: z.RefinementCtx): void {
  const message = `The name ${
    JSON.stringify(name)
  } must start with a letter and contain only letters, digits, hyphens, dots and underscores`;
  context.addIssue({ code: "custom", path: [name], message });
}

function flag(what: string) {
  return z.unknown().transform((value, context): boolean => {
    if (typeof value === "boolean") return value;
    return refuse(`${what} must be true or false, found ${show(value)}`, context);
  });
}

/** TrueNAS accepts strings of 1024 characters; the rest is for this program's mark. */
export const MAX_DESCRIPTION_CHARS = 900;

function checkDescription(text: string): string | null {
  if (text.length <= MAX_DESCRIPTION_CHARS) return null;
  return `The description has ${text.length} characters; the maximum is ${MAX_DESCRIPTION_CHARS}`;
}

/** A list of MAC addresses, one per VM. */
const macList = z.array(
  word("The MAC address", (text) => {
    if (normalizeMac(text) !== null) return null;
    return `${JSON.stringify(text)} is not a unicast MAC address; write it like 02:00:5e:10:00:01`;
  }).transform((text) => normalizeMac(text) ?? text),
  otherwise("The MAC addresses of a network must be a list: [02:00:5e:10:00:01, 02:00:5e:10:00:02]"),
);

function oneOf<T extends string>(what: string, choices: readonly T[]) {
  return z.enum(choices as readonly [T, ...T[]], {
    error: ({ input }) => `${what} must be ${choices.join(", ")}; found ${show(input)}`,
  });
}

const overrideKeys = z.record(
  z.string(),
  z.unknown(),
  otherwise("Template overrides must be name: value lines"),
);

const templateSection = z.strictObject({
  vm: overrideKeys.optional(),
  display: overrideKeys.optional(),
  cdrom: overrideKeys.optional(),
  nic: overrideKeys.optional(),
  disk: overrideKeys.optional(),
}, otherwise("template can contain vm, display, cdrom, nic and disk")).superRefine((overrides, context) => {
  for (const { field, message } of checkOverrides(overrides)) {
    context.addIssue({ code: "custom", path: field.split("."), message });
  }
});

const storageSection = z.strictObject({
  pool_path: word("The dataset for zvols", checkPoolPath),
  cdrom_path: word("The install image", checkCdromPath),
}, otherwise("storage must have pool_path and cdrom_path"));

const vmTypeKeys = z.strictObject({
  count: wholeNumber("Count", LIMITS.count),
  memory: wholeNumber("Memory", LIMITS.memory),
  cpu: wholeNumber("vCPUs", LIMITS.cpu),
  threads: wholeNumber("Threads per core", LIMITS.threads).optional(),
  disk: namedValues("disk", MAX_DISKS, wholeNumber("The disk's size", LIMITS.disk)).default({}),
  network: namedValues("network", MAX_NICS, word("The bridge", () => null)).default({}),
  start: flag("start").optional(),
  autostart: flag("autostart").optional(),
  overcommit: flag("overcommit").optional(),
  description: word("The description", checkDescription).optional(),
  sparse: flag("sparse").optional(),
  macs: namedValues("macs", MAX_NICS, macList).optional(),
  parallel: wholeNumber("VMs in parallel", LIMITS.parallel).optional(),
  on_failure: oneOf("on_failure", ON_FAILURE).optional(),
  template: templateSection.optional(),
}, otherwise("A VM type must have count, memory and cpu"));

const vmTypeSection = vmTypeKeys.superRefine((section, context) => {
  const { cpu, threads } = section;
  if (threads !== undefined && cpu % threads !== 0) {
    const message =
      `${cpu} vCPUs cannot be divided into cores with ${threads} threads; choose a divisor of ${cpu}`;
    context.addIssue({ code: "custom", path: ["threads"], message });
  }
  for (const [network, macs] of Object.entries(section.macs ?? {})) {
    const message = macListProblem(network, macs, section);
    if (message !== null) context.addIssue({ code: "custom", path: ["macs", network], message });
  }
});

function macListProblem(
  network: string,
  macs: readonly string[],
  { count, network: networks }: Pick<VmTypeSection, "count" | "network">,
): string | null {
  if (!Object.hasOwn(networks, network)) {
    return `There is no network ${JSON.stringify(network)}; there are ${Object.keys(networks).join(", ")}`;
  }
  if (macs.length >= count) return null;
  return `${count} VMs need as many MAC addresses, found ${macs.length}; add ${
    count - macs.length
  }, or remove the list`;
}

function checkPoolPath(path: string): string | null {
  if (path.startsWith("/mnt/")) {
    return `Enter the dataset's name without /mnt/: ${path.slice("/mnt/".length)}`;
  }
  if (path.startsWith("/") || path.endsWith("/")) {
    return `${JSON.stringify(path)} is not a dataset name; write it like tank/vms`;
  }
  // ZFS allows letters, digits, space and _ - . : in names; each part starts with a letter or digit.
  if (path.split("/").every((part) => /^[A-Za-z0-9][A-Za-z0-9_.: -]*$/.test(part))) return null;
  return `${JSON.stringify(path)} is not a dataset name; write it like tank/vms`;
}

function checkCdromPath(path: string): string | null {
  if (!path.startsWith("/mnt/")) {
    return `${JSON.stringify(path)} must be a full path under /mnt/, such as /mnt/tank/iso/debian.iso`;
  }
  if (/[{}]/.test(path)) {
    return `${
      JSON.stringify(path)
    } contains a brace, which TrueNAS does not accept in paths; rename the file`;
  }
  return path.endsWith("/") ? `${JSON.stringify(path)} is a folder; enter the path of a file in it` : null;
}

/** What {@link checkConfiguration} requires besides a storage section and at least one VM type. */
export interface CheckOptions {
  /** VM types that must be present; default controlplane and worker. */
  readonly require?: readonly string[];
}

/** Accepts any VM types, as the dashboard and the command line do. */
export const ANY_TYPES: CheckOptions = { require: [] };

/** Sections with this prefix belong to the user: YAML anchors, notes. */
const IGNORED_SECTION = /^x-/;

const REQUIRED_TYPES: readonly string[] = ["controlplane", "worker"];

/** Checks a value shaped like config.yaml and returns all problems at once, each with its dotted path. */
export function checkConfiguration(
  value: unknown,
  { require = REQUIRED_TYPES }: CheckOptions = {},
): CheckedConfiguration {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return {
      ok: false,
      problems: [{
        field: "",
        message: `The configuration must have the sections ${listOf(["storage", ...require])}`,
      }],
    };
  }
  const sections = new Map(Object.entries(value).filter(([name]) => !IGNORED_SECTION.test(name)));
  const problems: Problem[] = [];
  const checked: [string, StorageSection | VmTypeSection][] = [];
  for (const name of ["storage", ...require].filter((name) => !sections.has(name))) {
    problems.push({ field: name, message: missingSection(name, [...sections.keys()]) });
  }
  if (require.length === 0 && [...sections.keys()].every((name) => name === "storage")) {
    const message = "There is no VM type: add a section such as worker, with count, memory and cpu";
    problems.push({ field: "", message });
  }
  for (const [name, section] of sections) {
    if (RESERVED_SECTIONS.includes(name)) {
      problems.push({ field: name, message: reservedSection(name) });
      continue;
    }
    if (name !== "storage") problems.push(...typeNameProblems(name));
    const parsed = (name === "storage" ? storageSection : vmTypeSection).safeParse(section);
    if (parsed.success) checked.push([name, parsed.data]);
    else problems.push(...parsed.error.issues.flatMap((issue) => toProblems(name, issue)));
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, configuration: Object.fromEntries(checked) as unknown as Configuration };
}

/** Section names that are reserved for later use. */
const RESERVED_SECTIONS: readonly string[] = ["images"];

function reservedSection(name: string): string {
  return `${name} is reserved and cannot be a VM type; rename the type, or prefix a section of your own with x-`;
}

function listOf(names: readonly string[]): string {
  return names.length === 1 ? `storage and at least one VM type` : names.join(", ");
}

function missingSection(name: string, present: readonly string[]): string {
  if (name === "storage") return "The storage section is missing; add it with pool_path and cdrom_path";
  const types = present.filter((other) => other !== "storage");
  return `There is no VM type ${JSON.stringify(name)}${
    types.length === 0 ? "" : `; there are ${types.join(", ")}`
  }`;
}

function typeNameProblems(name: string): Problem[] {
  if (/\d$/.test(name)) {
    const clash = `its VMs (${name}01) could be confused with those of ${
      JSON.stringify(name.replace(/\d+$/, ""))
    }`;
    return [{ field: name, message: `The name of a VM type must not end in a digit: ${clash}` }];
  }
  if (isVmName(name) && name.length <= MAX_TYPE_CHARS) return [];
  return [{
    field: name,
    message: `A VM cannot be named ${
      JSON.stringify(`${name}01`)
    }: TrueNAS only accepts letters, digits and underscores`,
  }];
}

function toProblems(section: string, issue: z.core.$ZodIssue): Problem[] {
  const path = [section, ...issue.path.map(String)];
  if (issue.code !== "unrecognized_keys") return [{ field: path.join("."), message: issue.message }];
  const known = Object.keys((section === "storage" ? storageSection : vmTypeKeys).shape);
  return issue.keys.map((key) => ({
    field: [...path, key].join("."),
    message: `Unknown key ${JSON.stringify(key)}; the known keys are ${known.join(", ")}`,
  }));
}

/** The VM types of a configuration, in file order. */
export function vmTypes(configuration: Configuration): string[] {
  return Object.keys(configuration).filter((name) => name !== "storage");
}

/**
 * Checks the text of a configuration; `source` is its name in messages.
 *
 * @param options Default: the VM types controlplane and worker must be present.
 * @throws {ConfigurationError} listing every problem with line and column.
 */
export function checkText(
  { value, places }: ConfigurationText,
  source: string,
  options?: CheckOptions,
): ParsedConfiguration {
  const checked = checkConfiguration(value, options);
  if (checked.ok) return { configuration: checked.configuration, places };
  throw new ConfigurationError(source, checked.problems.map((problem) => located(problem, places)));
}

/** A missing value is reported at the section that should contain it. */
function located(problem: Problem, places: Places): Problem {
  const parts = problem.field.split(".");
  for (let length = parts.length; length > 0; length--) {
    const place = places.get(parts.slice(0, length).join("."));
    if (place !== undefined) return { ...problem, ...place };
  }
  return { ...problem, line: 1, column: 1 };
}
