/**
 * Protects files that the NAS fetches from this program: only whom the address was given to gets one, in any part, until it is
 * closed. A real rclone fetches in tests/consumers/rclone_test.ts.
 */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { offeringOn } from "../../../lib/images/offering/offering.ts";
import { spool } from "../../../lib/images/offering/spooled_file.ts";
import { startPathServer } from "../../../lib/secret_paths/path_server.ts";
import { rawImage } from "../../support/images/disk_images.ts";
import { withFolder } from "../../support/folder.ts";

const IMAGE = rawImage(1_000_000);
const imageOf = (bytes: Uint8Array<ArrayBuffer>) => ({ body: new Blob([bytes]).stream() });

async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const response = await fetch(url, init);
  await response.body?.cancel();
  return response.status;
}

Deno.test("an offered file can be listed and fetched, whole and in parts, until it is closed", async () => {
  await withFolder(async (folder) => {
    await using server = await startPathServer({ host: "127.0.0.1", port: 0 });
    const offered = await offeringOn(server, folder).offer(imageOf(IMAGE), "debian.raw");
    assert.match(offered.url, new RegExp(`^http://127.0.0.1:${server.port}/[0-9a-f]{64}/$`));
    assert.equal(offered.sent(), IMAGE.length);
    assert.deepEqual(await readdir(folder), [], "it has no name on the disk");

    const index = await fetch(offered.url);
    assert.match(await index.text(), /<a href="debian.raw">/);
    const url = `${offered.url}debian.raw`;
    const whole = await fetch(url);
    assert.deepEqual(await whole.bytes(), IMAGE);
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(IMAGE.length));
    assert.equal(head.headers.get("accept-ranges"), "bytes");
    const part = await fetch(url, { headers: { range: "bytes=600000-600009" } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), `bytes 600000-600009/${IMAGE.length}`);
    assert.deepEqual(await part.bytes(), IMAGE.slice(600_000, 600_010));
    const behind = await fetch(url, { headers: { range: "bytes=1000000-" } });
    assert.equal(behind.status, 416);
    await behind.body?.cancel();

    assert.equal(await statusOf(`${offered.url}other.raw`), 404);
    assert.equal(await statusOf(url, { method: "POST", body: "x" }), 405);
    assert.equal(await statusOf(`http://127.0.0.1:${server.port}/`), 404);
    assert.equal(await statusOf(url.replace(/[0-9a-f]{64}/, "0".repeat(64))), 404);
    assert.equal(offered.failure(), null);
    await offered.close();
    assert.equal(await statusOf(url), 404);
    await offered.close();
  });
});

Deno.test("a file that fails while it arrives is not offered, and leaves nothing", async () => {
  await withFolder(async (folder) => {
    await using server = await startPathServer({ host: "127.0.0.1", port: 0 });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(IMAGE),
      pull: (controller) => controller.error(new Error("another digest")),
    }, { highWaterMark: 0 });
    await assert.rejects(offeringOn(server, folder).offer({ body }, "a.raw"), /another digest/);
    assert.deepEqual(await readdir(folder), []);
  });
});

Deno.test("a file that the disk cannot take is said so, and is not read on", async () => {
  await using server = await startPathServer({ host: "127.0.0.1", port: 0 });
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) });
  await assert.rejects(
    offeringOn(server, "/nowhere").offer({ body }, "a.raw"),
    /cannot be kept in \/nowhere .*no such file or folder/,
  );
  assert.ok(cancelled);
});

Deno.test("a file that waits leaves 1 GiB of the disk to the journal", async () => {
  const GIB = 1024 ** 3;
  await withFolder(async (folder) => {
    let free = GIB + 100 * 1024 ** 2;
    let cancelled = false;
    const piece = new Uint8Array(1024 ** 2);
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        free -= piece.length;
        controller.enqueue(piece);
      },
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    const full =
      /cannot be kept in .* until the NAS fetches it: .* less than 1 GiB free, .*the journal; .*STATE_DIR/;
    await assert.rejects(spool(body, { folder, freeBytes: () => Promise.resolve(free) }), full);
    assert.ok(cancelled);
    assert.ok(free < GIB && free > 0.9 * GIB, "it ended soon after");

    let isRead = false;
    const unread = new ReadableStream<Uint8Array>({ pull: () => void (isRead = true) }, { highWaterMark: 0 });
    await assert.rejects(spool(unread, { folder, freeBytes: () => Promise.resolve(GIB - 1) }), full);
    assert.equal(isRead, false, "nothing is downloaded for a full disk");
    assert.deepEqual(await readdir(folder), []);
  });
});

Deno.test("a taken port is a mistake in the settings", async () => {
  await using other = await startPathServer({ host: "127.0.0.1", port: 0 });
  await assert.rejects(
    startPathServer({ host: "127.0.0.1", port: other.port }),
    (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.match(error.message, /SEED_PORT: Port \d+ is in use/);
      return true;
    },
  );
});

Deno.test("an address of a router in front is in the URLs, and all addresses are listened on", async () => {
  await withFolder(async (folder) => {
    await using server = await startPathServer({ host: "203.0.113.7", port: 0 });
    const offered = await offeringOn(server, folder).offer(imageOf(IMAGE), "a.raw");
    assert.ok(offered.url.startsWith(`http://203.0.113.7:${server.port}/`));
    assert.equal(await statusOf(offered.url.replace("203.0.113.7", "127.0.0.1")), 200);
  });
});
