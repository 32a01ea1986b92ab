/** Disk images as qemu-img sees them: the format by the content, never by the name; and their headers, for tests and the demo. */
import type { StoredFile } from "../files/stored_file.ts";

/** What `qemu-img info` says. */
export interface DiskImage {
  readonly format: "qcow2" | "qed" | "vmdk" | "vdi" | "vpc" | "raw";
  /** Size of the disk in bytes. */
  readonly virtualBytes: number;
  /** The file that the image continues, which qemu-img reads as root wherever it is; null for none. */
  readonly backing: string | null;
}

const SECTOR_BYTES = 512;
/** Where VDI has its magic number and its size. */
const VDI_MAGIC_AT = 0x40;
const VDI_MAGIC = 0xbeda107f;
const VDI_SIZE_AT = 0x170;

/** Probes a file. Anything unknown is a raw image, a text as well; null for a VHDX, whose size is not in its beginning. */
export function probe({ head, sizeBytes }: StoredFile): DiskImage | null {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const magic = ascii(head, 0, 8);
  const at = (offset: number, littleEndian = false) =>
    head.length < offset + 8 ? 0 : Number(view.getBigUint64(offset, littleEndian));
  if (magic.startsWith("QFI\xfb")) {
    return { format: "qcow2", virtualBytes: at(24), backing: backingOf(head, view) };
  }
  if (magic.startsWith("QED\0")) return { format: "qed", virtualBytes: at(48, true), backing: null };
  if (magic.startsWith("KDMV")) {
    return { format: "vmdk", virtualBytes: at(12, true) * SECTOR_BYTES, backing: null };
  }
  if (magic === "conectix") return { format: "vpc", virtualBytes: at(48), backing: null };
  if (magic === "vhdxfile") return null;
  if (head.length > VDI_SIZE_AT && view.getUint32(VDI_MAGIC_AT, true) === VDI_MAGIC) {
    return { format: "vdi", virtualBytes: at(VDI_SIZE_AT, true), backing: null };
  }
  return { format: "raw", virtualBytes: Math.ceil(sizeBytes / SECTOR_BYTES) * SECTOR_BYTES, backing: null };
}

function backingOf(head: Uint8Array, view: DataView): string | null {
  if (head.length < 20) return null;
  const [offset, length] = [Number(view.getBigUint64(8)), view.getUint32(16)];
  return offset === 0 || length === 0 ? null : ascii(head, offset, length);
}

function ascii(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}

const QCOW2_HEADER_BYTES = 104;

/** The header of a qcow2 image. */
export function qcow2Head(virtualBytes: number, backing = ""): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(backing);
  const head = new Uint8Array(QCOW2_HEADER_BYTES + name.length);
  const view = new DataView(head.buffer);
  head.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
  if (name.length > 0) {
    view.setBigUint64(8, BigInt(QCOW2_HEADER_BYTES));
    view.setUint32(16, name.length);
    head.set(name, QCOW2_HEADER_BYTES);
  }
  view.setUint32(20, 16);
  view.setBigUint64(24, BigInt(virtualBytes));
  view.setUint32(100, QCOW2_HEADER_BYTES);
  return head;
}
