/**
 * Destroys one VM of a destruction plan: checks the VM and its zvols' dependents first, and verifies the result
 * afterwards. The VM itself is removed last, so that an interrupted destruction can still be identified by it.
 */
import { TrueNASError } from "../../errors/errors.ts";
import { clonesFirst } from "../../plan/removal.ts";
import type { DestructionVm, PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { followJob } from "../../truenas/jobs.ts";
import { fetchDatasets, fetchDiskUsers, fetchVm } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import type { Dataset, Reading, Vm } from "../../inventory/inventory.ts";
import type { OperationLog } from "../log.ts";
import { NotSent } from "../limiter.ts";
import { describeError, runStep, type SettleTimeouts, StepFailure } from "./run_step.ts";
import {
  expectAsShown,
  hasSnapshots,
  removeDisk,
  removeLoneZvol,
  removeSnapshots,
  type ZvolRemovalContext,
} from "./zvol_removal.ts";

/** What destroying a VM needs. */
export interface DestructionContext {
  readonly caller: Caller;
  /** Its queued writes are dropped when the user cancels, until something was removed. */
  readonly cancellable: Caller;
  readonly log: OperationLog;
  readonly settle: SettleTimeouts;
  readonly signal: AbortSignal;
  /** Whether a running VM is shut down before it is powered off. */
  readonly shutdown: boolean;
  /** Resolves when the VMs that must be destroyed first have finished. */
  readonly after: Promise<unknown>;
  /** Whether an earlier run started destroying the VM, so that its leftovers are removed too. */
  readonly resumed: boolean;
  /** The VM if it was read a moment ago; null: read it again. */
  readonly known: Vm | null;
}

/** The steps, in order. */
export function destructionSteps(shutdown: boolean, { zvols }: DestructionVm): readonly string[] {
  return [
    "look",
    ...(shutdown ? ["shutdown"] : []),
    "poweroff",
    ...(hasSnapshots(zvols) ? ["snapshots"] : []),
    ...(zvols.length > 0 ? ["disks"] : []),
    "delete",
    "check",
  ];
}

/** Destroys one VM. Never throws; the log contains the result. */
export async function destroyVm(context: DestructionContext, vm: DestructionVm): Promise<void> {
  const progress: Progress = { off: false, removed: false, sent: false };
  const finish = ({ outcome, message }: End) => {
    skipPending(context, vm);
    context.log.append({ type: "vm", vm: vm.name, outcome, vmId: vm.id, message });
  };
  try {
    finish(await destroy(context, vm, progress));
  } catch (error) {
    if (error instanceof NotSent) return finish(cancelled(context, progress));
    const message = error instanceof StepFailure ? error.logged.message : describeError(error).message;
    const state = progress.sent ? `. ${await describeState(context, vm)}` : "";
    finish({ outcome: "failed", message: `${message}${state}` });
  }
}

interface End {
  readonly outcome: "destroyed" | "already-gone" | "cancelled" | "failed";
  readonly message: string;
}

/** Progress of a destruction. */
interface Progress {
  /** It was running and is now off. */
  off: boolean;
  /** A snapshot or disk was removed; from here on cancelling has no effect. */
  removed: boolean;
  /** A change was requested. */
  sent: boolean;
}

/** The result for a VM that was cancelled before anything was removed. */
function cancelled({ resumed }: DestructionContext, { off }: Progress): End {
  const none = resumed ? "nothing more" : "nothing";
  const done = off ? `it was powered off and ${none} was removed` : `${none} was changed`;
  return { outcome: "cancelled", message: `Cancelled; ${done}` };
}

/** Describes the current state on the NAS, for the user to continue from. */
async function describeState({ caller }: DestructionContext, vm: DestructionVm): Promise<string> {
  const names = vm.zvols.map(({ name }) => name);
  try {
    const [found, zvols] = await Promise.all([
      fetchVm(caller, vm.id),
      fetchDatasets(caller, names),
    ]);
    const left = [
      ...(found === null ? [] : [`the VM (${found.state.toLowerCase()})`]),
      ...(zvols.known ? zvols.value.map(({ name }) => name) : []),
    ];
    const unread = zvols.known ? "" : `; its zvols could not be read because ${zvols.because}`;
    return `${
      left.length === 0 ? "Nothing is left on the NAS" : `Left on the NAS: ${left.join(", ")}`
    }${unread}`;
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return "The NAS could not be read to see what is left; check the VM in TrueNAS, or resume this operation";
  }
}

async function destroy(context: DestructionContext, vm: DestructionVm, progress: Progress): Promise<End> {
  if (vm.blocked.length > 0) {
    return { outcome: "failed", message: `Not destroyed: ${vm.blocked.join("; ")}` };
  }
  await context.after;
  if (context.signal.aborted) return cancelled(context, progress);
  const removal = removalContext(context, progress);
  const found = await look(context, vm);
  if (found === null) return await finishGone(context, removal, vm);
  const asked = await shutDown(context, vm, { found, progress });
  progress.off = isOn(found) && !isOn(asked);
  await powerOff(context, vm, { found: asked, progress });
  progress.off = isOn(found);
  await removeSnapshots(removal, vm.name, vm.zvols);
  await removeDisks(context, removal, { vm, found, progress });
  await remove(context, vm, { found, by: removal.writer });
  const left = await check(context, vm);
  return { outcome: "destroyed", message: `Destroyed${zvolsAre(vm, left)}` };
}

function removalContext(
  { caller, cancellable, log, settle }: DestructionContext,
  progress: Progress,
): ZvolRemovalContext {
  return {
    caller,
    log,
    settle,
    writer: () => {
      progress.sent = true;
      return progress.removed ? caller : cancellable;
    },
    onRemoved: () => progress.removed = true,
  };
}

function zvolsAre({ zvols }: DestructionVm, left: Reading<unknown>): string {
  if (zvols.length === 0) return "";
  const one = zvols.length === 1;
  const count = formatCount(zvols.length, "zvol");
  if (left.known) return `, with its ${count}`;
  return `. The NAS reported that its ${count} ${
    one ? "was" : "were"
  } removed, which could not be verified because ${left.because}`;
}

function skipPending({ log }: DestructionContext, vm: DestructionVm): void {
  const { steps = [] } = log.view.vms.find(({ name }) => name === vm.name) ?? {};
  for (const { step } of steps.filter(({ status }) => status === "pending")) {
    log.append({ type: "step", vm: vm.name, step, status: "skipped" });
  }
}

/**
 * The VM no longer exists. Zvols left by the interrupted destruction are removed if their properties name this VM, because
 * the names may have been reused; other leftovers are reported.
 */
async function finishGone(
  context: DestructionContext,
  removal: ZvolRemovalContext,
  vm: DestructionVm,
): Promise<End> {
  const left = context.resumed ? await leftOf(context.caller, vm) : UNREAD;
  const own = left.known ? left.value.filter(({ mark }) => mark?.vm === vm.uuid).map(({ name }) => name) : [];
  const zvols = clonesFirst(vm.zvols.filter(({ name }) => own.includes(name)));
  await removeSnapshots(removal, vm.name, zvols);
  if (zvols.length > 0) {
    await runStep(context.log, {
      vm: vm.name,
      step: "zvols",
      method: "pool.dataset.delete",
      makes: own.join(", "),
      run: async (next) => {
        for (const [n, zvol] of zvols.entries()) {
          if (n > 0) await next("pool.dataset.delete");
          await removeLoneZvol(removal, zvol);
        }
      },
      verify: null,
      detail: () => formatCount(zvols.length, "zvol"),
    }, context.settle);
  }
  await check(context, vm);
  return { outcome: "already-gone", message: "Already gone" };
}

const UNREAD = { known: false, because: "nothing was begun here" } as const;

/**
 * Whether it is still the VM that was shown: same id, name, uuid and zvols, without new dependents. If its destruction was
 * started earlier, zvols may be missing, but not belong to another VM.
 */
async function look(context: DestructionContext, vm: DestructionVm): Promise<Vm | null> {
  const { caller, log, settle, resumed, known } = context;
  const looked = await runStep(log, {
    vm: vm.name,
    step: "look",
    method: "vm.query",
    run: async () => {
      if (resumed || vm.after.length > 0) await expectUnused(caller, vm);
      const found = sameVm(vm, known ?? await fetchVm(caller, vm.id), resumed);
      if (known === null || vm.after.length > 0) await expectAsShown(caller, vm.zvols, vm.name);
      return { found };
    },
    verify: null,
    detail: ({ found }) => found === null ? "gone already" : found.state,
  }, settle);
  return looked.found;
}

async function expectUnused(caller: Caller, vm: DestructionVm): Promise<void> {
  const users = await fetchDiskUsers(caller, vm.zvols.map(({ name }) => name));
  const other = users.find(({ id }) => id !== vm.id);
  if (other === undefined) return;
  throw new TrueNASError(
    `${other.name} now uses a disk of ${vm.name}. Neither was changed; to destroy ${vm.name} anyway, start again on the Destroy page, which shows what is kept`,
  );
}

function sameVm(vm: DestructionVm, found: Vm | null, resumed: boolean): Vm | null {
  if (found === null) return null;
  const has = found.disks.map(({ zvol, path }) => zvol ?? path);
  const shown = zvolNames(vm.zvols, vm.keeps).filter((name) => !resumed || has.includes(name));
  const wanted = JSON.stringify([vm.name, vm.uuid, shown]);
  if (wanted === JSON.stringify([found.name, found.uuid, has.toSorted()])) return found;
  throw new TrueNASError(
    `VM ${vm.id} has changed since the list was shown (now ${found.name} with ${
      formatCount(found.disks.length, "disk")
    }). It was not changed; open the Destroy page again`,
  );
}

function zvolNames(zvols: DestructionVm["zvols"], keeps: DestructionVm["keeps"]): string[] {
  return [...zvols.map(({ name }) => name), ...keeps.map(({ path }) => path.replace(/^\/dev\/zvol\//, ""))]
    .toSorted();
}

/** Longest shutdown that TrueNAS allows (shutdown_timeout), plus a margin. */
const SHUTDOWN_MS = 330_000;

/** Shuts a running guest down; the next step powers off one that does not respond. */
async function shutDown(
  context: DestructionContext,
  vm: DestructionVm,
  { found, progress }: Running,
): Promise<Vm> {
  const { caller, cancellable, log, settle } = context;
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
      progress.sent = true;
      const job = await cancellable.call("vm.stop", [vm.id, options]);
      await followJob(caller, "vm.stop", job, { pollMs: settle.pollMs, timeoutMs: SHUTDOWN_MS });
      return (await fetchVm(caller, vm.id))?.state ?? "gone";
    },
    verify: async () => {
      const state = (await fetchVm(caller, vm.id))?.state ?? "gone";
      return state === "RUNNING" ? null : state;
    },
    detail: (state) => state === "RUNNING" ? "it did not shut down in time" : state,
  }, settle);
  return { ...found, state };
}

/** A VM that may have to be stopped. */
interface Running {
  readonly found: Vm;
  readonly progress: Progress;
}

function isOn({ state }: Vm): boolean {
  return state === "RUNNING" || state === "SUSPENDED";
}

async function powerOff(
  { caller, cancellable, log, settle }: DestructionContext,
  vm: DestructionVm,
  { found, progress }: Running,
): Promise<void> {
  if (!isOn(found)) {
    log.append({ type: "step", vm: vm.name, step: "poweroff", status: "skipped", detail: found.state });
    return;
  }
  await runStep(log, {
    vm: vm.name,
    step: "poweroff",
    method: "vm.poweroff",
    run: () => {
      progress.sent = true;
      return cancellable.call("vm.poweroff", [vm.id]);
    },
    verify: async () => (await fetchVm(caller, vm.id))?.state !== "RUNNING" || null,
    detail: () => "STOPPED",
  }, settle);
}

/** A disk of the VM, and its zvol as it was shown. */
interface Disk {
  readonly zvol: PlannedZvol;
  readonly deviceId: number;
}

/** Removes the disks whose zvols were shown, each with its zvol. */
async function removeDisks(
  { caller, log, settle }: DestructionContext,
  removal: ZvolRemovalContext,
  { vm, found, progress }: Running & { readonly vm: DestructionVm },
): Promise<void> {
  const disks = clonesFirst(vm.zvols).flatMap((zvol): Disk[] => {
    const disk = found.disks.find((it) => it.zvol === zvol.name);
    return disk === undefined ? [] : [{ zvol, deviceId: disk.deviceId }];
  });
  if (disks.length === 0) return;
  const left = new Set(disks);
  const remove = async (disk: Disk) => {
    const { zvol, deviceId } = disk;
    const isDeviceGone = async () => {
      const now = await fetchVm(caller, vm.id);
      return !now?.disks.some((it) => it.deviceId === deviceId) || null;
    };
    await removeDisk(removal, zvol, { deviceId, isDeviceGone });
    left.delete(disk);
  };
  await runStep(log, {
    vm: vm.name,
    step: "disks",
    method: "vm.device.delete",
    makes: disks.map(({ zvol }) => zvol.name).join(", "),
    run: async (next) => {
      for (let n = 1; n < disks.length; n++) await next("vm.device.delete");
      try {
        await removeAtOnce(disks, remove);
      } catch (error) {
        if (!(error instanceof NotSent) || !progress.removed) throw error;
        // A disk was removed before the person cancelled, so the VM is finished.
        await removeAtOnce([...left], remove);
      }
    },
    verify: null,
    detail: () => formatCount(disks.length, "zvol"),
  }, settle);
}

/** Removes disks at the same time, but clones before what they are clones of; ends when every call has ended. */
async function removeAtOnce(disks: readonly Disk[], remove: (disk: Disk) => Promise<void>): Promise<void> {
  const removals = new Map<string, Promise<void>>();
  for (const disk of disks) {
    const clones = Promise.all(disk.zvol.dependants.map(({ zvol }) => removals.get(zvol)));
    removals.set(disk.zvol.name, clones.then(() => remove(disk)));
  }
  const ends = await Promise.allSettled(removals.values());
  const errors = ends.flatMap((end) => end.status === "rejected" ? [end.reason] : []);
  if (errors.length > 0) throw errors.find((error) => !(error instanceof NotSent)) ?? errors[0];
}

/** Removes the VM without its zvols, because vm.delete removes zvols recursively. */
async function remove(
  { caller, log, settle }: DestructionContext,
  vm: DestructionVm,
  { found, by }: { readonly found: Vm; readonly by: () => Caller },
): Promise<void> {
  await runStep(log, {
    vm: vm.name,
    step: "delete",
    method: "vm.delete",
    makes: `VM ${vm.name}, id ${vm.id}`,
    run: () => by().call("vm.delete", [vm.id, { zvols: false, force: found.state === "ERROR" }]),
    verify: async () => (await fetchVm(caller, vm.id)) === null ? true : null,
    detail: () => "the VM",
  }, settle);
}

/** Verifies that everything is gone, and names what is not. */
async function check(
  { caller, log, settle }: DestructionContext,
  vm: DestructionVm,
): Promise<Reading<readonly Dataset[]>> {
  return await runStep(log, {
    vm: vm.name,
    step: "check",
    method: "pool.dataset.query",
    run: async () => {
      const left = await leftOf(caller, vm);
      if (!left.known || left.value.length === 0) return left;
      throw new TrueNASError(
        `The VM is gone, but left on the NAS: ${left.value.map(({ name }) => name).join(", ")}`,
      );
    },
    verify: null,
    detail: (left) =>
      left.known
        ? "nothing is left"
        : `the VM is gone; its zvols could not be checked because ${left.because}`,
  }, settle);
}

async function leftOf(caller: Caller, vm: DestructionVm): Promise<Reading<readonly Dataset[]>> {
  const [found, zvols] = await Promise.all([
    fetchVm(caller, vm.id),
    fetchDatasets(caller, vm.zvols.map(({ name }) => name)),
  ]);
  if (found !== null) throw new TrueNASError(`The VM ${vm.name} still exists`);
  return zvols;
}
