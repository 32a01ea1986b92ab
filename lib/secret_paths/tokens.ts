/** The part of an address that nobody can guess: 256 bits in hexadecimal digits. Pure but for {@link newToken}. */

const TOKEN_BYTES = 32;
const TOKEN = /^[0-9a-f]{64}$/;

/** A new one. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
}

/** Whether a text is one. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
