/** Loads configurations from files and texts. */
import {
  type CheckOptions,
  checkText,
  type Configuration,
  type ParsedConfiguration,
} from "./configuration.ts";
import { readConfigurationFile } from "./configuration_file.ts";
import { parseText } from "./configuration_text.ts";

/**
 * Reads a configuration file. It must have the sections storage, controlplane and worker.
 *
 * @param path Default `config.yaml` in the current folder.
 * @throws {ConfigurationError} listing every problem with line and column; also when the file does not exist.
 */
export function loadConfiguration(path = "config.yaml"): Configuration {
  return loadParsedConfiguration(path).configuration;
}

/**
 * Like {@link loadConfiguration}, with the position of each value.
 *
 * @throws {ConfigurationError} as {@link loadConfiguration}.
 */
export function loadParsedConfiguration(path: string, options?: CheckOptions): ParsedConfiguration {
  return parseConfiguration(readConfigurationFile(path), path, options);
}

/**
 * Parses a configuration; `source` is its name in messages.
 *
 * @param options Default: the VM types controlplane and worker must be present.
 * @throws {ConfigurationError} listing every problem with line and column.
 */
export function parseConfiguration(
  text: string,
  source: string,
  options?: CheckOptions,
): ParsedConfiguration {
  return checkText(parseText(text, source), source, options);
}
