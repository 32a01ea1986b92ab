/** The part of an address that nobody can guess: 256 bits in hexadecimal digits. Pure but for {@link newToken}. */
import { toHex } from "../base64.ts";

const TOKEN_BYTES = 32;
const TOKEN = /^[0-9a-f]{64}$/;

/** A new one. */
export function newToken(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
}

/** Whether a text is one. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
