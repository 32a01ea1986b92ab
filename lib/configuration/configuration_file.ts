/** Reads the configuration file. */
import embeddedConfiguration from "../../config.yaml" with { type: "text" };
import { ConfigurationError } from "../errors/errors.ts";
import { readTextFile } from "./files.ts";
import { reasonOf, systemErrorCode } from "../errors/system_errors.ts";

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
      systemErrorCode(error) === "ENOENT"
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
 * @param path Path of the file.
 * @param fallback Whether to use the built-in example when the file does not exist.
 * @throws {ConfigurationError} when the file cannot be read or is too large.
 */
export function readConfiguration(path: string, fallback: boolean): ConfigurationFile {
  try {
    return { text: readConfigurationFile(path), source: path };
  } catch (error) {
    const missing = error instanceof ConfigurationError && systemErrorCode(error.cause) === "ENOENT";
    if (!missing || !fallback) throw error;
    return { text: embeddedConfiguration, source: "the embedded config.yaml" };
  }
}
