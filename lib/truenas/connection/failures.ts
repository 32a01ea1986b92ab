/** Every way in which a connection to a NAS fails, with what a person can do about it. The README has the same table. */
import { type ConnectionFailure, TrueNASConnectionError } from "../../errors/errors.ts";
import type { NasAddress } from "../../configuration/nas_address.ts";
import { describeSystemError } from "../../errors/system_errors.ts";

/** What to do about each. */
export const REMEDIES: Readonly<Record<ConnectionFailure, string>> = {
  dns: "Check the name in TRUENAS_HOST, or write the NAS's IP address instead.",
  refused:
    "Check the address and port in TRUENAS_HOST, that the NAS is up, and that no firewall stands between.",
  timeout: "Check the address in TRUENAS_HOST, that the NAS is up, and that no firewall drops the packets.",
  "tls-unknown-issuer":
    "If this is your NAS's certificate (TrueNAS shows it under Credentials, Certificates), add the line that is shown " +
    "to .env, or name the CA that signed it in TRUENAS_CA_FILE.",
  "tls-name-mismatch":
    "Write in TRUENAS_HOST the name that the certificate carries; or, if this is your NAS's certificate, add the line " +
    "that is shown to .env.",
  "tls-expired":
    "Renew the certificate on the NAS (Credentials, Certificates); or, if this is your NAS's certificate, add the line " +
    "that is shown to .env.",
  "tls-pin-mismatch":
    "Another certificate than the pinned one answered. If you have changed the NAS's certificate, put the new " +
    "fingerprint into TRUENAS_CERT_FINGERPRINT; if you have not, somebody may be in between.",
  tls:
    "The connection could not be encrypted: check that the port speaks TLS, or write ws:// if it does not.",
  "not-truenas":
    "Something answers there, but not TrueNAS's API: check the port, and wss:// or ws://, in TRUENAS_HOST.",
  "not-allowed": "Allow this machine's address on the NAS: System, Advanced Settings, Allowed IP Addresses.",
  "no-vm-api":
    "TrueNAS 25.04.0 and 25.04.1 came without the VM API: update to 25.04.2 or later, where the VMs are there again.",
  login: "Check API_USERNAME and API_PASSWORD, or the API key.",
  expired:
    "Make a new API key (or set a new password) on the NAS, under Credentials, and put it in its place here.",
  otp: "Type the one-time password on the connection page; it is not stored. An API key never asks for one.",
  "rate-limited":
    "The NAS takes no more logins for a minute. The program waits, and tries again by itself; nothing need be done.",
  denied:
    "Give the account's group a privilege with the roles VM_WRITE and VM_DEVICE_WRITE (or VM_READ, to look only), under " +
    "Credentials, Groups, Privileges.",
  standby: "This is the standby controller: name the active one in TRUENAS_HOST.",
  lost: "The program connects again by itself as soon as the NAS answers.",
  closed: "Connect again.",
  configuration: "Correct the setting and start again.",
};

/** An error of the given kind with its remedy; `said` is the cause in a few words. */
export function connectionError(
  address: NasAddress,
  failure: ConnectionFailure,
  said: string,
  cause?: unknown,
): TrueNASConnectionError {
  return new TrueNASConnectionError(`Cannot connect to ${address.url}: ${said}`, {
    failure,
    remedy: REMEDIES[failure],
    cause,
  });
}

/** The runtime's words for each kind of failure (Deno 2.9), by a part of its message. */
const SIGNS: readonly (readonly [RegExp, ConnectionFailure])[] = [
  [/dns error/i, "dns"],
  [/not valid for name|NotValidForName/i, "tls-name-mismatch"],
  [/certificate.*Expired|NotValidYet/i, "tls-expired"],
  [/UnknownIssuer|CaUsedAsEndEntity|invalid peer certificate|UnsupportedCertVersion/i, "tls-unknown-issuer"],
  [/InvalidContentType|corrupt message/i, "not-truenas"],
  [
    /status code|HTTP version|stream error received|invalid HTTP|unexpected end of file|connection closed before/i,
    "not-truenas",
  ],
  [/handshake|tls|certificate/i, "tls"],
  [/tcp connect error|refused|unreachable|No such file|reset by peer/i, "refused"],
];

/** What kind of failure the runtime's words mean. */
export function classify(said: string): ConnectionFailure {
  return SIGNS.find(([sign]) => sign.test(said))?.[1] ?? "refused";
}

/** What happened, for the kinds of which the runtime tells; its own words are kept in the error's cause. */
const WORDS: Partial<Readonly<Record<ConnectionFailure, string>>> = {
  dns: "no address is known for this name",
  "not-truenas": "what answers there is not TrueNAS's API",
  tls: "no encrypted connection could be agreed on",
  "tls-unknown-issuer": "nobody that is trusted here has signed the NAS's certificate",
  "tls-name-mismatch": "the NAS's certificate is for another name",
  "tls-expired": "the NAS's certificate is out of date",
};

/** The runtime's words for a connection that failed or was lost, as a person would say it. */
export function wordsFor(failure: ConnectionFailure, said: string): string {
  const usual = failure === "lost" ? "the other side closed it" : "nothing answers at this address and port";
  return WORDS[failure] ?? describeSystemError(new Error(said)) ?? usual;
}

/** Whether a look at the certificate can say more. */
export function isAboutCertificate(failure: ConnectionFailure): boolean {
  return failure === "tls-unknown-issuer" || failure === "tls-name-mismatch" || failure === "tls-expired";
}
