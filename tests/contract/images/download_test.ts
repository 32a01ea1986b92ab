/**
 * Protects the NAS from wrong images and this network from foreign servers: what openUrl() passes on, what it refuses, and in
 * which words. The server is a real one, and as unreliable as real ones.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { ImageError } from "../../../lib/errors/errors.ts";
import type { ImageStream } from "../../../lib/images/source/image_stream.ts";
import { type ImageUrl, openUrl } from "../../../lib/images/source/open_url.ts";
import { MIB } from "../../../lib/units.ts";
import { packedByXz, rawImage, recordedImage } from "../../support/images/disk_images.ts";
import { makeCertificates } from "../../support/network/certificates.ts";
import { type FileAnswer, type FileServer, serveFiles } from "../../support/images/file_server.ts";

/** Longer than a header, so that something leaves before the end. */
const IMAGE = rawImage(6 * MIB);
const DIGEST = sha256(IMAGE);

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function open(url: string, options: Partial<ImageUrl> = {}): Promise<ImageStream> {
  const { limits, ...rest } = options;
  return openUrl({ url, sha256: null, allowPrivate: true, limits: { pauseMs: 1, ...limits }, ...rest });
}

/** What left before the end, and the error at the end, if any. */
async function readAll({ body }: ImageStream): Promise<{ readonly bytes: number; readonly error: unknown }> {
  let bytes = 0;
  try {
    for await (const chunk of body) bytes += chunk.length;
    return { bytes, error: null };
  } catch (error) {
    return { bytes, error };
  }
}

async function fails(
  image: Promise<ImageStream>,
  failure: ImageError["failure"],
  message: RegExp,
): Promise<void> {
  const error = await image.then(() => null, (error) => error);
  expectFailure(error, failure, message);
}

function expectFailure(error: unknown, failure: ImageError["failure"], message: RegExp): void {
  assert.ok(error instanceof ImageError, String(error));
  assert.match(error.message, message);
  assert.equal(error.failure, failure);
  assert.match(error.remedy, /^No complete image was stored\. [A-Z]/);
}

Deno.test("openUrl() gives name, format, size and digest of an image", async () => {
  await using server = serveFiles(() => ({ body: IMAGE }));
  const image = await open(`${server.url}/images/Debian+12 (amd64).IMG?x=1`, {
    sha256: DIGEST.toUpperCase(),
  });
  const { fileName, format, virtualBytes, lengthBytes, bodyBytes } = image;
  assert.deepEqual(
    { fileName, format, virtualBytes, lengthBytes, bodyBytes },
    {
      fileName: "Debian-12-amd64.raw",
      format: "raw",
      virtualBytes: IMAGE.length,
      lengthBytes: IMAGE.length,
      bodyBytes: IMAGE.length,
    },
  );
  assert.equal(sha256(new Uint8Array(await new Response(image.body).arrayBuffer())), DIGEST);
  assert.equal(image.received(), IMAGE.length);
  assert.equal(await image.digest, DIGEST);
});

Deno.test("openUrl() holds back the end of an image that has another digest", async () => {
  await using server = serveFiles(() => ({ body: IMAGE }));
  const image = await open(`${server.url}/a.raw`, { sha256: "0".repeat(64) });
  const { bytes, error } = await readAll(image);
  expectFailure(error, "digest", new RegExp(`SHA-256: expected 0{64}, found ${DIGEST}`));
  assert.ok(bytes > 0 && bytes < IMAGE.length, `${bytes} bytes left before the end`);
  await assert.rejects(image.digest, ImageError);
});

Deno.test("openUrl() passes on nothing of a small image that has another digest", async () => {
  await using server = serveFiles(() => ({ body: recordedImage("plain.qcow2") }));
  await fails(
    open(`${server.url}/a.qcow2`, { sha256: "0".repeat(64) }),
    "digest",
    /does not have the expected/,
  );
});

const PACKED = [["gz"], ["xz"], ["zst"]] as const;

/** The image, packed once in each way. */
const packedImages = new Map<string, Promise<Uint8Array>>();

function packedAs(ending: "gz" | "xz" | "zst"): Promise<Uint8Array> {
  const packed = packedImages.get(ending) ?? pack(ending);
  packedImages.set(ending, packed);
  return packed;
}

async function pack(ending: "gz" | "xz" | "zst"): Promise<Uint8Array> {
  if (ending === "gz") return gzipSync(IMAGE);
  if (ending === "zst") return zstdCompressSync(IMAGE, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  return await packedByXz(IMAGE);
}

Deno.test.each(PACKED)(
  "openUrl() unpacks .%s, and the digest is that of the packed file",
  async (ending) => {
    const packed = await packedAs(ending);
    await using server = serveFiles(() => ({ body: packed }));
    // The content decides, whatever the name.
    const image = await open(`${server.url}/talos.raw.${ending}`, { sha256: sha256(packed) });
    assert.equal(image.fileName, "talos.raw");
    assert.equal(image.lengthBytes, packed.length);
    assert.equal(image.bodyBytes, null);
    assert.equal(sha256(new Uint8Array(await new Response(image.body).arrayBuffer())), DIGEST);
    assert.equal(image.received(), packed.length);
  },
);

Deno.test.each(PACKED)("openUrl() notices a .%s that is cut off or damaged", async (ending) => {
  const packed = await packedAs(ending);
  const damaged = packed.slice();
  damaged.fill(7, damaged.length - 2000, damaged.length - 1000);
  for (const body of [packed.subarray(0, packed.length - 1), packed.subarray(0, 5 * MIB), damaged]) {
    await using server = serveFiles(() => ({ body }));
    const { error } = await readAll(await open(`${server.url}/a`));
    expectFailure(error, "damaged", /could not be unpacked: (it ends early|its content is damaged)/);
  }
});

Deno.test("openUrl() refuses a file that unpacks to far more than a disk image could", async () => {
  const image = new Uint8Array(8 * MIB);
  image.set([0x55, 0xaa], 510);
  await using server = serveFiles(() => ({ body: gzipSync(image) }));
  const small = await readAll(await open(`${server.url}/a`));
  assert.equal(small.error, null, "a small file may be as dense as it likes");
  const limits = { unpackedBytes: 6 * MIB };
  expectFailure(
    (await readAll(await open(`${server.url}/a`, { limits }))).error,
    "too-large",
    /larger than 6 MiB/,
  );
});

Deno.test("openUrl() refuses an image of a disk that is too large", async () => {
  await using server = serveFiles(() => ({ body: recordedImage("plain.qcow2") }));
  const limits = { virtualBytes: 1024 * MIB };
  await fails(open(`${server.url}/a`, { limits }), "too-large", /a disk of 3 GiB; at most 1 GiB are allowed/);
});

const WRONG_ANSWERS: readonly (readonly [string, FileAnswer, ImageError["failure"], RegExp])[] = [
  ["a web page", { body: "<!doctype html><title>Sign in</title>" }, "format", /it is a web page/],
  ["nothing", {}, "format", /it is empty/],
  ["404", { status: 404, body: "no" }, "server", /no such file on the server \(HTTP 404\)/],
  ["403", { status: 403 }, "server", /does not allow it \(HTTP 403\)/],
  ["500", { status: 500 }, "server", /the server failed \(HTTP 500\)/],
  ["a redirect to nowhere", { status: 302 }, "server", /does not say where to/],
  ["a backing file", { body: recordedImage("backing.qcow2") }, "format", /backing file/],
];

Deno.test.each(WRONG_ANSWERS)(
  "openUrl() says what is wrong with an answer: %s",
  async (_what, answer, failure, message) => {
    await using server = serveFiles(() => answer);
    await fails(open(`${server.url}/a.qcow2`), failure, message);
  },
);

Deno.test("openUrl() says why a server cannot be reached", async () => {
  await fails(open("http://127.0.0.1:1/a"), "server", /nothing is listening there/);
  await fails(open("http://images.invalid/a"), "server", /no address in DNS/);
  await using silent = serveFiles(() => ({ headers: { "content-length": "9" } }));
  await fails(
    open(silent.url.replace("http:", "https:"), { limits: { idleMs: 200 } }),
    "server",
    /did not answer/,
  );
});

Deno.test("openUrl() says that a certificate is not accepted", async () => {
  const { selfSigned: { cert, key } } = await makeCertificates();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
    () => new Response("no"),
  );
  await fails(open(`https://127.0.0.1:${server.addr.port}/a`), "server", /its certificate is not accepted/);
});

Deno.test("openUrl() takes only addresses of files on web servers", async () => {
  for (const url of ["ftp://a.example/b", "file:///etc/passwd", "debian.qcow2", ""]) {
    await fails(open(url), "address", /not the address of a file/);
  }
  const error = await open("https://me:secret@a.example/b").then(() => null, (it) => it);
  expectFailure(error, "address", /user name or password/);
  assert.doesNotMatch(String(error), /secret/);
});

Deno.test("openUrl() allows an image without a length", async () => {
  await using server = serveFiles(() => ({ body: IMAGE, headers: { "content-length": "" } }));
  const image = await open(`${server.url}/a`, { sha256: DIGEST });
  assert.equal(image.lengthBytes, null);
  assert.equal(image.virtualBytes, null);
  assert.deepEqual(await readAll(image), { bytes: IMAGE.length, error: null });
});

Deno.test("openUrl() gives up a server that falls silent", async () => {
  await using server = serveFiles(() => ({
    body: IMAGE.subarray(0, 5 * MIB),
    headers: { "content-length": String(IMAGE.length) },
    after: "silence",
  }));
  const image = await open(`${server.url}/a`, { limits: { idleMs: 200, retries: 0 } });
  const { bytes, error } = await readAll(image);
  expectFailure(error, "incomplete", /broke off after 5242880 of 6291456 bytes/);
  assert.ok(bytes < 5 * MIB + 1);
});

/** Sends a piece of the file from where it is asked to, then breaks off. */
function inPieces(pieceBytes: number, headers: Readonly<Record<string, string>> = {}): FileServer {
  return serveFiles(({ headers: asked }) => {
    const from = Number(/^bytes=(\d+)-$/.exec(asked.get("range") ?? "")?.[1] ?? 0);
    const rest = { "content-length": String(IMAGE.length - from), ...headers };
    const range = { "content-range": `bytes ${from}-${IMAGE.length - 1}/${IMAGE.length}` };
    const body = IMAGE.subarray(from, from + pieceBytes);
    return from === 0 ? { body, headers: rest } : { status: 206, body, headers: { ...rest, ...range } };
  });
}

Deno.test("openUrl() continues a download that breaks, where it broke, and the digest runs on", async () => {
  await using server = inPieces(MIB);
  const image = await open(`${server.url}/a`, { sha256: DIGEST });
  assert.deepEqual(await readAll(image), { bytes: IMAGE.length, error: null });
  assert.deepEqual(
    server.requests.map(({ headers }) => headers.get("range")),
    [null, ...[1, 2, 3, 4, 5].map((n) => `bytes=${n * MIB}-`)],
  );
});

Deno.test("openUrl() continues a file without a digest only if it is still the same", async () => {
  await using server = inPieces(4 * MIB + 100, { etag: '"v1"' });
  assert.deepEqual(await readAll(await open(`${server.url}/a`)), { bytes: IMAGE.length, error: null });
  assert.equal(server.requests.at(-1)?.headers.get("if-range"), '"v1"');
  await using unknown = inPieces(5 * MIB);
  expectFailure(
    (await readAll(await open(`${unknown.url}/a`))).error,
    "incomplete",
    /could not be continued/,
  );
  assert.equal(unknown.requests.length, 1);
});

Deno.test("openUrl() does not continue with a server that sends the whole file again", async () => {
  await using server = serveFiles((_request, count) =>
    count === 1
      ? { body: IMAGE.subarray(0, 5 * MIB), headers: { "content-length": String(IMAGE.length) } }
      : { body: IMAGE }
  );
  const { error } = await readAll(await open(`${server.url}/a`, { sha256: DIGEST }));
  expectFailure(error, "incomplete", /broke off after 5242880 of 6291456 bytes, and could not be continued/);
});

Deno.test("openUrl() tries again while a server is away, but not for ever", async () => {
  await using server = serveFiles((_request, count) =>
    count === 1
      ? { body: IMAGE.subarray(0, 5 * MIB), headers: { "content-length": String(IMAGE.length) } }
      : { status: 503 }
  );
  const image = await open(`${server.url}/a`, { sha256: DIGEST, limits: { retries: 3 } });
  expectFailure((await readAll(image)).error, "incomplete", /broke off/);
  assert.equal(server.requests.length, 4);
});

Deno.test("cancelling the body, or the signal, ends the connection", async () => {
  const answer = { body: IMAGE.subarray(0, 5 * MIB), headers: { "content-length": String(IMAGE.length) } };
  await using server = serveFiles(() => ({ ...answer, after: "silence" }));
  const image = await open(`${server.url}/a`);
  await image.body.cancel("enough");
  const stopping = new AbortController();
  const other = await open(`${server.url}/a`, { signal: stopping.signal });
  const reading = readAll(other);
  stopping.abort(new Error("stopped"));
  assert.match(String((await reading).error), /stopped/);
});
