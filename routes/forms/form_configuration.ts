/** From a form of VM types to a configuration, or to what is wrong at which field. */
import { checkConfiguration, type Configuration } from "../../lib/configuration/configuration.ts";
import type { StorageSection, VmTypeSection } from "../../lib/configuration/sections.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { gibOf, mibOf, numberOf } from "../../lib/inputs.ts";
import type { CreateForm } from "../../templates/pages/create_page.tsx";
import type { CreateFormType } from "../../templates/parts/type_form/form.ts";
import { firstBootField, firstBootValues } from "./first_boot.ts";

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
  const unseen = { template, seed, addresses, ready, quorum, ...firstBootValues(type) };
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
  if (type === undefined || kind === undefined) return problem;
  const own = firstBootField([kind, ...rest].join("."), type);
  if (own !== null) return { ...problem, field: `${typeName}.${own}` };
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
