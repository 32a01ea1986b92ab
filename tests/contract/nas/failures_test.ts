/**
 * Protects the table of connection failures: each one is produced with real sockets and real certificates, and has its
 * own message and remedy. docs/connecting.md has the same table.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type ConnectionFailure, TrueNASConnectionError } from "../../../lib/errors/errors.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { connectionError, REMEDIES } from "../../../lib/truenas/connection/failures.ts";
import { openNas } from "../../../lib/truenas/connection/connection.ts";
import { parseNasAddress } from "../../../lib/configuration/environment/nas_address.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { type Certificates, fingerprintOf, makeCertificates } from "../../support/network/certificates.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const certificates: Certificates = await makeCertificates();
const ADMIN = { username: "admin", password: "truenas" };

async function failureOf(options: VMManagerOptions): Promise<TrueNASConnectionError> {
  await using manager = new VMManager(options);
  const error = await manager.connect().then(() => null, (error: unknown) => error);
  assert.ok(error instanceof TrueNASConnectionError, String(error));
  return error;
}

async function failureWith(
  simulator: SimulatorOptions,
  options: Partial<VMManagerOptions> = {},
): Promise<TrueNASConnectionError> {
  await using nas = await startSimulator({ times: TEST_TIMES, ...simulator });
  return await failureOf({ host: nas.url, ...ADMIN, ...options });
}

/** A port that nobody listens on. */
function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function silentServer(work: (host: string) => Promise<TrueNASConnectionError>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const connection of listener) accepted.push(connection);
  })().catch(() => {});
  try {
    return await work(`ws://127.0.0.1:${listener.addr.port}`);
  } finally {
    for (const connection of accepted) connection.close();
    listener.close();
    await serving;
  }
}

/** A session may wait a minute; probing a server that never answers must not. */
async function timeoutAt(host: string): Promise<TrueNASConnectionError> {
  const parsed = parseNasAddress(host);
  assert.ok(parsed.ok);
  const error = await openNas(parsed.address, { timeoutMs: 200 }).then(() => null, (error: unknown) => error);
  assert.ok(error instanceof TrueNASConnectionError);
  return error;
}

const KEY = `7-${"k".repeat(64)}`;

interface Row {
  readonly failure: ConnectionFailure;
  readonly message: RegExp;
  readonly produce: () => Promise<TrueNASConnectionError>;
}

const ROWS: Readonly<Record<string, Row>> = {
  "an unknown name": {
    failure: "dns",
    message: /Cannot connect to wss:\/\/no-such-host\.invalid/,
    produce: () => failureOf({ host: "no-such-host.invalid", ...ADMIN }),
  },
  "a closed port": {
    failure: "refused",
    message: /Cannot connect to ws:\/\/127\.0\.0\.1:\d+: /,
    produce: () => failureOf({ host: `ws://127.0.0.1:${closedPort()}`, ...ADMIN }),
  },
  "a unix socket that is not there": {
    failure: "refused",
    message: /Cannot connect to unix:\/no\/such\.sock/,
    produce: () => failureOf({ host: "unix:/no/such.sock" }),
  },
  "no answer": {
    failure: "timeout",
    message: /no answer within 200 ms/,
    produce: () => silentServer(timeoutAt),
  },
  "an unknown issuer": {
    failure: "tls-unknown-issuer",
    message:
      /is not signed by a trusted CA.*The certificate is CN=good, valid from .* fingerprint ([0-9A-F]{2}:){31}/,
    produce: () => failureWith({ tls: certificates.good }),
  },
  "a certificate for another name": {
    failure: "tls-name-mismatch",
    message: /the NAS's certificate is for a different name\. The certificate is CN=other/,
    produce: () => failureWith({ tls: certificates.wrongName }, { caCerts: [certificates.ca] }),
  },
  "a certificate out of date": {
    failure: "tls-expired",
    message: /the NAS's certificate has expired or is not valid yet\. The certificate is CN=expired/,
    produce: () => failureWith({ tls: certificates.expired }, { caCerts: [certificates.ca] }),
  },
  "another certificate than the pinned one": {
    failure: "tls-pin-mismatch",
    message:
      /the server's certificate does not match the pinned one; its fingerprint is ([0-9A-F]{2}:){31}[0-9A-F]{2} \(CN=good/,
    produce: async () =>
      failureWith({ tls: certificates.good }, {
        caCerts: [certificates.ca],
        certFingerprint: await fingerprintOf(certificates.selfSigned),
      }),
  },
  "HTTP on a port that should speak TLS": {
    failure: "not-truenas",
    message: /Cannot connect to wss:/,
    produce: async () => {
      await using nas = await startSimulator({ times: TEST_TIMES });
      return await failureOf({ host: nas.url.replace("ws:", "wss:"), ...ADMIN });
    },
  },
  "a web server that is no NAS": {
    failure: "not-truenas",
    message: /Cannot connect to ws:/,
    produce: () => failureWith({ answerInstead: () => new Response("<html>hello</html>") }),
  },
  "a NAS whose web server is there before the rest": {
    failure: "starting",
    message: /the web server answers, but TrueNAS behind it does not yet/,
    produce: () => failureWith({ answerInstead: () => new Response("Bad Gateway", { status: 502 }) }),
  },
  "a NAS that sends everything to https": {
    failure: "not-truenas",
    message: /the NAS redirects to HTTPS; use wss:\/\//,
    produce: () =>
      failureWith({
        answerInstead: () => new Response(null, { status: 307, headers: { location: "https://nas.lan/" } }),
      }),
  },
  "a release without a VM API": {
    failure: "no-vm-api",
    message: /TrueNAS 25\.04\.0 has no VM API/,
    produce: () => failureWith({ version: "25.04.0" }),
  },
  "a wrong password": {
    failure: "login",
    message: /does not accept the user name or password of "admin"/,
    produce: () => failureWith({}, { password: "wrong" }),
  },
  "a wrong password on 24.10": {
    failure: "login",
    message: /does not accept the user name or password of "admin"/,
    produce: () => failureWith({ version: "24.10" }, { password: "wrong" }),
  },
  "a wrong or revoked API key": {
    failure: "login",
    message: /does not accept the API key of "admin"; it is wrong or was revoked/,
    produce: () => failureWith({}, { apiKey: "1-nonsense" }),
  },
  "a wrong or revoked API key on 27.0": {
    failure: "login",
    message: /does not accept the API key of "admin"; it is wrong or was revoked/,
    produce: () => failureWith({ version: "27.0" }, { apiKey: `1-${"b".repeat(64)}` }),
  },
  "an API key that is none": {
    failure: "login",
    message: /the API key is malformed/,
    produce: () => failureWith({ version: "27.0" }, { apiKey: "nonsense" }),
  },
  "an expired API key on 27.0": {
    failure: "expired",
    message: /the API key of "ci" has expired or was revoked/,
    produce: () =>
      failureWith({
        version: "27.0",
        accounts: [{ username: "ci", password: "x", roles: ["VM_READ"], apiKey: KEY, apiKeyExpired: true }],
      }, { username: "ci", apiKey: KEY }),
  },
  "an expired API key": {
    failure: "expired",
    message: /the API key of "ci" has expired or was revoked/,
    produce: () =>
      failureWith({
        accounts: [{ username: "ci", password: "x", roles: ["VM_READ"], apiKey: KEY, apiKeyExpired: true }],
      }, { username: "ci", apiKey: KEY }),
  },
  "a wrong one-time password": {
    failure: "otp",
    message: /does not accept the one-time password of "otp"/,
    produce: () =>
      failureWith({
        version: "27.0",
        accounts: [{ username: "otp", password: "otp-pw", roles: ["VM_READ"], otp: "123456" }],
      }, { username: "otp", password: "otp-pw", askOtp: () => Promise.resolve("000000") }),
  },
  "an account that cannot list VMs": {
    failure: "denied",
    message: /the account "poor" cannot list VMs/,
    produce: () =>
      failureWith({
        accounts: [{ username: "poor", password: "poor", roles: ["DATASET_READ"] }],
      }, { username: "poor", password: "poor" }),
  },
  "too many logins": {
    failure: "rate-limited",
    message: /temporarily refuses further logins/,
    produce: async () => {
      await using nas = await startSimulator({ times: TEST_TIMES });
      const others = Array.from(
        { length: 20 },
        () => failureOf({ host: nas.url, ...ADMIN, password: "guess" }),
      );
      await Promise.all(others);
      return await failureOf({ host: nas.url, ...ADMIN });
    },
  },
  "an API key over an unencrypted connection": {
    failure: "configuration",
    message: /the connection is not encrypted and TrueNAS would revoke the key. Nothing was sent/,
    produce: () => failureByKeyInClear(),
  },
};

/** The refusal comes before anything is sent, so the machine's own address serves as another machine's. */
async function failureByKeyInClear(): Promise<TrueNASConnectionError> {
  const own = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  const hostname = own?.address ?? "127.0.0.2";
  await using nas = await startSimulator({ times: TEST_TIMES, hostname });
  const error = await failureOf({ host: nas.url, username: "admin", apiKey: `1-${"a".repeat(64)}` });
  assert.ok(!nas.calls.some(({ method }) => method.startsWith("auth.login")), "the key was not sent");
  assert.equal(nas.store.accounts[0]?.apiKeyRevoked, false);
  return error;
}

for (const [what, { failure, message, produce }] of Object.entries(ROWS)) {
  Deno.test(`${what}: plain words with a remedy`, async () => {
    const error = await produce();
    assert.equal(error.failure, failure, error.message);
    assert.match(error.message, message);
    assert.ok(error.remedy.startsWith(REMEDIES[failure]) || failure === "configuration", error.remedy);
    assert.doesNotMatch(
      error.message,
      /truenas"|wrong|guess/i.test(error.message) ? /password=|guess/ : /^$/,
    );
  });
}

Deno.test("an untrusted first connection shows the line that trusts it, and that line works", async () => {
  await using nas = await startSimulator({ times: TEST_TIMES, tls: certificates.selfSigned });
  const { remedy } = await failureOf({ host: nas.url, ...ADMIN });
  const line = /TRUENAS_CERT_FINGERPRINT=(\S+)$/.exec(remedy)?.[1];
  assert.equal(line, await fingerprintOf(certificates.selfSigned));
  await using manager = new VMManager({ host: nas.url, ...ADMIN, certFingerprint: line ?? "" });
  await manager.connect();
  assert.deepEqual(await manager.list(), []);
});

Deno.test("a NAS with a pinned certificate that is down is reported as such, not as another server", async () => {
  const nas = await startSimulator({ times: TEST_TIMES, tls: certificates.selfSigned });
  await nas.stop();
  const certFingerprint = await fingerprintOf(certificates.selfSigned);
  const { failure, message } = await failureOf({ host: nas.url, ...ADMIN, certFingerprint });
  assert.equal(failure, "refused");
  assert.match(message, /nothing is listening there/);
  const unknown = await failureOf({ host: "no-such-host.invalid", ...ADMIN, certFingerprint });
  assert.equal(unknown.failure, "dns");
});

Deno.test("docs/connecting.md explains every failure", () => {
  const page = readFileSync(new URL("../../../docs/connecting.md", import.meta.url), "utf8");
  const parsed = parseNasAddress("nas.lan");
  assert.ok(parsed.ok);
  const told = ["lost", "closed", "configuration", "standby", "not-allowed", "tls"];
  for (const failure of Object.keys(REMEDIES) as ConnectionFailure[]) {
    if (told.includes(failure)) continue;
    assert.match(page, new RegExp(`\\| \`${failure}\``), failure);
    assert.equal(connectionError(parsed.address, failure, "x").remedy, REMEDIES[failure]);
  }
});
