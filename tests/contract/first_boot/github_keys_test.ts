/**
 * Protects `github:NAME`: keys come through the worker that downloads, within ten seconds, only where the answer is keys; they are
 * asked for once, and what a plan has shown is what is used.
 */
import assert from "node:assert/strict";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { githubKeys } from "../../../lib/first_boot/github_keys.ts";
import { readSeedTexts } from "../../../lib/first_boot/rendering/seed_texts.ts";
import type { SeedFiles } from "../../../lib/first_boot/rendering/seed.ts";
import { downloadsOver, serveDownloads } from "../../../lib/images/acquiring/remote_download.ts";
import { fetchText } from "../../../lib/images/source/fetch_text.ts";
import { openUrl } from "../../../lib/images/source/open_url.ts";
import { KEY } from "../../unit/first_boot/seed_samples.ts";

const ANSWERS: Readonly<Record<string, () => Response>> = {
  "/some-one.keys": () => new Response(`${KEY}\n`),
  "/page.keys": () => new Response("<html>Sign in s3cret</html>"),
  "/none.keys": () => new Response(""),
  "/large.keys": () => new Response(`${KEY}\n`.repeat(1_000)),
  "/away.keys": () => new Response("", { status: 503 }),
  "/silent.keys": () =>
    new Response(new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(1)) })),
};

Deno.test("keys of an account come through the worker that downloads, and only keys do", async () => {
  let asked = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked++;
    return ANSWERS[new URL(request.url).pathname]?.() ?? new Response("", { status: 404 });
  });
  const { port1, port2 } = new MessageChannel();
  serveDownloads(port2, {
    openUrl,
    fetchText: (wanted) => fetchText({ ...wanted, timeoutMs: wanted.timeoutMs / 50 }),
  });
  let now = 0;
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const keysOf = githubKeys({ fetchText: downloadsOver(port1).fetchText, origin, clock: () => now });
  const files: SeedFiles = { keysOf, read: () => Promise.reject(new Error("no file is named")) };
  const texts = (account: string, keys = {}) =>
    readSeedTexts({ kind: "cloud-init", ssh_keys: [`github:${account}`] }, files, keys);

  const { keys } = await texts("some-one");
  assert.deepEqual(keys, [{ key: KEY, from: "github:some-one" }]);
  await texts("some-one");
  assert.equal(asked, 1, "pages plan again with each change");
  now = 600_000;
  await texts("some-one");
  assert.equal(asked, 2);
  assert.deepEqual((await texts("nobody", { keys: [{ key: KEY, from: "github:nobody" }] })).keys.length, 1);
  assert.equal(asked, 2, "what was shown is not asked for again");

  const fails = (account: string, message: RegExp) =>
    assert.rejects(() => texts(account), (error) => {
      assert.ok(error instanceof ConfigurationError && message.test(error.message), String(error));
      assert.ok(error.message.startsWith(`github:${account}: `) && !error.message.includes("s3cret"));
      return true;
    });
  await fails("nobody", /There is no account of this name at GitHub; check its spelling$/);
  await fails("page", /not a list of public keys/);
  await fails("none", /has no public keys/);
  await fails("large", /sends more than 65536 bytes\. Try again, or put the keys into a file/);
  await fails("away", /status 503/);
  await fails("silent", /did not answer within 0 s/);
  port1.close();
  port2.close();
});
