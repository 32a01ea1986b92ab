/** Real certificates, created by openssl for one test run: a CA, and valid and invalid certificates signed by it. */
import assert from "node:assert/strict";

/** A certificate with its key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Every kind that a connection may meet. */
export interface Certificates {
  /** Trusted by {@link Certificates.ca}, for localhost and 127.0.0.1. */
  readonly good: Certificate;
  /** The same names, another key, signed by itself with a CA flag, as plain openssl makes them. */
  readonly selfSigned: Certificate;
  /** For another name. */
  readonly wrongName: Certificate;
  /** Out of date since yesterday. */
  readonly expired: Certificate;
  /** The CA, PEM. */
  readonly ca: string;
}

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null", stderr: "piped" })
    .output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

const NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/** Makes them in a folder of their own, which is gone afterwards. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => `${folder}/${name}`;
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    const read = async (name: string): Promise<Certificate> => ({
      cert: await Deno.readTextFile(at(`${name}.pem`)),
      key: await Deno.readTextFile(at(`${name}.key`)),
    });
    await openssl(
      ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=Lab CA"],
      ...["-keyout", at("ca.key"), "-out", at("ca.pem")],
    );
    const sign = async (name: string, extension: string, ...dates: string[]) => {
      await openssl(
        ...[
          "req",
          ...newKey,
          "-subj",
          `/CN=${name}`,
          "-keyout",
          at(`${name}.key`),
          "-out",
          at(`${name}.csr`),
        ],
      );
      await Deno.writeTextFile(at("ext"), `${extension}\nbasicConstraints=CA:FALSE\n`);
      await openssl(
        ...["x509", "-req", "-in", at(`${name}.csr`), "-CA", at("ca.pem"), "-CAkey", at("ca.key")],
        ...["-CAcreateserial", "-extfile", at("ext"), "-out", at(`${name}.pem`), ...dates],
      );
      return await read(name);
    };
    const good = await sign("good", NAMES, "-days", "2");
    const wrongName = await sign("other", "subjectAltName=DNS:other.lan", "-days", "2");
    const expired = await sign("expired", NAMES, "-days", "-1");
    await openssl(
      ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=truenas", "-addext", NAMES],
      ...["-keyout", at("self.key"), "-out", at("self.pem")],
    );
    const ca = await Deno.readTextFile(at("ca.pem"));
    return { good, wrongName, expired, selfSigned: await read("self"), ca };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The SHA-256 fingerprint of a PEM certificate, as capital pairs with colons. */
export async function fingerprintOf({ cert }: Certificate): Promise<string> {
  const base64 = cert.replaceAll(/-----[^-]+-----|\s/g, "");
  const der = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(":").toUpperCase();
}
