/**
 * Destroys one VM of a destruction plan: checks the VM and its zvols' dependents first, and verifies the result
 * afterwards. The VM itself is removed last, so that an interrupted destruction can still be identified by it.
 */
import { TrueNASError } from "../../errors/errors.ts";
import { zvolOfPath } from "../../inventory/names.ts";
import { clonesFirst } from "../../plan/removal.ts";
import type { DestructionVm, PlannedZvol } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { followJob } from "../../truenas/jobs.ts";
import { fetchDatasets, fetchDiskUsers, fetchVm } from "../../truenas/batched_reads.ts";
import { formatCount } from "../../units.ts";
import type { Dataset, Reading, Vm } from "../../inventory/inventory.ts";
import { NotSent } from "../limiter.ts";
import { runStep, skipStep, type Step, type StepContext } from "./run_step.ts";
import { Cancelled, describeLeft, runVm, type VmResult } from "./run_vm.ts";
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
export interface DestructionContext extends StepContext {
  /** Its queued writes are dropped when the user cancels, until something was removed. */
  readonly cancellable: Caller;
  readonly signal: AbortSignal;
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
export function destructionSteps(shutdown: boolean, { zvols }: DestructionVm): readonly string[] {
  return [
    "verify",
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
  const removal = removalContext(context, context.cancellable);
  const power: Power = { wasTurnedOff: false };
  await runVm(context.log, vm, {
    run: () => destroy(context, removal, { vm, power }),
    onFailure: async ({ message, cancelled }) => {
      if (cancelled) {
        const none = context.resumed ? "nothing more" : "nothing";
        const state = power.wasTurnedOff
          ? `it was powered off and ${none} was removed`
          : `${none} was changed`;
        return { outcome: "cancelled", message: `Cancelled; ${state}` };
      }
      const state = removal.progress.sent ? `. ${await describeState(context, vm)}` : "";
      return { outcome: "failed", message: `${message}${state}` };
    },
  });
}

/** Whether this destruction has powered the VM off. */
interface Power {
  wasTurnedOff: boolean;
}

/** Describes the current state on the NAS, for the user to continue from. */
async function describeState({ caller }: StepContext, vm: DestructionVm): Promise<string> {
  try {
    const { found, zvols } = await readLeft(caller, vm);
    return describeLeft([
      ...(found === null ? [] : [`the VM (${found.state.toLowerCase()})`]),
      ...(zvols.known ? zvols.value.map(({ name }) => name) : []),
    ], zvols.known ? null : zvols.because);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return "The NAS could not be read to see what is left; check the VM in TrueNAS, or resume this operation";
  }
}

async function destroy(
  context: DestructionContext,
  removal: RemovalContext,
  { vm, power }: { readonly vm: DestructionVm; readonly power: Power },
): Promise<VmResult> {
  if (vm.blocked.length > 0) {
    return { outcome: "failed", message: `Not destroyed: ${vm.blocked.join("; ")}` };
  }
  await context.after;
  if (context.signal.aborted) throw new Cancelled();
  const found = await runStep(context, verifyStep(context, vm));
  if (found === null) return await removeLeftovers(context, removal, vm);
  await turnOff(context, removal, { vm, found, power });
  await removeSnapshots(removal, vm.name, vm.zvols);
  const disks = disksToRemove(vm, found);
  if (disks.length > 0) await runStep(context, disksStep(removal, vm, disks));
  const deletion = { step: "delete", force: found.state === "ERROR", writer: removal.writer };
  await runStep(context, deleteVmStep(context, vm, deletion));
  const left = await runStep(context, checkStep(context, vm));
  return { outcome: "destroyed", message: `Destroyed${describeZvols(vm, left)}` };
}

function describeZvols({ zvols }: DestructionVm, left: Reading<unknown>): string {
  if (zvols.length === 0) return "";
  const count = formatCount(zvols.length, "zvol");
  if (left.known) return `, with its ${count}`;
  const were = zvols.length === 1 ? "was" : "were";
  return `. The NAS reported that its ${count} ${were} removed, which could not be verified because ${left.because}`;
}

/**
 * The VM no longer exists. Zvols left by the interrupted destruction are removed if their properties name this VM, because
 * the names may have been reused; other leftovers are reported.
 */
async function removeLeftovers(
  context: DestructionContext,
  removal: RemovalContext,
  vm: DestructionVm,
): Promise<VmResult> {
  const left = context.resumed ? await readZvolsLeft(context.caller, vm) : null;
  const own = left?.known
    ? left.value.filter(({ mark }) => mark?.vm === vm.uuid).map(({ name }) => name)
    : [];
  const zvols = clonesFirst(vm.zvols.filter(({ name }) => own.includes(name)));
  await removeSnapshots(removal, vm.name, zvols);
  if (zvols.length > 0) await runStep(context, zvolsStep(removal, vm.name, { step: "zvols", zvols }));
  await runStep(context, checkStep(context, vm));
  return { outcome: "already-gone", message: "Already gone" };
}

/**
 * Verifies that it is still the VM that was shown: same id, name, uuid and zvols, without new dependents. If its
 * destruction was started earlier, zvols may be missing, but not belong to another VM.
 */
function verifyStep(
  { caller, resumed, recent }: DestructionContext,
  vm: DestructionVm,
): Step<Vm | null> {
  return {
    vm: vm.name,
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
    detail: (found) => found === null ? "already gone" : found.state,
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
async function turnOff(
  context: DestructionContext,
  removal: RemovalContext,
  { vm, found, power }: { readonly vm: DestructionVm; readonly found: Vm; readonly power: Power },
): Promise<void> {
  let { state } = found;
  if (context.shutdown) {
    if (state === "RUNNING") state = await runStep(context, shutdownStep(removal, vm));
    else skipStep(context.log, { vm: vm.name, step: "shutdown", detail: state });
  }
  power.wasTurnedOff = isOn(found.state) && !isOn(state);
  const step = "poweroff";
  if (!isOn(state)) return skipStep(context.log, { vm: vm.name, step, detail: state });
  await runStep(context, powerOffStep(context, vm, { step, writer: removal.writer }));
  power.wasTurnedOff = true;
}

/** Longest shutdown that TrueNAS allows (shutdown_timeout), plus a margin. */
const SHUTDOWN_MS = 330_000;

/** Shuts a running guest down; the next step powers off one that does not respond. */
function shutdownStep({ caller, writer, settle }: RemovalContext, vm: DestructionVm): Step<string> {
  const readState = async () => (await fetchVm(caller, vm.id))?.state ?? "gone";
  return {
    vm: vm.name,
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
function disksStep(removal: RemovalContext, vm: DestructionVm, disks: readonly Disk[]): Step<void> {
  const remaining = new Set(disks);
  const remove = async (disk: Disk) => {
    await removeDisk(removal, disk.zvol, { vmId: vm.id, deviceId: disk.deviceId });
    remaining.delete(disk);
  };
  return {
    vm: vm.name,
    step: "disks",
    method: "vm.device.delete",
    makes: disks.map(({ zvol }) => zvol.name).join(", "),
    call: async (next) => {
      for (let n = 1; n < disks.length; n++) await next("vm.device.delete");
      try {
        await removeInParallel(disks, remove);
      } catch (error) {
        if (!(error instanceof NotSent) || !removal.progress.removed) throw error;
        // A disk was removed before the user cancelled, so the others are removed too.
        await removeInParallel([...remaining], remove);
      }
    },
    verify: null,
    detail: () => formatCount(disks.length, "zvol"),
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
function checkStep({ caller }: StepContext, vm: DestructionVm): Step<Reading<readonly Dataset[]>> {
  return {
    vm: vm.name,
    step: "check",
    method: "pool.dataset.query",
    call: async () => {
      const left = await readZvolsLeft(caller, vm);
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

async function readZvolsLeft(caller: Caller, vm: DestructionVm): Promise<Reading<readonly Dataset[]>> {
  const { found, zvols } = await readLeft(caller, vm);
  if (found !== null) throw new TrueNASError(`The VM ${vm.name} still exists`);
  return zvols;
}

async function readLeft(caller: Caller, vm: DestructionVm) {
  const [found, zvols] = await Promise.all([
    fetchVm(caller, vm.id),
    fetchDatasets(caller, vm.zvols.map(({ name }) => name)),
  ]);
  return { found, zvols };
}
