/** How callers of the library load and check configurations: in the flat form of config.yaml. */
import {
  checkConfiguration,
  type CheckedConfiguration,
  type Configuration,
  NO_INSTALL_IMAGE,
  type ParsedConfiguration,
} from "./configuration.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { parseConfigurationFile, readConfigurationFile } from "./configuration_file.ts";
import { type FlatConfiguration, fromFlat, toFlat } from "./flat_configuration.ts";

/** What a configuration must have besides a storage section. */
export interface CheckOptions {
  /** VM types that must be present; default controlplane and worker. None: at least one of any name. */
  readonly require?: readonly string[];
}

const REQUIRED_TYPES: readonly string[] = ["controlplane", "worker"];

/**
 * Reads a configuration file. It must have the sections storage, controlplane and worker.
 *
 * @param path Default `config.yaml` in the current folder.
 * @throws {ConfigurationError} listing every problem with line and column; also when the file does not exist.
 */
export function loadConfiguration(path = "config.yaml"): FlatConfiguration {
  return parseConfiguration(readConfigurationFile(path), path).configuration;
}

/**
 * Parses a configuration; `source` is its name in messages.
 *
 * @throws {ConfigurationError} listing every problem with line and column.
 */
export function parseConfiguration(
  text: string,
  source: string,
  { require = REQUIRED_TYPES }: CheckOptions = {},
): ParsedConfiguration<FlatConfiguration> {
  const { configuration, places } = parseConfigurationFile({ text, source }, require);
  if (lacksCdrom(configuration, require)) throw new ConfigurationError(source, [NO_INSTALL_IMAGE]);
  return { configuration: toFlat(configuration), places };
}

/** Checks a value shaped like config.yaml and returns all problems at once, each with its dotted path. */
export function checkFlatConfiguration(
  value: unknown,
  { require = REQUIRED_TYPES }: CheckOptions = {},
): CheckedConfiguration<FlatConfiguration> {
  const checked = checkConfiguration(value, require);
  if (!checked.ok) return checked;
  const { configuration } = checked;
  return lacksCdrom(configuration, require)
    ? { ok: false, problems: [NO_INSTALL_IMAGE] }
    : { ok: true, configuration: toFlat(configuration) };
}

/** Callers that require certain types install them from one image. */
function lacksCdrom({ storage }: Configuration, require: readonly string[]): boolean {
  return require.length > 0 && storage.cdrom_path === "";
}

/** The VM types of a configuration, in file order. */
export function vmTypes(configuration: FlatConfiguration): string[] {
  return Object.keys(fromFlat(configuration).types);
}
