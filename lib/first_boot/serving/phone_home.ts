/** What cloud-init's phone_home posts: form fields instance_id, hostname, fqdn and pub_key_*. */
import type { IncomingMessage } from "../../secret_paths/path_server.ts";

/** The last part of the address that is phoned. */
export const PHONE_HOME = "phone-home";

/** What a guest tells of itself. */
export interface PhoneHome {
  readonly instanceId: string | null;
  readonly hostname: string | null;
  readonly hostKeys: readonly string[];
}

/** Several public keys fit. */
const MAX_BYTES = 64 * 1024;
const MAX_KEYS = 8;
const PUBLIC_KEY = /^[a-z0-9@.-]{4,64} [A-Za-z0-9+/=]{16,8000}( [\x20-\x7e]{0,200})?$/;
/** RFC 1035 */
const MAX_NAME_CHARS = 253;

/** Reads a request's form; null when it is too long. */
export async function readPhoneHome(request: IncomingMessage): Promise<PhoneHome | null> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) return null;
    pieces.push(piece);
  }
  const fields = new URLSearchParams(
    new TextDecoder().decode(await new Blob(pieces.map((p) => p.slice())).bytes()),
  );
  const keys = [...fields].filter(([name, key]) =>
    name.startsWith("pub_key_") && PUBLIC_KEY.test(key.trim())
  );
  const instanceId = fields.get("instance_id");
  return {
    instanceId: instanceId === null ? null : nameOf(instanceId) ?? "unreadable",
    hostname: nameOf(fields.get("hostname")),
    hostKeys: keys.slice(0, MAX_KEYS).map(([, key]) => key.trim()),
  };
}

/** A guest's own words are shown on pages, so only names are taken. */
function nameOf(text: string | null): string | null {
  return text !== null && text.length <= MAX_NAME_CHARS && /^[A-Za-z0-9._-]+$/.test(text) ? text : null;
}
