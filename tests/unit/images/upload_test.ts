/** Protects the NAS from uploads that break off or are no images; what arrives is checked as a download is. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ImageError } from "../../../lib/errors/errors.ts";
import { openUpload } from "../../../lib/images/source/open_upload.ts";
import { soon } from "../../support/deadline.ts";
import { rawImage } from "../../support/images/disk_images.ts";

const IMAGE = rawImage(5_000_000);
const DIGEST = createHash("sha256").update(IMAGE).digest("hex");
const sent = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes]).stream();

async function failureOf(opening: ReturnType<typeof openUpload>): Promise<ImageError> {
  const error = await opening.then(({ body }) => new Response(body).bytes()).then(() => null, (it) => it);
  assert.ok(error instanceof ImageError, String(error));
  return error;
}

Deno.test("openUpload() gives an image and its digest", async () => {
  const upload = { fileName: "My disk.RAW", sha256: DIGEST, lengthBytes: IMAGE.length };
  const image = await openUpload(sent(IMAGE), upload);
  assert.equal(image.fileName, "My-disk.raw");
  assert.deepEqual(await new Response(image.body).bytes(), IMAGE);
  assert.equal(await image.digest, DIGEST);
});

Deno.test("openUpload() says what is wrong: it ends early, is another file, or no image", async () => {
  const known = { fileName: "a.raw", sha256: null, lengthBytes: IMAGE.length + 1 };
  const early = await failureOf(openUpload(sent(IMAGE), known));
  assert.match(early.message, /The upload of a\.raw ended after 5000000 of 5000001 bytes/);
  assert.match(early.remedy, /No complete image was stored\. Upload the file again\./);
  const other = { ...known, sha256: "0".repeat(64), lengthBytes: null };
  assert.equal((await failureOf(openUpload(sent(IMAGE), other))).failure, "digest");
  const text = new TextEncoder().encode("hello");
  assert.equal((await failureOf(openUpload(sent(text), { ...known, lengthBytes: null }))).failure, "format");
});

Deno.test("openUpload() gives up a sender that falls silent, and stops when it is told to", async () => {
  const silent = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(IMAGE) });
  const known = { fileName: "a.raw", sha256: null, lengthBytes: null };
  const error = await failureOf(openUpload(silent(), { ...known, limits: { idleMs: 50 } }));
  assert.equal(error.failure, "incomplete");
  const stopping = new AbortController();
  const image = await openUpload(silent(), { ...known, signal: stopping.signal });
  const reading = new Response(image.body).bytes().then(() => null, (it) => it);
  stopping.abort(new Error("stopped"));
  assert.match(String(await reading), /stopped/);
});

Deno.test("openUpload() does not wait for what a sender does with the rest", async () => {
  const { promise: never } = Promise.withResolvers<void>();
  const source = {
    start: (it: ReadableStreamDefaultController<Uint8Array>) => it.enqueue(IMAGE),
    cancel: () => never,
  };
  const opening = openUpload(new ReadableStream(source), {
    fileName: "a.raw",
    sha256: null,
    lengthBytes: null,
    limits: { idleMs: 50 },
  });
  assert.equal((await soon(failureOf(opening), "the upload is given up")).failure, "incomplete");
});
