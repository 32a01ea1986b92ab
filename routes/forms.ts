/**
 * Reads submitted forms. Values stay text until they are validated, so that an invalid form is shown again as it was
 * typed.
 */
import { checkConfiguration, type Configuration } from "../lib/configuration/configuration.ts";
import type { StorageSection, VmTypeSection } from "../lib/configuration/sections.ts";
import type { Problem } from "../lib/errors/errors.ts";
import { gibOf, mibOf, numberOf } from "../lib/inputs.ts";
import { vmName } from "../lib/inventory/names.ts";
import type { CreateForm } from "../templates/pages/create_page.tsx";
import { type CreateFormType, memoryText, SIZES } from "../templates/parts/type_form/form.ts";
import { picked } from "../templates/parts/type_form/inputs.tsx";
import type { Totals } from "../templates/parts/type_form/totals.tsx";
import type { Capacity } from "../lib/inventory/inventory.ts";

/** Most rows of disks or networks that one VM type's form may have. */
const MAX_ROWS = 32;

/** Template values used where the configuration has none. */
export interface TemplateDefaults {
  readonly autostart: boolean;
}

/** The form as the configuration fills it in. */
export function formOf(configuration: Configuration, defaults: TemplateDefaults): CreateForm {
  const { storage, types } = configuration;
  return {
    pool_path: storage.pool_path,
    cdrom_path: storage.cdrom_path,
    types: Object.entries(types).map(([name, type]) => typeForm(name, type, defaults)),
  };
}

/** A VM type's form as its section fills it in. */
export function typeForm(name: string, section: VmTypeSection, defaults: TemplateDefaults): CreateFormType {
  return {
    name,
    count: String(section.count),
    memory: memoryText(section.memory),
    cpu: String(section.cpu),
    threads: section.threads === undefined ? "" : String(section.threads),
    start: section.start ?? true,
    autostart: section.autostart ?? defaults.autostart,
    overcommit: section.overcommit ?? false,
    sparse: section.sparse ?? false,
    image: section.image ?? "",
    cdrom: section.cdrom ?? "",
    clone: section.clone ?? true,
    description: section.description ?? "",
    parallel: section.parallel === undefined ? "" : String(section.parallel),
    onFailure: section.on_failure ?? "roll-back",
    overrides: overridesOf(section),
    disks: Object.entries(section.disk).map(([disk, size]) => ({ name: disk, sizeGib: String(size) })),
    networks: Object.entries(section.network).map(([nic, bridge]) => ({
      name: nic,
      bridge,
      macs: (section.macs?.[nic] ?? []).join(" "),
    })),
  };
}

/** What a type overrides in the templates, as dotted names. */
export function overridesOf({ template = {} }: VmTypeSection): string[] {
  return Object.entries(template).flatMap(([part, values]) =>
    Object.keys(values ?? {}).map((key) => `${part}.${key}`)
  );
}

/** Forms are small; a client that needs longer is only holding a connection. */
const BODY_MS = 15_000;

/** A body declared as a form that cannot be parsed. */
export class BrokenBody extends Error {
  override readonly name = "BrokenBody";
}

/** The body did not arrive in time. */
export class SlowBody extends Error {
  override readonly name = "SlowBody";
}

/**
 * A request's body as text fields; null when it is not a form.
 *
 * @throws {SlowBody} when it does not arrive in time.
 */
export async function readForm(request: Request, timeoutMs = BODY_MS): Promise<URLSearchParams | null> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new SlowBody("The body did not arrive in time")), timeoutMs);
  try {
    return await Promise.race([readFields(request), promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readFields(request: Request): Promise<URLSearchParams | null> {
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("application/x-www-form-urlencoded")) return new URLSearchParams(await request.text());
  if (!type.startsWith("multipart/form-data")) return null;
  const fields = new URLSearchParams();
  for (const [name, value] of await partsOf(request)) {
    if (typeof value === "string") fields.append(name, value);
  }
  return fields;
}

async function partsOf(request: Request): Promise<FormData> {
  try {
    return await request.formData();
  } catch (error) {
    throw new BrokenBody("The body is not a valid form", { cause: error });
  }
}

/** The form as it was typed, for these VM types; null when it has none of their fields. */
export function createFormOf(fields: URLSearchParams, file: Configuration): CreateForm | null {
  const types = Object.entries(file.types).filter(([type]) => fields.has(`${type}.count`));
  if (types.length === 0) return null;
  return {
    pool_path: picked(fields, "storage.pool_path"),
    cdrom_path: picked(fields, "storage.cdrom_path"),
    types: types.map(([type, section]) => ({
      name: type,
      ...typeFieldsOf(fields, `${type}.`),
      overrides: overridesOf(section),
    })),
  };
}

/** What was typed into a VM type's fields, whose names begin with the prefix. */
export function typeFieldsOf(
  fields: URLSearchParams,
  prefix: string,
): Omit<CreateFormType, "name" | "overrides"> {
  const name = (field: string) => `${prefix}${field}`;
  return {
    count: text(fields, name("count")),
    memory: text(fields, name("memory")),
    cpu: text(fields, name("cpu")),
    ...presetIn(fields, prefix),
    threads: text(fields, name("threads")),
    start: isTicked(fields, name("start"), true),
    autostart: isTicked(fields, name("autostart"), true),
    overcommit: isTicked(fields, name("overcommit"), false),
    sparse: isTicked(fields, name("sparse"), false),
    image: fields.has(name("image")) ? text(fields, name("image")) : null,
    cdrom: fields.has(name("cdrom")) ? text(fields, name("cdrom")) : null,
    clone: fields.has(name("clone")) ? isTicked(fields, name("clone"), true) : null,
    description: text(fields, name("description")),
    parallel: text(fields, name("parallel")),
    onFailure: text(fields, name("on_failure")) || "roll-back",
    disks: rows(fields, name("disk"), ["name", "size"]).map(([name = "", sizeGib = ""]) => ({
      name,
      sizeGib,
    })),
    networks: rows(fields, name("network"), ["name", "bridge", "macs"]).map(
      ([name = "", bridge = "", macs = ""]) => ({ name, bridge, macs }),
    ),
  };
}

/** The numbers of a size that was chosen now; what was typed otherwise. */
function presetIn(
  fields: URLSearchParams,
  prefix: string,
): { readonly cpu?: string; readonly memory?: string } {
  const size = text(fields, `${prefix}size`);
  if (size === text(fields, `${prefix}size_shown`) || !Object.hasOwn(SIZES, size)) return {};
  const { cpu, memoryMib } = SIZES[size as keyof typeof SIZES];
  return { cpu: String(cpu), memory: memoryText(memoryMib) };
}

const MOST_VMS = 99;

/** A type after one of its form's own buttons: one more or fewer, or a row dropped. */
export function changedType(type: CreateFormType, fields: URLSearchParams, prefix: string): CreateFormType {
  const own = (name: string) => {
    const value = text(fields, name);
    return value.startsWith(prefix) ? value.slice(prefix.length) : "";
  };
  const step = { more: 1, fewer: -1 }[own("step")] ?? 0;
  const isNumber = /^\d{1,2}$/.test(type.count);
  const count = isNumber && step !== 0
    ? String(Math.min(MOST_VMS, Math.max(0, Number(type.count) + step)))
    : type.count;
  const [part, at] = own("drop").split(".");
  const without = <T>(kind: string, all: readonly T[]) =>
    part === kind ? all.filter((_, n) => n !== Number(at)) : all;
  return { ...type, count, disks: without("disk", type.disks), networks: without("network", type.networks) };
}

/** The kind of row that a button of the form adds; null for none. */
export function spareRow(fields: URLSearchParams, prefix: string): "disk" | "network" | null {
  const add = text(fields, "add");
  return add === `${prefix}disk` ? "disk" : add === `${prefix}network` ? "network" : null;
}

/**
 * What the VMs of some types take in all, without those that exist already; null where a field has no number.
 */
export function totalsOfTypes(
  types: readonly CreateFormType[],
  capacity: Capacity | null,
  existing: ReadonlySet<string> = new Set(),
): Totals {
  const whole = (typed: string): number | null => /^\d{1,9}$/.test(typed) ? Number(typed) : null;
  const sumOf = (each: (type: CreateFormType) => number | null) =>
    types.reduce<number | null>((sum, type) => {
      const count = missingOf(type, whole(type.count), existing);
      const value = each(type);
      return sum === null || count === null || value === null ? null : sum + count * value;
    }, 0);
  const positive = (value: number | string | undefined) =>
    typeof value === "number" && value > 0 ? value : null;
  return {
    count: sumOf(() => 1),
    vcpus: sumOf(({ cpu }) => whole(cpu)),
    memoryMib: sumOf(({ memory }) => positive(mibOf(memory))),
    diskGib: sumOf(({ disks }) =>
      disks.map(({ sizeGib }) => positive(gibOf(sizeGib))).reduce<number | null>(
        (sum, size) => sum === null || size === null ? null : sum + size,
        0,
      )
    ),
    capacity,
  };
}

/** How many of a type's VMs do not exist yet. */
function missingOf(
  { name }: CreateFormType,
  count: number | null,
  existing: ReadonlySet<string>,
): number | null {
  if (count === null || count > MOST_VMS) return count;
  return Array.from({ length: count }, (_, n) => vmName(name, n + 1)).filter((vm) => !existing.has(vm))
    .length;
}

/** Submitted VM types that are not in the configuration; without this, their VMs would be skipped silently. */
export function unknownTypesOf(fields: URLSearchParams, file: Configuration): Problem[] {
  const known = Object.keys(file.types);
  const sent = [...fields.keys()].flatMap((name) => /^(.+)\.count$/.exec(name)?.[1] ?? []);
  return sent.filter((type) => !known.includes(type)).map((type) => ({
    field: "",
    message: `The configuration has no VM type ${JSON.stringify(type)}. It has ${known.join(", ")}`,
  }));
}

/** Browsers send nothing for an unticked box; the hidden field before it shows that the box was in the form. */
function isTicked(fields: URLSearchParams, name: string, usual: boolean): boolean {
  const sent = fields.getAll(name);
  return sent.length === 0 ? usual : sent.includes("yes");
}

function text(fields: URLSearchParams, name: string): string {
  return fields.get(name)?.trim() ?? "";
}

/** Numbered rows of fields; empty rows are skipped. */
function rows(fields: URLSearchParams, prefix: string, names: readonly string[]): string[][] {
  const found: string[][] = [];
  for (let n = 0; n < MAX_ROWS; n++) {
    const row = names.map((name) => text(fields, `${prefix}.${n}.${name}`));
    if (row.some((value) => value !== "")) found.push(row);
  }
  return found;
}

/** The configuration from a form, or its problems by field. */
export type FormConfiguration =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Parses the numbers and validates the form like a configuration file. Template overrides, which have no fields, are
 * taken from the file.
 */
export function configurationOf(form: CreateForm, file?: Configuration): FormConfiguration {
  const problems = form.types.flatMap(rowProblems);
  const value = {
    storage: { ...unseenStorage(file), pool_path: form.pool_path, cdrom_path: form.cdrom_path },
    ...(file?.images === undefined ? {} : { images: file.images }),
    ...Object.fromEntries(form.types.map((type) => [type.name, sectionOf(type, file)])),
  };
  const checked = checkConfiguration(value, form.types.map(({ name }) => name));
  if (checked.ok && problems.length === 0) return { ok: true, configuration: checked.configuration };
  return {
    ok: false,
    problems: [...problems, ...(checked.ok ? [] : checked.problems.map((it) => atField(it, form)))],
  };
}

/** What the form has no fields for. */
function unseenStorage(file: Configuration | undefined): Pick<StorageSection, "image_path" | "checkpoints"> {
  const { image_path, checkpoints } = file?.storage ?? {};
  return {
    ...(image_path === undefined ? {} : { image_path }),
    ...(checkpoints === undefined ? {} : { checkpoints }),
  };
}

function sectionOf(type: CreateFormType, file: Configuration | undefined): Record<string, unknown> {
  return {
    ...imageIn(type, file?.types[type.name]),
    count: numberOf(type.count),
    memory: mibOf(type.memory),
    cpu: numberOf(type.cpu),
    ...(type.threads === "" ? {} : { threads: numberOf(type.threads) }),
    start: type.start,
    autostart: type.autostart,
    overcommit: type.overcommit,
    ...(type.sparse ? { sparse: true } : {}),
    ...(type.description === "" ? {} : { description: type.description }),
    ...(type.parallel === "" ? {} : { parallel: numberOf(type.parallel) }),
    ...(type.onFailure === "roll-back" ? {} : { on_failure: type.onFailure }),
    ...macsOf(type),
    disk: Object.fromEntries(
      type.disks.filter(({ name }) => name !== "").map((it) => [it.name, gibOf(it.sizeGib)]),
    ),
    network: Object.fromEntries(
      type.networks.filter(({ name }) => name !== "").map((it) => [it.name, it.bridge]),
    ),
  };
}

/** The image and the CD-ROM, as typed or else as in the file, and what a form has no fields for. */
function imageIn(
  type: CreateFormType,
  { template, image, cdrom, clone, seed, addresses, ready, quorum }: Partial<VmTypeSection> = {},
): Record<string, unknown> {
  const unseen = { template, seed, addresses, ready, quorum };
  const values = { ...unseen, image, cdrom, clone, ...imageValuesOf(type) };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** The values of the fields of images that the form has; undefined where the usual applies. */
export function imageValuesOf(
  { image, cdrom, clone }: CreateFormType,
): { image?: string | undefined; cdrom?: string | undefined; clone?: boolean | undefined } {
  return {
    ...(image === null ? {} : { image: image || undefined }),
    ...(cdrom === null ? {} : { cdrom: cdrom || undefined }),
    // Only a type with an image may say it.
    ...(image === "" ? { clone: undefined } : clone === null ? {} : { clone: clone ? undefined : false }),
  };
}

/** The fixed MACs of a type's networks. */
export function macsOf({ networks }: CreateFormType): { macs?: Record<string, string[]> } {
  const fixed = networks.filter(({ name, macs }) => name !== "" && macs !== "");
  if (fixed.length === 0) return {};
  return {
    macs: Object.fromEntries(fixed.map(({ name, macs }) => [name, macs.split(/[\s,]+/).filter(Boolean)])),
  };
}

/** Problems only a form can have: a row without a name, or two rows with the same name. */
export function rowProblems(type: CreateFormType): Problem[] {
  return [...namedRows(type.name, "disk", type.disks), ...namedRows(type.name, "network", type.networks)];
}

function namedRows(
  type: string,
  kind: "disk" | "network",
  typed: readonly { readonly name: string }[],
): Problem[] {
  return typed.flatMap(({ name }, n) => {
    const field = `${type}.${kind}.${n}.name`;
    if (name === "") {
      return [{
        field,
        message: `Enter a name for the ${kind}, for example ${kind === "disk" ? "root" : "lan"}`,
      }];
    }
    const first = typed.findIndex((other) => other.name === name);
    return first === n
      ? []
      : [{ field, message: `Two rows have the name ${JSON.stringify(name)}. Use each name once` }];
  });
}

/** Translates the configuration's path (`worker.disk.root`) into the form's (`worker.disk.0.size`). */
export function atField<T extends { readonly field: string }>(problem: T, form: CreateForm): T {
  const [typeName, kind, ...rest] = problem.field.split(".");
  const type = form.types.find(({ name }) => name === typeName);
  if (type === undefined || rest.length === 0) return problem;
  if (kind === "macs") {
    const [network = ""] = rest;
    const n = type.networks.findIndex(({ name }) => name === network);
    return n < 0 ? problem : { ...problem, field: `${typeName}.network.${n}.macs` };
  }
  if (kind !== "disk" && kind !== "network") return problem;
  const named: readonly { readonly name: string }[] = kind === "disk" ? type.disks : type.networks;
  const n = named.findIndex(({ name }) => name === rest.join("."));
  return n < 0
    ? problem
    : { ...problem, field: `${typeName}.${kind}.${n}.${kind === "disk" ? "size" : "bridge"}` };
}

/** Whether the form has a field for a path; some problems, such as a display's, cannot be fixed in the form. */
export function hasField(path: string, form: CreateForm): boolean {
  const [section = "", key = ""] = path.split(".");
  if (section === "storage") return key === "pool_path" || key === "cdrom_path";
  return key !== "" && form.types.some(({ name }) => name === section);
}

/** Splits prefixes at commas and spaces. */
export function prefixesOf(typed: string): string[] {
  return [...new Set(typed.split(/[\s,]+/).filter((prefix) => prefix !== ""))];
}
