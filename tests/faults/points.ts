/** Where a run is disturbed, the expected state of the NAS afterwards, and how the points are counted. */
import assert from "node:assert/strict";
import process from "node:process";
import type { FlatConfiguration } from "../../lib/configuration/flat_configuration.ts";
import { parseConfiguration } from "../../lib/configuration/load_configuration.ts";
import { markedDescription, ZVOL_PROPERTIES } from "../../lib/inventory/marks.ts";
import { addSnapshot } from "../../lib/simulator/zfs/zfs.ts";
import { type Simulator, startSimulator } from "../../lib/simulator/simulator.ts";
import { addDataset } from "../../lib/simulator/store.ts";
import type { Fault, FaultMoment, SimulatedVersion } from "../../lib/simulator/types.ts";
import type { RunResult } from "../../lib/operations/summary.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import { type FlatCreationRequest, VMManager } from "../../lib/vm_manager.ts";
import { NOTHING_CHANGED } from "../../lib/plan/changes.ts";
import { TEST_CONFIG } from "../support/dashboard.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";

/** The whole sweep takes minutes, so the tests try one point in so many; `deno task test:faults` tries all. */
const TRIES_ALL = process.env.FAULTS === "all";

/** Both ends of what is supported, which differ in every rule that matters here. */
export const VERSIONS: readonly SimulatedVersion[] = ["25.10", "27.0"];

/** One disturbance: the nth call of a run, and what happens to it. */
export interface Point {
  readonly version: SimulatedVersion;
  readonly action: "fail" | "cut" | "away" | "minute" | "restart" | "kill";
  /** `late`: the call takes effect after its caller has ended. */
  readonly moment: FaultMoment | "late";
  readonly nth: number;
}

const TIMES = {
  callMs: 0,
  zvolMs: 1,
  startMs: 0,
  shutdownMs: 0,
  deleteRunningMs: 1,
  pingSecondMs: 5,
} as const;

/** Much longer than a call that continues on its own takes (30 ms), even on a busy machine. */
const SETTLE = { settleMs: 400, pollMs: 10 } as const;

const PARSED = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

/** So many workers with two disks and two NICs each. */
export function workers(count: number): FlatConfiguration {
  const { worker } = PARSED;
  assert.ok(worker !== undefined && "count" in worker);
  return { ...PARSED, worker: { ...worker, count } };
}

/** The same with a first configuration (seed), and nobody who waits until they answer. */
export function seeded(count: number): FlatConfiguration {
  const { worker, ...others } = workers(count);
  assert.ok(worker !== undefined && "count" in worker);
  return {
    ...others,
    worker: { ...worker, seed: { kind: "cloud-init", user: "admin" }, ready: { when: "none" } },
  };
}

/** The same on a CD-ROM, because they have static addresses. */
export function seededOnDisk(count: number): FlatConfiguration {
  const { worker, ...others } = seeded(count);
  assert.ok(worker !== undefined && "count" in worker);
  const [lan = ""] = Object.keys(worker.network);
  return { ...others, worker: { ...worker, addresses: { [lan]: { range: "10.0.0.21-29/24" } } } };
}

/** Replaces so many workers, because their first disk has to become smaller; their second disk stays. */
export function replacing(count: number): FlatCreationRequest {
  const { worker, ...others } = workers(count);
  assert.ok(worker !== undefined && "count" in worker);
  const replace = Array.from({ length: count }, (_, n) => `worker0${n + 1}`);
  return {
    configuration: { ...others, worker: { ...worker, disk: { ...worker.disk, root: 10 } } },
    types: [{ type: "worker", startPort: 5920 }],
    reconcile: { ...NOTHING_CHANGED, replace },
  };
}

/** Creates so many workers and a control plane, by two operations at once. */
export function createBoth(manager: VMManager, count: number): Promise<readonly RunResult[]> {
  const configuration = workers(count);
  return Promise.all(
    ["worker", "controlplane"].map((type) => manager.createVmType(configuration, type, 5920)),
  );
}

/** A NAS on which others have VMs with names like ours, and a zvol with data under a name of ours. */
export async function startNas(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startSimulator({ version, times: TIMES, foreignVms: 2, hostname: ownAddress() });
  for (const name of ["workerold", "workers"]) addForeignVm(simulator, name, "made by hand");
  addForeignVm(simulator, "worker77_copy", markedDescription("a clone"));
  addDataset(simulator.store, { name: "tank/vms/worker07-disk0", type: "VOLUME", volsizeBytes: 1 });
  // A restart of the NAS leaves these VMs as they were, so that what differs afterwards is a change of ours.
  for (const vm of simulator.store.vms.values()) vm.config.autostart = vm.state === "RUNNING";
  return simulator;
}

/** An address of this machine whose ports are given to nobody else while the NAS is away. */
function ownAddress(): string {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
  return `127.${a}.${b}.${(c % 250) + 2}`;
}

/** Puts a VM with a disk there that this program did not make. */
export function addForeignVm({ store }: Simulator, name: string, description: string): void {
  const zvol = `tank/VMs/${name}-data`;
  const [template] = store.vms.values();
  assert.ok(template !== undefined, "there is a VM to take the fields from");
  const id = ++store.lastVmId;
  const config = { ...template.config, name, description, uuid: crypto.randomUUID() };
  store.vms.set(id, { id, config, state: "STOPPED", everStarted: true });
  addDataset(store, { name: zvol, type: "VOLUME", volsizeBytes: 1 });
  const deviceId = ++store.lastDeviceId;
  const attributes = { dtype: "DISK", path: `/dev/zvol/${zvol}`, type: "VIRTIO" };
  store.devices.set(deviceId, { id: deviceId, vm: id, order: 1001, attributes });
}

/** How a manager works in these tests. */
export function managerOptions({ url }: Pick<Simulator, "url">): VMManagerOptions {
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  return { host: url, ...account, settle: SETTLE, backoffMs: [1] };
}

/** A manager that is connected. */
export async function connect(
  simulator: Simulator,
  options: Partial<VMManagerOptions> = {},
): Promise<VMManager> {
  const manager = new VMManager({ ...managerOptions(simulator), ...options });
  await manager.connect();
  await manager.inventory.live.ready();
  return manager;
}

/** Methods of signing in and listening, which are no part of a run. */
const ASIDE = /^(auth|core|system)\./;

/** Longer than an operation takes to notice (four polls). */
const AWAY_MS = 150;

/** How long a NAS is away for a minute, in milliseconds of a {@link SkippingClock}. */
const MINUTE_MS = 60_000;

/** A clock that can skip time. */
export class SkippingClock {
  #skippedMs = 0;
  /** Milliseconds since 1970 (UTC). */
  readonly now = (): number => Date.now() + this.#skippedMs;

  /** So many milliseconds pass at once. */
  skip(ms: number): void {
    this.#skippedMs += ms;
  }
}

/** Each wait for the NAS lasted a minute of the operation's own clock. */
export function expectMinutes({ operations: { store } }: VMManager, at: string): void {
  for (const { id } of store.list()) {
    for (const event of store.get(id)?.since(0) ?? []) {
      if (event.type === "back") assert.ok(event.waitedMs >= MINUTE_MS, `${at}: ${event.waitedMs} ms`);
    }
  }
}

/** How a NAS is away for a minute. */
export interface Skipping {
  readonly clock: SkippingClock;
  /** The operations; one that runs without waiting has not noticed yet. */
  readonly operations: () => readonly Pick<OperationView, "status">[];
}

/** The NAS is away for a while, and may have restarted meanwhile. */
async function leave(simulator: Simulator, restarted: boolean, skipping: Skipping | null): Promise<void> {
  await simulator.goAway();
  await pause(AWAY_MS);
  if (skipping !== null) {
    // A call may still be looked for on the NAS, which takes as long as it settles.
    const has = (status: OperationView["status"]) => skipping.operations().some((it) => it.status === status);
    for (let idle = 0; idle < AWAY_TRIES && !has("waiting"); idle += has("running") ? 0 : 1) {
      await pause(AWAY_MS);
    }
    skipping.clock.skip(MINUTE_MS);
  }
  await simulator.comeBack({ restarted });
}

/** After so many pauses without one that runs, the operations are taken to be over. */
const AWAY_TRIES = 4;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Counts the calls of a run, makes a fault strike the nth, and reports when it has struck. */
export function strike(
  simulator: Simulator,
  { action, moment, nth }: Point,
  skipping: Skipping | null = null,
) {
  const struck = Promise.withResolvers<void>();
  let seen = 0;
  let hasStruck = false;
  let isBack: Promise<void> = Promise.resolve();
  let hasRestarted = false;
  let isOver = false;
  const cut = { action: moment === "late" ? "linger" : "cut" } as const;
  const fault = {
    fail: { action: "fail" },
    cut,
    away: cut,
    minute: cut,
    restart: cut,
    kill: { action: moment === "late" ? "linger" : "stall" },
  }[action] as Pick<Fault, "action">;
  simulator.addFault({
    ...fault,
    times: Infinity,
    moment: moment === "late" ? "before" : moment,
    methods: (method) => !ASIDE.test(method),
    matches: () => {
      const isIt = seen++ === nth && !isOver;
      if (isIt) {
        hasStruck = true;
        // The call is received; it is stopped at its moment, which comes at once after.
        setTimeout(struck.resolve, moment === "before" || moment === "late" ? 0 : 12);
        isBack = struck.promise.then(async () => {
          if (action === "cut" && moment === "late") simulator.cutConnections();
          if (action === "away" || action === "restart") await leave(simulator, action === "restart", null);
          hasRestarted = action === "restart";
          if (action === "minute") await leave(simulator, false, skipping);
        });
      }
      return isIt;
    },
  });
  // Struck at its last call, an operation may end before the NAS goes down, and what a later restart stops is not its own.
  const hasHit = () => hasStruck && (action !== "restart" || hasRestarted);
  /** Called when the run has ended; false when it was over before. */
  const back = () => {
    // What is called from then on, such as the list's own reads, disturbs nothing any more.
    isOver = true;
    const isHit = hasHit();
    return isBack.then(() => isHit);
  };
  return { struck: struck.promise, hasStruck: () => hasStruck, seen: () => seen, back };
}

/** Runs a program and kills it at the point; false when it was over before. */
export async function killAtPoint(
  simulator: Simulator,
  args: readonly string[],
  point: Point,
): Promise<boolean> {
  const { struck, hasStruck } = strike(simulator, point);
  const command = new Deno.Command(Deno.execPath(), { args: [...args], stdout: "null", stderr: "null" });
  const child = command.spawn();
  const ended = child.status;
  const isStruck = await Promise.race([struck.then(() => true), ended.then(() => false)]);
  const isKilled = isStruck && kill(child);
  const { success } = await ended;
  simulator.clearFaults();
  assert.ok(isKilled || success, "a program that is not killed does its work");
  return isKilled && hasStruck();
}

/** False when it was over a moment before, as it may be after its last call. */
function kill(child: Deno.ChildProcess): boolean {
  try {
    child.kill("SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof TypeError && /already terminated/.test(error.message)) return false;
    throw error;
  }
}

/** Everything that is on the NAS, as text. */
export function picture({ store }: Simulator): string {
  const vms = [...store.vms.values()].map(({ id, config, state }) => ({ id, config, state }));
  return JSON.stringify([vms, [...store.devices.values()], [...store.datasets.values()]], null, 1);
}

/** Our VMs are exactly as planned, each once, running, with its devices and zvols, and further devices of these kinds. */
export function expectPlanned(
  { store }: Simulator,
  count: number,
  at: string,
  further: readonly string[] = [],
): void {
  const ours = [...store.vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name));
  const names = ours.map(({ config }) => config.name).toSorted();
  assert.deepEqual(names, Array.from({ length: count }, (_, n) => `worker0${n + 1}`), at);
  for (const vm of ours) {
    const own = [...store.devices.values()].filter((device) => device.vm === vm.id);
    const kinds = own.map(({ attributes }) => attributes.dtype).toSorted();
    assert.equal(vm.state, "RUNNING", `${at}: ${vm.config.name} runs`);
    const expected = ["CDROM", "DISK", "DISK", "DISPLAY", "NIC", "NIC", ...further].toSorted();
    assert.deepEqual(kinds, expected, `${at}: ${vm.config.name}`);
    for (const n of [0, 1]) {
      const zvol = store.datasets.get(`tank/vms/${vm.config.name}-disk${n}`);
      assert.equal(zvol?.userProperties[ZVOL_PROPERTIES.vm], vm.config.uuid, `${at}: its zvol names it`);
    }
  }
}

/** No zvol is without a VM, and no device either. */
export function expectNoOrphans({ store }: Simulator, at: string): void {
  const used = new Set(
    [...store.devices.values()].map(({ attributes }) => String(attributes.path).replace("/dev/zvol/", "")),
  );
  for (const { name, type } of store.datasets.values()) {
    if (type === "VOLUME" && name !== "tank/vms/worker07-disk0") {
      assert.ok(used.has(name), `${at}: ${name} belongs to a VM`);
    }
  }
  for (const { vm, id } of store.devices.values()) {
    assert.ok(store.vms.has(vm), `${at}: device ${id} belongs to a VM`);
  }
}

/** What was there before is as it was. */
export function expectUntouched({ store }: Simulator, before: string, at: string): void {
  const [vms, devices, datasets] = JSON.parse(before) as [
    { id: number }[],
    { id: number }[],
    { name: string }[],
  ];
  for (const vm of vms) {
    const { id, config, state } = store.vms.get(vm.id) ?? {};
    assert.equal(JSON.stringify({ id, config, state }), JSON.stringify(vm), at);
  }
  for (const device of devices) {
    assert.equal(JSON.stringify(store.devices.get(device.id)), JSON.stringify(device), at);
  }
  for (const dataset of datasets) {
    assert.equal(JSON.stringify(store.datasets.get(dataset.name)), JSON.stringify(dataset), at);
  }
}

/** A disk of each worker has a snapshot, which is removed first. */
export function snapshotDisks({ store }: Simulator): void {
  for (
    const name of [...store.datasets.keys()].filter((name) => /^tank\/vms\/worker0[1-3]-disk0$/.test(name))
  ) {
    addSnapshot(store, `${name}@daily`);
  }
}

/** Every VM had a snapshot to remove, and none is left. */
export function expectSnapshotsGone({ vms }: OperationView, { store }: Simulator): void {
  const steps = vms.map(({ steps }) => steps.map(({ step }) => step));
  assert.ok(steps.every((names) => names.includes("snapshots")), "the premise");
  assert.equal(store.snapshots.size, 0);
}

/** No VM and no zvol was created twice under one identity, because each was verified before a retry. */
export function expectOnce({ calls }: Simulator, at: string): void {
  const asked = calls.flatMap(({ method, params, answer }) => {
    if (answer === undefined || "error" in answer) return [];
    const spec = params[0] as { uuid?: string; name?: string; user_properties?: unknown };
    if (method === "vm.create") return [`vm ${spec.uuid}`];
    return method === "pool.dataset.create"
      ? [`zvol ${spec.name} ${JSON.stringify(spec.user_properties)}`]
      : [];
  });
  assert.equal(new Set(asked).size, asked.length, `${at}: ${asked.join("\n")}`);
}

/** How a sweep is set up. */
export interface Sweep {
  readonly name: string;
  readonly actions: readonly Point["action"][];
  readonly moments: readonly Point["moment"][];
  /** Calls of an undisturbed run. */
  readonly count: (version: SimulatedVersion) => Promise<number>;
  /** Tries one point; false when the run was over before it. */
  readonly run: (point: Point) => Promise<boolean>;
  /** Tries one point in so many, unless all are tried; default 4. */
  readonly sample?: number;
  /** Default: {@link VERSIONS}. */
  readonly versions?: readonly SimulatedVersion[];
  /** What the printed total calls the points that were tried; default `survived`. */
  readonly verb?: string;
  /** Points tried at once. */
  readonly width: number;
}

/** Tries every point, or a sample that is spread over all of them, and prints the totals. */
export async function sweep(
  { name, actions, moments, count, run, width, versions = VERSIONS, verb = "survived", sample = 4 }: Sweep,
): Promise<void> {
  const points: Point[] = [];
  for (const version of versions) {
    const calls = await count(version);
    assert.ok(calls > 10, "the premise: the run makes calls");
    for (const action of actions) {
      for (const moment of moments) {
        // Only up to 25.10 does a call continue without its connection.
        if (moment === "late" && !["24.10", "25.10"].includes(version)) continue;
        for (let nth = 0; nth < calls; nth++) points.push({ version, action, moment, nth });
      }
    }
  }
  const step = TRIES_ALL ? 1 : sample;
  const chosen = points.filter((_, index) => index % step === 0);
  let tried = 0;
  const queue = chosen[Symbol.iterator]();
  const failures: unknown[] = [];
  const work = async () => {
    for (const point of queue) {
      if (failures.length > 0) return;
      try {
        if (await run(point)) tried++;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  // Points that are under way end in order, also when another one failed.
  await Promise.all(Array.from({ length: width }, work));
  if (failures.length > 0) throw failures[0];
  assert.ok(tried > chosen.length / 2, `the sweep reached the run: ${tried} of ${chosen.length}`);
  const sampled = step === 1 ? "" : ` (one in ${step} of ${points.length})`;
  await Deno.stdout.write(
    new TextEncoder().encode(`${name}: ${tried} points tried, ${tried} ${verb}${sampled}\n`),
  );
}
