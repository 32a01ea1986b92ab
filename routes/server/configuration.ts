/** The configuration as the dashboard reads it: an edit of the file shows without a restart. */
import { ANY_TYPES, type ParsedConfiguration } from "../../lib/configuration/configuration.ts";
import type { ConfigurationFile } from "../../lib/configuration/configuration_file.ts";
import { parseConfiguration } from "../../lib/configuration/load_configuration.ts";

/**
 * Reads the file anew at each call, and parses it when it is another.
 *
 * @param read What the file says now.
 * @returns what throws a ConfigurationError listing every problem.
 */
export function configurationReader(read: () => ConfigurationFile): () => ParsedConfiguration {
  let known: { readonly text: string; readonly parsed: ParsedConfiguration } | null = null;
  return () => {
    const { text, source } = read();
    if (text !== known?.text) known = { text, parsed: parseConfiguration(text, source, ANY_TYPES) };
    return known.parsed;
  };
}
