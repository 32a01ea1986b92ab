/** File access; the only place that asks the runtime for files. */
import { isMissing } from "../errors/system_errors.ts";

/**
 * The text of a file.
 *
 * @throws an Error with the operating system's `code`, such as ENOENT.
 */
export function readTextFile(path: string): string {
  return decodeText(Deno.readFileSync(path));
}

/** Like {@link readTextFile}, without blocking. */
export async function readTextFileAsync(path: string): Promise<string> {
  return decodeText(await Deno.readFile(path));
}

/** Decodes UTF-8, or what a byte order mark says; the mark, which Windows editors write, is dropped. */
function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/** Whether the file exists, as far as this program can see. */
export function fileExists(path: string): boolean {
  return infoOf(path)?.isFile ?? false;
}

/** Whether the folder exists. */
export function isFolder(path: string): boolean {
  return infoOf(path)?.isDirectory ?? false;
}

function infoOf(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch {
    return null;
  }
}

/** Writes a text, replacing the file's content. */
export function writeTextFile(path: string, text: string): void {
  Deno.writeTextFileSync(path, text);
}

/** Readable and writable by the owner only. */
const OWN_FILE = 0o600;

/** Replaces a file with a new one, without following a link in its place. */
export function replaceOwnFile(path: string, text: string): void {
  if (isThere(path)) Deno.removeSync(path);
  Deno.writeTextFileSync(path, text, { createNew: true, mode: OWN_FILE });
}

/**
 * Replaces a file with a complete new one, which only its owner can read.
 *
 * @throws an Error of the operating system; the file is then as it was.
 */
export function replaceFileAtOnce(path: string, text: string): void {
  const draft = `${path}.new`;
  try {
    replaceOwnFile(draft, text);
    Deno.renameSync(draft, path);
  } catch (error) {
    if (isThere(draft)) Deno.removeSync(draft);
    throw error;
  }
}

/** Whether the path is a unix socket. */
export function isSocket(path: string): boolean {
  return infoOf(path)?.isSocket ?? false;
}

/**
 * Ensures that a file exists and only its owner can read it.
 *
 * @throws an Error when the path is a symbolic link.
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
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Creates a folder and its missing parents.
 *
 * @throws an Error of the operating system; a specific one when the path is a file.
 */
export function makeFolder(path: string): void {
  if (isThere(path) && !isFolder(path)) throw new Deno.errors.NotADirectory(path);
  Deno.mkdirSync(path, { recursive: true });
}

/**
 * A file as a stream, which closes it at its end.
 *
 * @throws an Error with the operating system's `code`, such as ENOENT.
 */
export async function readFileInParts(
  path: string,
): Promise<{ readonly stream: ReadableStream<Uint8Array>; readonly sizeBytes: number }> {
  const file = await Deno.open(path);
  const { size: sizeBytes, isFile } = await file.stat();
  if (isFile) return { stream: file.readable, sizeBytes };
  file.close();
  throw new Error("it is no file");
}
