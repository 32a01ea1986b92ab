/** Public keys for ssh, as `authorized_keys` has them. Pure. */

import { createHash } from "node:crypto";
import { fromBase64 } from "../../base64.ts";

/** The kinds of keys that OpenSSH accepts, in the first word of a key. */
const KINDS = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
];

/** RSA keys of 16,384 bits take about 2,800. */
const MAX_KEY_CHARS = 8_192;
const LENGTH_BYTES = 4;

/** Why this is not a public key; null when it is. The text itself is not repeated, because it could be a private key. */
export function publicKeyProblem(text: string): string | null {
  if (/PRIVATE KEY/.test(text)) {
    return "This is a private key; enter the public one, from the file that ends in .pub";
  }
  if (/[\r\n]/.test(text)) return "A public key is a single line";
  if (text.length > MAX_KEY_CHARS) return `The key has ${text.length} characters, more than any public key`;
  const [kind = "", body = ""] = text.trim().split(/\s+/);
  if (!KINDS.includes(kind)) {
    return `A public key starts with its kind, such as ${KINDS.slice(0, 3).join(", ")}`;
  }
  return kindWithin(body) === kind
    ? null
    : `The part after ${kind} is incomplete or damaged; copy the whole line of the .pub file`;
}

/** The kind that the key itself names, at its start; null when the text is not base64 of a key. */
function kindWithin(body: string): string | null {
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(body);
  } catch {
    return null;
  }
  if (bytes.length < LENGTH_BYTES) return null;
  const length = new DataView(bytes.buffer).getUint32(0);
  const rest = bytes.length - LENGTH_BYTES - length;
  return rest > LENGTH_BYTES
    ? new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length))
    : null;
}

/** A key's fingerprint, as ssh-keygen prints it: `SHA256:` and 43 letters; empty for what is no key. */
export function fingerprintOf(key: string): string {
  const [, body = ""] = key.trim().split(/\s+/);
  if (kindWithin(body) === null) return "";
  const digest = createHash("sha256").update(fromBase64(body)).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/** The keys in a text of one a line; empty lines and comments are none. */
export function keyLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("#")
  );
}
