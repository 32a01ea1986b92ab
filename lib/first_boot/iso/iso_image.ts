/**
 * Writes small files as a CD image: ISO 9660 with the names of Rock Ridge, which Linux prefers, and of Joliet. Pure, and the
 * same bytes for the same files. Layout: system area, three volume descriptors, a path table and a root directory for each of
 * the two sets of names, then the files, which both share.
 */
import { Sector, SECTOR_BYTES } from "./sector.ts";

/** The names of a file. */
interface NamedFile {
  /** As it is wanted: `user-data`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Its first sector. */
  readonly at: number;
}

const SYSTEM_SECTORS = 16;
/** Sectors by number; the files follow. */
const AT = {
  primary: SYSTEM_SECTORS,
  joliet: SYSTEM_SECTORS + 1,
  end: SYSTEM_SECTORS + 2,
  /** Path tables: little-endian, big-endian. */
  primaryPaths: SYSTEM_SECTORS + 3,
  jolietPaths: SYSTEM_SECTORS + 5,
  primaryRoot: SYSTEM_SECTORS + 7,
  jolietRoot: SYSTEM_SECTORS + 8,
  files: SYSTEM_SECTORS + 9,
} as const;

/** A path table with nothing but the root has so many bytes. */
const PATH_TABLE_BYTES = 10;
/** Each directory has one sector, which is enough for some twenty files. */
const MAX_FILES = 12;
/** Joliet has up to 64 characters, and the directory record of Rock Ridge up to 255 bytes. */
const FILE_NAME = /^[a-z0-9][a-z0-9._-]{0,30}$/;

/**
 * The image of a CD with this label and these files in its root.
 *
 * @throws {RangeError} when there are too many files, or one has a name of other characters.
 */
export function isoImage(
  label: string,
  contents: ReadonlyMap<string, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  if (contents.size > MAX_FILES) throw new RangeError(`A CD image here has at most ${MAX_FILES} files`);
  let at: number = AT.files;
  const files = [...contents].toSorted(([a], [b]) => a < b ? -1 : 1).map(([name, bytes]): NamedFile => {
    if (!FILE_NAME.test(name)) throw new RangeError(`A file in a CD image cannot be called ${name}`);
    const file = { name, bytes, at };
    at += Math.ceil(bytes.length / SECTOR_BYTES);
    return file;
  });
  const image = new Uint8Array(at * SECTOR_BYTES);
  const put = (sector: number, bytes: Uint8Array) => image.set(bytes, sector * SECTOR_BYTES);
  put(AT.primary, descriptor({ label, sectors: at, isJoliet: false }));
  put(AT.joliet, descriptor({ label, sectors: at, isJoliet: true }));
  put(AT.end, new Sector().bytes(0, [255]).text(1, "CD001").bytes(6, [1]).content);
  for (const [paths, root] of [[AT.primaryPaths, AT.primaryRoot], [AT.jolietPaths, AT.jolietRoot]] as const) {
    put(paths, pathTable(root, true));
    put(paths + 1, pathTable(root, false));
  }
  put(AT.primaryRoot, directory(files, AT.primaryRoot, false));
  put(AT.jolietRoot, directory(files, AT.jolietRoot, true));
  for (const { at: first, bytes } of files) put(first, bytes);
  return image;
}

interface Volume {
  readonly label: string;
  readonly sectors: number;
  readonly isJoliet: boolean;
}

function descriptor({ label, sectors, isJoliet }: Volume): Uint8Array {
  const [paths, root] = isJoliet ? [AT.jolietPaths, AT.jolietRoot] : [AT.primaryPaths, AT.primaryRoot];
  const sector = new Sector().bytes(0, [isJoliet ? 2 : 1]).text(1, "CD001").bytes(6, [1]);
  const name = (at: number, length: number, text: string) =>
    isJoliet ? sector.wide(at, text, length) : sector.text(at, text.padEnd(length));
  name(8, 32, "");
  name(40, 32, label);
  sector.both32(80, sectors);
  // The escape sequence of UCS-2, level 3, is what makes it Joliet.
  if (isJoliet) sector.text(88, "%/E");
  sector.both16(120, 1).both16(124, 1).both16(128, SECTOR_BYTES).both32(132, PATH_TABLE_BYTES);
  sector.little32(140, paths).big32(148, paths + 1);
  sector.bytes(156, record({ name: [0], at: root, length: SECTOR_BYTES, isFolder: true }));
  // Volume set, publisher, preparer, application and three names of files.
  for (
    const [at, length] of [[190, 128], [318, 128], [446, 128], [574, 128], [702, 37], [739, 37], [
      776,
      37,
    ]] as const
  ) {
    name(at, length, "");
  }
  // No time is given, so that equal files make equal images.
  for (const at of [813, 830, 847, 864]) sector.text(at, "0".repeat(16));
  return sector.bytes(881, [1]).content;
}

function pathTable(root: number, isLittle: boolean): Uint8Array {
  const sector = new Sector().bytes(0, [1]);
  return (isLittle ? sector.little32(2, root).bytes(6, [1, 0]) : sector.big32(2, root).bytes(6, [0, 1]))
    .content;
}

function directory(files: readonly NamedFile[], root: number, isJoliet: boolean): Uint8Array {
  const folder = { at: root, length: SECTOR_BYTES, isFolder: true };
  const extra = (entries: readonly (readonly number[])[]) => isJoliet ? [] : entries.flat();
  const records = [
    record({ ...folder, name: [0], extra: extra([SUSP, attributes(0o40_555, 2), ROCK_RIDGE]) }),
    record({ ...folder, name: [1], extra: extra([attributes(0o40_555, 2)]) }),
    ...files.map(({ name, at, bytes: { length } }) =>
      record({
        at,
        length,
        isFolder: false,
        name: isJoliet ? wide(name) : ascii(`${plainName(name)}.;1`),
        // Only the guest's administrator reads them.
        extra: extra([attributes(0o100_400, 1), alternateName(name)]),
      })
    ),
  ];
  const sector = new Sector();
  let at = 0;
  for (const bytes of records) {
    sector.bytes(at, bytes);
    at += bytes.length;
  }
  return sector.content;
}

interface DirectoryRecord {
  readonly name: readonly number[];
  readonly at: number;
  readonly length: number;
  readonly isFolder: boolean;
  /** Entries of Rock Ridge. */
  readonly extra?: readonly number[];
}

function record({ name, at, length, isFolder, extra = [] }: DirectoryRecord): readonly number[] {
  const padding = name.length % 2 === 0 ? 1 : 0;
  const size = 33 + name.length + padding + extra.length;
  const total = size + size % 2;
  const sector = new Sector().bytes(0, [total]).both32(2, at).both32(10, length);
  sector.bytes(18, [70, 1, 1, 0, 0, 0, 0, isFolder ? 2 : 0]).both16(28, 1).bytes(32, [name.length]);
  sector.bytes(33, name).bytes(33 + name.length + padding, extra);
  return [...sector.content.subarray(0, total)];
}

/** Says that there are system use entries. */
const SUSP = [...ascii("SP"), 7, 1, 0xbe, 0xef, 0];
/** Says that they are those of Rock Ridge. */
const ROCK_RIDGE = [...ascii("ER"), 18, 1, 10, 0, 0, 1, ...ascii("RRIP_1991A")];

/** Type and rights, number of links, and the user and group root. */
function attributes(mode: number, links: number): readonly number[] {
  const sector = new Sector().both32(0, mode).both32(8, links);
  return [...ascii("PX"), 36, 1, ...sector.content.subarray(0, 32)];
}

function alternateName(name: string): readonly number[] {
  return [...ascii("NM"), 5 + name.length, 1, 0, ...ascii(name)];
}

/** Upper-case letters, digits and underscores are all that ISO 9660 itself has. */
function plainName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

function wide(text: string): number[] {
  return ascii(text).flatMap((code) => [0, code]);
}
