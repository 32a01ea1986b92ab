/**
 * SCRAM-SHA-512 for API keys: each side proves that it knows the key without sending it. Source: RFC 5802 and TrueNAS's
 * guide to SCRAM for API keys (26 and later), which defines the user name with the key's number, the nonce size and the
 * range of iterations.
 */
import { fromBase64, toBase64 } from "../../base64.ts";

/** The parts of an API key: `7-VqZf…` is key 7. */
export interface ApiKeyParts {
  readonly id: string;
  readonly secret: string;
}

/** Parses a key; null when it has another form. */
export function splitApiKey(key: string): ApiKeyParts | null {
  const [, id, secret] = /^(\d+)-(.+)$/.exec(key) ?? [];
  return id === undefined || secret === undefined ? null : { id, secret };
}

/** The client's final message and the expected answer. */
export interface ScramProof {
  readonly clientFinal: string;
  /** Whether the answer proves that the NAS knows the key. */
  proves(serverFinal: string): boolean;
}

/** An exchange in progress. */
export interface ScramExchange {
  readonly clientFirst: string;
  /** @throws {ScramError} when the answer does not belong to this exchange or its iteration count is out of range. */
  prove(serverFirst: string): Promise<ScramProof>;
}

/** A protocol violation in the exchange. */
export class ScramError extends Error {
  override readonly name = "ScramError";
}

const NONCE_BYTES = 32;
/** TrueNAS uses 500,000. Fewer would let a fake NAS guess the key cheaply; more would overload this machine. */
const MIN_ITERATIONS = 50_000;
const MAX_ITERATIONS = 5_000_000;
/** "No channel binding"; the code that opens the connection checks the certificate. */
const GS2_HEADER = "n,,";
const HASH = "SHA-512";
const HASH_BITS = 512;

/** Starts an exchange; tests pass a fixed `nonce`. */
export function startScram(
  { id, secret }: ApiKeyParts,
  username: string,
  nonce: Uint8Array = crypto.getRandomValues(new Uint8Array(NONCE_BYTES)),
): ScramExchange {
  const bare = `n=${escapeName(username)}:${id},r=${toBase64(nonce)}`;
  return {
    clientFirst: `${GS2_HEADER}${bare}`,
    prove: async (serverFirst) => {
      const challenge = readChallenge(serverFirst, nonce);
      const withoutProof = `c=${btoa(GS2_HEADER)},r=${challenge.nonce}`;
      const message = new TextEncoder().encode(`${bare},${serverFirst},${withoutProof}`);
      const salted = await salt(secret, challenge);
      const clientKey = await hmac(salted, "Client Key");
      const storedKey = new Uint8Array(await crypto.subtle.digest(HASH, clientKey));
      const proof = xor(clientKey, await hmac(storedKey, message));
      const expected = await hmac(await hmac(salted, "Server Key"), message);
      return {
        clientFinal: `${withoutProof},p=${toBase64(proof)}`,
        proves: (serverFinal) => serverFinal === `v=${toBase64(expected)}`,
      };
    },
  };
}

/** RFC 5802 reserves these two characters. */
function escapeName(name: string): string {
  return name.replaceAll("=", "=3D").replaceAll(",", "=2C");
}

interface Challenge {
  /** As the NAS wrote it. */
  readonly nonce: string;
  readonly salt: Uint8Array<ArrayBuffer>;
  readonly iterations: number;
}

function readChallenge(serverFirst: string, ownNonce: Uint8Array): Challenge {
  const [, nonce = "", saltText = "", count = ""] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
  if (!startsWith(decode(nonce), ownNonce)) {
    throw new ScramError("the NAS's answer does not belong to this login");
  }
  const iterations = Number(count);
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw new ScramError(
      `the NAS requested ${iterations} iterations, outside the accepted range of ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`,
    );
  }
  return { nonce, salt: decode(saltText), iterations };
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return fromBase64(base64);
  } catch (error) {
    throw new ScramError("the NAS's answer is not base64", { cause: error });
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length > start.length && start.every((byte, index) => bytes[index] === byte);
}

async function salt(secret: string, { salt, iterations }: Challenge): Promise<Uint8Array<ArrayBuffer>> {
  const material = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), "PBKDF2", false, [
    "deriveBits",
  ]);
  const derived = { name: "PBKDF2", hash: HASH, salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(derived, material, HASH_BITS));
}

async function hmac(
  key: Uint8Array<ArrayBuffer>,
  message: string | Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: HASH }, false, ["sign"]);
  const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes));
}

function xor(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return a.map((byte, index) => byte ^ (b[index] ?? 0));
}
