/** A configuration, and the checks of config.yaml as a whole. */
import type { z } from "../zod.ts";
import type { Places } from "./configuration_text.ts";
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { show } from "../inputs.ts";
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

/** Section names that are reserved for later use. */
const RESERVED_SECTIONS: readonly string[] = ["images"];

const MAX_TYPE_CHARS = 100;

/**
 * Checks a value shaped like config.yaml and returns all problems at once, each with its dotted path.
 *
 * @param require VM types that must be present; none: at least one of any name.
 */
export function checkConfiguration(value: unknown, require: readonly string[] = []): CheckedConfiguration {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const wanted = require.length === 0
      ? "storage and at least one VM type"
      : ["storage", ...require].join(", ");
    return {
      ok: false,
      problems: [{ field: "", message: `The configuration must have the sections ${wanted}` }],
    };
  }
  const { storage, ...sections } = Object.fromEntries(
    Object.entries(value).filter(([name]) => !IGNORED_SECTION.test(name)),
  );
  const names = Object.keys(sections);
  const problems: Problem[] = [];
  if (storage === undefined) {
    const message = "The storage section is missing; add it with pool_path and cdrom_path";
    problems.push({ field: "storage", message });
  }
  for (const name of require.filter((name) => !names.includes(name))) {
    problems.push({ field: name, message: unknownType(name, names) });
  }
  if (require.length === 0 && names.length === 0) {
    const message = "There is no VM type; add a section such as worker, with count, memory and cpu";
    problems.push({ field: "", message });
  }
  const types: [string, VmTypeSection][] = [];
  const checkedStorage = storage === undefined ? null : storageSection.safeParse(storage);
  problems.push(...issuesOf("storage", checkedStorage, storageSection.shape));
  for (const [name, section] of Object.entries(sections)) {
    if (RESERVED_SECTIONS.includes(name)) {
      const message =
        `${name} is reserved and cannot be a VM type; rename the type, or prefix a section of your own with x-`;
      problems.push({ field: name, message });
      continue;
    }
    const checked = vmTypeSection.safeParse(section);
    problems.push(...typeNameProblems(name), ...issuesOf(name, checked, vmTypeKeys.shape));
    if (checked.success) types.push([name, checked.data]);
  }
  return problems.length === 0 && checkedStorage?.success
    ? { ok: true, configuration: { storage: checkedStorage.data, types: Object.fromEntries(types) } }
    : { ok: false, problems };
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
      message: `Unknown key ${show(key)}; the known keys are ${Object.keys(known).join(", ")}`,
    }));
  });
}
