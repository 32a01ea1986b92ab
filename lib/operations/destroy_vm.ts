/**
 * Destroys one VM of a destruction plan, and proves it: the VM is looked at before anything is done to it, and the
 * VM and its zvols are looked for afterwards.
 */
import { TrueNASCallError, TrueNASError } from "../errors.ts";
import type { DestructionVm } from "../plan/types.ts";
import type { Caller } from "../truenas/client.ts";
import { followJob } from "../truenas/jobs.ts";
import { lookAtDatasets, lookAtUsers, lookAtVm } from "../truenas/looks.ts";
import { formatCount } from "../units.ts";
import type { Dataset, Reading, Vm } from "../inventory.ts";
import { destructionSteps, type DestructionWay } from "./destruction_way.ts";
import type { OperationLog } from "./log.ts";
import { NotSent } from "./pace.ts";
import { removeByName, removeDisks } from "./removals.ts";
import { describeError, runStep, type SettleTimes, StepFailure } from "./steps.ts";

/** What the runner of a destruction works with. */
export interface DestructionContext extends DestructionWay {
  readonly caller: Caller;
  /** Its writes that still wait for their turn are given up when the person cancels: until something was removed. */
  readonly going: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimes;
  readonly signal: AbortSignal;
  /** For looks before anything is done to a VM. */
  readonly firstLooks: Caller;
  /** For looks at what is left in the end. */
  readonly lastLooks: Caller;
  /** The VM's destruction had begun earlier: what it left goes as well. */
  readonly resumed: boolean;
  /** The VM as it was read a moment ago, which need not be done again; null when it was not. */
  readonly seen: Vm | null;
  /** Leaves the place among the VMs that are worked on at once: all is done, and only to be looked at. */
  readonly leave: () => void;
}

/** Destroys one VM. It never throws: the log tells what became of it. */
export async function destroyVm(context: DestructionContext, vm: DestructionVm): Promise<void> {
  const reached = { off: false };
  const finish = ({ outcome, message }: End) =>
    context.log.append({ type: "vm", vm: vm.name, outcome, vmId: vm.id, message });
  try {
    finish(await destroy(context, vm, reached));
  } catch (error) {
    const { steps = [] } = context.log.view.vms.find(({ name }) => name === vm.name) ?? {};
    skip(context, vm, steps.filter(({ status }) => status === "pending").map(({ step }) => step));
    if (error instanceof NotSent) return void finish(cancelled(context, reached));
    const message = error instanceof StepFailure ? error.logged.message : describeError(error).message;
    finish({ outcome: "failed", message });
  }
}

interface End {
  readonly outcome: "destroyed" | "already-gone" | "cancelled" | "failed";
  readonly message: string;
}

/** How far it came before anything was removed. */
interface Reached {
  /** It ran, and does not any more. */
  off: boolean;
}

/** The end of a VM of which nothing was removed before the person cancelled. */
function cancelled({ resumed }: DestructionContext, { off }: Reached): End {
  const none = resumed ? "nothing more" : "nothing";
  const done = off ? `it was powered off, and ${none} of it was removed` : `${none} was done to it`;
  return { outcome: "cancelled", message: `It was cancelled; ${done}` };
}

async function destroy(context: DestructionContext, vm: DestructionVm, reached: Reached): Promise<End> {
  if (context.signal.aborted) {
    skip(context, vm, destructionSteps(context));
    return cancelled(context, reached);
  }
  const found = await look(context, vm);
  if (found === null) {
    skip(context, vm, destructionSteps(context).slice(1, -1));
    await check(context, vm, context.resumed ? "remove-own" : "leave");
    return { outcome: "already-gone", message: "It was gone already" };
  }
  const asked = await shutDown(context, vm, found);
  reached.off = isOn(found) && !isOn(asked);
  const off = async () => {
    await powerOff(context, vm, asked);
    reached.off = isOn(found);
  };
  await REMOVALS[context.zvols](context, vm, { found, off });
  context.leave();
  await check(context, vm, "remove");
  const zvols = vm.zvols.length === 0 ? "" : `, and so ${zvolsAre(vm)}`;
  return { outcome: "destroyed", message: `It is gone${zvols}` };
}

/** A VM that was looked at. */
interface Doomed {
  readonly found: Vm;
  /** Powers it off, if it runs. */
  readonly off: () => Promise<void>;
}

type Removal = (context: DestructionContext, vm: DestructionVm, doomed: Doomed) => Promise<void>;

/** Removes a VM and its zvols, in the order that is said. */
const REMOVALS: Readonly<Record<DestructionWay["zvols"], Removal>> = {
  with: async (context, vm, { found, off }) => {
    const wanted = vm.zvols.map(({ name }) => name);
    const [there, powered] = await Promise.allSettled([lookAtDatasets(context.caller, wanted), off()]);
    if (powered.status === "rejected") throw powered.reason;
    if (there.status === "rejected") throw there.reason;
    await remove(context, vm, found, { wanted, there: there.value, by: context.going });
  },
  before: async (context, vm, { found, off }) => {
    await off();
    const { left, count } = await removeDisks(context, vm, found);
    const there = await lookAtDatasets(context.caller, left);
    const by = count > 0 ? context.caller : context.going;
    await remove(context, vm, found, { wanted: left, there, by });
  },
  after: async (context, vm, { found, off }) => {
    await off();
    await remove(context, vm, found, { wanted: [], there: { known: true, value: [] }, by: context.going });
    await removeByName(context, vm);
  },
};

function zvolsAre({ zvols }: DestructionVm): string {
  return `${zvols.length === 1 ? "is" : "are"} its ${formatCount(zvols.length, "zvol")}`;
}

function skip({ log }: DestructionContext, vm: DestructionVm, steps: readonly string[]): void {
  for (const step of steps) log.append({ type: "step", vm: vm.name, step, status: "skipped" });
}

/**
 * Whether it is still the VM that was shown: the same id, name, uuid and zvols. One whose destruction had begun may
 * have lost some of them, but not to another VM.
 */
async function look(
  { firstLooks, log, settle, resumed, seen }: DestructionContext,
  vm: DestructionVm,
): Promise<Vm | null> {
  const looked = await runStep(log, {
    vm: vm.name,
    step: "look",
    method: "vm.query",
    run: async () => {
      if (resumed) await expectUnused(firstLooks, vm);
      return { found: sameVm(vm, seen ?? await lookAtVm(firstLooks, vm.id), resumed) };
    },
    look: null,
    detail: ({ found }) => found === null ? "gone already" : found.state,
  }, settle);
  return looked.found;
}

async function expectUnused(caller: Caller, vm: DestructionVm): Promise<void> {
  const users = await lookAtUsers(caller, vm.zvols.map(({ name }) => name));
  const other = users.find(({ id }) => id !== vm.id);
  if (other === undefined) return;
  throw new TrueNASError(
    `${other.name} uses a disk of ${vm.name} now; nothing was done to either. To destroy ${vm.name} all the same, begin on the page Destroy, which shows what stays`,
  );
}

function sameVm(vm: DestructionVm, found: Vm | null, resumed: boolean): Vm | null {
  if (found === null) return null;
  const has = found.disks.map(({ zvol, path }) => zvol ?? path);
  const shown = zvolNames(vm.zvols, vm.keeps).filter((name) => !resumed || has.includes(name));
  const wanted = JSON.stringify([vm.name, vm.uuid, shown]);
  if (wanted === JSON.stringify([found.name, found.uuid, has.toSorted()])) return found;
  throw new TrueNASError(
    `VM ${vm.id} is not what was shown any more (${found.name} with ${
      formatCount(found.disks.length, "disk")
    }); nothing was done to it`,
  );
}

function zvolNames(zvols: DestructionVm["zvols"], keeps: DestructionVm["keeps"]): string[] {
  return [...zvols.map(({ name }) => name), ...keeps.map(({ path }) => path.replace(/^\/dev\/zvol\//, ""))]
    .toSorted();
}

/** The longest that TrueNAS lets a guest take for its shutdown (shutdown_timeout), and a little more. */
const SHUTDOWN_MS = 330_000;

/** Asks a running guest to shut down; one that does not is powered off by the next step. */
async function shutDown(context: DestructionContext, vm: DestructionVm, found: Vm): Promise<Vm> {
  const { caller, going, log, settle } = context;
  if (!context.shutdown) return found;
  if (found.state !== "RUNNING") {
    log.append({ type: "step", vm: vm.name, step: "shutdown", status: "skipped", detail: found.state });
    return found;
  }
  const state = await runStep(log, {
    vm: vm.name,
    step: "shutdown",
    method: "vm.stop",
    run: async () => {
      const options = { force: false, force_after_timeout: false };
      const job = await going.call("vm.stop", [vm.id, options]);
      await followJob(caller, "vm.stop", job, { lookMs: settle.lookMs, timeoutMs: SHUTDOWN_MS });
      return (await lookAtVm(caller, vm.id))?.state ?? "gone";
    },
    look: async () => {
      const state = (await lookAtVm(caller, vm.id))?.state ?? "gone";
      return state === "RUNNING" ? null : state;
    },
    detail: (state) => state === "RUNNING" ? "it did not shut down in time" : state,
  }, settle);
  return { ...found, state };
}

function isOn({ state }: Vm): boolean {
  return state === "RUNNING" || state === "SUSPENDED";
}

async function powerOff(
  { caller, going, log, settle }: DestructionContext,
  vm: DestructionVm,
  found: Vm,
): Promise<void> {
  if (!isOn(found)) {
    log.append({ type: "step", vm: vm.name, step: "poweroff", status: "skipped", detail: found.state });
    return;
  }
  await runStep(log, {
    vm: vm.name,
    step: "poweroff",
    method: "vm.poweroff",
    run: () => going.call("vm.poweroff", [vm.id]),
    look: async () => (await lookAtVm(caller, vm.id))?.state !== "RUNNING" || null,
    detail: () => "STOPPED",
  }, settle);
}

/** Zvols that are to go with the VM. */
interface WithIt {
  readonly wanted: readonly string[];
  /** Those of them that are there. */
  readonly there: Reading<readonly Dataset[]>;
  /** What asks for the VM's own deletion: it may be given up unless something was removed before. */
  readonly by: Caller;
}

/**
 * vm.delete takes the zvols of all its disks, so it is asked to only when all of them are meant and there; otherwise
 * each is deleted by name. Without force, a zvol that cannot be destroyed stops the deletion and is named by the NAS.
 */
async function remove(
  { caller, log, settle }: DestructionContext,
  vm: DestructionVm,
  found: Vm,
  { wanted, there, by }: WithIt,
): Promise<void> {
  const names = there.known ? there.value.map(({ name }) => name) : wanted;
  const byName = vm.keeps.length > 0 || names.length < wanted.length ? names : null;
  const zvols = byName === null;
  await runStep(log, {
    vm: vm.name,
    step: "delete",
    method: "vm.delete",
    makes: [`VM ${vm.name}, id ${vm.id}`, ...wanted].join(", "),
    run: async (next) => {
      const options = { zvols: zvols && names.length > 0, force: found.state === "ERROR" };
      await by.call("vm.delete", [vm.id, options]);
      for (const name of byName ?? []) {
        await next("pool.dataset.delete");
        await caller.call("pool.dataset.delete", [name, { recursive: true }]);
      }
      return true;
    },
    look: async () => (await lookAtVm(caller, vm.id)) === null ? true : null,
    detail: () => wanted.length > 0 ? `with ${formatCount(wanted.length, "zvol")}` : "the VM",
  }, settle);
}

/**
 * Looks for what should be gone. Zvols that a half-done deletion left are removed by name, for they were shown and
 * confirmed; when the VM was gone already (somebody else's doing), they are left and named. Between an interruption
 * and its resumption the names may have been taken: then only zvols that say that they were made for this VM go.
 */
async function check(
  context: DestructionContext,
  vm: DestructionVm,
  leftovers: "remove" | "remove-own" | "leave",
): Promise<void> {
  const { caller, log, settle, lastLooks } = context;
  await runStep(log, {
    vm: vm.name,
    step: "check",
    method: "pool.dataset.query",
    run: async () => {
      const seen = await leftOf(lastLooks, vm);
      if (leftovers === "leave" || !seen.known) return expectNothing(seen);
      const going = seen.value.filter(({ mark }) => leftovers === "remove" || mark?.vm === vm.uuid);
      for (const { name } of going) await deleteLeftover(caller, name);
      return expectNothing(going.length === 0 ? seen : await leftOf(lastLooks, vm));
    },
    look: null,
    detail: (said) => said,
  }, settle);
}

/** What the step says when nothing is left, as far as could be seen. */
function expectNothing(left: Reading<readonly Dataset[]>): string {
  if (!left.known) return `the VM is gone; its zvols were not looked for, because ${left.because}`;
  if (left.value.length === 0) return "nothing is left";
  throw new TrueNASError(
    `The VM is gone, but left on the NAS: ${left.value.map(({ name }) => name).join(", ")}`,
  );
}

async function leftOf(caller: Caller, vm: DestructionVm): Promise<Reading<readonly Dataset[]>> {
  const [found, zvols] = await Promise.all([
    lookAtVm(caller, vm.id),
    lookAtDatasets(caller, vm.zvols.map(({ name }) => name)),
  ]);
  if (found !== null) throw new TrueNASError(`The VM ${vm.name} is still there`);
  return zvols;
}

async function deleteLeftover(caller: Caller, zvol: string): Promise<void> {
  try {
    await caller.call("pool.dataset.delete", [zvol, { recursive: true }]);
  } catch (error) {
    if (error instanceof TrueNASCallError) {
      throw new TrueNASError(`The VM is gone, but its zvol is not: ${error.message}`);
    }
    throw error;
  }
}
