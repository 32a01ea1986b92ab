/** Protects the pictures of what the NAS has: no page waits for a connection because of them, and they stay true. */
import assert from "node:assert/strict";
import { startDashboard } from "../support/pages/dashboard.ts";
import { post, text } from "../support/pages/http.ts";

/** Far below the time that a read here may wait for its connection. */
const PATIENCE_MS = 10_000;

Deno.test("a page does not wait for a connection; the capacity follows, and changes with the VMs", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 5 },
    manager: { connectionWaitMs: 60_000 },
  });
  const { simulator, manager, url } = dashboard;
  await manager.inventory.live.ready();
  const [lost, signIn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  simulator.addFault({ method: "auth.login_ex", action: "hold", until: signIn.promise });
  const forget = manager.connection.onState(({ kind }) => kind === "reconnecting" && lost.resolve());
  simulator.cutConnections();
  await lost.promise;
  forget();
  const page = await text(fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }));
  assert.match(page, /<div id="capacity" class="capacity capacity-none" aria-hidden="true">/);

  const stream = await fetch(`${url}/events`);
  const reader = (stream.body ?? assert.fail()).pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  const next = async (wanted: RegExp): Promise<string> => {
    while (!wanted.test(said)) said += (await reader.read()).value ?? assert.fail("the stream ended");
    const [found] = wanted.exec(said) ?? [];
    said = said.slice(said.indexOf(found ?? "") + (found ?? "").length);
    return found ?? "";
  };
  signIn.resolve();
  const line = /aria-label="Memory: [\d.]+ GiB of running VMs, [^"]*, [\d.]+ GiB free for VMs"/;
  const before = await next(line);
  const stopped = manager.inventory.live.snapshot.vms?.find(({ state }) => state === "STOPPED") ??
    assert.fail();
  const started = await post(dashboard, `/vms/${stopped.id}/start`, {});
  await started.body?.cancel();
  assert.equal(started.status, 303);
  const after = await next(line);
  assert.notEqual(after, before);
  await reader.cancel();
});
