/** Reads and parses the configuration file. */
import embeddedConfiguration from "./example.yaml" with { type: "text" };
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { isMissing, reasonOf } from "../errors/system_errors.ts";
import { checkConfiguration, type ParsedConfiguration } from "./configuration.ts";
import { parseText, type Places } from "./configuration_text.ts";
import { readTextFile } from "./files.ts";

/** Larger files are refused; a real configuration has a few kilobytes. */
const MAX_FILE_BYTES = 1_048_576;

/**
 * The text of a configuration file.
 *
 * @throws {ConfigurationError} when the file cannot be read or is too large.
 */
export function readConfigurationFile(path: string): string {
  const fail = (message: string, cause?: unknown) =>
    new ConfigurationError(path, [{ field: "", message }], { cause });
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw fail(
      isMissing(error)
        ? "No such file; copy the example config.yaml, or name your file with --config"
        : `The file cannot be read: ${reasonOf(error)}`,
      error,
    );
  }
  if (text.length <= MAX_FILE_BYTES) return text;
  throw fail(
    `The file has more than ${MAX_FILE_BYTES} characters, too many for a configuration; check the path`,
  );
}

/** A text, and its file's name in messages. */
export interface ConfigurationFile {
  readonly text: string;
  readonly source: string;
}

/**
 * The current text of a configuration file.
 *
 * @param fallback Whether to use the built-in example when the file does not exist.
 * @throws {ConfigurationError} when the file cannot be read or is too large.
 */
export function readConfiguration(path: string, fallback = false): ConfigurationFile {
  try {
    return { text: readConfigurationFile(path), source: path };
  } catch (error) {
    const missing = error instanceof ConfigurationError && isMissing(error.cause);
    if (!missing || !fallback) throw error;
    return { text: embeddedConfiguration, source: "the built-in example" };
  }
}

/**
 * Parses and checks a configuration file.
 *
 * @param require VM types that must be present; none: at least one of any name; null: there may be none at all.
 * @throws {ConfigurationError} listing every problem with line and column.
 */
export function parseConfigurationFile(
  { text, source }: ConfigurationFile,
  require: readonly string[] | null = [],
): ParsedConfiguration {
  const { value, places } = parseText(text, source);
  const checked = checkConfiguration(value, require);
  if (checked.ok) return { configuration: checked.configuration, places };
  throw new ConfigurationError(source, checked.problems.map((problem) => locate(problem, places)));
}

/** A missing value is reported at the section that should contain it. */
function locate(problem: Problem, places: Places): Problem {
  const parts = problem.field.split(".");
  for (let length = parts.length; length > 0; length--) {
    const place = places.get(parts.slice(0, length).join("."));
    if (place !== undefined) return { ...problem, ...place };
  }
  return { ...problem, line: 1, column: 1 };
}
