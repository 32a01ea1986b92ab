/**
 * The header of a VMDK, after VMware's Virtual Disk Format 5.0 and what qemu-img makes of it. A VMDK can be spread over
 * files that its descriptor names; the NAS would read them as root, wherever they are. Only one that is whole in itself is
 * accepted.
 */
import { accepted, type HeaderFacts, latin1, refused, uint32, uint64 } from "./header_facts.ts";

const SECTOR_BYTES = 512;
const VERSION_AT = 4;
const CAPACITY_AT = 12;
const DESCRIPTOR_AT = 28;
const DESCRIPTOR_SECTORS_AT = 36;
const HEADER_END = 79;
/** qemu-img looks for a parent here, wherever the header says that the descriptor is. */
const QEMU_DESCRIPTOR_AT = 0x200;
const QEMU_DESCRIPTOR_BYTES = 20 * SECTOR_BYTES;

/** Kinds that consist of one file. */
const WHOLE: readonly string[] = ["monolithicSparse", "streamOptimized"];

const PART = "it is only one part of a VMDK in several files";
const PARENT = /parentFileNameHint\s*=\s*"/i;
/** What qemu-img takes for a descriptor: comments and empty lines, then a version. */
const DESCRIPTOR = /^(?:#[^\n]*\n|[ \r]*\n)*\s*version=/i;
const DESCRIPTOR_TITLE = /^#\s*disk\s*descriptorfile/i;

/** Reads a VMDK with a binary header. */
export function vmdkFacts(bytes: Uint8Array): HeaderFacts {
  if (bytes.length < HEADER_END) return refused("its VMDK header is cut off", "vmdk");
  const version = uint32(bytes, VERSION_AT, true);
  if (version < 1 || version > 3) return refused(`its VMDK version ${version} is unknown`, "vmdk");
  const capacity = uint64(bytes, CAPACITY_AT, true);
  const from = uint64(bytes, DESCRIPTOR_AT, true) * SECTOR_BYTES;
  const length = uint64(bytes, DESCRIPTOR_SECTORS_AT, true) * SECTOR_BYTES;
  if (from === 0) return refused(PART, "vmdk");
  if (capacity === 0) return refused("its data is in other files", "vmdk");
  if (from + length > bytes.length) return refused("its VMDK descriptor is cut off", "vmdk");
  const descriptor = latin1(bytes, from, length);
  const seen = latin1(bytes, QEMU_DESCRIPTOR_AT, QEMU_DESCRIPTOR_BYTES);
  if (PARENT.test(descriptor) || PARENT.test(seen)) {
    return refused("it is only the difference to another image, its parent", "vmdk");
  }
  const [, kind] = /createType\s*=\s*"([^"]*)"/i.exec(descriptor) ?? [];
  if (kind === undefined) return refused(PART, "vmdk");
  if (!WHOLE.includes(kind)) {
    return refused(`it is a VMDK of the kind “${kind}”, whose data is in other files`, "vmdk");
  }
  return accepted("vmdk", capacity * SECTOR_BYTES);
}

/** Why a text is no image: it names the files that have the data; null for another text. */
export function vmdkDescriptorRefusal(bytes: Uint8Array): string | null {
  const start = latin1(bytes, 0, QEMU_DESCRIPTOR_BYTES);
  if (!DESCRIPTOR.test(start) && !DESCRIPTOR_TITLE.test(start)) return null;
  return "it is only the description of a VMDK, whose data is in other files";
}
