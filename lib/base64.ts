/** Base64 and hexadecimal digits, for which other runtimes have no methods on bytes yet. Pure. */
import { Buffer } from "node:buffer";

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/**
 * The bytes of base64.
 *
 * @throws a SyntaxError for a text that is not what {@link toBase64} writes.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  if (toBase64(bytes) !== text) throw new SyntaxError("this is not base64");
  return bytes;
}

/** Bytes as hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
