/** What comes of an export: files, and the VMs that their format cannot express. Pure. */

/** A VM, or one of its NICs, that is not in an export. */
export interface LeftOut {
  /** The VM's name as the NAS has it: any text. */
  readonly name: string;
  /** Why, as the end of a sentence: `its name is no host name`. */
  readonly because: string;
}

/** A file of an export. */
export interface ExportFile {
  /** The file's name. */
  readonly name: string;
  /** What is in it. */
  readonly text: string;
}

/** An export. */
export interface Exported {
  /** The files. */
  readonly files: readonly ExportFile[];
  /** What is not in them, and why. */
  readonly leftOut: readonly LeftOut[];
  /** What else to know of it, in sentences. */
  readonly notices?: readonly string[];
}

/** All that is to be said to whoever asked for it, beside the files. */
export function remarksOf({ leftOut, notices = [] }: Exported): readonly string[] {
  return [...notices, ...leftOut.map(sentenceOf)];
}

/** dnsmasq reads a line of more than 1,024 characters as two; a comment's second half would be a directive. */
const MAX_NAME_CHARS = 100;

/** What is said of a VM that is left out: one line in which nothing of a strange name can be read as anything else. */
export function sentenceOf({ name, because }: LeftOut): string {
  const plain = name.slice(0, MAX_NAME_CHARS).replaceAll(/[^A-Za-z0-9_.-]/g, "?");
  return `"${plain}${name.length > MAX_NAME_CHARS ? "..." : ""}" is left out: ${because}`;
}

/** The same as comment lines of a file whose comments begin with #. */
export function commentsOf(leftOut: readonly LeftOut[]): string {
  return leftOut.map((it) => `# ${sentenceOf(it)}\n`).join("");
}
