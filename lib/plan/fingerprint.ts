/** A short name for a value: the same for equal values, another for any other. Pure. */
import { createHash } from "node:crypto";

/** 16 hexadecimal digits of the SHA-256 of the value's JSON; keys count in the order in which they stand. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
