/**
 * TLS features beyond the runtime's client: fetching an untrusted certificate, and a tunnel to a NAS whose certificate is
 * pinned by fingerprint. No payload passes before the fingerprint has been compared.
 */
import { TrueNASError } from "../../errors/errors.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { connect, type TLSSocket } from "node:tls";

/** Where a TLS server is. */
export interface TlsPeer {
  readonly host: string;
  readonly port: number;
}

/** The fields of a certificate that identify it to a person. */
export interface CertificateFacts {
  /** SHA-256 as hexadecimal pairs with colons. */
  readonly fingerprint: string;
  /** `CN=truenas, O=iXsystems` */
  readonly subject: string;
  /** Start of validity, as the certificate states it. */
  readonly validFrom: string;
  /** End of validity, as the certificate states it. */
  readonly validTo: string;
}

/** Timeout for fetching a certificate. */
const FETCH_MS = 5_000;

/** Verification is off only to fetch the certificate or compare its fingerprint, before any payload. */
function connectUnverified({ host, port }: TlsPeer): TLSSocket {
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  return connect({ host, port, ...name, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
}

/** Fetches a server's certificate; null when that fails. */
export function fetchCertificate(peer: TlsPeer): Promise<CertificateFacts | null> {
  const { promise, resolve } = Promise.withResolvers<CertificateFacts | null>();
  const socket = connectUnverified(peer);
  const end = (facts: CertificateFacts | null) => {
    clearTimeout(timer);
    socket.destroy();
    resolve(facts);
  };
  const timer = setTimeout(() => end(null), FETCH_MS);
  socket.once("error", () => end(null));
  socket.once("secureConnect", () => end(factsOf(socket)));
  return promise;
}

function factsOf(socket: TLSSocket): CertificateFacts | null {
  const { fingerprint256, subject, valid_from: validFrom, valid_to: validTo } = socket.getPeerCertificate();
  if (!fingerprint256) return null;
  const name = Object.entries(subject ?? {}).map(([key, value]) => `${key}=${String(value)}`).join(", ");
  return { fingerprint: fingerprint256.toUpperCase(), subject: name || "no name", validFrom, validTo };
}

/** A tunnel to a server with the pinned certificate. */
export interface PinnedTunnel {
  /** The unix socket to connect to; only this user can. */
  readonly path: string;
  /** The certificate that did not match, if any. */
  readonly mismatch: () => CertificateFacts | null;
  /** Why the server could not be reached the last time, if it could not. */
  readonly unreachable: () => Error | null;
  /** Closes the tunnel and removes its socket. */
  readonly close: () => void;
}

const taken = new Set<string>();

/** Acquires a path for a socket, with a function to release it. */
function takePath(
  paths: readonly string[] | undefined,
): { readonly path: string; readonly release: () => void } {
  if (paths === undefined) {
    const folder = mkdtempSync(`${tmpdir()}/truenas-vm-manager-`);
    return { path: `${folder}/nas.sock`, release: () => rmSync(folder, { recursive: true, force: true }) };
  }
  const path = paths.find((it) => !taken.has(it));
  if (path === undefined) {
    throw new TrueNASError(
      `All ${paths.length} connections to the pinned NAS are in use. Nothing was sent; close a console and try again`,
    );
  }
  taken.add(path);
  rmSync(path, { force: true });
  const release = () => {
    rmSync(path, { force: true });
    taken.delete(path);
  };
  return { path, release };
}

/**
 * Opens a tunnel at one of the paths, by default in the system's temporary folder. The certificate is compared for each
 * connection.
 */
export async function openPinnedTunnel(
  peer: TlsPeer,
  fingerprint: string,
  paths?: readonly string[],
): Promise<PinnedTunnel> {
  const { path, release } = takePath(paths);
  const open = new Set<Socket | TLSSocket>();
  let mismatch: CertificateFacts | null = null;
  let unreachable: Error | null = null;
  const server = createServer((near) => {
    const far = connectUnverified(peer);
    // Calls must not wait for the acknowledgement of the previous one.
    far.setNoDelay(true);
    const end = () => {
      near.destroy();
      far.destroy();
      open.delete(near);
      open.delete(far);
    };
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    far.once("error", (error) => unreachable = error);
    far.once("secureConnect", () => {
      unreachable = null;
      const facts = factsOf(far);
      if (facts?.fingerprint !== fingerprint) {
        mismatch = facts;
        return end();
      }
      near.pipe(far);
      far.pipe(near);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  // Later errors concern single connections; without a listener they would end the program.
  server.on("error", () => {});
  const close = () => {
    server.close();
    for (const socket of open) socket.destroy();
    release();
  };
  return { path, mismatch: () => mismatch, unreachable: () => unreachable, close };
}
