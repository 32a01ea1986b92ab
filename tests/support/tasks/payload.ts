/**
 * What `deno compile` puts into a binary: a section of metadata, npm packages and files. Its layout was read from a
 * binary of Deno 2.9.6: the magic word twice; the metadata as JSON; the npm snapshot; remote modules; the tree of
 * files as JSON; and their bytes, to which the tree points. Lengths are 64 bits, little-endian.
 */

const MAGIC = new TextEncoder().encode("d3n0l4ndd3n0l4nd");

/** Bytes of the remote modules' part while there are none: two counts. */
const NO_REMOTE_MODULES = 12;

/** What a binary may do and how it starts, as far as it is of interest here. */
export interface Metadata {
  readonly entrypoint_key: string;
  readonly argv: readonly string[];
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
  readonly unstable_config: { readonly features: readonly string[] };
}

/** A payload, taken apart. */
export interface Payload {
  readonly metadata: Metadata;
  /** By path from the root of the tree. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** All of it as text, to look for words that must not be there. */
  readonly header: string;
}

interface FileEntry {
  readonly n: string;
  readonly o: readonly [offset: number, length: number];
}

type Entry =
  | { readonly File: FileEntry; readonly Dir?: never }
  | { readonly Dir: { readonly n: string; readonly e: readonly Entry[] }; readonly File?: never };

/** Takes a binary's payload apart. */
export function payloadOf(binary: Uint8Array<ArrayBuffer>): Payload {
  const { start, tree, data } = locate(binary);
  const text = (part: Part) => new TextDecoder().decode(binary.subarray(part.from, part.to));
  const metadata = JSON.parse(text(start));
  const entries = JSON.parse(text(tree)) as Entry[];
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const walk = (folder: string, inside: readonly Entry[]) => {
    for (const { File: file, Dir: dir } of inside) {
      if (dir !== undefined) walk(`${folder}${dir.n}/`, dir.e);
      else {
        const [offset, length] = file.o;
        files.set(folder + file.n, binary.slice(data.from + offset, data.from + offset + length));
      }
    }
  };
  walk("", entries);
  return { metadata, files, header: text(start) + text(tree) };
}

/**
 * Sets every file's time of change in the tree to one moment, in place: the only thing in which two builds of the same
 * sources differ.
 *
 * @param at Milliseconds since 1970 (UTC), of 13 digits.
 */
export function fixTimes(binary: Uint8Array<ArrayBuffer>, at: number): void {
  const { tree } = locate(binary);
  const json = new TextDecoder("latin1").decode(binary.subarray(tree.from, tree.to));
  const digits = String(at).padStart(13, "0");
  for (const { index } of json.matchAll(/"t":\d{13}/g)) {
    const from = tree.from + index + '"t":'.length;
    binary.set(new TextEncoder().encode(digits), from);
  }
}

interface Part {
  readonly from: number;
  readonly to: number;
}

function locate(binary: Uint8Array<ArrayBuffer>): { start: Part; tree: Part; data: Part } {
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  const part = (at: number): Part => {
    const from = at + 8;
    return { from, to: from + Number(view.getBigUint64(at, true)) };
  };
  const magic = new TextDecoder("latin1").decode(binary).lastIndexOf(new TextDecoder().decode(MAGIC));
  if (magic < 0) throw new Error("There is no payload in this file");
  const start = part(magic + MAGIC.length);
  const npm = part(start.to);
  const tree = part(npm.to + NO_REMOTE_MODULES);
  const data = part(tree.to);
  return { start, tree, data };
}
