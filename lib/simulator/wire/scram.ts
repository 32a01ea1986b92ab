/**
 * The NAS's side of SCRAM-SHA-512 (RFC 5802; TrueNAS 26 and later). The nonce in its answer is the client's bytes followed
 * by its own, encoded as one base64 text, as TrueNAS's own library does.
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";
import type { Account } from "../accounts.ts";

/** An exchange that waits for the client's final message. */
export interface ScramChallenge {
  readonly account: Account;
  readonly serverFirst: string;
  /** The NAS's final message, or null when the proof is wrong. */
  verify(clientFinal: string): string | null;
}

const ITERATIONS = 500_000;
const SALT_BYTES = 16;
const NONCE_BYTES = 32;
const HASH = "sha512";
const HASH_BYTES = 64;

/** Answers a client's first message; null for an unknown account or key, or a malformed message. */
export function challenge(accounts: readonly Account[], clientFirst: string): ScramChallenge | null {
  const [, bare = "", name = "", id = "", nonce = ""] =
    /^n,,(n=([^,]+):(\d+),r=([A-Za-z0-9+/=]+))$/.exec(clientFirst) ?? [];
  const username = name.replaceAll("=2C", ",").replaceAll("=3D", "=");
  const clientNonce = Buffer.from(nonce, "base64");
  const account = accounts.find((it) => it.username === username && it.apiKey?.startsWith(`${id}-`));
  if (account?.apiKey == null || account.apiKeyRevoked || clientNonce.length !== NONCE_BYTES) return null;
  const salt = randomBytes(SALT_BYTES);
  const combined = Buffer.concat([clientNonce, randomBytes(NONCE_BYTES)]).toString("base64");
  const serverFirst = `r=${combined},s=${salt.toString("base64")},i=${ITERATIONS}`;
  const secret = account.apiKey.slice(id.length + 1);
  const salted = pbkdf2Sync(secret, salt, ITERATIONS, HASH_BYTES, HASH);
  return {
    account,
    serverFirst,
    verify: (clientFinal) => {
      const [, withoutProof = "", proofText = ""] = /^(c=biws,r=[^,]+),p=([^,]+)$/.exec(clientFinal) ?? [];
      const proof = Buffer.from(proofText, "base64");
      if (withoutProof !== `c=biws,r=${combined}` || proof.length !== HASH_BYTES) return null;
      const message = `${bare},${serverFirst},${withoutProof}`;
      const storedKey = createHash(HASH).update(mac(salted, "Client Key")).digest();
      const signature = mac(storedKey, message);
      const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
      if (!timingSafeEqual(createHash(HASH).update(clientKey).digest(), storedKey)) return null;
      return `v=${mac(mac(salted, "Server Key"), message).toString("base64")}`;
    },
  };
}

function mac(key: Buffer, message: string): Buffer {
  return createHmac(HASH, key).update(message).digest();
}
