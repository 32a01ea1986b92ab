/** Protects work on a NAS that is busy: refusals for its load alone fail no VM, and the page says what is going on. */
import assert from "node:assert/strict";
import { startDashboard } from "../support/dashboard.ts";
import { text } from "../support/http.ts";

Deno.test("a NAS that refuses calls as too many gets them again, fewer at once, and the page says so", async () => {
  await using dashboard = await startDashboard({ simulator: { times: { callMs: 5, zvolMs: 10 } } });
  const { manager, simulator, url } = dashboard;
  const reason = "Maximum number of concurrent calls (20) has exceeded";
  simulator.addFault({
    method: "vm.device.create",
    action: "fail",
    error: { errno: 109, errname: "ETOOMANYREFS", reason },
  });
  const narrowed = Promise.withResolvers<void>();
  const forget = manager.onPace(() => narrowed.resolve());
  assert.equal(manager.pace.width, 10);
  const work = manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
  await narrowed.promise;
  forget();
  const id = manager.writing?.id ?? "";
  const page = await text(fetch(`${url}/operations/${id}`));
  assert.match(page, /<p id="pace"[^>]*>Up to 5 changes at once: the NAS refused more/);
  const result = await work;
  assert.equal(result.status, "done", JSON.stringify(result.vms));
  const refused = simulator.calls.filter(({ answer }) => JSON.stringify(answer ?? null).includes(reason));
  assert.equal(refused.length, 1, "the premise: a call was refused");
  assert.equal(simulator.store.vms.size, 3);
  assert.doesNotMatch(await text(fetch(`${url}/operations/${id}`)), /at once/, "it is over");
});
