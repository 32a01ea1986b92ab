/**
 * Protects kept disks, at each call of replacing 2 VMs that keep their second disk: the connection is cut, the NAS is away or
 * restarts, it refuses the call, or the program is killed, before, during and after the call's effect. Lost connections heal;
 * after a refusal or a kill the operation is resumed to exactly the plan, or rolled back; no kept disk is ever touched, and no
 * call takes effect twice.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import { addSnapshot } from "../../lib/simulator/zfs/zfs.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import {
  expectMinutes,
  expectNoOrphans,
  expectOnce,
  expectPlanned,
  expectUntouched,
  picture,
} from "./support/expected.ts";
import { connect, replacing, startNas, workers } from "./support/lab.ts";
import { killAtPoint, type Point, SkippingClock, strike, sweep } from "./support/points.ts";

const COUNT = 2;
const NEVER: Omit<Point, "version"> = { action: "cut", moment: "before", nth: Infinity };
const VERSIONS: readonly SimulatedVersion[] = ["24.10", "25.10", "27.0"];
const KEPT = ["tank/vms/worker01-disk1", "tank/vms/worker02-disk1"] as const;
/** Stands for what is on a disk: a zvol that is created again does not have it. */
const CONTENT = "test:content";

/** What people and networks know of our VMs, and what is on their kept disks. */
function known({ store }: Simulator): string {
  const ours = [...store.vms.values()].filter(({ config }) => /^worker\d+$/.test(config.name))
    .toSorted((a, b) => a.config.name.localeCompare(b.config.name));
  const vms = ours.map(({ id, config }) => {
    const devices = [...store.devices.values()].filter((device) => device.vm === id);
    const values = devices.flatMap((
      { attributes: { mac, port, web_port: webPort } },
    ) => [mac, port, webPort]);
    return [config.name, config.description, values.filter((value) => value !== undefined).toSorted()];
  });
  return JSON.stringify([vms, kept({ store })]);
}

function kept({ store }: Pick<Simulator, "store">) {
  return KEPT.map((name) => [name, store.datasets.get(name)?.userProperties[CONTENT]]);
}

async function prepare(simulator: Simulator): Promise<void> {
  await using maker = await connect(simulator);
  await maker.createVmType(workers(COUNT), "worker", 5920);
  for (const zvol of KEPT) {
    const dataset = simulator.store.datasets.get(zvol);
    assert.ok(dataset !== undefined);
    dataset.userProperties[CONTENT] = `precious ${zvol}`;
    addSnapshot(simulator.store, `${zvol}@daily`);
  }
  for (const n of [1, 2]) addSnapshot(simulator.store, `tank/vms/worker0${n}-disk0@daily`);
}

/** Both VMs are as planned, with what they had; `before` is what was known of them. */
function expectReplaced(simulator: Simulator, before: string, at: string): void {
  expectPlanned(simulator, COUNT, at);
  assert.equal(known(simulator), before, at);
  for (const n of [1, 2]) {
    const root = simulator.store.datasets.get(`tank/vms/worker0${n}-disk0`);
    assert.equal(root?.volsizeBytes, 10 * 2 ** 30, at);
  }
  assert.deepEqual([...simulator.store.snapshots.keys()].toSorted(), KEPT.map((name) => `${name}@daily`), at);
}

/** No call asked to remove a kept disk, whatever became of it. */
function expectKept(simulator: Simulator, at: string): void {
  for (const [name, content] of kept(simulator)) assert.equal(content, `precious ${name}`, at);
  for (const { method, params } of simulator.calls) {
    const asked = method === "pool.dataset.delete" || method === "pool.snapshot.delete"
      ? String(params[0])
      : "";
    assert.ok(KEPT.every((name) => !asked.startsWith(name)), `${at}: ${method} ${asked}`);
    const options = params[1] as { zvol?: boolean; zvols?: boolean } | undefined;
    const takesDisk = method === "vm.device.delete" && options?.zvol === true;
    assert.ok(!takesDisk || /rollBack|roll back/.test(at), `${at}: ${method}`);
    assert.ok(method !== "vm.delete" || options?.zvols === false, `${at}: ${method}`);
  }
}

async function run(manager: VMManager): Promise<OperationView> {
  return (await manager.create(replacing(COUNT))).operation;
}

async function count(version: SimulatedVersion): Promise<number> {
  await using simulator = await startNas(version);
  await prepare(simulator);
  await using manager = await connect(simulator);
  const { seen } = strike(simulator, { ...NEVER, version });
  assert.deepEqual((await run(manager)).vms.map(({ outcome }) => outcome), ["replaced", "replaced"]);
  return seen();
}

async function heals(point: Point): Promise<boolean> {
  await using simulator = await startNas(point.version);
  const foreign = picture(simulator);
  await prepare(simulator);
  const before = known(simulator);
  const clock = new SkippingClock();
  await using manager = await connect(simulator, { now: clock.now });
  const at = JSON.stringify(point);
  const operations = () => manager.operations.store.list();
  const { back } = strike(simulator, point, { clock, operations });
  const view = await run(manager);
  if (!await back()) return false;
  if (point.action === "minute") expectMinutes(manager, at);
  const words = view.vms.map(({ name, outcome, message }) => `${name} ${outcome}: ${message}`);
  assert.equal(view.status, "done", `${at}: ${words}`);
  expectReplaced(simulator, before, at);
  expectKept(simulator, at);
  // After a restart others' VMs are stopped.
  if (point.action !== "restart") expectUntouched(simulator, foreign, at);
  expectNoOrphans(simulator, at);
  expectOnce(simulator, at);
  return true;
}

Deno.test("a replacement that loses its connection at any call heals and ends as planned", () =>
  sweep({
    name: "replacement, healed",
    versions: VERSIONS,
    actions: ["cut", "away", "minute", "restart"],
    moments: ["before", "middle", "after", "late"],
    width: 4,
    sample: 48,
    verb: "healed, 0 asked a person",
    count,
    run: heals,
  }));

/** Resumes until it is done, or rolls back; then the NAS is as planned, or the kept disks are all that is left. */
async function recover(
  simulator: Simulator,
  manager: VMManager,
  { id, before, then, at }: {
    readonly id: string | null;
    readonly before: string;
    readonly then: "resume" | "roll back";
    readonly at: string;
  },
): Promise<void> {
  if (then === "resume") {
    const resumed = id === null ? null : await (await manager.operations.resume(id))?.finished;
    if (id === null) await run(manager);
    else assert.ok(!resumed || resumed.status === "done", `${at}: ${JSON.stringify(resumed?.vms)}`);
    expectReplaced(simulator, before, at);
    const again = await manager.planCreation(replacing(COUNT));
    assert.ok(again.vms.every(({ action }) => action === "keep"), `${at}: planning again keeps all`);
  } else if (id !== null) {
    const undone = await (await manager.operations.rollBack(id))?.finished;
    assert.ok(!undone || undone.status === "done", `${at}: ${JSON.stringify(undone?.vms)}`);
    for (const { name, outcome, message } of undone?.vms ?? []) {
      assert.ok(outcome === "rolled-back" || outcome === "failed", `${at}: ${name} ${outcome}`);
      assert.match(message ?? "", /cannot be brought back/, at);
    }
    const { vms, zvols } = await manager.planCleaning();
    const removable = [...vms.flatMap((vm) => vm.zvols), ...zvols.known ? zvols.value : []]
      .filter((zvol) => !("blocked" in zvol) || (zvol.blocked as readonly string[]).length === 0);
    assert.ok(
      removable.every(({ name }) => KEPT.every((it) => it !== name)),
      `${at}: no orphan is a kept disk`,
    );
  }
  expectKept(simulator, at);
}

async function refused(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  await using simulator = await startNas(point.version);
  const foreign = picture(simulator);
  await prepare(simulator);
  const before = known(simulator);
  await using manager = await connect(simulator);
  const at = `replace, then ${then}: ${JSON.stringify(point)}`;
  const { hasStruck } = strike(simulator, point);
  // A plan that cannot be made, or not be carried out, sends nothing and says so by an error.
  const view = await run(manager).catch((error) => {
    assert.match(String(error), /TrueNAS\w*Error|was selected to replace/);
    return null;
  });
  if (!hasStruck()) return false;
  simulator.clearFaults();
  expectKept(simulator, at);
  await recover(simulator, manager, { id: view?.id ?? null, before, then, at });
  expectUntouched(simulator, foreign, at);
  expectOnce(simulator, at);
  return true;
}

for (const then of ["resume", "roll back"] as const) {
  Deno.test(`a replacement that the NAS refuses at any call can be followed by: ${then}`, () =>
    sweep({
      name: `replacement refused, then ${then}`,
      versions: VERSIONS,
      actions: ["fail"],
      moments: ["before", "middle", "after"],
      width: 4,
      sample: 24,
      count,
      run: (point) => refused(point, then),
    }));

  Deno.test(`a replacement whose program is killed at any call can be followed by: ${then}`, () =>
    sweep({
      name: `replacement killed, then ${then}`,
      versions: VERSIONS,
      actions: ["kill"],
      moments: ["before", "middle", "after", "late"],
      width: 2,
      sample: 48,
      count,
      run: (point) => killed(point, then),
    }));
}

const CHILD = fileURLToPath(new URL("./support/child.ts", import.meta.url));

async function killed(point: Point, then: "resume" | "roll back"): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    await using simulator = await startNas(point.version);
    const foreign = picture(simulator);
    await prepare(simulator);
    const before = known(simulator);
    const at = `replace, kill, then ${then}: ${JSON.stringify(point)}`;
    const args = ["run", "--no-check", "--no-prompt", "--allow-all", CHILD];
    const own = [simulator.url, folder, "replace", String(COUNT)];
    if (!await killAtPoint(simulator, [...args, ...own], point)) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { journal });
    const [view] = manager.operations.store.list();
    if (view?.status === "done") return false;
    expectKept(simulator, at);
    await recover(simulator, manager, { id: view?.id ?? null, before, then, at });
    expectUntouched(simulator, foreign, at);
    expectOnce(simulator, at);
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
