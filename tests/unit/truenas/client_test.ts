/**
 * Protects the RPC client without a network: limits, timeouts, lost connections and their outcomes, against a socket
 * simulated by the test.
 */
import assert from "node:assert/strict";
import {
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../../../lib/errors/errors.ts";
import { RpcClient } from "../../../lib/truenas/client.ts";
import type { Socket } from "../../../lib/truenas/connection/connection.ts";
import {
  decodeFrame,
  encodeCall,
  MAX_MESSAGE_CHARS,
  MAX_RUNNING_CALLS,
} from "../../../lib/truenas/connection/protocol.ts";

class PlayedSocket implements Socket {
  readonly sent: { id: number; method: string }[] = [];
  onMessage: (text: string) => void = () => {};
  onEnd: Socket["onEnd"] = () => {};

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.onEnd({ code: 1000, reason: "closed by this program" });
  }

  answer(id: number, result: unknown): void {
    this.onMessage(JSON.stringify({ jsonrpc: "2.0", id, result }));
  }
}

async function errorOf(call: Promise<unknown>): Promise<TrueNASError> {
  const error = await call.then(() => null, (error: unknown) => error);
  assert.ok(error instanceof TrueNASError);
  return error;
}

Deno.test("answers reach their calls in any order", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const first = client.call("core.ping", []);
  const second = client.call("system.version_short", []);
  socket.answer(2, "25.10.7");
  socket.answer(1, "pong");
  assert.deepEqual([await first, await second], ["pong", "25.10.7"]);
});

Deno.test("calls stay within the NAS's limit, and urgent calls are sent first", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const calls = Array.from({ length: MAX_RUNNING_CALLS + 5 }, () => client.call("core.ping", []));
  assert.equal(socket.sent.length, MAX_RUNNING_CALLS);
  assert.ok(client.isSaturated);
  const urgent = client.call("core.ping", [], { urgent: true });
  assert.equal(socket.sent.length, MAX_RUNNING_CALLS + 1);
  for (let n = 0; n < socket.sent.length; n++) socket.answer(socket.sent[n]?.id ?? 0, "pong");
  await Promise.all([...calls, urgent]);
});

Deno.test("reads are sent before waiting writes, so a creation does not block a page", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const first = Array.from({ length: MAX_RUNNING_CALLS }, () => client.call("core.ping", []));
  const writes = [1, 2].map((id) => client.call("vm.poweroff", [id]));
  const reads = [client.call("system.version_short", []), client.call("core.ping", [])];
  for (let n = 0; n < socket.sent.length; n++) {
    const { id, method } = socket.sent[n] ?? assert.fail();
    socket.answer(id, method === "vm.poweroff" ? null : method === "core.ping" ? "pong" : "25.10.7");
  }
  await Promise.all([...first, ...writes, ...reads]);
  const waited = socket.sent.slice(MAX_RUNNING_CALLS).map(({ method }) => method);
  assert.deepEqual(waited, ["system.version_short", "core.ping", "vm.poweroff", "vm.poweroff"]);
});

Deno.test("a write that times out has an unknown outcome", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const outcomeOf = async (call: Promise<unknown>) => {
    const error = await call.catch((error) => error);
    assert.ok(error instanceof TrueNASTimeoutError);
    return error.outcome;
  };
  assert.equal(await outcomeOf(client.call("vm.poweroff", [1], { timeoutMs: 1 })), "unknown");
  assert.equal(await outcomeOf(client.call("vm.query", [], { timeoutMs: 1 })), "not-done");
  client.close();
});

Deno.test("after a lost connection, each call says whether it may have taken effect", async () => {
  const socket = new PlayedSocket();
  let ended = 0;
  const client = new RpcClient(socket, { onEnd: () => ended++ });
  const write = errorOf(client.call("vm.start", [1]));
  const read = errorOf(client.call("vm.query", []));
  const many = Array.from({ length: 10 }, () => errorOf(client.call("vm.start", [2])));
  socket.onEnd({ code: 1006, reason: "" });
  const errors = await Promise.all([write, read, ...many]);
  assert.ok(errors.every((error) => error instanceof TrueNASConnectionError));
  assert.deepEqual(errors.map(({ outcome }) => outcome), [
    "unknown",
    "not-done",
    ...Array(8).fill("unknown"),
    "not-done",
    "not-done",
  ]);
  assert.match(errors[0]?.message ?? "", /vm\.start: .*may have taken effect/);
  const after = await errorOf(client.call("vm.start", [3]));
  assert.deepEqual([after.outcome, ended, client.isOpen], ["not-done", 1, false]);
});

Deno.test("an error carries the NAS's code, errno, text and fields", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const call = client.call("vm.create", [{ name: "a" }]).catch((error) => error);
  const data = {
    error: 22,
    errname: "EINVAL",
    reason: "[EEXIST] vm_create.name: x\n",
    trace: {},
    extra: [["vm_create.name", "This name already exists.", 17]],
  };
  socket.onMessage(
    JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code: -32602, message: "Invalid params", data } }),
  );
  const error = await call;
  assert.ok(error instanceof TrueNASCallError);
  assert.equal(
    error.message,
    'vm.create: another VM already has this name; choose another name (TrueNAS: "vm_create.name: This name already exists.")',
  );
  assert.deepEqual(error.refusal.fields, [{
    attribute: "vm_create.name",
    message: "This name already exists.",
    errno: 17,
  }]);
});

Deno.test("an answer of the wrong shape is an error, with an unknown outcome after a write", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const read = client.call("vm.query", []).catch((error) => error);
  const write = client.call("vm.create", [{}]).catch((error) => error);
  const row = client.call("vm.query", []).catch((error) => error);
  socket.answer(1, { not: "a list" });
  socket.answer(2, "no row");
  socket.answer(3, [{ id: 1 }]);
  assert.ok(await read instanceof TrueNASError);
  assert.deepEqual([(await read).outcome, (await write).outcome], ["not-done", "unknown"]);
  assert.equal(
    (await row).message,
    "The NAS's answer to vm.query is invalid: 0.name: Invalid input: expected string, received undefined",
  );
});

Deno.test("aborting a call ends the wait, and a queued call is never sent", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const busy = Array.from({ length: MAX_RUNNING_CALLS }, () => client.call("core.ping", []));
  const cancel = new AbortController();
  const waiting = client.call("vm.start", [1], { signal: cancel.signal });
  cancel.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(client.call("vm.start", [1], { signal: AbortSignal.abort() }));
  for (const { id } of [...socket.sent]) socket.answer(id, "pong");
  await Promise.all(busy);
  assert.ok(socket.sent.every(({ method }) => method === "core.ping"));
});

Deno.test("guards refuse calls by method name, before anything is sent", async () => {
  const socket = new PlayedSocket();
  const readOnly = new RpcClient(socket, { guard: { readOnly: true, noDestroy: false } });
  await assert.rejects(readOnly.call("vm.start", [1]), /READ_ONLY/);
  const noDestroy = new RpcClient(socket, { guard: { readOnly: false, noDestroy: true } });
  await assert.rejects(noDestroy.call("vm.delete", [1, { zvols: false, force: true }]), /NO_DESTROY/);
  await assert.rejects(noDestroy.call("pool.dataset.delete", ["tank/a", { recursive: false }]), /NO_DESTROY/);
  assert.equal(socket.sent.length, 0);
});

Deno.test("events are passed on, and invalid frames are reported without harm", () => {
  const socket = new PlayedSocket();
  const events: unknown[] = [];
  const odd: string[] = [];
  const ended: string[] = [];
  new RpcClient(socket, {
    onEvent: (event) => events.push(event),
    onUnsubscribed: (collection) => ended.push(collection),
    onOddFrame: (why) => odd.push(why),
  });
  const update = (params: unknown) => JSON.stringify({ jsonrpc: "2.0", method: "collection_update", params });
  socket.onMessage(update({ msg: "changed", collection: "vm.query", id: 3, fields: { name: "a" } }));
  socket.onMessage(update({ msg: "removed", collection: "vm.query", id: 3 }));
  assert.deepEqual(events, [
    { msg: "changed", collection: "vm.query", id: 3, fields: { name: "a" } },
    { msg: "removed", collection: "vm.query", id: 3, fields: null },
  ]);
  const frames = [
    "{",
    "[]",
    "42",
    '{"id": 99, "result": 1}',
    '{"id": null, "error": {"code": 1, "message": "m"}}',
    '{"method": "x"}',
    update({}),
    update({ msg: "odd" }),
  ];
  for (const frame of frames) socket.onMessage(frame);
  socket.onMessage(JSON.stringify({ method: "notify_unsubscribed", params: { collection: "vm.query" } }));
  assert.equal(odd.length, frames.length);
  assert.deepEqual(ended, ["vm.query"]);
  assert.deepEqual(decodeFrame('{"method":"notify_unsubscribed","params":{}}').kind, "other");
});

Deno.test("a message that would make the NAS close the connection is never sent", () => {
  assert.throws(() => encodeCall(1, "vm.create", ["x".repeat(MAX_MESSAGE_CHARS)]), /at most 65536/);
});

Deno.test("the time limit of a call starts when it is queued, so a call behind unanswered ones times out unsent (fault 17)", async () => {
  const socket = new PlayedSocket();
  const client = new RpcClient(socket);
  const unanswered = Array.from(
    { length: MAX_RUNNING_CALLS },
    () => errorOf(client.call("vm.create", [{ name: "a", memory: 256 }], { timeoutMs: 60_000 })),
  );
  const error = await errorOf(client.call("vm.query", [], { timeoutMs: 20 }));
  assert.ok(error instanceof TrueNASTimeoutError);
  assert.equal(error.outcome, "not-done");
  assert.match(error.message, /not sent within 20 ms/);
  assert.equal(socket.sent.length, MAX_RUNNING_CALLS);
  const write = await errorOf(client.call("vm.start", [1], { timeoutMs: 20 }));
  assert.equal(write.outcome, "not-done", "what was not sent has not happened");
  client.close();
  for (const { outcome } of await Promise.all(unanswered)) assert.equal(outcome, "unknown");
});
