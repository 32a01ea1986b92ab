/** The configuration as the dashboard reads it: an edit of the file shows without a restart. */
import { checkText, type ParsedConfiguration } from "../lib/config.ts";
import type { ConfigurationFile } from "../lib/config_file.ts";
import type { ConfigurationText } from "../lib/config_text.ts";

/** A file and what stands in it. */
export interface ParsedFile extends ConfigurationFile {
  readonly parsed: ConfigurationText;
}

/** What reading takes. */
export interface ConfigurationReaderOptions {
  /** What the file says now. */
  readonly read: () => ConfigurationFile;
  /** Reads a text that is another than the last one. */
  readonly parse: (file: ConfigurationFile) => Promise<ConfigurationText>;
  /** What was parsed before. */
  readonly first: ParsedFile;
}

/**
 * Reads the file anew at each call, and parses and checks it when it is another.
 *
 * @returns what rejects with a ConfigurationError listing every problem.
 */
export function configurationReader(
  { read, parse, first }: ConfigurationReaderOptions,
): () => Promise<ParsedConfiguration> {
  let known: ParsedFile = first;
  let checked: ParsedConfiguration | null = null;
  return async () => {
    const file = read();
    const { text, source } = file;
    if (text !== known.text || source !== known.source) {
      const parsed = await parse(file);
      [known, checked] = [{ text, source, parsed }, null];
      return checkText(parsed, source);
    }
    return checked ??= checkText(known.parsed, source);
  };
}
