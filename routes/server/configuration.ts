/** Reads the configuration so that edits to the file apply without a restart. */
import { ANY_TYPES, type ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import type { ConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import { parseConfiguration } from "../../lib/configuration/load_configuration.ts";

/**
 * Reads the file at each call, and parses it only if it has changed.
 *
 * @param read Reads the file.
 * @returns a function that throws a ConfigurationError with every problem.
 */
export function configurationReader(read: () => ConfigurationFile): () => ParsedConfiguration {
  let known: { readonly text: string; readonly parsed: ParsedConfiguration } | null = null;
  return () => {
    const { text, source } = read();
    if (text !== known?.text) known = { text, parsed: parseConfiguration(text, source, ANY_TYPES) };
    return known.parsed;
  };
}
