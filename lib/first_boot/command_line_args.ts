/**
 * The argument by which a VM's SMBIOS tells its guest where the seed is, among the VM's `command_line_args`. TrueNAS splits
 * these like a POSIX shell and passes the words to QEMU, where a comma separates options and a doubled one is a comma. Pure.
 */
import { isToken } from "../secret_paths/tokens.ts";

/** TrueNAS takes so many characters, in every release. */
export const MAX_ARGS_CHARS = 1_024;

/** The datasource by its old name, which Talos requires and every cloud-init accepts. */
const BEFORE_URL = "ds=nocloud-net;s=";

/** Our argument, as this program writes it, with the address in the second group. */
const OURS = /(^| )-smbios 'type=1,serial=ds=nocloud-net;s=(https?:\/\/[^' ]+)'(?= |$)/g;

/** The arguments of a VM, from a row of the NAS. */
export function argumentsOf({ command_line_args: args }: Readonly<Record<string, unknown>>): string {
  return typeof args === "string" ? args : "";
}

/** What a VM's arguments say of its seed. */
export interface SeedArgument {
  /** With a slash at its end. */
  readonly url: string;
  /** The part of the address that nobody can guess. */
  readonly token: string;
}

/** The arguments with ours after them. */
export function withSeedArgument(args: string, url: string): string {
  const own = `-smbios ${shellQuoted(`type=1,serial=${qemuQuoted(`${BEFORE_URL}${url}`)}`)}`;
  const others = withoutSeedArgument(args);
  return others === "" ? own : `${others} ${own}`;
}

/** The arguments as they were before ours. */
export function withoutSeedArgument(args: string): string {
  return args.replace(OURS, (whole, _space, address) => seedOf(address) === null ? whole : "");
}

/** Our argument among others; null when it is not there. */
export function seedArgumentOf(args: string): SeedArgument | null {
  const found = [...args.matchAll(OURS)].flatMap(([, , address = ""]) => seedOf(address) ?? []);
  return found[0] ?? null;
}

function seedOf(quoted: string): SeedArgument | null {
  const url = quoted.replaceAll(",,", ",");
  const [, token = ""] = /\/([^/]+)\/$/.exec(url) ?? [];
  return isToken(token) ? { url, token } : null;
}

/** Why our argument cannot be added to these of a template; null when it can. */
export function seedArgumentProblem(args: string, urlChars: number): string | null {
  const others = withoutSeedArgument(args);
  const words = splitWords(others);
  if (words === null) return "they have a quotation mark without its partner";
  const values = words.flatMap((word, index) => /^--?smbios$/.test(word) ? words[index + 1] ?? "" : []);
  for (const options of values.map(splitOptions)) {
    if (options.has("file")) return "they have an SMBIOS file, which can have a serial number of its own";
    if (options.get("type") === "1" && options.has("serial")) {
      return "they have an SMBIOS serial number already, and the guest looks for its seed there";
    }
  }
  const chars = withSeedArgument(others, "x".repeat(urlChars)).length;
  return chars <= MAX_ARGS_CHARS
    ? null
    : `with the seed's address they would have ${chars} characters, and TrueNAS takes ${MAX_ARGS_CHARS}`;
}

function qemuQuoted(value: string): string {
  return value.replaceAll(",", ",,");
}

function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** The options of a value such as `type=1,serial=a,,b`. */
function splitOptions(value: string): ReadonlyMap<string, string> {
  const parts = value.replaceAll(",,", "\0").split(",").map((part) => part.replaceAll("\0", ","));
  return new Map(parts.map((part) => {
    const at = part.indexOf("=");
    return at < 0 ? [part, ""] as const : [part.slice(0, at), part.slice(at + 1)] as const;
  }));
}

/** Words as Python's `shlex.split` makes them; null when a quotation is not closed. */
export function splitWords(text: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (/[ \t\r\n]/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    word ??= "";
    if (character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return null;
      word += text.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const quoted = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(text.slice(at));
      if (quoted === null) return null;
      word += (quoted[1] ?? "").replaceAll(/\\(["\\])/g, "$1");
      at += quoted[0].length - 1;
    } else if (character === "\\") {
      at += 1;
      if (at >= text.length) return null;
      word += text.charAt(at);
    } else word += character;
  }
  return word === null ? words : [...words, word];
}
