/** A configuration, and the checks of config.yaml as a whole. */
import type { z } from "../zod.ts";
import type { Places } from "./configuration_text.ts";
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { show } from "../inputs.ts";
import { checkImages, type Images } from "./images_section.ts";
import { isVmName } from "../inventory/names.ts";
import {
  type StorageSection,
  storageSection,
  vmTypeKeys,
  type VmTypeSection,
  vmTypeSection,
} from "./sections.ts";

/** A whole configuration. */
export interface Configuration {
  /** Where disks and the install image are. */
  readonly storage: StorageSection;
  /** The VM types by name, in file order. */
  readonly types: Readonly<Record<string, VmTypeSection>>;
  /** What disks are made from; absent without any. */
  readonly images?: Images;
}

/** A configuration, and the position of each of its values. */
export interface ParsedConfiguration<C = Configuration> {
  /** The configuration. */
  readonly configuration: C;
  /** The positions of its values. */
  readonly places: Places;
}

/** A checked configuration, or every problem with it. */
export type CheckedConfiguration<C = Configuration> =
  | { readonly ok: true; readonly configuration: C }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Sections with this prefix belong to the user: YAML anchors, notes. */
const IGNORED_SECTION = /^x-/;

const MAX_TYPE_CHARS = 100;

/**
 * Checks a value shaped like config.yaml and returns all problems at once, each with its dotted path.
 *
 * @param require VM types that must be present; none: at least one of any name; null: there may be none at all.
 */
export function checkConfiguration(
  value: unknown,
  require: readonly string[] | null = [],
): CheckedConfiguration {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const wanted = require === null || require.length === 0
      ? "storage and at least one VM type"
      : ["storage", ...require].join(", ");
    return {
      ok: false,
      problems: [{ field: "", message: `The configuration must have the sections ${wanted}` }],
    };
  }
  const { storage, images: imagesSection, ...sections } = Object.fromEntries(
    Object.entries(value).filter(([name]) => !IGNORED_SECTION.test(name)),
  );
  const names = Object.keys(sections);
  const problems: Problem[] = [];
  if (storage === undefined) {
    const message = "The storage section is missing; add it with pool_path and cdrom_path";
    problems.push({ field: "storage", message });
  }
  for (const name of (require ?? []).filter((name) => !names.includes(name))) {
    problems.push({ field: name, message: unknownType(name, names) });
  }
  if (require?.length === 0 && names.length === 0) {
    const message = "There is no VM type; add a section such as worker, with count, memory and cpu";
    problems.push({ field: "", message });
  }
  const types: [string, VmTypeSection][] = [];
  const checkedStorage = storage === undefined ? null : storageSection.safeParse(storage);
  problems.push(
    ...issuesOf("storage", checkedStorage, storageSection.shape),
    ...(require === null && names.length === 0 ? [] : missingCdrom(storage, sections)),
  );
  for (const [name, section] of Object.entries(sections)) {
    const checked = vmTypeSection.safeParse(section);
    problems.push(...typeNameProblems(name), ...issuesOf(name, checked, vmTypeKeys.shape));
    if (checked.success) types.push([name, checked.data]);
  }
  const { images, problems: imageProblems } = checkImages(imagesSection);
  problems.push(
    ...imageProblems,
    ...unknownImages(types, imagesSection),
  );
  if (problems.length > 0 || checkedStorage?.success !== true) return { ok: false, problems };
  const own = Object.keys(images).length === 0 ? {} : { images };
  const checked = { storage: checkedStorage.data, types: Object.fromEntries(types), ...own };
  return { ok: true, configuration: checked };
}

/** The install image can be left out when every type has an image or says what its CD-ROM is. */
function missingCdrom(
  storage: unknown,
  sections: Readonly<Record<string, unknown>>,
): Problem[] {
  if (typeof storage !== "object" || storage === null) return [];
  const { cdrom_path: path } = storage as { cdrom_path?: unknown };
  if (path !== undefined && path !== null && path !== "") return [];
  const types = Object.values(sections);
  const hasOwn = (type: unknown) =>
    typeof type === "object" && type !== null && ("image" in type || "cdrom" in type);
  return types.length > 0 && types.every(hasOwn) ? [] : [NO_INSTALL_IMAGE];
}

/** A configuration without an install image for all types. */
export const NO_INSTALL_IMAGE: Problem = {
  field: "storage.cdrom_path",
  message: "The install image is missing; enter it",
};

/** An image whose own entry is wrong is reported there, and is not unknown. */
function unknownImages(types: readonly (readonly [string, VmTypeSection])[], section: unknown): Problem[] {
  const known = typeof section === "object" && section !== null ? Object.keys(section) : [];
  return types.flatMap(([name, { image }]) => {
    if (image === undefined || known.includes(image)) return [];
    const others = known.length === 0 ? "add it under images" : `there are ${known.join(", ")}`;
    return [{ field: `${name}.image`, message: `There is no image ${show(image)}; ${others}` }];
  });
}

/**
 * The section of a VM type.
 *
 * @throws {ConfigurationError} when the configuration does not have it.
 */
export function vmTypeOf({ types }: Configuration, name: string): VmTypeSection {
  const section = Object.hasOwn(types, name) ? types[name] : undefined;
  if (section !== undefined) return section;
  throw new ConfigurationError("configuration", [{
    field: "",
    message: unknownType(name, Object.keys(types)),
  }]);
}

/** The message for a VM type that a configuration does not have. */
export function unknownType(name: string, known: readonly string[]): string {
  const others = known.length === 0 ? "" : `; there are ${known.join(", ")}`;
  return `There is no VM type ${show(name)}${others}`;
}

function typeNameProblems(name: string): Problem[] {
  if (/\d$/.test(name)) {
    const other = show(name.replace(/\d+$/, ""));
    const message =
      `The name of a VM type must not end in a digit: its VMs (${name}01) could be confused with ` +
      `those of ${other}`;
    return [{ field: name, message }];
  }
  if (name.length > MAX_TYPE_CHARS) {
    const message =
      `The name of a VM type has at most ${MAX_TYPE_CHARS} characters; this one has ${name.length}`;
    return [{ field: name, message }];
  }
  if (isVmName(name)) return [];
  const message = `A VM cannot be named ${show(`${name}01`)}: TrueNAS only accepts letters, digits and ` +
    "underscores";
  return [{ field: name, message }];
}

function issuesOf(
  section: string,
  checked: z.ZodSafeParseResult<unknown> | null,
  known: Readonly<Record<string, unknown>>,
): Problem[] {
  return (checked?.error?.issues ?? []).flatMap((issue) => {
    const path = [section, ...issue.path.map(String)];
    if (issue.code !== "unrecognized_keys") return [{ field: path.join("."), message: issue.message }];
    return issue.keys.map((key) => ({
      field: [...path, key].join("."),
      message: `Unknown key ${show(key)}; the known keys are ${keysAt(known, issue.path).join(", ")}`,
    }));
  });
}

/** The keys at a path below the keys of a section. */
function keysAt(known: Readonly<Record<string, unknown>>, [key, ...path]: readonly PropertyKey[]): string[] {
  if (key === undefined) return Object.keys(known);
  return keysAt(shapeOf(known[String(key)]), path);
}

interface SchemaParts {
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly def?: { readonly innerType?: unknown };
}

/** The keys of a schema, which can be optional. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> {
  const { shape, def } = (schema ?? {}) as SchemaParts;
  if (shape !== undefined) return shape;
  return def?.innerType === undefined ? {} : shapeOf(def.innerType);
}
