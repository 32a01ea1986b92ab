/**
 * Files of NAME=value lines (`.env`), read as shells, systemd and python-dotenv read them: a `#` begins a comment only
 * after a space, so that one inside a password stays. Pure.
 */

/** A value, and the line on which it stands, from 1. */
export interface EnvEntry {
  readonly name: string;
  readonly value: string;
  readonly line: number;
  /** Text after ` #` was taken for a comment. */
  readonly hasComment: boolean;
}

/** A line that cannot be read. Its text may be a secret, and is not repeated. */
export interface EnvMistake {
  readonly line: number;
  readonly message: string;
}

/** What a file says; of a name that stands twice the last one counts. */
export interface EnvText {
  readonly entries: readonly EnvEntry[];
  readonly mistakes: readonly EnvMistake[];
}

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*/;
const COMMENT_OR_BLANK = /^[ \t]*(#|$)/;
/** A value in quotes may go over several lines; a backslash keeps the quote after it. */
const QUOTED = {
  '"': /^"((?:[^"\\]|\\[^])*)"/,
  "'": /^'((?:[^'\\]|\\[^])*)'/,
  "`": /^`([^`]*)`/,
} as const;

/** Reads such a text. */
export function parseEnvText(text: string): EnvText {
  const entries: EnvEntry[] = [];
  const mistakes: EnvMistake[] = [];
  const whole = text.replaceAll("\r\n", "\n");
  let line = 1;
  for (let at = 0; at < whole.length;) {
    const here = lineAt(whole, at);
    const [assigned, name = ""] = ASSIGNMENT.exec(here) ?? [];
    let read = here.length;
    if (assigned !== undefined) {
      const from = at + assigned.length;
      const { value, length, hasComment, problem } = readValue(whole, from);
      entries.push({ name, value, line, hasComment });
      if (problem !== null) mistakes.push({ line, message: `${name}: ${problem}` });
      read = assigned.length + length;
    } else if (!COMMENT_OR_BLANK.test(here)) {
      mistakes.push({ line, message: "This is no NAME=value line" });
    }
    line += whole.slice(at, at + read).split("\n").length;
    at += read + 1;
  }
  return { entries, mistakes };
}

/** The rest of the line, without its end. */
function lineAt(text: string, at: number): string {
  const end = text.indexOf("\n", at);
  return text.slice(at, end === -1 ? text.length : end);
}

interface ReadValue {
  readonly value: string;
  /** How much of the text it takes, up to the end of its last line. */
  readonly length: number;
  readonly hasComment: boolean;
  readonly problem: string | null;
}

function readValue(text: string, at: number): ReadValue {
  const quote = text[at];
  if (quote === '"' || quote === "'" || quote === "`") {
    const [quoted, inner = ""] = QUOTED[quote].exec(text.slice(at)) ?? [];
    // A lone quote at the beginning belongs to the value.
    if (quoted !== undefined) return readQuoted(text, at, { quote, quoted, inner });
  }
  const rest = lineAt(text, at);
  const comment = /(?:^|[ \t])#/.exec(rest);
  const value = (comment === null ? rest : rest.slice(0, comment.index)).trim();
  return { value, length: rest.length, hasComment: comment !== null && value !== "", problem: null };
}

interface Quoted {
  readonly quote: keyof typeof QUOTED;
  /** With its quotes. */
  readonly quoted: string;
  readonly inner: string;
}

function readQuoted(text: string, at: number, { quote, quoted, inner }: Quoted): ReadValue {
  const after = lineAt(text, at + quoted.length);
  return {
    value: unescape(quote, inner),
    length: quoted.length + after.length,
    hasComment: false,
    problem: /^[ \t]*(#|$)/.test(after)
      ? null
      : "Text follows the closing quote; put a backslash before quotes inside the value",
  };
}

function unescape(quote: keyof typeof QUOTED, inner: string): string {
  if (quote === "`") return inner;
  if (quote === "'") return inner.replace(/\\(['\\])/g, "$1");
  return inner.replace(/\\(["\\n])/g, (_, escaped) => escaped === "n" ? "\n" : escaped);
}
