/** The configuration as the pages of VM types need it, also where it has errors or is not there. */
import type { Configuration } from "../../lib/configuration/configuration.ts";
import { parseConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import {
  isUnwritten,
  type StoredConfiguration,
} from "../../lib/configuration/editing/configuration_store.ts";
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import { ConfigurationError, type Problem } from "../../lib/errors/errors.ts";
import { type Base, inFile, sectionNamesOf } from "./changes.ts";
import type { Dashboard } from "../server/dashboard.ts";

/** What is stored, and what it means. */
export interface ConfigurationView extends StoredConfiguration {
  /** null when it has errors, or nothing in it. */
  readonly configuration: Configuration | null;
  /** What is wrong with it; none when there is nothing in it. */
  readonly problems: readonly Problem[];
}

/** Reads the configuration. */
export function viewConfiguration({ configurationStore }: Dashboard): ConfigurationView {
  const stored = configurationStore.read();
  const { text, source } = stored;
  try {
    const configuration = text === null || isUnwritten(text)
      ? null
      : parseConfigurationFile({ text, source }).configuration;
    return { ...stored, configuration, problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    // A file with only storage in it has no types yet.
    const names = sectionNamesOf(text ?? "");
    const isBegun = names.length > 0 && names.every((name) => name === "storage" || name.startsWith("x-"));
    const problems = error.problems.filter(({ field }) => !isBegun || field.startsWith("storage."));
    return { ...stored, configuration: null, problems: problems.map(inFile) };
  }
}

/** What changes apply to. */
export function baseOf({ manager }: Dashboard, { text, source }: StoredConfiguration): Base {
  return { text: text ?? "", source, autostart: manager.templates.defaults.autostart };
}

/** A VM type's section; undefined when there is none of this name. */
export function sectionIn({ configuration }: ConfigurationView, name: string): VmTypeSection | undefined {
  const types = configuration?.types ?? {};
  return Object.hasOwn(types, name) ? types[name] : undefined;
}
