/** Protects the tests' own search for secrets: one in pieces, in a header or in a log is found. */
import assert from "node:assert/strict";
import { SecretScan } from "../support/secrets.ts";

Deno.test("a planted secret is found in text, in headers and across chunks of a body", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const body = ReadableStream.from([bytes("all is well pla"), bytes("nted and more"), bytes(" to come")]);
  for (
    const emit of [
      (scan: SecretScan) => scan.text("it is planted here", "the log"),
      (scan: SecretScan) =>
        scan.response(new Response(null, { headers: { location: "/?to=planted" } }), "GET /"),
      (scan: SecretScan) => scan.response(new Response(body), "GET /").text(),
    ]
  ) {
    const scan = new SecretScan(["planted"]);
    await emit(scan);
    assert.throws(() => scan.expectNone(), /planted in/);
  }
  const clean = new SecretScan(["planted"]);
  assert.equal(
    await clean.response(new Response("nothing of the kind"), "GET /").text(),
    "nothing of the kind",
  );
  clean.expectNone();
  assert.ok(clean.scanned > 0);
});
