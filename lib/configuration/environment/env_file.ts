/**
 * Reads files of NAME=value lines (`.env`) as shells, systemd and python-dotenv do. A `#` starts a comment only after a
 * space, so passwords can contain it.
 */
import { didYouMean } from "../../command_line/nearest.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { isMissing, reasonOf } from "../../errors/system_errors.ts";
import { type EnvFile, isSecret, VARIABLE_NAMES } from "./environment.ts";
import { readTextFileAsync } from "../files.ts";

/** How a file of values is read. */
export interface EnvFileOptions {
  /** Whether a missing file is an error; by default it counts as empty. */
  readonly required?: boolean;
  /** Called with a warning about unknown names and about text treated as a comment; default: no warnings. */
  readonly warn?: (message: string) => void;
}

/**
 * Reads a file of NAME=value lines (`.env`). A `#` starts a comment only after a space.
 *
 * @param path Path of the file.
 * @throws {ConfigurationError} (as a rejection) when the file cannot be read.
 */
export async function readEnvFile(
  path: string,
  { required = false, warn = () => {} }: EnvFileOptions = {},
): Promise<EnvFile> {
  let text: string;
  try {
    text = await readTextFileAsync(path);
  } catch (error) {
    const missing = isMissing(error);
    if (missing && !required) return {};
    const message = missing ? "No such file; check the path" : `The file cannot be read: ${reasonOf(error)}`;
    throw new ConfigurationError(path, [{ field: "", message }], { cause: error });
  }
  const { entries, mistakes } = parseEnvText(text);
  if (mistakes.length > 0) {
    throw new ConfigurationError(path, mistakes.map((mistake) => ({ field: "", ...mistake })));
  }
  for (const entry of entries) {
    for (const doubt of doubtsAbout(entry)) warn(`${path}:${entry.line}: ${doubt}`);
  }
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

function doubtsAbout({ name, hasComment }: EnvEntry): string[] {
  if (!VARIABLE_NAMES.includes(name)) {
    const hint = didYouMean(name, VARIABLE_NAMES);
    return [`${name} is not a setting of this program and has no effect${hint}`];
  }
  return isSecret(name) && hasComment
    ? [`The text after # in ${name} was treated as a comment. Quote the value if the # belongs to it`]
    : [];
}

/** A value, and its line counted from 1. */
interface EnvEntry {
  readonly name: string;
  readonly value: string;
  readonly line: number;
  /** Whether text after ` #` was treated as a comment. */
  readonly hasComment: boolean;
}

/** The content of a file; when a name is repeated, the last one counts. Texts can be secrets, so messages do not repeat them. */
interface EnvText {
  readonly entries: readonly EnvEntry[];
  readonly mistakes: readonly { readonly line: number; readonly message: string }[];
}

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*/;
const COMMENT_OR_BLANK = /^[ \t]*(#|$)/;
/** A quoted value can span lines. In quotes a backslash escapes a quote, in backticks nothing is escaped. */
const QUOTED = /^(?:(["'])((?:\\[^]|(?!\1)[^\\])*)\1|`([^`]*)`)/;

function parseEnvText(text: string): EnvText {
  const entries: EnvEntry[] = [];
  const mistakes: { line: number; message: string }[] = [];
  const whole = text.replaceAll("\r\n", "\n");
  let line = 1;
  for (let at = 0; at < whole.length;) {
    const here = lineAt(whole, at);
    const [assigned, name = ""] = ASSIGNMENT.exec(here) ?? [];
    let read = here.length;
    if (assigned !== undefined) {
      const { value, length, hasComment, problem } = readValue(whole, at + assigned.length);
      entries.push({ name, value, line, hasComment });
      if (problem !== null) mistakes.push({ line, message: `${name}: ${problem}` });
      read = assigned.length + length;
    } else if (!COMMENT_OR_BLANK.test(here)) {
      mistakes.push({ line, message: "This is not a NAME=value line; correct it, or start it with #" });
    }
    line += whole.slice(at, at + read).split("\n").length;
    at += read + 1;
  }
  return { entries, mistakes };
}

/** The rest of the line, without its line ending. */
function lineAt(text: string, at: number): string {
  const end = text.indexOf("\n", at);
  return text.slice(at, end === -1 ? text.length : end);
}

interface ReadValue {
  readonly value: string;
  /** Number of characters consumed, up to the end of the last line. */
  readonly length: number;
  readonly hasComment: boolean;
  readonly problem: string | null;
}

function readValue(text: string, at: number): ReadValue {
  const [quoted, quote, escaped = "", verbatim = ""] = QUOTED.exec(text.slice(at)) ?? [];
  if (quoted === undefined) {
    // A quote character without a partner belongs to the value.
    const rest = lineAt(text, at);
    const comment = /(?:^|[ \t])#/.exec(rest);
    const value = (comment === null ? rest : rest.slice(0, comment.index)).trim();
    return { value, length: rest.length, hasComment: comment !== null && value !== "", problem: null };
  }
  const after = lineAt(text, at + quoted.length);
  return {
    value: quote === undefined ? verbatim : unescape(quote, escaped),
    length: quoted.length + after.length,
    hasComment: false,
    problem: COMMENT_OR_BLANK.test(after)
      ? null
      : "There is text after the closing quote; put a backslash before each quote inside the value",
  };
}

function unescape(quote: string, text: string): string {
  if (quote === "'") return text.replace(/\\(['\\])/g, "$1");
  return text.replace(/\\(["\\n])/g, (_, escaped) => escaped === "n" ? "\n" : escaped);
}
