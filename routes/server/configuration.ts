/** Reads the configuration so that edits to the file apply without a restart. */
import type { ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import {
  type ConfigurationFile,
  parseConfigurationFile,
} from "../../lib/configuration/configuration_file.ts";

/**
 * Reads the file at each call, and parses it only if it has changed.
 *
 * @param read Reads the file.
 * @returns a function that throws a ConfigurationError with every problem.
 */
export function configurationReader(read: () => ConfigurationFile): () => ParsedConfiguration {
  let known: { readonly text: string; readonly parsed: ParsedConfiguration } | null = null;
  return () => {
    const file = read();
    if (file.text !== known?.text) known = { text: file.text, parsed: parseConfigurationFile(file) };
    return known.parsed;
  };
}
