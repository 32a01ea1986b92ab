/** A short name for a value: the same for equal values, another for any other. Pure. */
import { sha256Hex } from "../hashes.ts";

/** 16 hexadecimal digits of the SHA-256 of the value's JSON; keys count in the order in which they stand. */
export function fingerprint(value: unknown): string {
  return sha256Hex(JSON.stringify(value)).slice(0, 16);
}
