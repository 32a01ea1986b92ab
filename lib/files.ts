/** Files: the only place that asks the runtime for them. */

/**
 * The text of a file, as UTF-8.
 *
 * @throws an Error with the `code` of the operating system, such as ENOENT.
 */
export function readTextFile(path: string): string {
  return Deno.readTextFileSync(path);
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
