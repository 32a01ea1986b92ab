/**
 * What browsers send, read into plain values. Everything stays text until it is known to be right, so that a form
 * with a mistake comes back as it was typed.
 */
import { checkConfiguration, type Configuration, vmTypes, type VmTypeSection } from "../lib/config.ts";
import type { Problem } from "../lib/errors.ts";
import type { CreateForm, CreateFormType } from "../templates/props.ts";

/** Most rows of disks or networks that one VM type's form may have. */
const MAX_ROWS = 32;

/** What the templates say where the configuration says nothing. */
export interface TemplateDefaults {
  readonly autostart: boolean;
}

/** The form as the configuration fills it in. */
export function formOf(configuration: Configuration, defaults: TemplateDefaults): CreateForm {
  const { storage } = configuration;
  return {
    pool_path: storage.pool_path,
    cdrom_path: storage.cdrom_path,
    types: vmTypes(configuration).map((type) =>
      typeForm(type, configuration[type] as VmTypeSection, defaults)
    ),
  };
}

function typeForm(name: string, section: VmTypeSection, defaults: TemplateDefaults): CreateFormType {
  return {
    name,
    count: String(section.count),
    memory: String(section.memory),
    cpu: String(section.cpu),
    threads: section.threads === undefined ? "" : String(section.threads),
    start: section.start ?? true,
    autostart: section.autostart ?? defaults.autostart,
    overcommit: section.overcommit ?? false,
    description: section.description ?? "",
    disks: Object.entries(section.disk).map(([disk, size]) => ({ name: disk, sizeGib: String(size) })),
    networks: Object.entries(section.network).map(([nic, bridge]) => ({ name: nic, bridge })),
  };
}

/** A request's body as text fields; null when it is not a form. */
export async function readForm(request: Request): Promise<URLSearchParams | null> {
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("application/x-www-form-urlencoded")) return new URLSearchParams(await request.text());
  if (!type.startsWith("multipart/form-data")) return null;
  const fields = new URLSearchParams();
  for (const [name, value] of await request.formData()) {
    if (typeof value === "string") fields.append(name, value);
  }
  return fields;
}

/** The form as it was typed, for these VM types; null when it has none of their fields. */
export function createFormOf(fields: URLSearchParams, types: readonly string[]): CreateForm | null {
  if (!types.some((type) => fields.has(`${type}.count`))) return null;
  return {
    pool_path: text(fields, "storage.pool_path"),
    cdrom_path: text(fields, "storage.cdrom_path"),
    types: types.filter((type) => fields.has(`${type}.count`)).map((type) => ({
      name: type,
      count: text(fields, `${type}.count`),
      memory: text(fields, `${type}.memory`),
      cpu: text(fields, `${type}.cpu`),
      threads: text(fields, `${type}.threads`),
      start: isTicked(fields, `${type}.start`, true),
      autostart: isTicked(fields, `${type}.autostart`, true),
      overcommit: isTicked(fields, `${type}.overcommit`, false),
      description: text(fields, `${type}.description`),
      disks: rows(fields, `${type}.disk`, ["name", "size"]).map(([name, sizeGib]) => ({ name, sizeGib })),
      networks: rows(fields, `${type}.network`, ["name", "bridge"]).map(([name, bridge]) => ({
        name,
        bridge,
      })),
    })),
  };
}

/** A browser sends nothing for an empty box; the hidden field before each says that it was there. */
function isTicked(fields: URLSearchParams, name: string, usual: boolean): boolean {
  const sent = fields.getAll(name);
  return sent.length === 0 ? usual : sent.includes("yes");
}

function text(fields: URLSearchParams, name: string): string {
  return fields.get(name)?.trim() ?? "";
}

/** Numbered rows with two fields each; rows in which both are empty are left out. */
function rows(
  fields: URLSearchParams,
  prefix: string,
  [first, second]: [string, string],
): [string, string][] {
  const found: [string, string][] = [];
  for (let n = 0; n < MAX_ROWS; n++) {
    const row: [string, string] = [
      text(fields, `${prefix}.${n}.${first}`),
      text(fields, `${prefix}.${n}.${second}`),
    ];
    if (row.some((value) => value !== "")) found.push(row);
  }
  return found;
}

/** A form's configuration, or every problem with it at its field. */
export type FormConfiguration =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads the numbers and checks everything as if it had come from a file. */
export function configurationOf(form: CreateForm): FormConfiguration {
  const problems = form.types.flatMap(rowProblems);
  const value = {
    storage: { pool_path: form.pool_path, cdrom_path: form.cdrom_path },
    ...Object.fromEntries(form.types.map((type) => [type.name, sectionOf(type)])),
  };
  const checked = checkConfiguration(value, { require: form.types.map(({ name }) => name) });
  if (checked.ok && problems.length === 0) return { ok: true, configuration: checked.configuration };
  return {
    ok: false,
    problems: [...problems, ...(checked.ok ? [] : checked.problems.map((it) => atField(it, form)))],
  };
}

function sectionOf(type: CreateFormType): Record<string, unknown> {
  return {
    count: number(type.count),
    memory: number(type.memory),
    cpu: number(type.cpu),
    ...(type.threads === "" ? {} : { threads: number(type.threads) }),
    start: type.start,
    autostart: type.autostart,
    overcommit: type.overcommit,
    ...(type.description === "" ? {} : { description: type.description }),
    disk: Object.fromEntries(
      type.disks.filter(({ name }) => name !== "").map((it) => [it.name, number(it.sizeGib)]),
    ),
    network: Object.fromEntries(
      type.networks.filter(({ name }) => name !== "").map((it) => [it.name, it.bridge]),
    ),
  };
}

/** A number, or what was typed when it is none; an empty field is no 0. */
function number(typed: string): number | string | undefined {
  if (typed === "") return undefined;
  return /^[+-]?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
}

/** What only a form can get wrong: a row without a name, or two with the same. */
function rowProblems(type: CreateFormType): Problem[] {
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
        message: `Name the ${kind}: a short word such as ${kind === "disk" ? "root" : "lan"}`,
      }];
    }
    const first = typed.findIndex((other) => other.name === name);
    return first === n ? [] : [{ field, message: `The name ${JSON.stringify(name)} is used twice` }];
  });
}

/** From the configuration's path (`worker.disk.root`) to the form's (`worker.disk.0.size`). */
export function atField<T extends { readonly field: string }>(problem: T, form: CreateForm): T {
  const [typeName, kind, ...rest] = problem.field.split(".");
  const type = form.types.find(({ name }) => name === typeName);
  if (type === undefined || (kind !== "disk" && kind !== "network") || rest.length === 0) return problem;
  const named: readonly { readonly name: string }[] = kind === "disk" ? type.disks : type.networks;
  const n = named.findIndex(({ name }) => name === rest.join("."));
  return n < 0
    ? problem
    : { ...problem, field: `${typeName}.${kind}.${n}.${kind === "disk" ? "size" : "bridge"}` };
}

/** Prefixes as typed, between commas or spaces. */
export function prefixesOf(typed: string): string[] {
  return [...new Set(typed.split(/[\s,]+/).filter((prefix) => prefix !== ""))];
}
