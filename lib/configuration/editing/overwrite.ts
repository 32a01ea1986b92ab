/** Writes into a file that is there, which keeps its owner, mode, links and mounts; what fails leaves it as it was. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { isMissing } from "../../errors/system_errors.ts";
import { isFolder } from "../files.ts";

/** A file open for writing. */
export interface OpenFile extends Disposable {
  /** Its present content. */
  read(): Uint8Array;
  /** Writes all bytes from a position on. */
  write(bytes: Uint8Array, position: number): void;
  /** Shortens it to a size. */
  truncate(size: number): void;
  /** Waits until the disk has it. */
  sync(): void;
}

/** The file could be neither written completely nor put back. */
export class HalfWrittenError extends Error {
  override readonly name = "HalfWrittenError";
}

/**
 * Replaces the content of a file, or creates it.
 *
 * @throws an Error of the operating system, after which the file is as it was; a {@link HalfWrittenError} otherwise.
 */
export function overwriteFile(path: string, text: string, open: (path: string) => OpenFile = openFile): void {
  const bytes = new TextEncoder().encode(text);
  using file = open(path);
  const before = file.read();
  try {
    // What the file grows by comes first: a full disk shows before anything of the old text is lost.
    if (bytes.length > before.length) file.write(bytes.subarray(before.length), before.length);
    file.write(bytes.subarray(0, before.length), 0);
    file.truncate(bytes.length);
    file.sync();
  } catch (error) {
    putBack(file, before);
    throw error;
  }
}

function putBack(file: OpenFile, before: Uint8Array): void {
  try {
    file.write(before, 0);
    file.truncate(before.length);
    file.sync();
  } catch (error) {
    throw new HalfWrittenError("The file could not be put back", { cause: error });
  }
}

/** Readable by everybody, like a file that an editor creates. */
const NEW_FILE = 0o644;

function openFile(path: string): OpenFile {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, NEW_FILE);
  return {
    read: () => {
      const bytes = new Uint8Array(fstatSync(file).size);
      let length = 0;
      for (let read = 1; length < bytes.length && read > 0; length += read) {
        read = readSync(file, bytes, length, bytes.length - length, length);
      }
      return bytes.subarray(0, length);
    },
    write: (bytes, position) => {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(file, bytes, at, bytes.length - at, position + at);
      }
    },
    truncate: (size) => ftruncateSync(file, size),
    sync: () => fsyncSync(file),
    [Symbol.dispose]: () => closeSync(file),
  };
}

/** Why a file that is there cannot be written; null when it can, or is not there. */
export function writeRefusal(path: string): unknown {
  try {
    closeSync(openSync(path, "r+"));
    return null;
  } catch (error) {
    return isMissing(error) ? null : error;
  }
}

/** The names in a folder, sorted; none when it does not exist. */
export function namesIn(folder: string): string[] {
  return isFolder(folder) ? readdirSync(folder).sort() : [];
}

/** Removes a file. */
export function removeFile(path: string): void {
  unlinkSync(path);
}
