/** The header of a VDI of VirtualBox (src/VBox/Storage/VDICore.h). */
import { accepted, type HeaderFacts, refused, uint32, uint64 } from "./header_facts.ts";

/** Where the magic number is. */
const MAGIC_AT = 0x40;
const MAGIC = 0xbeda107f;
const TYPE_AT = 0x4c;
const SIZE_AT = 0x170;
/** Identifier of the snapshot or image that it continues. */
const LINK_AT = 0x1a8;
const PARENT_AT = 0x1b8;
const UUID_BYTES = 16;
const HEADER_END = 0x1c8;

const DYNAMIC = 1;
const FIXED = 2;

/** Whether a file is a VDI. */
export function isVdi(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC_AT + 4 && uint32(bytes, MAGIC_AT, true) === MAGIC;
}

/** Reads one. */
export function vdiFacts(bytes: Uint8Array): HeaderFacts {
  if (bytes.length < HEADER_END) return refused("its VDI header is cut off", "vdi");
  const type = uint32(bytes, TYPE_AT, true);
  const continues = [LINK_AT, PARENT_AT].some((at) =>
    bytes.subarray(at, at + UUID_BYTES).some((it) => it !== 0)
  );
  if (continues || (type !== DYNAMIC && type !== FIXED)) {
    return refused("it is only the difference to another image, its parent", "vdi");
  }
  return accepted("vdi", uint64(bytes, SIZE_AT, true));
}
