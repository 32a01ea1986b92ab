/** Fingerprints values: equal values have equal fingerprints. Pure. */
import { sha256Hex } from "../hashes.ts";

/** The first 16 hexadecimal digits of the SHA-256 of the value's JSON; the order of keys matters. */
export function fingerprint(value: unknown): string {
  return sha256Hex(JSON.stringify(value)).slice(0, 16);
}
