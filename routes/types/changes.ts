/** What the pages of VM types change in a configuration's text: from a form to a new text, or to what is wrong. */
import { parseConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import { parseText } from "../../lib/configuration/configuration_text.ts";
import {
  applyEdits,
  type ConfigurationEdit,
  type Defaults,
  type SectionValues,
} from "../../lib/configuration/editing/edits.ts";
import type { Value } from "../../lib/configuration/editing/splices.ts";
import { ConfigurationError, type Problem } from "../../lib/errors/errors.ts";
import { gibOf, mibOf, numberOf } from "../../lib/inputs.ts";
import { isVmName } from "../../lib/inventory/names.ts";
import type { ImageForm } from "../../templates/pages/images/adopt_page.tsx";
import type { TypeForm } from "../../templates/pages/types/type_page.tsx";
import { firstBootValues } from "../forms/first_boot.ts";
import { atField, imageValuesOf, macsOf, rowProblems } from "../forms/form_configuration.ts";
import { typeForm } from "../forms/typed_types.ts";

/** One change, as a form asks for it. */
export type Change =
  | { readonly kind: "type"; readonly form: TypeForm }
  | { readonly kind: "storage"; readonly storage: StorageForm }
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "image"; readonly image: ImageForm }
  | { readonly kind: "yaml"; readonly text: string; readonly isRestored: boolean };

/** The fields of storage, as typed. */
export interface StorageForm {
  readonly pool_path: string;
  readonly cdrom_path: string;
}

/** A new text, or what is wrong, at the fields of the form. */
export type Prepared =
  | { readonly ok: true; readonly text: string; readonly action: string }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What a change applies to. */
export interface Base {
  /** The present text; empty when there is none. */
  readonly text: string;
  /** Its name in messages. */
  readonly source: string;
  /** Whether the VM template starts VMs with the NAS. */
  readonly autostart: boolean;
}

/** The new text of a configuration. */
export function prepareChange(change: Change, base: Base): Prepared {
  switch (change.kind) {
    case "type":
      return prepareType(change.form, base);
    case "storage": {
      const edits = storageEdits(change.storage, sectionNamesOf(base.text));
      return edited(edits, base, "storage", (problem) => problem);
    }
    case "remove": {
      const others = sectionNamesOf(base.text).filter((name) => isTypeName(name) && name !== change.name);
      if (others.length === 0) return refused(onlyType(change.name));
      return edited([{ kind: "remove", name: change.name }], base, `remove_${change.name}`, (it) => it);
    }
    case "image":
      return prepareImage(change.image, base);
    case "yaml":
      return checked(change.text, base.source, change.isRestored ? "restore" : "yaml", inText);
  }
}

const IMAGES = "images";

/** Adds an image, or changes where it is. */
function prepareImage({ name, path }: ImageForm, base: Base): Prepared {
  if (name === "") return refused("Enter a name, for example debian13", "name");
  if (path === "") return refused("Enter the path of a file on the NAS", "path");
  const sections = sectionNamesOf(base.text);
  const kind = sections.includes(IMAGES) ? "change" : "add";
  return edited([{ kind, name: IMAGES, values: { [name]: { path } } }], base, `image_${name}`, (problem) => {
    const own = `${IMAGES}.${name}`;
    if (problem.field !== own && !problem.field.startsWith(`${own}.`)) return inFile(problem);
    return { field: problem.field === `${own}.path` ? "path" : "name", message: problem.message };
  });
}

function onlyType(name: string): string {
  return `${name} is the only VM type, and a configuration needs one. Set its count to 0, or add another type first`;
}

function refused(message: string, field = ""): Prepared {
  return { ok: false, problems: [{ field, message }] };
}

/** The names of all sections; none when the text is no YAML. */
export function sectionNamesOf(text: string): string[] {
  try {
    const { value } = parseText(text, "config.yaml");
    return typeof value === "object" && value !== null ? Object.keys(value) : [];
  } catch (error) {
    if (error instanceof ConfigurationError) return [];
    throw error;
  }
}

const STORAGE = "storage";

function isTypeName(section: string): boolean {
  return section !== STORAGE && section !== IMAGES && !section.startsWith("x-");
}

function prepareType(form: TypeForm, base: Base): Prepared {
  const { type, from, copyOf, storage } = form;
  const sections = sectionNamesOf(base.text);
  const problems = [
    ...nameProblems(type.name, sections.filter((name) => name !== from)),
    ...formProblems(form),
  ];
  if (problems.length > 0) return { ok: false, problems };
  const values = { ...valuesOf(form), ...changedFirstBoot(form, base) };
  const edits: ConfigurationEdit[] = [
    ...(storage === null ? [] : storageEdits(storage, sections)),
    ...(from === null
      ? copyOf === null ? [{ kind: "add", name: type.name, values } as const] : [
        { kind: "add", name: type.name, values: {}, copyOf } as const,
        { kind: "change", name: type.name, values } as const,
      ]
      : [
        ...(from === type.name ? [] : [{ kind: "rename", name: from, to: type.name } as const]),
        { kind: "change", name: type.name, values } as const,
      ]),
  ];
  const action = `${from === null ? "add" : from === type.name ? "change" : "rename"}_${type.name}`;
  return edited(edits, base, action, (problem) => inForm(problem, form));
}

function formProblems({ type }: TypeForm): Problem[] {
  const own = `${type.name}.`;
  return rowProblems(type).map(({ field, message }) => ({ field: field.slice(own.length), message }));
}

function storageEdits(
  { pool_path, cdrom_path }: StorageForm,
  sections: readonly string[],
): ConfigurationEdit[] {
  const values = { pool_path: pool_path || undefined, cdrom_path: cdrom_path || undefined };
  return [{ kind: sections.includes(STORAGE) ? "change" : "add", name: STORAGE, values }];
}

/** What a form wants a section to say. */
function valuesOf({ type }: TypeForm): SectionValues {
  const given = (typed: string): Value | undefined => numberOf(typed);
  return {
    count: given(type.count),
    memory: mibOf(type.memory),
    cpu: given(type.cpu),
    threads: given(type.threads),
    disk: Object.fromEntries(type.disks.map(({ name, sizeGib }) => [name, gibOf(sizeGib) ?? ""])),
    network: Object.fromEntries(type.networks.map(({ name, bridge }) => [name, bridge])),
    start: type.start,
    autostart: type.autostart,
    overcommit: type.overcommit,
    sparse: type.sparse,
    ...imageValuesOf(type),
    description: type.description === "" ? undefined : type.description,
    parallel: given(type.parallel),
    on_failure: type.onFailure,
    macs: macsOf(type).macs,
  };
}

/** Only what was changed, because what is written anew loses its comments and its order. */
function changedFirstBoot({ type, from, copyOf }: TypeForm, base: Base): SectionValues {
  const section = sectionIn(base, from ?? copyOf);
  const was: SectionValues = section === null
    ? {}
    : firstBootValues(typeForm(type.name, section, { autostart: base.autostart }));
  const values: SectionValues = firstBootValues(type);
  return Object.fromEntries(
    Object.entries(values).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(was[key])),
  );
}

/** A type as the file has it; null when there is none, or the file has errors. */
function sectionIn({ text, source }: Base, name: string | null): VmTypeSection | null {
  if (name === null) return null;
  try {
    return parseConfigurationFile({ text, source }).configuration.types[name] ?? null;
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

function edited(
  edits: readonly ConfigurationEdit[],
  base: Base,
  action: string,
  place: (problem: Problem) => Problem,
): Prepared {
  const defaults: Defaults = {
    start: true,
    autostart: base.autostart,
    overcommit: false,
    sparse: false,
    on_failure: "roll-back",
    disk: {},
    network: {},
  };
  try {
    const result = applyEdits(base.text, edits, defaults);
    if (!result.ok) return result;
    return checked(result.text, base.source, action, place);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { ok: false, problems: error.problems.map(inFile) };
  }
}

/** By the program's own checks, before anything is written. */
function checked(
  text: string,
  source: string,
  action: string,
  place: (problem: Problem) => Problem,
): Prepared {
  try {
    parseConfigurationFile({ text, source });
    return { ok: true, text, action: action.replaceAll(/\W/g, "_") };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { ok: false, problems: error.problems.map(place) };
  }
}

/** A problem of the file, which has no field on the page. */
export function inFile({ field, message, line, column }: Problem): Problem {
  const place = line === undefined ? "" : `Line ${line}, column ${column ?? 1}: `;
  return { field: "", message: `${place}${field === "" ? "" : `${field}: `}${message}` };
}

/** A problem of a text that is edited as a whole. */
function inText(problem: Problem): Problem {
  return { ...inFile(problem), field: "yaml" };
}

const FIELDS: readonly string[] = [
  "count",
  "memory",
  "cpu",
  "threads",
  "description",
  "parallel",
  "on_failure",
  "image",
  "cdrom",
  "clone",
];

function inForm(problem: Problem, { type, storage }: TypeForm): Problem {
  const { message } = problem;
  if (problem.field === type.name) return { field: "name", message };
  const [section, key = ""] = problem.field.split(".");
  if (section === STORAGE && storage !== null && key !== "") return { field: problem.field, message };
  if (section !== type.name) return inFile(problem);
  const { field } = atField(problem, { pool_path: "", cdrom_path: "", types: [type] });
  // The name of a disk or network is part of the path, so a wrong name is reported at its value.
  const part = message.startsWith("The name ") ? field.replace(/\.(size|bridge|macs)$/, ".name") : field;
  const own = part.slice(type.name.length + 1);
  return FIELDS.includes(own) || /^(disk|network)\.\d+\.|^(seed|ready)\.|^quorum$/.test(own)
    ? { field: own, message }
    : inFile(problem);
}

const MAX_NAME_CHARS = 100;

const RESERVED: Readonly<Record<string, string>> = {
  storage: "storage is the section for the dataset and the install image; choose another name",
  images: "images is reserved; choose another name",
  ["__proto__"]: "This name is reserved; choose another one",
};

/** What is wrong with a VM type's name, in words for whoever types it. */
function nameProblems(name: string, taken: readonly string[]): Problem[] {
  const message = nameProblem(name, taken);
  return message === null ? [] : [{ field: "name", message }];
}

function nameProblem(name: string, taken: readonly string[]): string | null {
  if (name === "") return "Enter a name, for example worker";
  if (name.length > MAX_NAME_CHARS) {
    return `The name has ${name.length} characters; the maximum is ${MAX_NAME_CHARS}`;
  }
  if (Object.hasOwn(RESERVED, name)) return RESERVED[name] ?? null;
  if (name.startsWith("x-")) return "Names that begin with x- are for your own notes; choose another name";
  if (name.includes("-")) {
    return `TrueNAS accepts no hyphen in a VM's name; write ${name.replaceAll("-", "_")}`;
  }
  if (!isVmName(`${name}01`)) {
    return "Use only the letters a to z, digits and underscores, for example worker";
  }
  if (/\d$/.test(name)) {
    return `The name must not end in a digit, because its VMs are numbered: ${name}01`;
  }
  return taken.includes(name) ? `There is already a VM type ${name}; choose another name` : null;
}
