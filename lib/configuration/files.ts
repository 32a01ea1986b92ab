/** Files: the only place that asks the runtime for them. */

/**
 * The text of a file, see {@link decodeText}.
 *
 * @throws an Error with the `code` of the operating system, such as ENOENT.
 */
export function readTextFile(path: string): string {
  return decodeText(Deno.readFileSync(path));
}

/** UTF-8, or what a byte order mark says; the mark, which Windows' editors write, is no part of the text. */
export function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/** Whether there is a file, as far as this program can see. */
export function fileExists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Writes a text over whatever was in the file. */
export function writeTextFile(path: string, text: string): void {
  Deno.writeTextFileSync(path, text);
}

/** Only for the one who runs the program. */
const OWN_FILE = 0o600;

/** Puts a new file in the place of the old one, without following a link that somebody put there. */
export function replaceOwnFile(path: string, text: string): void {
  if (isThere(path)) Deno.removeSync(path);
  Deno.writeTextFileSync(path, text, { createNew: true, mode: OWN_FILE });
}

/**
 * Sees to it that a file is there, and readable only for the one who runs the program.
 *
 * @throws an Error when a link stands there.
 */
export function ensureOwnFile(path: string): void {
  if (!isThere(path)) return Deno.writeTextFileSync(path, "", { createNew: true, mode: OWN_FILE });
  if (Deno.lstatSync(path).isSymlink) throw new Error(`${path} is a symbolic link`);
  Deno.chmodSync(path, OWN_FILE);
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether there is a folder of this name. */
export function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * Makes a folder, and those above it, where they are not there.
 *
 * @throws an Error of the operating system; where a file stands in its place, one that says so.
 */
export function makeFolder(path: string): void {
  if (isThere(path) && !isFolder(path)) throw new Deno.errors.NotADirectory(path);
  Deno.mkdirSync(path, { recursive: true });
}
