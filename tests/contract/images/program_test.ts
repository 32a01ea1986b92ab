/**
 * Protects what the program itself may reach: it talks to its NAS only, and yet images come from anywhere, through a worker that
 * may do nothing else; and the NAS fetches from it where the account may not upload.
 */
import assert from "node:assert/strict";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { qcow2, sha256Of, storedDigest } from "../../support/images/fetched_images.ts";
import { type FileServer, serveFiles } from "../../support/images/file_server.ts";
import { startPathServer } from "../../../lib/secret_paths/path_server.ts";
import { type Outcome, runProgram } from "../../support/program/command_line.ts";
import { startProgram, withFolder } from "../../support/program/program.ts";

/** Several parts of what workers send each other. */
const IMAGE = qcow2(6_000_000);
const DIGEST = sha256Of(IMAGE);

/** May make VMs and let the NAS fetch, and is no full administrator. */
const MAKER = {
  username: "maker",
  password: "secret",
  roles: [
    ...["VM_WRITE", "VM_DEVICE_WRITE", "DATASET_WRITE", "DATASET_DELETE", "SNAPSHOT_WRITE", "READONLY_ADMIN"],
    ...["CLOUD_SYNC_WRITE", "CLOUD_SYNC_READ", "FILESYSTEM_DATA_READ", "FILESYSTEM_ATTRS_READ"],
  ],
};

interface Attempt {
  readonly serve?: Parameters<typeof serveFiles>[0];
  readonly sha256?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly simulator?: SimulatorOptions;
}

interface Attempted extends Outcome {
  readonly server: FileServer;
  readonly digest: string | undefined;
  readonly methods: readonly string[];
  /** What there is of the image and the disk on the NAS. */
  readonly left: readonly string[];
}

/** Creates a VM from an image at an address, with the real program. */
async function create(
  { serve = () => ({ body: IMAGE }), sha256 = DIGEST, env = {}, simulator }: Attempt,
): Promise<Attempted> {
  await using server = serveFiles(serve);
  await using nas = await startSimulator({ times: TEST_TIMES, ...simulator });
  const config = `
storage: { pool_path: tank/vms }
images:
  debian: { url: "${server.url}/debian.img", sha256: "${sha256}" }
web: { count: 1, memory: 256, cpu: 1, image: debian, disk: { root: 20 }, network: { lan: br0 } }
`;
  const outcomes: Outcome[] = [];
  await withFolder(config, async (folder) => {
    const account = { API_USERNAME: "admin", API_PASSWORD: "truenas", VNC_PASSWORD: "pw", NO_COLOR: "1" };
    outcomes.push(
      await runProgram(["create", "--yes"], folder, { TRUENAS_HOST: nas.url, ...account, ...env }),
    );
  });
  const [outcome = assert.fail("it ran")] = outcomes;
  return {
    ...outcome,
    server,
    digest: storedDigest(nas, "/mnt/tank/images/files-debian/debian.qcow2"),
    methods: nas.calls.map(({ method }) => method),
    left: [...nas.store.datasets.keys()].filter((name) => /files-|disk\d/.test(name)),
  };
}

Deno.test("the program downloads an image from elsewhere, which it may not reach itself", async () => {
  const { code, err, out, digest } = await create({});
  assert.equal(code, 0, `${out}\n${err}`);
  assert.equal(digest, DIGEST);
});

Deno.test("the program says what is wrong with a download, in the words of the worker", async () => {
  const { code, out, err } = await create({ serve: () => ({ body: "<!doctype html>" }) });
  assert.equal(code, 1);
  assert.match(out + err, /debian\.img cannot be used as an image: it is a web page/);
});

Deno.test("a creation whose image has another digest says which, and leaves nothing on the NAS", async () => {
  const { code, out, left } = await create({ sha256: "0".repeat(64) });
  assert.equal(code, 1);
  assert.match(out, new RegExp(`does not have the expected SHA-256: expected 0{64}, found ${DIGEST}`));
  assert.deepEqual(left, []);
});

Deno.test("an image whose server does not say how long it is arrives whole", async () => {
  const serve = () => ({ body: chunked(IMAGE), headers: { "transfer-encoding": "chunked" } });
  const { code, out, err, digest } = await create({ serve });
  assert.equal(code, 0, `${out}\n${err}`);
  assert.equal(digest, DIGEST);
});

/** As HTTP/1.1 sends what it does not know the length of. */
function chunked(bytes: Uint8Array): Uint8Array {
  const [head, tail] = [`${bytes.length.toString(16)}\r\n`, "\r\n0\r\n\r\n"].map((text) =>
    new TextEncoder().encode(text)
  );
  return new Uint8Array([...head ?? [], ...bytes, ...tail ?? []]);
}

Deno.test("the NAS fetches the image where the account may not upload", async () => {
  const env = { API_USERNAME: "maker", API_PASSWORD: "secret", SEED_HOST: "127.0.0.1", SEED_PORT: "0" };
  const simulator = { version: "27.0", accounts: [MAKER], multipartBytes: 1_000_000 } as const;
  const { code, out, err, digest, methods } = await create({ env, simulator });
  assert.equal(code, 0, `${out}\n${err}`);
  assert.equal(digest, DIGEST);
  assert.ok(methods.includes("cloudsync.sync_onetime") && !methods.includes("filesystem.put"));
});

Deno.test("a dashboard whose SEED_PORT is taken does not start, and says so", async () => {
  await using other = await startPathServer({ host: "127.0.0.1", port: 0 });
  await using nas = await startSimulator({ times: TEST_TIMES });
  await withFolder(TEST_CONFIG, async (folder) => {
    const { code, err } = await runProgram(["serve"], folder, {
      TRUENAS_HOST: nas.url,
      API_USERNAME: "admin",
      API_PASSWORD: "truenas",
      VNC_PASSWORD: "pw",
      PORT: "0",
      SEED_HOST: "127.0.0.1",
      SEED_PORT: String(other.port),
    });
    assert.equal(code, 2, err);
    assert.match(err, /SEED_PORT: Port \d+ is in use\. Set SEED_PORT to another port/);
    const program = await startProgram(nas, folder, { env: { SEED_HOST: "vms.lan", SEED_PORT: "0" } });
    assert.match(program.said(), /connect and listen:.*0\.0\.0\.0:0/);
    assert.equal((await program.stop("SIGTERM")).code, 0);
  });
});

Deno.test("a creation whose SEED_PORT is taken says so, and leaves nothing on the NAS", async () => {
  await using other = await startPathServer({ host: "127.0.0.1", port: 0 });
  const account = { API_USERNAME: "maker", API_PASSWORD: "secret" };
  const env = { ...account, SEED_HOST: "127.0.0.1", SEED_PORT: String(other.port) };
  const simulator = { version: "27.0", accounts: [MAKER] } as const;
  const { code, out, err, left } = await create({ env, simulator });
  assert.equal(code, 1, `${out}\n${err}`);
  assert.match(out + err, /Port \d+ is in use\. Set SEED_PORT to another port/);
  assert.doesNotMatch(err, /^environment:/m, "it is told once, with its VM");
  assert.deepEqual(left, []);
});
