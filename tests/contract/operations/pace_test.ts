/** Protects work on a NAS that is busy: refusals for its load alone fail no VM, and the page says what is going on. */
import assert from "node:assert/strict";
import { startDashboard } from "../../support/dashboard.ts";
import { text } from "../../support/http.ts";

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
  const forget = manager.operations.onPace(() => narrowed.resolve());
  assert.equal(manager.operations.pace.width, 10);
  const work = manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
  await narrowed.promise;
  forget();
  const id = manager.operations.writing?.id ?? "";
  const page = await text(fetch(`${url}/operations/${id}`));
  assert.match(page, /<p id="pace"[^>]*>Up to 5 changes at once: the NAS refused more/);
  const result = await work;
  assert.equal(result.status, "done", JSON.stringify(result.vms));
  const refused = simulator.calls.filter(({ answer }) => JSON.stringify(answer ?? null).includes(reason));
  assert.equal(refused.length, 1, "the premise: a call was refused");
  assert.equal(simulator.store.vms.size, 3);
  assert.doesNotMatch(await text(fetch(`${url}/operations/${id}`)), /at once/, "it is over");
});

Deno.test("what somebody does with one VM goes before what is done with many, which waits its turn", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 15 } });
  const { manager, simulator } = dashboard;
  const vms = [...simulator.store.vms.values()].slice(0, 15);
  for (const vm of vms) vm.state = "RUNNING";
  const wishes = vms.map((vm) => ({
    action: "poweroff" as const,
    id: vm.id,
    name: vm.config.name,
    state: vm.state,
    overcommit: false,
  }));
  assert.equal(wishes.length, 15, "the premise");
  const held = new Map<number, PromiseWithResolvers<void>>();
  const arrivals: number[] = [];
  let onArrival = () => {};
  const arrived = async (count: number) => {
    while (arrivals.length < count) await new Promise<void>((resolve) => onArrival = resolve);
  };
  for (const { id } of wishes) {
    const hold = Promise.withResolvers<void>();
    held.set(id, hold);
    const matches = ([off]: readonly unknown[]) => {
      if (off !== id) return false;
      arrivals.push(id);
      onArrival();
      return true;
    };
    simulator.addFault({ method: "vm.poweroff", action: "hold", until: hold.promise, matches });
  }
  const [single] = wishes.slice(-1);
  assert.ok(single !== undefined);
  const group = manager.changes.act("poweroff", wishes.slice(0, -1)).finished;
  await arrived(10);
  assert.equal(manager.operations.pace.waiting, 4);
  const alone = manager.changes.act("poweroff", [single]);
  // Its look at the VM waits at the NAS, which runs ten calls at once, until one of them has ended.
  held.get(arrivals[0] ?? 0)?.resolve();
  await arrived(11);
  while (manager.operations.pace.waiting < 4) await new Promise((resolve) => setTimeout(resolve, 1));
  held.get(arrivals[1] ?? 0)?.resolve();
  await arrived(12);
  assert.equal(arrivals[11], single.id);
  for (const hold of held.values()) hold.resolve();
  assert.deepEqual([(await alone.finished).status, (await group).status], ["done", "done"]);
});

Deno.test("that the NAS deletes one VM at a time is remembered while the connection is lost", async () => {
  await using dashboard = await startDashboard({ simulator: {} });
  const { manager, simulator } = dashboard;
  await manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
  const plan = await manager.planDestruction({ prefixes: ["worker"] });
  simulator.cutConnections();
  while (manager.connection.state.kind === "live") await new Promise((resolve) => setTimeout(resolve, 1));
  const { status, operation } = await manager.destroyPlanned(plan);
  assert.equal(status, "done");
  for (const { steps } of operation.vms) {
    assert.deepEqual(steps.map(({ step }) => step), ["look", "poweroff", "disks", "delete", "check"]);
  }
});
