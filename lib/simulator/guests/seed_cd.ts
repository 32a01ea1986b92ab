/** Reads the files of a seed from a CD image, as a guest's kernel does: ISO 9660 with the names of Rock Ridge. */

const SECTOR_BYTES = 2_048;
const DESCRIPTOR = 16;
const ROOT_RECORD = 156;

/** What is on a CD. */
export interface Cd {
  readonly label: string;
  /** By name, in its root. */
  readonly files: ReadonlyMap<string, string>;
}

/** Reads a CD image; null when it is none. */
export function readCd(image: Uint8Array): Cd | null {
  const at = DESCRIPTOR * SECTOR_BYTES;
  if (image.length < at + SECTOR_BYTES || ascii(image, at + 1, 5) !== "CD001" || image[at] !== 1) return null;
  const label = ascii(image, at + 40, 32).trimEnd();
  const root = recordAt(image, at + ROOT_RECORD);
  const folder = image.subarray(root.from, root.from + root.bytes);
  const files = new Map<string, string>();
  for (let entry = 0; entry < folder.length;) {
    const length = folder[entry] ?? 0;
    // Records do not cross sectors; the rest of one is empty.
    if (length === 0) {
      entry = (Math.floor(entry / SECTOR_BYTES) + 1) * SECTOR_BYTES;
      continue;
    }
    const { from, bytes, name, isFolder } = recordAt(folder, entry);
    const contents = image.subarray(from, from + bytes);
    if (!isFolder && contents.length === bytes) files.set(name, new TextDecoder().decode(contents));
    entry += length;
  }
  return { label, files };
}

interface CdRecord {
  readonly from: number;
  readonly bytes: number;
  readonly name: string;
  readonly isFolder: boolean;
}

function recordAt(bytes: Uint8Array, at: number): CdRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const length = view.getUint8(0);
  const nameLength = view.getUint8(32);
  const plain = ascii(bytes, at + 33, nameLength).replace(/\.?;1$/, "").toLowerCase();
  const extra = at + 33 + nameLength + (nameLength % 2 === 0 ? 1 : 0);
  return {
    from: view.getUint32(2, true) * SECTOR_BYTES,
    bytes: view.getUint32(10, true),
    name: alternateName(bytes, extra, at + length) ?? plain,
    isFolder: (view.getUint8(25) & 2) !== 0,
  };
}

/** The name in the system use entries of Rock Ridge. */
function alternateName(bytes: Uint8Array, from: number, end: number): string | null {
  for (let at = from; at + 4 <= end;) {
    const length = bytes[at + 2] ?? 0;
    if (ascii(bytes, at, 2) === "NM") return ascii(bytes, at + 5, length - 5);
    if (length < 4) return null;
    at += length;
  }
  return null;
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
