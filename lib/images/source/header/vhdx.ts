/** The metadata of a VHDX, after Microsoft's VHDX Format Specification (MS-VHDX). */
import { toHex } from "../../../base64.ts";
import { accepted, type HeaderFacts, latin1, refused, uint32, uint64 } from "./header_facts.ts";

const REGIONS_AT = 192 * 1024;
const REGIONS_HEADER = 16;
const REGION_BYTES = 32;
const MAX_REGIONS = 2047;
const ITEMS_HEADER = 32;
const ITEM_BYTES = 32;
const MAX_ITEMS = 2047;
const GUID_BYTES = 16;
const HAS_PARENT = 0x2;

/** GUIDs as they are written, in little-endian order. */
const METADATA = "06a27c8b90479a4bb8fe575f050f886e";
const FILE_PARAMETERS = "3767a1ca36fa434db3b633f0aa44e76b";
const DISK_SIZE = "2442a52f1bcd7648b2115dbed83bf4b8";
const PARENT_LOCATOR = "2d5fd3a80bb34d45abf7d3d84834ab0c";

/** Reads one. */
export function vhdxFacts(bytes: Uint8Array): HeaderFacts {
  const at = metadataAt(bytes);
  const items = at === null ? null : itemsOf(bytes, at);
  const [parameters, size] = [items?.get(FILE_PARAMETERS), items?.get(DISK_SIZE)];
  if (items == null || parameters === undefined || size === undefined) {
    return refused("its VHDX metadata is missing or cut off", "vhdx");
  }
  const hasParent = (uint32(bytes, parameters + 4, true) & HAS_PARENT) !== 0;
  if (hasParent || items.has(PARENT_LOCATOR)) {
    return refused("it is only the difference to another image, its parent", "vhdx");
  }
  return accepted("vhdx", uint64(bytes, size, true));
}

function metadataAt(bytes: Uint8Array): number | null {
  if (latin1(bytes, REGIONS_AT, 4) !== "regi" || bytes.length < REGIONS_AT + REGIONS_HEADER) return null;
  const count = uint32(bytes, REGIONS_AT + 8, true);
  if (count > MAX_REGIONS) return null;
  for (let n = 0; n < count; n++) {
    const entry = REGIONS_AT + REGIONS_HEADER + n * REGION_BYTES;
    if (entry + REGION_BYTES > bytes.length) return null;
    if (guidAt(bytes, entry) === METADATA) return uint64(bytes, entry + GUID_BYTES, true);
  }
  return null;
}

/** Where each item's value is; null when the table is cut off. */
function itemsOf(bytes: Uint8Array, table: number): ReadonlyMap<string, number> | null {
  if (latin1(bytes, table, 8) !== "metadata" || bytes.length < table + ITEMS_HEADER) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(table + 10, true);
  if (count > MAX_ITEMS || table + ITEMS_HEADER + count * ITEM_BYTES > bytes.length) return null;
  const found = new Map<string, number>();
  for (let n = 0; n < count; n++) {
    const entry = table + ITEMS_HEADER + n * ITEM_BYTES;
    const value = table + uint32(bytes, entry + GUID_BYTES, true);
    if (value + 8 > bytes.length) return null;
    found.set(guidAt(bytes, entry), value);
  }
  return found;
}

function guidAt(bytes: Uint8Array, at: number): string {
  return toHex(bytes.subarray(at, at + GUID_BYTES));
}
