/**
 * Protects the dashboard from clients that open connections without sending a whole request: other clients are answered
 * meanwhile and afterwards. The program itself runs, with a low limit on open files.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { makeCertificates } from "../support/network/certificates.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { type Program, startProgram, withFolder } from "../support/program/program.ts";

const OPEN_FILES = 256;
const HALF_OPEN = 600;

const HALF_HEAD = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ";
/** The head of a ClientHello of 512 bytes, of which nothing follows. */
const HANDSHAKE_BEGUN = new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]);

/** Sends a beginning and nothing more; by default the first half of a request's head. */
async function halfOpen(
  { url }: Program,
  localAddress: string,
  beginning: string | Uint8Array = HALF_HEAD,
): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  // It may be closed at any moment, to make room.
  socket.on("error", () => {});
  await new Promise<void>((resolve) => {
    socket.once("connect", () => {
      socket.write(beginning);
      resolve();
    });
    socket.once("close", () => resolve());
  });
  return socket;
}

/** A page from another address; the status, or 0 when nothing answered in time. */
async function pageFrom({ url }: Program, localAddress: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  const { promise, resolve } = Promise.withResolvers<number>();
  socket.on("error", () => resolve(0));
  socket.on("close", () => resolve(0));
  socket.setTimeout(5_000, () => resolve(0));
  socket.on("data", (data: Uint8Array) => {
    resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(new TextDecoder().decode(data))?.[1] ?? 0));
  });
  socket.on("connect", () => socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
  const status = await promise;
  socket.destroy();
  return status;
}

const ATTACKS: Readonly<Record<string, (n: number) => string>> = {
  "one address": () => "127.0.0.3",
  "many addresses": (n) => `127.0.${1 + Math.floor(n / 250)}.${1 + n % 250}`,
};

Deno.test("half-open connections keep nobody out, then or later (fault 14)", async () => {
  for (const [from, addressOf] of Object.entries(ATTACKS)) {
    await withFolder(TEST_CONFIG, async (folder) => {
      await using simulator = await startSimulator({ times: TEST_TIMES });
      const program = await startProgram(simulator, folder, { openFiles: OPEN_FILES });
      const sockets: Socket[] = [];
      for (let n = 0; n < HALF_OPEN; n++) sockets.push(await halfOpen(program, addressOf(n)));
      for (let n = 0; n < 5; n++) {
        assert.equal(await pageFrom(program, "127.0.0.2"), 200, `${from}: meanwhile`);
      }
      for (const socket of sockets) socket.destroy();
      assert.equal(await pageFrom(program, "127.0.0.2"), 200, `${from}: afterwards`);
      assert.equal(await pageFrom(program, addressOf(0)), 200, `${from}: also there`);
      assert.equal((await program.stop("SIGTERM")).code, 0);
    });
  }
});

Deno.test("a request whose head does not arrive in time is closed (fault 14)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const program = await startProgram(simulator, folder);
    const socket = await halfOpen(program, "127.0.0.3");
    const closed = Promise.withResolvers<void>();
    socket.once("close", () => closed.resolve());
    // It sends slowly, like a client that wants to keep the connection.
    const dribble = setInterval(() => socket.write("x"), 500);
    await closed.promise;
    clearInterval(dribble);
    assert.equal((await program.stop("SIGTERM")).code, 0);
  }));

Deno.test("unfinished TLS handshakes keep nobody out and are closed (fault 14)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    const { good, ca } = await makeCertificates();
    await Deno.writeTextFile(`${folder}/cert.pem`, good.cert);
    await Deno.writeTextFile(`${folder}/key.pem`, good.key);
    const env = { TLS_CERT_FILE: `${folder}/cert.pem`, TLS_KEY_FILE: `${folder}/key.pem` };
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const program = await startProgram(simulator, folder, { env, openFiles: OPEN_FILES });
    using client = Deno.createHttpClient({ caCerts: [ca], poolMaxIdlePerHost: 0 });
    const status = async () => {
      const response = await fetch(program.url, { client });
      await response.body?.cancel();
      return response.status;
    };
    const sockets: Socket[] = [];
    for (let n = 0; n < HALF_OPEN; n++) {
      sockets.push(await halfOpen(program, "127.0.0.3", HANDSHAKE_BEGUN));
    }
    assert.equal(await status(), 200, "meanwhile");
    await Promise.all(
      sockets.map((socket) => socket.closed ? null : new Promise((resolve) => socket.once("close", resolve))),
    );
    assert.equal(await status(), 200, "afterwards");
    assert.equal((await program.stop("SIGTERM")).code, 0);
  }));
