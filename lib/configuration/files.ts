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

/** Why a file is not read. */
export type RefusedFile = "outside" | "too-large" | "not-text" | "not-a-file" | "denied";

/** A text, or why it was not read. */
export type ReadText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly refused: RefusedFile };

/**
 * The text of a file in a folder or below it; links may lead anywhere in the folder.
 *
 * @throws an Error with the operating system's `code`, such as ENOENT.
 */
export async function readTextBelow(folder: string, path: string, maxBytes: number): Promise<ReadText> {
  try {
    const real = await Deno.realPath(`${folder}/${path}`);
    const root = await realFolder(folder);
    if (root !== null && !real.startsWith(root === "/" ? root : `${root}/`)) {
      return { ok: false, refused: "outside" };
    }
    const { isFile, size } = await Deno.stat(real);
    if (!isFile) return { ok: false, refused: "not-a-file" };
    if (size > maxBytes) return { ok: false, refused: "too-large" };
    const bytes = await Deno.readFile(real);
    // It could have grown since.
    return bytes.length > maxBytes ? { ok: false, refused: "too-large" } : decoded(bytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return { ok: false, refused: "denied" };
    throw error;
  }
}

/**
 * Where files are that are in a folder or below it: each path, and where it leads to through links. Files that are not there
 * or lead out of the folder are left out.
 */
export function filesBelow(folder: string, paths: readonly string[]): string[] {
  const at = (path: string) => folder === "." ? path : `${folder}/${path}`;
  try {
    const root = Deno.realPathSync(folder);
    return paths.flatMap((path) => {
      const real = realFile(`${folder}/${path}`);
      return real === null || !isBelow(root, real)
        ? []
        : real === `${root}/${path}`
        ? [at(path)]
        : [at(path), real];
    });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function realFile(path: string): string | null {
  try {
    const real = Deno.realPathSync(path);
    return Deno.statSync(real).isFile ? real : null;
  } catch {
    return null;
  }
}

function isBelow(root: string, path: string): boolean {
  return path.startsWith(root === "/" ? root : `${root}/`);
}

/** null where the permissions name single files, none of which is a link out of the folder. */
async function realFolder(folder: string): Promise<string | null> {
  try {
    return await Deno.realPath(folder);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return null;
    throw error;
  }
}

function decoded(bytes: Uint8Array<ArrayBuffer>): ReadText {
  try {
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { ok: false, refused: "not-text" };
  }
}
