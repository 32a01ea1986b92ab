/** Finds a NAS before anybody has signed in: what answers at an address, and with which certificate. No secret is sent. */
import { isUnencrypted, type NasAddress } from "../configuration/environment/nas_address.ts";
import { TrueNASConnectionError } from "../errors/errors.ts";
import { type CertificateFacts, fetchCertificate } from "../truenas/connection/certificate.ts";
import { openNas, type OpenOptions, peerOf } from "../truenas/connection/connection.ts";
import { isAboutCertificate } from "../truenas/connection/failures.ts";

/** How the connection to a NAS is protected. */
export type Trust =
  /** A trusted authority has signed the certificate. */
  | { readonly kind: "signed" }
  /** Nobody has; a person compares the fingerprint. */
  | { readonly kind: "unsigned"; readonly certificate: CertificateFacts; readonly because: UnsignedReason }
  /** Not encrypted, and readable on the way. */
  | { readonly kind: "clear" }
  /** Stays on this machine. */
  | { readonly kind: "local" };

/** Why a certificate is not trusted by itself. */
export type UnsignedReason = "issuer" | "name" | "date";

/** A NAS that answered. */
export interface FoundNas {
  readonly address: NasAddress;
  /** `v25.10.5`, `current` or `legacy`. */
  readonly apiVersion: string;
  readonly trust: Trust;
}

/** How to find a NAS. */
export type FindOptions = Pick<OpenOptions, "caCerts" | "tunnelSockets">;

/**
 * Finds the NAS at an address.
 *
 * @throws {TrueNASConnectionError} when nothing answers, or something other than TrueNAS.
 */
export async function findNas(address: NasAddress, options: FindOptions = {}): Promise<FoundNas> {
  try {
    const apiVersion = await versionOf(address, options);
    return { address, apiVersion, trust: trustOf(address) };
  } catch (error) {
    if (!(error instanceof TrueNASConnectionError) || !isAboutCertificate(error.failure)) throw error;
    const certificate = await fetchCertificate(peerOf(address.url));
    if (certificate === null) throw error;
    const { fingerprint } = certificate;
    const apiVersion = await versionOf(address, { ...options, fingerprint });
    const because = error.failure === "tls-name-mismatch"
      ? "name"
      : error.failure === "tls-expired"
      ? "date"
      : "issuer";
    return { address, apiVersion, trust: { kind: "unsigned", certificate, because } };
  }
}

/** Opens a connection and closes it again, because a web server that is not TrueNAS also has a certificate. */
async function versionOf(address: NasAddress, options: OpenOptions): Promise<string> {
  const { socket, apiVersion } = await openNas(address, options);
  socket.close();
  return apiVersion;
}

function trustOf(address: NasAddress): Trust {
  if (address.kind === "wss") return { kind: "signed" };
  return { kind: staysHere(address) ? "local" : "clear" };
}

function staysHere(address: NasAddress): boolean {
  return address.kind === "unix" || !isUnencrypted(address);
}
