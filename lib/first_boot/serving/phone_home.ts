/** What cloud-init's phone_home posts: form fields instance_id, hostname, fqdn and pub_key_*. */
import type { IncomingMessage } from "../../secret_paths/path_server.ts";

/** The last part of the address that is phoned. */
export const PHONE_HOME = "phone-home";

/** What a guest tells of itself. */
export interface PhoneHome {
  readonly instanceId: string | null;
  readonly hostname: string | null;
}

/** Several public keys fit. */
const MAX_BYTES = 64 * 1024;
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
  return { instanceId: fields.get("instance_id"), hostname: nameOf(fields.get("hostname")) };
}

/** A guest's own words are shown on pages, so only names are taken. */
function nameOf(text: string | null): string | null {
  return text !== null && text.length <= MAX_NAME_CHARS && /^[A-Za-z0-9._-]+$/.test(text) ? text : null;
}
