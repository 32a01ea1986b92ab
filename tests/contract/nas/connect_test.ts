/** Protects the first connection: whatever is wrong with the NAS, its address or the account, the error says what to do. */
import assert from "node:assert/strict";
import { TrueNASConnectionError } from "../../../lib/errors/errors.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { credentials } from "../../support/lab.ts";

Deno.test("connect() says what is wrong and what to do", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const { port } = simulator;
  const cases: readonly (readonly [Partial<VMManagerOptions>, string, RegExp])[] = [
    [{ host: "ws://127.0.0.1:1" }, "refused", /address and port/],
    [{ host: "ws://nas.invalid" }, "dns", /IP address/],
    [{ password: "wrong" }, "login", /API_USERNAME/],
    [{ host: `wss://127.0.0.1:${port}` }, "not-truenas", /wss:\/\/ or ws:\/\//],
  ];
  for (const [options, failure, remedy] of cases) {
    await using manager = new VMManager({ ...credentials(simulator), ...options });
    await assert.rejects(manager.connect(), (error) => {
      assert.ok(error instanceof TrueNASConnectionError);
      assert.equal(error.failure, failure);
      assert.match(error.remedy, remedy);
      return true;
    });
  }
});

async function failureOf(host: string): Promise<TrueNASConnectionError> {
  await using manager = new VMManager({ host, username: "admin", password: "truenas" });
  const error = await manager.connect().then(() => null, (error: unknown) => error);
  assert.ok(error instanceof TrueNASConnectionError);
  return error;
}

Deno.test("a server that is not TrueNAS is distinguished from a NAS without a VM API", async () => {
  await using server = Deno.serve(
    { port: 0, onListen: () => {} },
    () => new Response("hello", { status: 404 }),
  );
  assert.equal((await failureOf(`ws://127.0.0.1:${server.addr.port}`)).failure, "not-truenas");
});

/** TrueNAS 25.04.0: every vm.* is unknown. */
function answerWithoutVms(text: string): string {
  const { id, method } = JSON.parse(text);
  if (method === "vm.query") {
    return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method does not exist" } });
  }
  const result = method === "auth.login_ex" ? { response_type: "SUCCESS" } : "25.04.0";
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}

Deno.test("a NAS without a VM API is reported with a remedy", async () => {
  const closed = Promise.withResolvers<void>();
  const handler = (request: Request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(answerWithoutVms(data));
    socket.onclose = () => closed.resolve();
    return response;
  };
  await using server = Deno.serve({ port: 0, onListen: () => {} }, handler);
  const error = await failureOf(`ws://127.0.0.1:${server.addr.port}`);
  assert.equal(error.failure, "no-vm-api");
  assert.match(error.message, /TrueNAS 25\.04\.0 has no VM API/);
  assert.match(error.remedy, /Update to 25\.04\.2 or later/);
  await closed.promise;
});

Deno.test("an untrusted certificate is reported with the setting that trusts it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [key, cert] = [`${folder}/key.pem`, `${folder}/cert.pem`];
    const args = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=truenas",
      "-keyout",
      key,
      "-out",
      cert,
    ];
    assert.ok((await new Deno.Command("openssl", { args, stderr: "null" }).output()).success);
    const tls = { key: await Deno.readTextFile(key), cert: await Deno.readTextFile(cert) };
    await using server = Deno.serve({ port: 0, onListen: () => {}, ...tls }, () => new Response("hello"));
    const error = await failureOf(`wss://127.0.0.1:${server.addr.port}`);
    assert.equal(error.failure, "tls-unknown-issuer");
    assert.match(
      error.message,
      /The certificate is CN=truenas, valid from .* with the SHA-256 fingerprint ([0-9A-F]{2}:){31}/,
    );
    assert.match(
      error.remedy,
      /TRUENAS_CA_FILE to the CA that signed it\. Add: TRUENAS_CERT_FINGERPRINT=([0-9A-F]{2}:){31}/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
