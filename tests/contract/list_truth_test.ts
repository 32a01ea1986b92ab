/**
 * Protects that the list equals a fresh read of the NAS after any change, whatever happens to the events. The changes
 * are made over real sockets, on another connection.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "../support/packages/fast_check.ts";
import { TrueNASCallError } from "../../lib/errors/errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { type InventorySource, LiveInventory } from "../../lib/inventory/live_inventory.ts";
import { silentLogger } from "../../lib/observability/logging.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import { type Simulator, startSimulator } from "../../lib/simulator/simulator.ts";
import type { CollectionEvent } from "../../lib/truenas/connection/protocol.ts";
import { readVms } from "../../lib/truenas/read_inventory.ts";
import type { Session } from "../../lib/truenas/connection/session.ts";
import { startDashboard } from "../support/pages/dashboard.ts";
import { finishedOperation, FORM, planned, post } from "../support/pages/http.ts";
import { openSession, sessionAt } from "../support/session.ts";

/** What becomes of an event. */
type Fate = "told" | "lost" | "late" | "doubled";

/** Something that somebody does on the NAS; `pick` chooses among what is there. */
interface Change {
  readonly what: keyof typeof CHANGES;
  readonly pick: number;
}

type Ids = { readonly vm: number; readonly device: number; readonly zvol: string };

/** The NAS as others speak with it: our own calls are never recursive. */
interface Unchecked {
  readonly call: (method: string, params: readonly unknown[]) => Promise<unknown>;
}

/** Devices are made and changed with the NAS's own words, as from its pages. */
const CHANGES = {
  create: (nas, _ids, pick) =>
    nas.call("vm.create", [{ name: `vm${pick}`, memory: 64, uuid: crypto.randomUUID() }]),
  delete: (nas, { vm }) => nas.call("vm.delete", [vm, { zvols: false, force: true }]),
  /** From 26 on, idle clones of other VMs are destroyed too, without an event. */
  deleteWithZvols: (nas, { vm }) =>
    (nas as unknown as Unchecked).call("vm.delete", [vm, { zvols: true, force: true }]),
  rename: (nas, { vm }, pick) => nas.call("vm.update", [vm, { name: `other${pick}`, memory: 64 + pick }]),
  start: (nas, { vm }) => nas.call("vm.start", [vm]),
  poweroff: (nas, { vm }) => nas.call("vm.poweroff", [vm]),
  clone: (nas, { vm }, pick) => nas.call("vm.clone", [vm, `copy${pick}`]),
  addDisk: (nas, { vm }, pick) => {
    const zvol = { create_zvol: true, zvol_name: `tank/vms/z${pick}`, zvol_volsize: (1 + pick) * 1024 ** 3 };
    return nas.call("vm.device.create", [{ vm, attributes: { dtype: "DISK", type: "VIRTIO", ...zvol } }]);
  },
  addNic: (nas, { vm }) =>
    nas.call("vm.device.create", [{ vm, attributes: { dtype: "NIC", type: "VIRTIO", nic_attach: "br0" } }]),
  addCdrom: (nas, { vm }) => {
    const path = "/mnt/tank/iso/debian.iso";
    return nas.call("vm.device.create", [{ vm, attributes: { dtype: "CDROM", path } }]);
  },
  moveDevice: (nas, { device }, pick) => nas.call("vm.device.update", [device, { order: 2_000 + pick }]),
  removeDevice: (nas, { device }) =>
    nas.call("vm.device.delete", [device, { zvol: true, raw_file: false, force: false }]),
  /** The NAS sends no event for this. */
  grow: (nas, { zvol }, pick) =>
    nas.call("pool.dataset.update", [zvol, { volsize: (10 + pick) * 1024 ** 3 }]),
} satisfies Record<string, (nas: Session, ids: Ids, pick: number) => Promise<unknown>>;

/** Changes with an effect that no event reports. */
const UNTOLD: readonly string[] = ["grow", "deleteWithZvols"];

const NAMES = Object.keys(CHANGES) as (keyof typeof CHANGES)[];

/** Random changes, and what happens to their events; unless it is lossy, every change is reported. */
function runs(isLossy: boolean): fc.Arbitrary<Run> {
  const what = fc.constantFrom(...NAMES.filter((name) => isLossy || !UNTOLD.includes(name)));
  const fates = fc.constantFrom<Fate>("told", isLossy ? "lost" : "told", "late", "doubled");
  return fc.record({
    changes: fc.array(fc.record({ what, pick: fc.nat(5) }), { minLength: 1, maxLength: 12 }),
    fates: fc.array(fates, { minLength: 1 }),
    isLossy: fc.constant(isLossy),
  });
}

/** A session whose events come as they are fated to. */
class Disturbed implements InventorySource {
  readonly #session: Session;
  readonly #fates: readonly Fate[];
  readonly #listeners = new Set<(event: CollectionEvent) => void>();
  readonly #late: CollectionEvent[] = [];
  #heard = 0;

  constructor(session: Session, fates: readonly Fate[]) {
    this.#session = session;
    this.#fates = fates;
    session.onEvent((event) => this.#hear(event));
    this.call = session.call.bind(session);
    this.onState = session.onState.bind(session);
  }

  readonly call: Session["call"];
  readonly onState: Session["onState"];

  get state() {
    return this.#session.state;
  }

  onEvent(listener: (event: CollectionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get isAllTold(): boolean {
    return this.#late.length === 0;
  }

  tellLate(): void {
    for (const event of this.#late.splice(0)) this.#notify(event);
  }

  #hear(event: CollectionEvent): void {
    const fate = this.#fates[this.#heard++ % this.#fates.length] ?? "told";
    if (fate === "lost") return;
    if (fate === "late") this.#late.push(event);
    else this.#notify(event);
    if (fate === "doubled") this.#notify(event);
  }

  #notify(event: CollectionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Makes a change; what the NAS refuses is no change. */
async function make({ store }: Simulator, nas: Session, { what, pick }: Change): Promise<void> {
  const some = <T>(all: Iterable<T>): T | undefined => {
    const list = [...all];
    return list[pick % Math.max(list.length, 1)];
  };
  const ids = {
    vm: some(store.vms.keys()) ?? -1,
    device: some(store.devices.keys()) ?? -1,
    zvol:
      some([...store.datasets.values()].filter(({ type }) => type === "VOLUME").map(({ name }) => name)) ??
        "",
  };
  try {
    await CHANGES[what](nas, ids, pick);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
  }
}

interface Run {
  readonly changes: readonly Change[];
  readonly fates: readonly Fate[];
  /** Whether events may be lost. */
  readonly isLossy: boolean;
}

async function expectTrue(version: SimulatedVersion, { changes, fates, isLossy }: Run): Promise<void> {
  await using simulator = await startSimulator({
    version,
    foreignVms: 2,
    times: { callMs: 0, zvolMs: 0, startMs: 0, shutdownMs: 0, deleteRunningMs: 0 },
  });
  const [watching, elsewhere] = [sessionAt(simulator.url), await openSession(simulator.url)];
  const source = new Disturbed(watching, fates);
  const live = new LiveInventory(source, silentLogger);
  await watching.connect();
  await live.ready();
  for (const [n, it] of changes.entries()) {
    await make(simulator, elsewhere, it);
    if (n % 3 === 2) source.tellLate();
  }
  // What the clock does while a page is open; without a loss it is not needed.
  if (isLossy) live.check();
  const inOrder = (list: readonly Vm[]) => list.toSorted((a, b) => a.id - b.id);
  // The NAS reports some changes after its answer.
  for (let tries = 1;; tries++) {
    source.tellLate();
    const fresh = inOrder(await readVms(watching));
    const { vms, error } = await live.ready(PATIENCE_MS);
    if (isDeepStrictEqual(inOrder(vms ?? []), fresh) && error === null && source.isAllTold) break;
    if (tries === TRIES) assert.deepEqual({ vms: inOrder(vms ?? []), error }, { vms: fresh, error: null });
  }
  live.close();
  await elsewhere.close();
  await watching.close();
}

/** Calls in which every event has come by far. */
const TRIES = 20;

/** Far more than it takes: a list that does not become true fails the comparison. */
const PATIENCE_MS = 10_000;

for (const version of ["24.10", "25.10", "27.0"] as const) {
  Deno.test(`the list equals a fresh read after any changes, with lost, late and repeated events: ${version} (fault 30)`, async () => {
    const run = fc.oneof(runs(false), runs(true));
    await fc.assert(fc.asyncProperty(run, (it) => expectTrue(version, it)), { numRuns: 40, seed: 30 });
  });
}

Deno.test("VMs created without starting appear with disks and networks in the list and in exports (fault 30)", async () => {
  await using dashboard = await startDashboard();
  const fields = { ...FORM, "worker.start": "no" };
  const { token, plan } = await planned(dashboard, fields);
  const started = await post(dashboard, "/create", { ...fields, token, plan });
  await started.body?.cancel();
  const operation = await finishedOperation(dashboard, started.headers.get("location") ?? "");
  assert.equal(operation["status"], "done");
  const list = await fetch(dashboard.url, { headers: { accept: "application/json" } });
  const { vms } = await list.json();
  const devices = vms.map(({ name, state, disks, nics }: Record<string, unknown[]>) => [
    name,
    state,
    disks?.length,
    nics?.length,
  ]);
  assert.deepEqual(devices, [["worker01", "STOPPED", 1, 1], ["worker02", "STOPPED", 1, 1]]);
  const csv = await (await fetch(`${dashboard.url}/export?format=csv`)).text();
  assert.equal(csv.trim().split("\n").length, 3, csv);
});

Deno.test("a failed read is retried, and its error then disappears (fault 30)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  const { simulator, manager } = dashboard;
  await manager.inventory.live.ready();
  const [vm] = simulator.store.vms.values();
  assert.ok(vm);
  simulator.store.vms.set(vm.id, { ...vm, config: { ...vm.config, memory: 4_096 } });
  simulator.addFault({ method: "vm.query", action: "fail" });
  await manager.inventory.live.refreshNow(vm.id);
  assert.notEqual(manager.inventory.live.snapshot.error, null, "the reading failed");
  const { vms, error } = await manager.inventory.live.ready(PATIENCE_MS);
  assert.equal(error, null);
  assert.equal(vms?.[0]?.memoryMib, 4_096);
});
