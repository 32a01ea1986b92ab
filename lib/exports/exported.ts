/** The result of an export: files, and the VMs that the format cannot express. Pure. */

/** A VM or NIC that is not in an export. */
export interface LeftOut {
  /** The VM's name on the NAS: any text. */
  readonly name: string;
  /** The reason, as the end of a sentence: `its name is not a host name`. */
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
  /** Further notices, as sentences. */
  readonly notices?: readonly string[];
}

/** All notices for the user. */
export function remarksOf({ leftOut, notices = [] }: Exported): readonly string[] {
  return [...notices, ...leftOut.map(sentenceOf)];
}

/** dnsmasq splits lines longer than 1,024 characters, so the rest of a long comment would be read as a directive. */
const MAX_NAME_CHARS = 100;

/** A notice on one line, with the name escaped so that nothing in it can be read as a directive. */
export function sentenceOf({ name, because }: LeftOut): string {
  const plain = name.slice(0, MAX_NAME_CHARS).replaceAll(/[^A-Za-z0-9_.-]/g, "?");
  return `"${plain}${name.length > MAX_NAME_CHARS ? "..." : ""}" was left out: ${because}`;
}

/** Notices as comment lines that start with #. */
export function commentsOf(leftOut: readonly LeftOut[]): string {
  return leftOut.map((it) => `# ${sentenceOf(it)}\n`).join("");
}
