/** Protects the reading of a form with a file as it arrives: byte by byte or at once, with boundaries cut anywhere, and broken off. */
import assert from "node:assert/strict";
import { BrokenUpload, drain, readUpload } from "../../../routes/images/multipart.ts";
import { soon } from "../../support/deadline.ts";

const BOUNDARY = "----WebKitFormBoundaryabc";
const FILE = "first\r\n--not the boundary\r\n\r\nlast";

function formWith(parts: string): string {
  return `${parts}--${BOUNDARY}--\r\n`;
}

function part(head: string, body: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
}

const FORM = formWith(
  part('name="token"', "t1") + part('name="name"', "débian") +
    part('name="file"; filename="a %22b%22.qcow2"', FILE),
);

function requestOf(text: string, chunkBytes: number): Request {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += chunkBytes));
    },
  });
  const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
  return new Request("http://127.0.0.1/", { method: "POST", body, headers });
}

for (const chunkBytes of [1, 3, 7, 50, 10_000]) {
  Deno.test(`fields and file arrive whole in pieces of ${chunkBytes} bytes`, async () => {
    const { fields, fileName, stream } = await readUpload(requestOf(FORM, chunkBytes));
    assert.deepEqual([...fields], [["token", "t1"], ["name", "débian"]]);
    assert.equal(fileName, 'a "b".qcow2');
    assert.equal(await new Response(stream).text(), FILE);
  });
}

Deno.test("a form that breaks off fails its file, and one without a file is refused", async () => {
  const { stream } = await readUpload(requestOf(FORM.slice(0, FORM.length - BOUNDARY.length), 5));
  await assert.rejects(new Response(stream).text(), BrokenUpload);
  await assert.rejects(readUpload(requestOf(formWith(part('name="token"', "t1")), 9)), BrokenUpload);
  const long = formWith(part('name="name"', "x".repeat(100_000)));
  await assert.rejects(readUpload(requestOf(long, 1_000)), /too long/);
  const plain = new Request("http://127.0.0.1/", { method: "POST", body: "a=b" });
  await assert.rejects(readUpload(plain), BrokenUpload);
});

Deno.test("the rest of a form is read, but a silent browser is not waited for, and its form is closed", async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const source = {
    start: (controller: ReadableStreamDefaultController<Uint8Array>) =>
      controller.enqueue(new TextEncoder().encode(FORM.slice(0, -60))),
    cancel: () => resolve(),
  };
  const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
  const body = new ReadableStream(source);
  const { stream } = await readUpload(new Request("http://127.0.0.1/", { method: "POST", body, headers }));
  await soon(drain(stream, 50), "the reading ends");
  await soon(closed, "the form is closed");
});
