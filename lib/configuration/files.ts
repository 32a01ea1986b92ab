/** File access. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, readFile, realpath, stat } from "node:fs/promises";
import { isMissing, isNotPermitted, reasonOf, systemError } from "../errors/system_errors.ts";

/**
 * The text of a file.
 *
 * @throws an Error with the operating system's `code`, such as ENOENT.
 */
export function readTextFile(path: string): string {
  return decodeText(readFileSync(path));
}

/** Like {@link readTextFile}, without blocking. */
export async function readTextFileAsync(path: string): Promise<string> {
  return decodeText(await readFile(path));
}

/** Decodes UTF-8, or what a byte order mark says; the mark, which Windows editors write, is dropped. */
function decodeText(bytes: Uint8Array): string {
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
  return infoOf(path)?.isFile() ?? false;
}

/** Whether the folder exists. */
export function isFolder(path: string): boolean {
  return infoOf(path)?.isDirectory() ?? false;
}

function infoOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** Writes a text, replacing the file's content. */
export function writeTextFile(path: string, text: string): void {
  writeFileSync(path, text);
}

/** Readable and writable by the owner only. */
const OWN_FILE = 0o600;

/** Replaces a file with a new one, without following a link in its place. */
export function replaceOwnFile(path: string, text: string): void {
  if (isThere(path)) unlinkSync(path);
  writeFileSync(path, text, { flag: "wx", mode: OWN_FILE });
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
    renameSync(draft, path);
  } catch (error) {
    if (isThere(draft)) unlinkSync(draft);
    throw error;
  }
}

/** Whether the path is a unix socket. */
export function isSocket(path: string): boolean {
  return infoOf(path)?.isSocket() ?? false;
}

/** Removes a socket that a program left; anything else stays. */
export function removeSocket(path: string): void {
  if (isSocket(path)) unlinkSync(path);
}

/** Lets only the owner use the file or socket. */
export function keepToOwner(path: string): void {
  chmodSync(path, OWN_FILE);
}

/**
 * Ensures that a file exists and only its owner can read it.
 *
 * @throws an Error when the path is a symbolic link.
 */
export function ensureOwnFile(path: string): void {
  if (!isThere(path)) return writeFileSync(path, "", { flag: "wx", mode: OWN_FILE });
  if (lstatSync(path).isSymbolicLink()) throw new Error(`${path} is a symbolic link`);
  chmodSync(path, OWN_FILE);
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
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
  if (isThere(path) && !isFolder(path)) throw systemError("ENOTDIR", path);
  mkdirSync(path, { recursive: true });
}

/** Why nothing can be written into a folder; null if something can, or if the folder is yet to be created. */
export function writingProblem(folder: string): string | null {
  try {
    rmdirSync(mkdtempSync(`${folder}/.try-`));
    return null;
  } catch (error) {
    return isMissing(error) ? null : reasonOf(error);
  }
}

/**
 * A file as a stream, which closes it at its end.
 *
 * @throws an Error with the operating system's `code`, such as ENOENT.
 */
export async function readFileInParts(
  path: string,
): Promise<{ readonly stream: ReadableStream<Uint8Array>; readonly sizeBytes: number }> {
  const file = await open(path);
  const info = await file.stat();
  if (info.isFile()) return { stream: streamOf(file), sizeBytes: info.size };
  await file.close();
  throw new Error("it is no file");
}

/** As much as is read ahead of what is taken. */
const PART_BYTES = 65_536;

function streamOf(file: FileHandle): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: async (controller) => {
      try {
        const bytes = new Uint8Array(PART_BYTES);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, null);
        if (bytesRead > 0) return controller.enqueue(bytes.subarray(0, bytesRead));
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
      controller.close();
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
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
    const real = await realpath(`${folder}/${path}`);
    const root = await realFolder(folder);
    if (root !== null && !real.startsWith(root === "/" ? root : `${root}/`)) {
      return { ok: false, refused: "outside" };
    }
    const info = await stat(real);
    if (!info.isFile()) return { ok: false, refused: "not-a-file" };
    if (info.size > maxBytes) return { ok: false, refused: "too-large" };
    const bytes = await readFile(real);
    // It could have grown since.
    return bytes.length > maxBytes ? { ok: false, refused: "too-large" } : decoded(bytes);
  } catch (error) {
    if (isNotPermitted(error)) return { ok: false, refused: "denied" };
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
    const root = realpathSync(folder);
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
    const real = realpathSync(path);
    return statSync(real).isFile() ? real : null;
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
    return await realpath(folder);
  } catch (error) {
    if (isNotPermitted(error)) return null;
    throw error;
  }
}

function decoded(bytes: Uint8Array): ReadText {
  try {
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { ok: false, refused: "not-text" };
  }
}
