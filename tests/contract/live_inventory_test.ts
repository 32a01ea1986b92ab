/** Protects the list from losing events that arrive while it is being read. */
import assert from "node:assert/strict";
import { startDashboard, TEST_TIMES } from "../support/pages/dashboard.ts";
import { text } from "../support/pages/http.ts";
import { openSession } from "../support/session.ts";

/** Whether a vm.query has no filters. */
function readsAll([filters]: readonly unknown[]): boolean {
  return Array.isArray(filters) && filters.length === 0;
}

Deno.test("a VM added while the list is read appears in it", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1, times: { ...TEST_TIMES, callMs: 50 } },
    untilConnected: false,
  });
  const { simulator, manager } = dashboard;
  const read = Promise.withResolvers<void>();
  const forget = manager.inventory.live.onChange((change) => {
    if (change.type === "changed") read.resolve();
  });
  // The reading of all was made before the VM was there, and its answer comes after the VM's event.
  simulator.addFault({
    method: "vm.query",
    matches: (params) => {
      if (!readsAll(params)) return false;
      manager.inventory.live.refresh(1);
      return true;
    },
    moment: "after",
    action: "answer",
    result: [],
  });
  await read.promise;
  forget();
  assert.deepEqual(manager.inventory.live.snapshot.vms?.map(({ id }) => id), [1]);
});

Deno.test("a VM removed while the list is read does not appear in it", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 2, times: { ...TEST_TIMES, callMs: 50 } },
  });
  const { simulator, manager } = dashboard;
  await manager.inventory.live.ready();
  const answer = simulator.calls.find(({ method, params }) => method === "vm.query" && readsAll(params))
    ?.answer;
  assert.ok(answer !== undefined && "result" in answer);
  const gone = Promise.withResolvers<number>();
  const forget = manager.inventory.live.onChange((change) => {
    if (change.type === "removed") gone.resolve(change.id);
  });
  simulator.addFault({
    method: "vm.query",
    matches: (params) => {
      if (!readsAll(params)) return false;
      simulator.store.vms.delete(1);
      manager.inventory.live.refresh(1);
      return true;
    },
    moment: "after",
    action: "answer",
    result: answer.result,
  });
  simulator.cutConnections();
  assert.equal(await gone.promise, 1);
  forget();
  assert.deepEqual(manager.inventory.live.snapshot.vms?.map(({ id }) => id), [2]);
});

Deno.test("a VM removed while it is read does not appear in the list", async () => {
  await using dashboard = await startDashboard({ simulator: { times: TEST_TIMES } });
  const { simulator, manager } = dashboard;
  await manager.inventory.live.ready();
  const [asked, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // The VM was read; what its zvol is, is answered once both are gone.
  simulator.addFault({
    method: "pool.dataset.query",
    matches: (params) => {
      if (!JSON.stringify(params).includes("tank/vms/late")) return false;
      asked.resolve();
      return true;
    },
    action: "hold",
    until: gone.promise,
  });
  const elsewhere = await openSession(simulator.url);
  const { id } = await elsewhere.call("vm.create", [{ name: "late", memory: 64, uuid: crypto.randomUUID() }]);
  const zvol = { create_zvol: true, zvol_name: "tank/vms/late", zvol_volsize: 1024 ** 3 };
  await elsewhere.call("vm.device.create", [{
    vm: id,
    attributes: { dtype: "DISK", type: "VIRTIO", ...zvol },
  }]);
  manager.inventory.live.refresh(id);
  await asked.promise;
  await elsewhere.call("vm.delete", [id, { zvols: false, force: false }]);
  // An answer comes after the events before it.
  await manager.list();
  gone.resolve();
  // Another reading comes after that one.
  await manager.inventory.live.refreshNow(id + 1);
  assert.deepEqual(manager.inventory.live.snapshot.vms, []);
  await elsewhere.close();
});

/** Reads a stream until it has said what is looked for. */
async function readUntil(url: string, sought: RegExp, onFirst: () => void = () => {}): Promise<string> {
  const gone = new AbortController();
  const { body } = await fetch(url, { signal: gone.signal });
  assert.ok(body);
  let read = "";
  try {
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      if (read === "") onFirst();
      read += chunk;
      if (sought.test(read)) break;
    }
  } finally {
    gone.abort();
  }
  return read;
}

Deno.test("the list is sent to a page only if it differs from the one rendered", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 3 } });
  const { simulator, manager, url } = dashboard;
  const page = await text(fetch(`${url}/?cols=autostart`));
  const stream = url + (/"(\/events[^"]*)"/.exec(page)?.[1] ?? "").replaceAll("&amp;", "&");
  const change = () => {
    const [vm] = simulator.store.vms.values();
    assert.ok(vm);
    simulator.store.vms.set(vm.id, { ...vm, config: { ...vm.config, autostart: false } });
    manager.inventory.live.refresh(vm.id);
  };
  const first = await readUntil(stream, /c-autostart">No/, change);
  assert.match(first, /id="vm-1"/);
  assert.doesNotMatch(first, /id="vm-2"/, "a row, and not the list");
  const later = await readUntil(stream, /id="vm-2"/);
  assert.match(later, /id="vm-1"[^]*id="vm-3"/, "the list has changed since the page");
});

Deno.test("VMs that change during a read are read again afterwards, in one call", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 3, times: TEST_TIMES } });
  const { simulator, manager } = dashboard;
  await manager.inventory.live.ready();
  const [asked, held, told] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  assert.ok(asked && held && told);
  const before = simulator.calls.length;
  simulator.addFault({
    method: "vm.query",
    matches: () => {
      asked.resolve();
      return true;
    },
    action: "hold",
    until: held.promise,
  });
  const forget = manager.inventory.live.onChange((change) => {
    if (change.type === "changed" && change.vm.id === 3) told.resolve();
  });
  manager.inventory.live.refresh(1);
  await asked.promise;
  manager.inventory.live.refresh(2);
  manager.inventory.live.refresh(3);
  held.resolve();
  await told.promise;
  forget();
  const readings = simulator.calls.slice(before).filter(({ method }) => method === "vm.query");
  assert.deepEqual(readings.map(({ params: [filters] }) => filters), [
    [["id", "in", [1]]],
    [["id", "in", [2, 3]]],
  ]);
});
