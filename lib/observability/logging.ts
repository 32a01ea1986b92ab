/** The log: one line per event on standard error. Nothing else in the library writes there. */
import { LOG_LEVELS, type LogLevel } from "./log_levels.ts";
import { escapeControls } from "../command_line/terminal/printable.ts";
import { writeLogLine } from "../command_line/process.ts";

export type { LogLevel } from "./log_levels.ts";

/** Values attached to a line: small, and never intentionally a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines. */
export interface Logger {
  /** Details for debugging. */
  debug(message: string, fields?: LogFields): void;
  /** Normal events. */
  info(message: string, fields?: LogFields): void;
  /** Problems that need attention. */
  warning(message: string, fields?: LogFields): void;
  /** Failures. */
  error(message: string, fields?: LogFields): void;
}

/** Options of a logger. */
export interface LoggingOptions {
  /** Default text. */
  readonly format?: "text" | "json";
  /** Values that are replaced by `[secret]` wherever they appear. */
  readonly secrets?: readonly string[];
  /** Where lines go; default standard error. */
  readonly write?: (line: string) => void;
  /** Milliseconds since 1970 (UTC). */
  readonly now?: () => number;
}

/** Longer lines are truncated, so that a hostile or huge value cannot fill the disk. */
const MAX_LINE_CHARS = 4_000;

/** Shorter secrets are not redacted, because they would match in most lines. */
const MIN_SECRET_CHARS = 3;

/**
 * Creates a logger.
 *
 * @example
 * ```ts
 * const logger = setupLogging("INFO", { secrets: [password] });
 * logger.info("Connected", { host });
 * ```
 */
export function setupLogging(level: LogLevel = "INFO", options: LoggingOptions = {}): Logger {
  const { format = "text", secrets = [], write = writeLogLine, now = Date.now } = options;
  const lowest = LOG_LEVELS.indexOf(level);
  const redact = redactor(secrets);
  const log = (of: LogLevel) => (message: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(of) < lowest) return;
    const time = new Date(now()).toISOString();
    const line = format === "json"
      ? jsonLine(time, of, message, fields)
      : textLine(time, of, message, fields);
    write(redact(line).slice(0, MAX_LINE_CHARS));
  };
  return { debug: log("DEBUG"), info: log("INFO"), warning: log("WARNING"), error: log("ERROR") };
}

/** A logger that writes nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warning() {}, error() {} };

/** Prevents fields from overriding the line's time, level or message. */
function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const own = { time, level, message };
  return escapeControls(
    toJson({ ...own, ...fields, ...own }) ?? JSON.stringify({ ...own, fields: NOT_JSON }),
  );
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  const pairs = known.map(([name, value]) => escapeControls(`${name}=${fieldText(value)}`));
  return [time, level.padEnd(7), escapeControls(message), ...pairs].join(" ");
}

function fieldText(value: unknown): string {
  if (typeof value === "number") return String(value);
  return JSON.stringify(typeof value === "string" ? value : toJson(value) ?? NOT_JSON);
}

/** Placeholder for a value that JSON cannot represent. */
const NOT_JSON = "[no JSON]";

/** A value as JSON; null if it has none (a cycle, a bigint), because logging must not stop the program. */
function toJson(value: unknown): string | null {
  try {
    return String(JSON.stringify(value));
  } catch {
    return null;
  }
}

/** Depth of nested JSON strings in which secrets are redacted; a text line itself has two levels. */
const MAX_JSON_LEVELS = 4;

/** Redacts each secret, including its forms in JSON, with escaped control characters, and in URLs. */
export function redactor(secrets: readonly string[]): (line: string) => string {
  const forms = secrets.filter(({ length }) => length >= MIN_SECRET_CHARS).flatMap(formsOf);
  const longestFirst = [...new Set(forms)].toSorted((a, b) => b.length - a.length);
  return (line) => longestFirst.reduce((text, form) => text.replaceAll(form, "[secret]"), line);
}

function formsOf(secret: string): string[] {
  const inUrl = secret.toWellFormed();
  const forms = [encodeURIComponent(inUrl), new URLSearchParams([["", inUrl]]).toString().slice(1)];
  let inJson = secret;
  for (let level = 0; level <= MAX_JSON_LEVELS; level++) {
    forms.push(inJson, escapeControls(inJson));
    inJson = JSON.stringify(inJson).slice(1, -1);
  }
  return forms;
}
