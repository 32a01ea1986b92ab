/** What was typed into the forms of VM types. Values stay text until they are validated, so that an invalid form is shown again as typed. */
import { autostartOf } from "../../lib/vm_templates/overrides.ts";
import type { Configuration } from "../../lib/configuration/configuration.ts";
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import type { CreateForm } from "../../templates/pages/create_page.tsx";
import {
  type CreateFormType,
  memoryText,
  type NetworkRow,
  SIZES,
} from "../../templates/parts/type_form/form.ts";
import { picked } from "../../templates/parts/type_form/inputs.tsx";
import { addressRow, firstBootForm, firstBootSaid } from "../../templates/parts/type_form/first_boot.ts";
import { typedFirstBoot } from "./first_boot.ts";

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
    autostart: autostartOf(section, defaults),
    overcommit: section.overcommit ?? false,
    sparse: section.sparse ?? false,
    image: section.image ?? "",
    cdrom: section.cdrom ?? "",
    clone: section.clone ?? true,
    description: section.description ?? "",
    parallel: section.parallel === undefined ? "" : String(section.parallel),
    onFailure: section.on_failure ?? "roll-back",
    firstBoot: firstBootForm(section),
    firstBootSaid: firstBootSaid(section),
    overrides: overridesOf(section),
    disks: Object.entries(section.disk).map(([disk, size]) => ({ name: disk, sizeGib: String(size) })),
    networks: Object.entries(section.network).map(([nic, bridge]) => ({
      name: nic,
      bridge,
      macs: (section.macs?.[nic] ?? []).join(" "),
      address: addressRow(section.addresses?.[nic]),
    })),
  };
}

/** What a type overrides in the templates, as dotted names. */
export function overridesOf({ template = {} }: VmTypeSection): string[] {
  return Object.entries(template).flatMap(([part, values]) =>
    Object.keys(values ?? {}).map((key) => `${part}.${key}`)
  );
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
      firstBootSaid: firstBootSaid(section),
      overrides: overridesOf(section),
    })),
  };
}

/** What was typed into a VM type's fields, whose names begin with the prefix. */
export function typeFieldsOf(
  fields: URLSearchParams,
  prefix: string,
): Omit<CreateFormType, "name" | "overrides" | "firstBootSaid"> {
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
    firstBoot: typedFirstBoot(fields, prefix),
    networks: networksIn(fields, prefix),
  };
}

const NETWORK_FIELDS = ["name", "bridge", "macs", "addresses", "gateway", "dns"] as const;

/** The addresses are there where the first boot is. */
function networksIn(fields: URLSearchParams, prefix: string): NetworkRow[] {
  const hasAddresses = fields.has(`${prefix}seed.kind`);
  return rows(fields, `${prefix}network`, NETWORK_FIELDS).map((row) => {
    const [name = "", bridge = "", macs = "", addresses = "", gateway = "", dns = ""] = row;
    return { name, bridge, macs, ...(hasAddresses ? { address: { addresses, gateway, dns } } : {}) };
  });
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

/** Higher counts are mistakes, and are not added up. */
export const MOST_VMS = 99;

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
