/**
 * Destroys one VM of a destruction plan: checks the VM and its zvols' dependents first, and verifies the result
 * afterwards. The VM itself is removed last, so that an interrupted destruction can still be identified by it.
 */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { describeRemoval, removeSeedStep } from "../../first_boot/iso/remove_seed.ts";
import { isTransient } from "../../errors/refusals.ts";
import { zvolOfPath } from "../../inventory/names.ts";
import { clonesFirst } from "../../plan/removal.ts";
import type { DestructionVm, PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { followJob } from "../../truenas/jobs.ts";
import { fetchDatasets, fetchDiskUsers, fetchVm } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import type { Dataset, Reading, Vm } from "../../inventory/inventory.ts";
import { NotSent } from "../limits/call_limiter.ts";
import { Cancelled, runStep, skipStep, type Step } from "./run_step.ts";
import { describeLeft, runVm, type VmContext, type VmResult } from "./run_vm.ts";
import { deleteVmStep, isOn, powerOffStep } from "./vm_steps.ts";
import {
  expectAsShown,
  hasSnapshots,
  type RemovalContext,
  removalContext,
  removeDisk,
  removeSnapshots,
  zvolsStep,
} from "./zvol_removal.ts";

/** What destroying a VM needs. */
export interface DestructionContext extends VmContext {
  /** Whether a running VM is shut down before it is powered off. */
  readonly shutdown: boolean;
  /** Resolves when the VMs that must be destroyed first have finished. */
  readonly after: Promise<unknown>;
  /** Whether an earlier run started destroying the VM, so that its leftovers are removed too. */
  readonly resumed: boolean;
  /** The VM if it was read a moment ago; null: read it again. */
  readonly recent: Vm | null;
}

/** The steps, in order. */
export function destructionSteps(shutdown: boolean, { zvols, seed }: DestructionVm): readonly string[] {
  return [
    "verify",
    ...(shutdown ? ["shutdown"] : []),
    "poweroff",
    ...(hasSnapshots(zvols) ? ["snapshots"] : []),
    ...(zvols.length > 0 ? ["disks"] : []),
    "delete",
    ...(seed === undefined ? [] : ["remove-seed"]),
    "check",
  ];
}

/** A destruction in progress. */
interface Destruction extends DestructionContext, RemovalContext {
  readonly vm: DestructionVm;
  /** Whether this destruction turned the VM off. */
  wasTurnedOff: boolean;
}

/** Destroys one VM. Never throws; the log contains the result. */
export async function destroyVm(context: DestructionContext, vm: DestructionVm): Promise<void> {
  const passes = async (error: unknown) => isTransient(error) || await isOffAgain(context, vm.id);
  const removal = removalContext({ ...context, vmName: vm.name }, context.cancellable, passes);
  const work: Destruction = { ...context, ...removal, vm, wasTurnedOff: false };
  await runVm(work, {
    id: vm.id,
    run: () => destroy(work),
    onFailure: async ({ message, cancelled }) => {
      if (cancelled) return { outcome: "cancelled", message: describeCancelled(work) };
      const state = work.progress.sent ? `. ${await describeState(work)}` : "";
      return { outcome: "failed", message: `${message}${state}` };
    },
  });
}

/**
 * Powers a VM off that the NAS started by itself when it restarted during the destruction; the removal can then be repeated.
 */
async function isOffAgain({ caller, outages }: DestructionContext, id: number): Promise<boolean> {
  if (!outages.hasRestarted) return false;
  try {
    if (isOn((await fetchVm(caller, id))?.state)) await caller.call("vm.poweroff", [id]);
  } catch (error) {
    // The removal of another disk has powered it off meanwhile.
    if (!(error instanceof TrueNASCallError)) throw error;
  }
  return true;
}

function describeCancelled({ resumed, wasTurnedOff }: Destruction): string {
  const none = resumed ? "nothing more" : "nothing";
  return wasTurnedOff
    ? `Cancelled; it was powered off and ${none} was removed`
    : `Cancelled; ${none} was changed`;
}

/** Describes the current state on the NAS, for the user to continue from. */
async function describeState(work: Destruction): Promise<string> {
  try {
    const { found, zvols } = await readLeft(work);
    return describeLeft([
      ...(found === null ? [] : [`the VM (${found.state.toLowerCase()})`]),
      ...(zvols.known ? zvols.value.map(({ name }) => name) : []),
    ], zvols.known ? null : zvols.because);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return "The NAS could not be read to see what is left; check the VM in TrueNAS, or resume this operation";
  }
}

async function destroy(work: Destruction): Promise<VmResult> {
  const { vm } = work;
  const { id } = vm;
  if (vm.blocked.length > 0) throw new TrueNASError(`Not destroyed: ${vm.blocked.join("; ")}`);
  await work.after;
  if (work.signal.aborted) throw new Cancelled();
  const found = await runStep(work, verifyStep(work));
  if (found === null) return await removeLeftovers(work);
  await turnOff(work, found);
  await removeSnapshots(work, vm.zvols);
  const disks = disksToRemove(vm, found);
  if (disks.length > 0) await runStep(work, disksStep(work, disks));
  await runStep(work, deleteVmStep(work, { id, step: "delete", force: found.state === "ERROR" }));
  const seed = await removeSeedOf(work);
  const left = await runStep(work, checkStep(work));
  return { outcome: "destroyed", message: `Destroyed${describeZvols(vm, left)}${seed}` };
}

/** Removes the VM's first configuration on a CD-ROM; the text is about one that stays. */
async function removeSeedOf(work: Destruction): Promise<string> {
  const { vm: { seed: dataset, uuid } } = work;
  if (dataset === undefined) return "";
  const seed = { dataset, uuid };
  const removal = await runStep(work, removeSeedStep(work, seed));
  return removal === "refused" || removal === "used" ? `. ${describeRemoval(removal, seed)}` : "";
}

function describeZvols({ zvols }: DestructionVm, left: Reading<unknown>): string {
  if (zvols.length === 0) return "";
  const count = formatCount(zvols.length, "disk");
  if (left.known) return `, with its ${count}`;
  const were = zvols.length === 1 ? "was" : "were";
  return `. The NAS reported that its ${count} ${were} removed, which could not be verified because ${left.because}`;
}

/**
 * The VM no longer exists. Zvols left by the interrupted destruction are removed if their properties name this VM, because
 * the names may have been reused; other leftovers are reported.
 */
async function removeLeftovers(work: Destruction): Promise<VmResult> {
  const { vm, resumed } = work;
  const left = resumed ? await readZvolsLeft(work) : null;
  const own = left?.known
    ? left.value.filter(({ mark }) => mark?.vm === vm.uuid).map(({ name }) => name)
    : [];
  const zvols = clonesFirst(vm.zvols.filter(({ name }) => own.includes(name)));
  await removeSnapshots(work, zvols);
  if (zvols.length > 0) await runStep(work, zvolsStep(work, { step: "zvols", zvols }));
  const seed = resumed ? await removeSeedOf(work) : "";
  await runStep(work, checkStep(work));
  return { outcome: "already-gone", message: `Already gone${seed}` };
}

/**
 * Verifies that it is still the VM that was shown: same id, name, uuid and zvols, without new dependents. If its
 * destruction was started earlier, zvols may be missing, but not belong to another VM.
 */
function verifyStep({ caller, resumed, recent, vm }: Destruction): Step<Vm | null> {
  return {
    step: "verify",
    method: "vm.query",
    call: async () => {
      if (resumed || vm.after.length > 0) await expectUnused(caller, vm);
      const found = recent ?? await fetchVm(caller, vm.id);
      if (found !== null) expectSame(vm, found, resumed);
      if (recent === null || vm.after.length > 0) await expectAsShown(caller, vm.zvols, vm.name);
      return found;
    },
    verify: null,
    detail: (found) => found === null ? "no longer exists" : found.state,
  };
}

async function expectUnused(caller: Caller, vm: DestructionVm): Promise<void> {
  const users = await fetchDiskUsers(caller, vm.zvols.map(({ name }) => name));
  const other = users.find(({ id }) => id !== vm.id);
  if (other === undefined) return;
  throw new TrueNASError(
    `${other.name} now uses a disk of ${vm.name}. Neither was changed; to destroy ${vm.name} anyway, start again on the Destroy page, which shows what is kept`,
  );
}

function expectSame(vm: DestructionVm, found: Vm, resumed: boolean): void {
  const current = found.disks.map(({ zvol, path }) => zvol ?? path).toSorted();
  const shown = [...vm.zvols.map(({ name }) => name), ...vm.keeps.map(({ path }) => zvolOfPath(path) ?? path)]
    .filter((disk) => !resumed || current.includes(disk)).toSorted();
  const expected = JSON.stringify([vm.name, vm.uuid, shown]);
  if (expected === JSON.stringify([found.name, found.uuid, current])) return;
  const disks = formatCount(found.disks.length, "disk");
  throw new TrueNASError(
    `VM ${vm.id} has changed since the list was shown (now ${found.name} with ${disks}). It was not changed; open the Destroy page again`,
  );
}

/** Shuts a running VM down if that was requested, and powers it off if it is still on. */
async function turnOff(work: Destruction, found: Vm): Promise<void> {
  let { state } = found;
  if (work.shutdown) {
    if (state === "RUNNING") state = await runStep(work, shutdownStep(work));
    else skipStep(work, { step: "shutdown", detail: state });
  }
  work.wasTurnedOff = isOn(found.state) && !isOn(state);
  if (!isOn(state)) return skipStep(work, { step: "poweroff", detail: state });
  await runStep(work, powerOffStep(work, { id: work.vm.id, step: "poweroff" }));
  work.wasTurnedOff = true;
}

/** Longest shutdown that TrueNAS allows (shutdown_timeout), plus a margin. */
const SHUTDOWN_MS = 330_000;

/** Shuts a running guest down; the next step powers off one that does not respond. */
function shutdownStep({ caller, writer, settle, vm }: Destruction): Step<string> {
  const readState = async () => (await fetchVm(caller, vm.id))?.state ?? "no longer exists";
  return {
    step: "shutdown",
    method: "vm.stop",
    call: async () => {
      const job = await writer().call("vm.stop", [vm.id, { force: false, force_after_timeout: false }]);
      await followJob(caller, "vm.stop", job, { pollMs: settle.pollMs, timeoutMs: SHUTDOWN_MS });
      return await readState();
    },
    verify: async () => {
      const state = await readState();
      return state === "RUNNING" ? null : state;
    },
    detail: (state) => state === "RUNNING" ? "it did not shut down in time" : state,
  };
}

/** A disk of the VM, and its zvol as it was shown. */
interface Disk {
  readonly zvol: PlannedZvol;
  readonly deviceId: number;
}

/** The disks whose zvols were shown. */
function disksToRemove(vm: DestructionVm, found: Vm): readonly Disk[] {
  return clonesFirst(vm.zvols).flatMap((zvol): Disk[] => {
    const disk = found.disks.find((it) => it.zvol === zvol.name);
    return disk === undefined ? [] : [{ zvol, deviceId: disk.deviceId }];
  });
}

/** Removes disks, each with its zvol. */
function disksStep(work: Destruction, disks: readonly Disk[]): Step<void> {
  const { vm, progress } = work;
  const remaining = new Set(disks);
  return {
    step: "disks",
    method: "vm.device.delete",
    makes: disks.map(({ zvol }) => zvol.name).join(", "),
    call: async (calls) => {
      const { next } = calls;
      const remove = async (disk: Disk) => {
        await removeDisk(work, calls, disk.zvol, { vmId: vm.id, deviceId: disk.deviceId });
        remaining.delete(disk);
      };
      for (let n = 1; n < disks.length; n++) await next("vm.device.delete");
      try {
        await removeInParallel(disks, remove);
      } catch (error) {
        if (!(error instanceof NotSent) || !progress.removed) throw error;
        // A disk was removed before the user cancelled, so the others are removed too.
        await removeInParallel([...remaining], remove);
      }
    },
    verify: null,
    detail: () => formatCount(disks.length, "disk"),
  };
}

/** Removes disks in parallel, but clones before the zvols they were cloned from; waits for every call. */
async function removeInParallel(
  disks: readonly Disk[],
  remove: (disk: Disk) => Promise<void>,
): Promise<void> {
  const removals = new Map<string, Promise<void>>();
  for (const disk of disks) {
    const clones = Promise.all(disk.zvol.dependants.map(({ zvol }) => removals.get(zvol)));
    removals.set(disk.zvol.name, clones.then(() => remove(disk)));
  }
  const results = await Promise.allSettled(removals.values());
  const errors = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
  if (errors.length > 0) throw errors.find((error) => !(error instanceof NotSent)) ?? errors[0];
}

/** Verifies that everything was removed, and names what was not. */
function checkStep(work: Destruction): Step<Reading<readonly Dataset[]>> {
  return {
    step: "check",
    method: "pool.dataset.query",
    call: async () => {
      const left = await readZvolsLeft(work);
      if (!left.known || left.value.length === 0) return left;
      const names = left.value.map(({ name }) => name).join(", ");
      throw new TrueNASError(`The VM was removed, but these zvols are left on the NAS: ${names}`);
    },
    verify: null,
    detail: (left) =>
      left.known
        ? "nothing is left"
        : `the VM was removed; its zvols could not be checked because ${left.because}`,
  };
}

async function readZvolsLeft(work: Destruction): Promise<Reading<readonly Dataset[]>> {
  const { found, zvols } = await readLeft(work);
  if (found !== null) throw new TrueNASError(`The VM ${work.vm.name} still exists`);
  return zvols;
}

async function readLeft({ caller, vm }: Destruction) {
  const names = vm.zvols.map(({ name }) => name);
  const [found, zvols] = await Promise.all([fetchVm(caller, vm.id), fetchDatasets(caller, names)]);
  return { found, zvols };
}
