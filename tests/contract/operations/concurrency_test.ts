/** Protects work on a busy NAS: refusals because of load fail no VM, and the page says what is happening. */
import assert from "node:assert/strict";
import { repeatedly, until } from "../../support/deadline.ts";
import { startDashboard } from "../../support/pages/dashboard.ts";
import { text } from "../../support/pages/http.ts";

Deno.test("calls that the NAS refuses as too many are retried, fewer at once, and the page says so", async () => {
  await using dashboard = await startDashboard({ simulator: { times: { callMs: 5, zvolMs: 10 } } });
  const { manager, simulator, url } = dashboard;
  const reason = "Maximum number of concurrent calls (20) has exceeded";
  simulator.addFault({
    method: "vm.device.create",
    action: "fail",
    error: { errno: 109, errname: "ETOOMANYREFS", reason },
  });
  // However slow the machine, the operation is under way when its page is read.
  const seen = Promise.withResolvers<void>();
  simulator.addFault({ method: "vm.start", action: "hold", until: seen.promise });
  const reduced = Promise.withResolvers<void>();
  const forget = manager.operations.onConcurrency(() => reduced.resolve());
  assert.equal(manager.operations.concurrency.limit, 10);
  const work = manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
  await reduced.promise;
  forget();
  const id = manager.operations.claiming[0]?.id ?? "";
  const page = await text(fetch(`${url}/operations/${id}`));
  assert.match(page, /<p id="concurrency"[^>]*>[5-9] calls at once for now: TrueNAS refused more/);
  seen.resolve();
  const result = await work;
  assert.equal(result.status, "done", JSON.stringify(result.vms));
  const refused = simulator.calls.filter(({ answer }) => JSON.stringify(answer ?? null).includes(reason));
  assert.equal(refused.length, 1, "the premise: a call was refused");
  assert.equal(simulator.store.vms.size, 3);
  const ended = await text(fetch(`${url}/operations/${id}`));
  assert.doesNotMatch(ended, /id="concurrency"|calls? at once/, "it is over");
});

Deno.test("an action on one VM comes before a group operation", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 15 } });
  const { manager, simulator } = dashboard;
  const vms = [...simulator.store.vms.values()].slice(0, 15);
  for (const vm of vms) vm.state = "RUNNING";
  const requests = vms.map((vm) => ({
    action: "poweroff" as const,
    id: vm.id,
    name: vm.config.name,
    state: vm.state,
    overcommit: false,
  }));
  assert.equal(requests.length, 15, "the premise");
  const held = new Map<number, PromiseWithResolvers<void>>();
  const arrivals: number[] = [];
  let onArrival = () => {};
  const arrived = (count: number) =>
    until(`${count} calls arrive`, () => arrivals.length >= count, (look) => {
      onArrival = look;
      return () => onArrival = () => {};
    });
  for (const { id } of requests) {
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
  const [single] = requests.slice(-1);
  assert.ok(single !== undefined);
  const group = manager.changes.act("poweroff", requests.slice(0, -1)).finished;
  await arrived(10);
  assert.equal(manager.operations.concurrency.waiting, 4);
  const alone = manager.changes.act("poweroff", [single]);
  const waiting = () => manager.operations.concurrency.waiting;
  await repeatedly("the next one waits", () => Promise.resolve(waiting() >= 5 || null));
  // Its reading takes the first place, and its poweroff the next one at the latest.
  held.get(arrivals[0] ?? 0)?.resolve();
  await arrived(11);
  held.get(arrivals[1] ?? 0)?.resolve();
  await arrived(12);
  assert.ok(arrivals.slice(10, 12).includes(single.id));
  for (const hold of held.values()) hold.resolve();
  assert.deepEqual([(await alone.finished).status, (await group).status], ["done", "done"]);
});

Deno.test("the limit of one deletion at a time survives a lost connection", async () => {
  await using dashboard = await startDashboard({ simulator: {} });
  const { manager, simulator } = dashboard;
  await manager.createVmType(dashboard.configuration().configuration, "worker", 5920);
  const plan = await manager.planDestruction({ prefixes: ["worker"] });
  simulator.cutConnections();
  const { connection } = manager;
  await until(
    "the loss is noticed",
    () => connection.state.kind !== "live",
    (look) => connection.onState(look),
  );
  const { status, operation } = await manager.destroyPlanned(plan);
  assert.equal(status, "done");
  for (const { steps } of operation.vms) {
    assert.deepEqual(steps.map(({ step }) => step), ["verify", "poweroff", "disks", "delete", "check"]);
  }
});
