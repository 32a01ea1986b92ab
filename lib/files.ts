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

/** Whether there is a folder of this name. */
export function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Makes a folder, and those above it, where they are not there. */
export function makeFolder(path: string): void {
  Deno.mkdirSync(path, { recursive: true });
}
