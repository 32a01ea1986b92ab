/** Synchronous hashes; the Web Crypto API is asynchronous only. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** The SHA-256 of a text in UTF-8, in hexadecimal digits. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** The HMAC-SHA-256 of a text in UTF-8 under a key. */
export function hmacSha256(key: Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text, "utf8").digest();
}

/** Compares two texts in constant time. */
export function constantTimeEqual(a: string, b: string): boolean {
  // Compares hashes, whose equal length hides the lengths of the texts.
  const key = crypto.getRandomValues(new Uint8Array(32));
  return timingSafeEqual(hmacSha256(key, a), hmacSha256(key, b));
}
