/** Configurations from files and texts, in one step. */
import {
  type CheckOptions,
  checkText,
  type Configuration,
  type ParsedConfiguration,
} from "./configuration.ts";
import { readConfigurationFile } from "./configuration_file.ts";
import { parseText } from "./configuration_text.ts";

/**
 * Reads a configuration from a file. The sections storage, controlplane and worker have to be there.
 *
 * @param path Default `config.yaml` in the current folder.
 * @throws {ConfigurationError} listing every problem with line and column; also when there is no such file.
 */
export function loadConfiguration(path = "config.yaml"): Configuration {
  return loadParsedConfiguration(path).configuration;
}

/**
 * The same, with the places of its values.
 *
 * @throws {ConfigurationError} as {@link loadConfiguration}.
 */
export function loadParsedConfiguration(path: string, options?: CheckOptions): ParsedConfiguration {
  return parseConfiguration(readConfigurationFile(path), path, options);
}

/**
 * Reads a configuration from text; `source` is its name in messages.
 *
 * @param options Default: the VM types controlplane and worker have to be there.
 * @throws {ConfigurationError} listing every problem with line and column.
 */
export function parseConfiguration(
  text: string,
  source: string,
  options?: CheckOptions,
): ParsedConfiguration {
  return checkText(parseText(text, source), source, options);
}
