/** Every way a connection to a NAS can fail, with its remedy. */
import { type ConnectionFailure, TrueNASConnectionError } from "../../errors/errors.ts";
import { addressInWords, type NasAddress } from "../../configuration/environment/nas_address.ts";
import { describeSystemError } from "../../errors/system_errors.ts";

/** The remedy for each failure. */
export const REMEDIES: Readonly<Record<ConnectionFailure, string>> = {
  dns: "Check the name in TRUENAS_HOST, or use the NAS's IP address.",
  refused:
    "Check the address and port in TRUENAS_HOST, that the NAS is running, and that no firewall blocks the connection.",
  timeout:
    "Check the address in TRUENAS_HOST, that the NAS is running, and that no firewall blocks the connection.",
  "tls-unknown-issuer":
    "If this is your NAS's certificate (TrueNAS shows it under Credentials, Certificates), add the line shown " +
    "to .env, or set TRUENAS_CA_FILE to the CA that signed it.",
  "tls-name-mismatch":
    "Set TRUENAS_HOST to the name in the certificate. Or, if this is your NAS's certificate, add the line " +
    "shown to .env.",
  "tls-expired":
    "Renew the certificate on the NAS (Credentials, Certificates). Or, if this is your NAS's certificate, add the line " +
    "shown to .env.",
  "tls-pin-mismatch":
    "The server's certificate does not match the pinned one. If you replaced the NAS's certificate, set the new " +
    "fingerprint in TRUENAS_CERT_FINGERPRINT. If you did not, somebody may be intercepting the connection.",
  tls: "Check that the port uses TLS, or use ws:// in TRUENAS_HOST if it does not.",
  "not-truenas": "Check the port and the scheme (wss:// or ws://) in TRUENAS_HOST.",
  starting:
    "Wait until the NAS has started. If it stays so, check TRUENAS_HOST, and a proxy in front of the NAS.",
  "not-allowed":
    "Allow this machine's address on the NAS under System, Advanced Settings, Allowed IP Addresses.",
  "no-vm-api": "TrueNAS 25.04.0 and 25.04.1 have no VM API. Update to 25.04.2 or later.",
  login: "Check API_USERNAME and API_PASSWORD, or the API key.",
  expired: "Create a new API key or set a new password on the NAS under Credentials, and update it here.",
  otp: "Enter the one-time password on the connection page; it is not stored. API keys do not need one.",
  "rate-limited":
    "The NAS refuses further logins for a minute. The dashboard tries again by itself; repeat a command after that minute.",
  denied:
    "Give the account's group a privilege with the roles VM_WRITE and VM_DEVICE_WRITE (or VM_READ to view only) under " +
    "Credentials, Groups, Privileges.",
  standby: "Set TRUENAS_HOST to the active controller.",
  lost: "The program reconnects automatically when the NAS answers.",
  closed: "Reconnect.",
  configuration: "Correct the setting and restart the program.",
};

/** Creates an error of the given kind with its remedy; `reason` is the cause in a few words. */
export function connectionError(
  address: NasAddress,
  failure: ConnectionFailure,
  reason: string,
  cause?: unknown,
): TrueNASConnectionError {
  return new TrueNASConnectionError(`Cannot connect to ${addressInWords(address)}: ${reason}`, {
    failure,
    remedy: REMEDIES[failure],
    cause,
  });
}

/** Parts of the runtime's messages (Deno 2.9, Node 22) that identify each failure, and of the TLS client of tunnels. */
const SIGNS: readonly (readonly [RegExp, ConnectionFailure])[] = [
  [/status code: 50[234]|server response: 50[234]/i, "starting"],
  [/dns error|ENOTFOUND|EAI_AGAIN/i, "dns"],
  [/ETIMEDOUT/, "timeout"],
  [/not valid for name|NotValidForName|does not match certificate/i, "tls-name-mismatch"],
  [/certificate.*Expired|NotValidYet/i, "tls-expired"],
  [
    /UnknownIssuer|CaUsedAsEndEntity|invalid peer certificate|UnsupportedCertVersion|self-signed|unable to (get|verify)/i,
    "tls-unknown-issuer",
  ],
  [/InvalidContentType|corrupt message|wrong version number|packet length/i, "not-truenas"],
  [
    /status code|HTTP version|stream error received|invalid HTTP|unexpected end of file|connection closed before|unexpected server response|parse error|socket hang up/i,
    "not-truenas",
  ],
  [/handshake|tls|certificate/i, "tls"],
  [/tcp connect error|refused|unreachable|No such file|reset by peer/i, "refused"],
];

/** The failure that the runtime's message means. */
export function classify(message: string): ConnectionFailure {
  return SIGNS.find(([sign]) => sign.test(message))?.[1] ?? "refused";
}

/** Descriptions that replace the runtime's message, which stays in the error's cause. */
const WORDS: Partial<Readonly<Record<ConnectionFailure, string>>> = {
  dns: "this name has no address in DNS",
  "not-truenas": "the server is not TrueNAS",
  starting: "the web server answers, but TrueNAS behind it does not yet",
  tls: "TLS could not be negotiated",
  "tls-unknown-issuer": "the NAS's certificate is not signed by a trusted CA",
  "tls-name-mismatch": "the NAS's certificate is for a different name",
  "tls-expired": "the NAS's certificate has expired or is not valid yet",
};

/** Describes a failed or lost connection. */
export function wordsFor(failure: ConnectionFailure, message: string): string {
  const usual = failure === "lost" ? "the other side closed it" : "nothing answers at this address and port";
  // What the system's error advises is left out, because each failure has its own remedy.
  const [code] = /\bE[A-Z]{3,}\b/.exec(message) ?? [];
  const error = Object.assign(new Error(message), { code });
  return WORDS[failure] ?? describeSystemError(error)?.split("; ")[0] ?? usual;
}

/** Whether the certificate explains the failure. */
export function isAboutCertificate(failure: ConnectionFailure): boolean {
  return failure === "tls-unknown-issuer" || failure === "tls-name-mismatch" || failure === "tls-expired";
}
