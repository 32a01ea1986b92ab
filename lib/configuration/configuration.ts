/** config.yaml: what it may say. */
import { z } from "../zod.ts";
import type { ConfigurationText, Places } from "./configuration_text.ts";
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { isVmName, normalizeMac } from "../inventory/names.ts";
import { ON_FAILURE, type OnFailure } from "./on_failure.ts";
import { checkOverrides, type TemplateOverrides } from "../vm_templates/overrides.ts";

/** Where VMs keep their disks, and what they are installed from. */
export interface StorageSection {
  /** The dataset in which zvols are made: `tank/vms`. */
  readonly pool_path: string;
  /** The install image: `/mnt/tank/iso/debian.iso`. */
  readonly cdrom_path: string;
}

/** One VM type: how many there are, and what each is made of. */
export interface VmTypeSection {
  /** 0 makes none; at most 99, because names have two digits. */
  readonly count: number;
  /** MiB. */
  readonly memory: number;
  /** vCPUs in all, as one socket of that many cores (divided by `threads`, where given). */
  readonly cpu: number;
  /** Threads per core; default 1. It divides `cpu`. */
  readonly threads?: number | undefined;
  /** Disks in order: name to GiB. */
  readonly disk: Readonly<Record<string, number>>;
  /** NICs in order: name to bridge. */
  readonly network: Readonly<Record<string, string>>;
  /** Whether the VMs are started once they are made; default true. */
  readonly start?: boolean | undefined;
  /** Whether they start with the NAS; default: as the VM template says. */
  readonly autostart?: boolean | undefined;
  /** Whether they are started although the NAS's free memory does not suffice; default false. */
  readonly overcommit?: boolean | undefined;
  /** Free text that stands in the VMs' description, before this program's mark. */
  readonly description?: string | undefined;
  /** Whether the zvols take their space only as it is written; default false: they take it at once. */
  readonly sparse?: boolean | undefined;
  /** Fixed MACs by network, the first VM's first; networks that are not named get derived ones. */
  readonly macs?: Readonly<Record<string, readonly string[]>> | undefined;
  /** How many VMs of this type are worked on at once; default as many as the NAS takes. */
  readonly parallel?: number | undefined;
  /** What is done when one of these VMs cannot be made; default `roll-back`. */
  readonly on_failure?: OnFailure | undefined;
  /** What these VMs have otherwise than the templates say. */
  readonly template?: TemplateOverrides | undefined;
}

/** A whole configuration, with the keys of the file. Every section that is not reserved is a VM type. */
export interface Configuration {
  /** Where disks and install image are. */
  readonly storage: StorageSection;
  /** A VM type. */
  readonly [vmType: string]: StorageSection | VmTypeSection | undefined;
}

/** A configuration and where its values stand. */
export interface ParsedConfiguration {
  /** What the file says. */
  readonly configuration: Configuration;
  /** Where it says so. */
  readonly places: Places;
}

/** A checked value, or every problem with it. */
export type CheckedConfiguration =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What numbers may be; the reasons stand beside the interface's fields. */
const LIMITS = {
  count: { lowest: 0, highest: 99, unit: "" },
  /** TrueNAS takes 20 MiB at least; 16 TiB is more than any NAS has. */
  memory: { lowest: 20, highest: 16_777_216, unit: " MiB" },
  /** TrueNAS's limit on the product of sockets, cores and threads. */
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

/** A value that cannot be used: what it is a part of is not looked at any further. */
function refuse(message: string, context: z.RefinementCtx): never {
  context.addIssue({ code: "custom", message, fatal: true });
  return z.NEVER;
}

/** What is said of a value of another kind, or of none. */
function otherwise(message: string) {
  return { error: ({ code }: { code: string }) => code === "invalid_type" ? message : undefined };
}

/** A value in a message; a library's caller may hand in what JSON cannot say. */
function show(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return "a value that is no plain data";
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

/** Names of disks and networks begin with a letter: `root`, `lan-2`. */
const PART_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function namedValues<T>(what: string, most: number, value: z.ZodType<T>) {
  const record = z.record(z.string(), value, otherwise(`${what} must be a list of name: value lines`));
  const named = record.superRefine((values, context) => {
    const names = Object.keys(values);
    if (names.length > most) {
      context.addIssue({ code: "custom", message: `At most ${most} are possible, found ${names.length}` });
    }
    for (const name of names.filter((name) => !PART_NAME.test(name))) refuseName(name, context);
  });
  // zod leaves this one name out of a record without a word: the disk would be missing.
  return z.unknown().superRefine((values, context) => {
    const named = typeof values === "object" && values !== null && Object.hasOwn(values, "__proto__");
    if (named) refuseName("__proto__", context);
  }).pipe(named);
}

function refuseName(name: string, context: z.RefinementCtx): void {
  const message = `The name ${
    JSON.stringify(name)
  } must begin with a letter; use letters, digits, hyphens, dots and underscores`;
  context.addIssue({ code: "custom", path: [name], message });
}

function flag(what: string) {
  return z.unknown().transform((value, context): boolean => {
    if (typeof value === "boolean") return value;
    return refuse(`${what} must be true or false, found ${show(value)}`, context);
  });
}

/** TrueNAS takes strings of 1024 characters; the mark is added to it. */
export const MAX_DESCRIPTION_CHARS = 900;

function checkDescription(text: string): string | null {
  if (text.length <= MAX_DESCRIPTION_CHARS) return null;
  return `The description has ${text.length} characters; at most ${MAX_DESCRIPTION_CHARS} are possible`;
}

/** MACs in a list, one for each VM. */
const macList = z.array(
  word("A MAC", (text) => {
    if (normalizeMac(text) !== null) return null;
    return `${JSON.stringify(text)} is no MAC of one machine; write it like 02:00:5e:10:00:01`;
  }).transform((text) => normalizeMac(text) ?? text),
  otherwise("The MACs of a network must be a list: [02:00:5e:10:00:01, 02:00:5e:10:00:02]"),
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
}, otherwise("template must have vm, display, cdrom, nic or disk")).superRefine((overrides, context) => {
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
  parallel: wholeNumber("VMs at a time", LIMITS.parallel).optional(),
  on_failure: oneOf("on_failure", ON_FAILURE).optional(),
  template: templateSection.optional(),
}, otherwise("A VM type must have count, memory and cpu"));

const vmTypeSection = vmTypeKeys.superRefine((section, context) => {
  const { cpu, threads } = section;
  if (threads !== undefined && cpu % threads !== 0) {
    const message =
      `${cpu} vCPUs cannot be divided into cores of ${threads} threads; choose a divisor of ${cpu}`;
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
  return `${macs.length} MACs do not suffice for ${count} VMs; add ${
    count - macs.length
  }, or leave the list out`;
}

function checkPoolPath(path: string): string | null {
  if (path.startsWith("/mnt/")) {
    return `Write the dataset's name without /mnt/: ${path.slice("/mnt/".length)}`;
  }
  if (path.startsWith("/") || path.endsWith("/")) {
    return `${JSON.stringify(path)} is no dataset; write it like tank/vms`;
  }
  // ZFS: letters, digits, and _ - . : and space; each part begins with a letter or digit.
  if (path.split("/").every((part) => /^[A-Za-z0-9][A-Za-z0-9_.: -]*$/.test(part))) return null;
  return `${JSON.stringify(path)} is no dataset; write it like tank/vms`;
}

function checkCdromPath(path: string): string | null {
  if (!path.startsWith("/mnt/")) {
    return `${JSON.stringify(path)} must be a file's full path below /mnt/, such as /mnt/tank/iso/debian.iso`;
  }
  if (/[{}]/.test(path)) return `${JSON.stringify(path)} has a brace; TrueNAS refuses such paths`;
  return path.endsWith("/") ? `${JSON.stringify(path)} is a folder; name the file in it` : null;
}

/** What {@link checkConfiguration} asks for beside a storage section and at least one VM type. */
export interface CheckOptions {
  /** VM types that have to be there; default controlplane and worker. */
  readonly require?: readonly string[];
}

/** Any VM types will do: what the dashboard and the command line ask for. */
export const ANY_TYPES: CheckOptions = { require: [] };

/** Sections that begin so are the reader's own: anchors of YAML, notes. */
const IGNORED_SECTION = /^x-/;

const REQUIRED_TYPES: readonly string[] = ["controlplane", "worker"];

/** Checks a value that has the shape of config.yaml: all problems at once, each at its dotted path. */
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

/** Sections that will mean something else than a VM type. */
const RESERVED_SECTIONS: readonly string[] = ["images"];

function reservedSection(name: string): string {
  return `${name} is reserved and cannot be a VM type; give the type another name, or begin a section of your own with x-`;
}

function listOf(names: readonly string[]): string {
  return names.length === 1 ? `storage and at least one VM type` : names.join(", ");
}

function missingSection(name: string, present: readonly string[]): string {
  if (name === "storage") return "The storage section is missing: it names pool_path and cdrom_path";
  const types = present.filter((other) => other !== "storage");
  return `There is no VM type ${JSON.stringify(name)}${
    types.length === 0 ? "" : `; there are ${types.join(", ")}`
  }`;
}

function typeNameProblems(name: string): Problem[] {
  if (/\d$/.test(name)) {
    const clash = `its VMs (${name}01) could not be told from those of ${
      JSON.stringify(name.replace(/\d+$/, ""))
    }`;
    return [{ field: name, message: `The name of a VM type must not end in a digit: ${clash}` }];
  }
  if (isVmName(name) && name.length <= MAX_TYPE_CHARS) return [];
  return [{
    field: name,
    message: `A VM cannot be called ${
      JSON.stringify(`${name}01`)
    }: TrueNAS takes letters, digits and underscores only`,
  }];
}

function toProblems(section: string, issue: z.core.$ZodIssue): Problem[] {
  const path = [section, ...issue.path.map(String)];
  if (issue.code !== "unrecognized_keys") return [{ field: path.join("."), message: issue.message }];
  const known = Object.keys((section === "storage" ? storageSection : vmTypeKeys).shape);
  return issue.keys.map((key) => ({
    field: [...path, key].join("."),
    message: `Unknown key ${JSON.stringify(key)}; known are ${known.join(", ")}`,
  }));
}

/** The VM types of a configuration, as they stand. */
export function vmTypes(configuration: Configuration): string[] {
  return Object.keys(configuration).filter((name) => name !== "storage");
}

/**
 * Checks what a file says; `source` is its name in messages.
 *
 * @param options Default: the VM types controlplane and worker have to be there.
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

/** A problem at a value that is missing stands at the section that lacks it. */
function located(problem: Problem, places: Places): Problem {
  const parts = problem.field.split(".");
  for (let length = parts.length; length > 0; length--) {
    const place = places.get(parts.slice(0, length).join("."));
    if (place !== undefined) return { ...problem, ...place };
  }
  return { ...problem, line: 1, column: 1 };
}
