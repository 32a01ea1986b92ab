/**
 * Protects the life of a session: it recovers after a cut, signs in no more often than needed, restores its
 * subscription, holds calls meanwhile, and ends cleanly.
 */
import assert from "node:assert/strict";
import { TrueNASConnectionError, TrueNASTimeoutError } from "../../../lib/errors/errors.ts";
import { parseNasAddress } from "../../../lib/configuration/environment/nas_address.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { openShell } from "../../../lib/truenas/connection/connection.ts";
import { MAX_RUNNING_CALLS } from "../../../lib/truenas/connection/protocol.ts";
import type { Session, SessionOptions } from "../../../lib/truenas/connection/session.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { sessionAt } from "../../support/session.ts";
import type { SessionState } from "../../../lib/truenas/connection/nas_connection.ts";

function sessionWith(simulator: Simulator, options: Partial<SessionOptions> = {}): Session {
  return sessionAt(simulator.url, { simulated: false, backoffMs: [5], ...options });
}

function stateOf(session: Session, wanted: (state: SessionState) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = session.onState((state) => {
    if (wanted(state)) resolve();
  });
  if (wanted(session.state)) resolve();
  return promise.finally(forget);
}

Deno.test("a session recovers from each cut with its subscription and one connection", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const session = sessionWith(simulator);
  await session.connect();
  const events: string[] = [];
  const told = Promise.withResolvers<void>();
  session.onEvent(({ msg }) => {
    events.push(msg);
    told.resolve();
  });
  const CUTS = 5;
  for (let n = 0; n < CUTS; n++) {
    simulator.cutConnections();
    await stateOf(session, ({ kind }) => kind === "reconnecting");
    assert.deepEqual(await session.call("vm.query", []), [], "a call waits for the connection");
  }
  await session.call("vm.create", [{ name: "a", memory: 256 }]);
  await told.promise;
  assert.ok(events.includes("added"));
  assert.equal(simulator.connections, 1);
  const logins = simulator.calls.filter(({ method }) => method === "auth.login_ex");
  assert.equal(logins.length, CUTS + 1);
  await session.close();
  await session.close();
  assert.equal(simulator.calls.at(-1)?.method, "auth.logout");
  assert.equal(session.state.kind, "closed");
});

Deno.test("a wrong password is reported and not retried in a loop", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const session = sessionWith(simulator, { password: "wrong" });
  const trying = session.keepConnected();
  await stateOf(session, ({ kind }) => kind === "reconnecting");
  const { state } = session;
  assert.ok(state.kind === "reconnecting" && state.error instanceof TrueNASConnectionError);
  assert.equal(state.error.failure, "login");
  assert.doesNotMatch(state.error.message, /wrong/);
  await session.close();
  await trying;
  assert.equal(simulator.calls.filter(({ method }) => method === "auth.login_ex").length, 1);
});

Deno.test("an API key is sent over loopback, and the legacy login is used only if there is no other", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const apiKey = simulator.store.accounts[0]?.apiKey ?? "";
  const byKey = sessionWith(simulator, { apiKey, password: null });
  await byKey.connect();
  await byKey.close();
  const noLoginEx = { errno: 201, errname: "ENOMETHOD", reason: "Method does not exist" };
  simulator.addFault({ method: "auth.login_ex", action: "fail", error: noLoginEx });
  const refused = sessionWith(simulator);
  await assert.rejects(refused.connect(), /Method does not exist/);
  await refused.close();
});

Deno.test("from TrueNAS 26 on, an API key is proven and never sent", async () => {
  for (const version of ["26.0", "27.0"] as const) {
    await using simulator = await startSimulator({ version, times: TEST_TIMES });
    const apiKey = simulator.store.accounts[0]?.apiKey ?? "";
    const byKey = sessionWith(simulator, { apiKey, password: null });
    await byKey.connect();
    assert.ok(byKey.state.kind === "live" && byKey.state.nas.roles?.includes("FULL_ADMIN"));
    await byKey.close();
    const logins = simulator.calls.filter(({ method }) => method === "auth.login_ex");
    assert.equal(logins.length, 2);
    assert.doesNotMatch(JSON.stringify(simulator.calls), new RegExp(apiKey.slice(2)));
  }
});

Deno.test("a NAS that cannot prove that it knows the key is rejected", async () => {
  await using simulator = await startSimulator({ version: "27.0", times: TEST_TIMES });
  const apiKey = simulator.store.accounts[0]?.apiKey ?? "";
  simulator.addFault({
    method: "auth.login_ex",
    skip: 1,
    action: "answer",
    result: {
      response_type: "SCRAM_RESPONSE",
      scram_type: "SERVER_FINAL_RESPONSE",
      rfc_str: "v=AAAA",
      user_info: null,
    },
  });
  const byKey = sessionWith(simulator, { apiKey, password: null });
  await assert.rejects(byKey.connect(), /could not prove that it knows the API key/);
  await byKey.close();
  assert.ok(!simulator.calls.some(({ method }) => method === "vm.query"));
});

Deno.test("an API key is never sent unencrypted to another machine", async () => {
  const manager = new VMManager({ host: "ws://192.0.2.1", username: "admin", apiKey: "1-secret" });
  const parsed = parseNasAddress("ws://192.0.2.1");
  assert.ok(parsed.ok && parsed.address.kind === "ws");
  await manager.disconnect();
  await using simulator = await startSimulator({ times: TEST_TIMES });
  // The simulator answers on loopback; only the name in the address makes it another machine.
  const address = { kind: "ws", url: simulator.url, host: "nas.lan" } as const;
  const session = sessionWith(simulator, { address, apiKey: "1-secret", password: null });
  await assert.rejects(session.connect(), /TrueNAS would revoke the key/);
  await session.close();
  assert.deepEqual(simulator.calls, []);
});

Deno.test("calls on a closed session say that nothing was sent", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const session = sessionWith(simulator);
  await session.connect();
  await session.close();
  await assert.rejects(session.call("vm.query", []), /Nothing was sent/);
  await assert.rejects(session.connect());
});

Deno.test("the live inventory follows the NAS and the state of the connection", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 2 });
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  await using manager = new VMManager({ host: simulator.url, ...account, backoffMs: [5] });
  assert.deepEqual((await manager.inventory.live.ready()).vms, null);
  await manager.connect();
  assert.equal((await manager.inventory.live.ready()).vms?.length, 2);
  const removed = Promise.withResolvers<void>();
  const forget = manager.inventory.live.onChange((change) => change.type === "removed" && removed.resolve());
  await manager.destroyManagedVms(["none"]);
  simulator.store.vms.delete(1);
  manager.inventory.live.refresh(1);
  await removed.promise;
  forget();
  assert.equal(manager.inventory.live.snapshot.vms?.length, 1);
});

Deno.test("failed connections do not use up logins, so a NAS that starts late is signed in to at once (fault 17)", async () => {
  const first = await startSimulator({ times: TEST_TIMES });
  const port = Number(new URL(first.url).port);
  await first.stop();
  const session = sessionAt(first.url, { backoffMs: [1], logins: { most: 1, withinMs: 600_000 } });
  const trying = session.keepConnected();
  const ATTEMPTS = 4;
  for (let n = 0; n < ATTEMPTS; n++) {
    const seen = session.state;
    await stateOf(session, (state) => state.kind === "reconnecting" && state !== seen);
  }
  await using _second = await startSimulator({ times: TEST_TIMES, port });
  await trying;
  assert.equal(session.state.kind, "live");
  await session.close();
});

Deno.test("ten unanswered calls do not block the session; it reconnects and continues (fault 17)", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const session = sessionWith(simulator);
  await session.connect();
  simulator.addFault({ method: "pool.dataset.query", action: "stall", times: MAX_RUNNING_CALLS });
  const stalled = Array.from(
    { length: MAX_RUNNING_CALLS },
    () => assert.rejects(session.call("pool.dataset.query", [], { timeoutMs: 100 }), TrueNASTimeoutError),
  );
  const queued = session.call("vm.query", []);
  await Promise.all(stalled);
  assert.deepEqual(await queued, [], "what waited behind them is made on the new connection");
  assert.equal(simulator.calls.filter(({ method }) => method === "auth.login_ex").length, 2);
  await session.close();
});

Deno.test("opening the NAS's shell has a time limit (fault 17)", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  const parsed = parseNasAddress(`ws://127.0.0.1:${silent.addr.port}`);
  assert.ok(parsed.ok);
  const error = await openShell(parsed.address, { timeoutMs: 50 }).then(() => null, (reason) => reason);
  assert.ok(error instanceof TrueNASConnectionError);
  assert.equal(error.failure, "timeout");
  (await accepted).close();
});
