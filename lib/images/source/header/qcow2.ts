/** The header of a qcow2 image, after QEMU's description of the format (docs/interop/qcow2). */
import { accepted, type HeaderFacts, refused, uint32, uint64 } from "./header_facts.ts";

const VERSION_AT = 4;
const BACKING_OFFSET_AT = 8;
const SIZE_AT = 24;
const ENCRYPTION_AT = 32;
const INCOMPATIBLE_AT = 72;
const V2_BYTES = 72;
const V3_BYTES = 104;
/** The feature bit of an image whose data is in another file; it is in the last of eight bytes. */
const EXTERNAL_DATA = 0x4;

/** Reads one. */
export function qcow2Facts(bytes: Uint8Array): HeaderFacts {
  if (bytes.length < V2_BYTES) return refused("its qcow2 header is cut off", "qcow2");
  const version = uint32(bytes, VERSION_AT, false);
  if (version !== 2 && version !== 3) {
    return refused(`it has version ${version} of the qcow format; only versions 2 and 3 can be used`);
  }
  if (uint64(bytes, BACKING_OFFSET_AT, false) !== 0) {
    return refused("it is only the difference to another image, its backing file", "qcow2");
  }
  if (uint32(bytes, ENCRYPTION_AT, false) !== 0) return refused("it is encrypted", "qcow2");
  if (version === 3) {
    if (bytes.length < V3_BYTES) return refused("its qcow2 header is cut off", "qcow2");
    if ((uint32(bytes, INCOMPATIBLE_AT + 4, false) & EXTERNAL_DATA) !== 0) {
      return refused("its data is in another file", "qcow2");
    }
  }
  return accepted("qcow2", uint64(bytes, SIZE_AT, false));
}
