/** Archives small text files in tar format (POSIX ustar). Pure. */
import type { ExportFile } from "./exported.ts";

const BLOCK_BYTES = 512;
const MAX_NAME_BYTES = 100;

/** Creates an archive. Names are ASCII without folders; times are 1970, so that equal files give equal archives. */
export function tar(files: readonly ExportFile[]): Uint8Array<ArrayBuffer> {
  const blocks = files.flatMap(({ name, text }) => {
    const bytes = new TextEncoder().encode(text);
    return [header(name, bytes.length), padded(bytes)];
  });
  const end = new Uint8Array(2 * BLOCK_BYTES);
  const parts = [...blocks, end];
  const archive = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

function header(name: string, sizeBytes: number): Uint8Array {
  if (name.length > MAX_NAME_BYTES) throw new RangeError(`A file's name is too long for tar: ${name}`);
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  put(0, name);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(sizeBytes, 11));
  put(136, octal(0, 11));
  // The checksum is computed with spaces in its own field.
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\x0000");
  put(148, `${octal(block.reduce((sum, byte) => sum + byte, 0), 6)} `);
  return block;
}

function padded(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES);
  block.set(bytes);
  return block;
}
