/**
 * Protects the frames: requests are JSON-RPC 2.0 within TrueNAS's limit, and any answer is read without an exception.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { TrueNASError } from "../../../lib/errors/errors.ts";
import { decodeFrame, encodeCall, MAX_MESSAGE_CHARS } from "../../../lib/truenas/connection/protocol.ts";

function decode(frame: Readonly<Record<string, unknown>>) {
  return decodeFrame(JSON.stringify({ jsonrpc: "2.0", ...frame }));
}

function refusalOf(error: unknown) {
  const frame = decode({ id: 7, error });
  assert.ok(frame.kind === "refusal", JSON.stringify(frame));
  assert.equal(frame.id, 7);
  return frame.refusal;
}

Deno.test("a call written by encodeCall() reads back unchanged", () => {
  fc.assert(
    fc.property(fc.nat(), fc.stringMatching(/^[a-z.]+$/), fc.array(fc.jsonValue()), (id, method, params) => {
      const text = encodeCall(id, method, params);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify({ jsonrpc: "2.0", id, method, params })));
    }),
  );
});

Deno.test("encodeCall() refuses exactly the messages that would make the NAS close the connection", () => {
  const bare = encodeCall(1, "core.ping", [""]).length;
  const longest = "x".repeat(MAX_MESSAGE_CHARS - bare);
  assert.equal(encodeCall(1, "core.ping", [longest]).length, 65_536);
  assert.throws(() => encodeCall(1, "core.ping", [`${longest}x`]), (error) => {
    assert.ok(error instanceof TrueNASError);
    assert.deepEqual([error.method, error.outcome], ["core.ping", "not-done"]);
    assert.match(
      error.message,
      /^Cannot send core\.ping: the message has 65537 characters .* at most 65536\./,
    );
    return true;
  });
});

Deno.test("decodeFrame() reads any result, including null and false", () => {
  fc.assert(fc.property(fc.nat(), fc.jsonValue(), (id, result) => {
    const wanted = JSON.parse(JSON.stringify(result));
    assert.deepEqual(decode({ id, result }), { kind: "result", id, result: wanted });
  }));
  assert.deepEqual(decode({ id: 1, result: null, error: null }), { kind: "result", id: 1, result: null });
});

Deno.test("decodeFrame() reads an error with its fields", () => {
  const data = {
    error: 22,
    errname: "EINVAL",
    reason: "[EINVAL] vm_create: odd\n",
    trace: { class: "ValidationErrors" },
    extra: [["vm_create.name", "This name already exists.", 17], [null, "No pool.", 22]],
  };
  assert.deepEqual(refusalOf({ code: -32602, message: "Invalid params", data }), {
    code: -32602,
    errno: 22,
    errname: "EINVAL",
    reason: "vm_create: odd\n",
    fields: [
      { attribute: "vm_create.name", message: "This name already exists.", errno: 17 },
      { attribute: null, message: "No pool.", errno: 22 },
    ],
  });
});

Deno.test("decodeFrame() falls back to the message of an error without usable data", () => {
  assert.deepEqual(refusalOf({ code: -32601, message: "Method does not exist" }), {
    code: -32601,
    errno: null,
    errname: null,
    reason: "Method does not exist",
    fields: [],
  });
  for (const extra of [null, "text", [["a", "b"]], [["a", "b", "c"]], { a: 1 }]) {
    const refusal = refusalOf({ code: 1, message: "m", data: { error: 14, reason: "[EFAULT] Busy", extra } });
    assert.deepEqual([refusal.reason, refusal.errno, refusal.fields], ["Busy", 14, []]);
  }
  assert.equal(refusalOf({ code: 1, message: "m", data: null }).reason, "m");
  assert.equal(
    refusalOf({ code: 1, message: "m", data: { reason: "[tank] is full" } }).reason,
    "[tank] is full",
  );
});

Deno.test("decodeFrame() reads events, with or without fields", () => {
  const event = (params: unknown) => decode({ method: "collection_update", params });
  const changed = { msg: "changed", collection: "vm.query", id: 3, fields: { name: "a" }, extra: 1 };
  assert.deepEqual(event(changed), {
    kind: "event",
    event: { msg: "changed", collection: "vm.query", id: 3, fields: { name: "a" } },
  });
  assert.deepEqual(event({ msg: "added", collection: "core.get_jobs", id: "x" }), {
    kind: "event",
    event: { msg: "added", collection: "core.get_jobs", id: "x", fields: null },
  });
  const removed = event({ msg: "removed", collection: "vm.query" });
  assert.equal(removed.kind === "event" && removed.event.id, null);
  assert.deepEqual(
    decode({ method: "notify_unsubscribed", params: { collection: "vm.query", error: null } }),
    {
      kind: "unsubscribed",
      collection: "vm.query",
    },
  );
});

Deno.test("decodeFrame() says why it rejects a message", () => {
  const ODD: readonly (readonly [text: string, why: RegExp])[] = [
    ["", /^not JSON: /],
    ["{", /^not JSON: /],
    ["null", /^not a JSON-RPC frame$/],
    ["[]", /^not a JSON-RPC frame$/],
    ['"text"', /^not a JSON-RPC frame$/],
    ['{"id":"1","result":1}', /^not a JSON-RPC frame$/],
    ['{"id":1,"error":{"message":"no code"}}', /^not a JSON-RPC frame$/],
    ["{}", /^an answer without an id$/],
    ['{"id":null,"error":{"code":-32700,"message":"Parse error"}}', /^Parse error$/],
    ['{"method":"surprise"}', /^unknown notification surprise$/],
    ['{"method":"collection_update"}', /^a collection_update of an unknown shape$/],
    [
      '{"method":"collection_update","params":{"msg":"odd","collection":"c"}}',
      /collection_update of an unknown/,
    ],
    ['{"method":"notify_unsubscribed","params":{}}', /^a notify_unsubscribed of an unknown shape$/],
  ];
  for (const [text, why] of ODD) {
    const frame = decodeFrame(text);
    assert.ok(frame.kind === "other", text);
    assert.match(frame.why, why, text);
  }
});

Deno.test("decodeFrame() never throws", () => {
  const value = fc.jsonValue();
  const frame = fc.record({
    id: fc.oneof(fc.nat(), value),
    method: fc.oneof(fc.constantFrom("collection_update", "notify_unsubscribed"), value),
    params: value,
    result: value,
    error: fc.oneof(fc.record({ code: fc.integer(), message: fc.string(), data: value }), value),
  }, { requiredKeys: [] });
  const text = fc.oneof(
    fc.string(),
    value.map((it) => JSON.stringify(it)),
    frame.map((it) => JSON.stringify(it)),
  );
  fc.assert(fc.property(text, (text) => assert.equal(typeof decodeFrame(text).kind, "string")));
});
