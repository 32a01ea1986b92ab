/**
 * Replaces a VM: removes it with the zvols that differ, and creates it anew with the others. Once the old VM is gone there is
 * no way back, so a replacement that fails later is left as it is, to be resumed; zvols that are kept are never removed.
 */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { isTransient } from "../../errors/refusals.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { Dataset, Vm } from "../../inventory/inventory.ts";
import { isMarked, ownerProperties, type ZvolMark } from "../../inventory/marks.ts";
import type { PlannedVm, ReplacedZvol, Replacement } from "../../plan/types.ts";
import { expectKnown, fetchDatasets, fetchDiskUsers, fetchVm } from "../../truenas/batched_reads.ts";
import { followJob } from "../../truenas/jobs.ts";
import { createSteps, type Creation, type CreationContext, creationOf, startCreated } from "./create_vm.ts";
import { vmIdOf } from "./device_step.ts";
import { Cancelled, runStep, skipStep, type Step } from "./run_step.ts";
import { expectVm, findVm, runVm, type VmFailure, type VmResult } from "./run_vm.ts";
import { deleteVmStep, isOn, startVm } from "./vm_steps.ts";
import {
  expectAsShown,
  type RemovalContext,
  removalContext,
  removeSnapshots,
  zvolsStep,
} from "./zvol_removal.ts";

/** What replacing a VM needs. */
export interface ReplacementContext extends CreationContext {
  /** Whether an earlier run began to replace the VM and may have stopped it. */
  readonly resumed: boolean;
}

/** A replacement in progress. */
interface Replacing extends RemovalContext {
  readonly context: ReplacementContext;
  readonly vm: PlannedVm;
  readonly replacement: Replacement;
  /** The new VM. */
  readonly creation: Creation;
  /** The old VM, unless it has been removed before. */
  readonly old: { readonly id: number; readonly uuid: string | null } | null;
  /** Whether anything was done about the old VM. */
  hasStarted: boolean;
  wasStopped: boolean;
  isGone: boolean;
}

/** Replaces one VM, or finishes its replacement. Never throws; the log contains the result. */
export async function replaceVm(context: ReplacementContext, vm: PlannedVm): Promise<void> {
  const { replacement } = vm;
  if (replacement === null) throw new TypeError(`The plan does not say how to replace ${vm.name}`);
  const isThere = replacement.steps.includes("remove");
  const old = isThere && vm.vmId !== null ? { id: vm.vmId, uuid: vm.vmUuid } : null;
  const creation = creationOf(context, {
    ...vm,
    ...(isThere ? { vmId: null, vmUuid: null } : {}),
    devices: replacement.devices,
    description: replacement.description,
    autostart: replacement.autostart,
    start: replacement.start,
    steps: replacement.steps.filter((step) => step === "vm" || isDevice(replacement, step)),
  }, replacement.keeps.map(({ zvol }) => zvol));
  const passes = async (error: unknown) => isTransient(error) || await isOffAgain(work);
  const removal = removalContext({ ...context, vmName: vm.name }, context.cancellable, passes);
  const work: Replacing = {
    ...removal,
    context,
    vm,
    replacement,
    creation,
    old,
    hasStarted: false,
    wasStopped: false,
    isGone: old === null,
  };
  await runVm(work, {
    run: () => replace(work),
    onFailure: (failure) => endFailed(work, failure),
  });
}

function isDevice({ devices }: Replacement, step: string): boolean {
  return devices.some((device) => device.step === step);
}

async function replace(work: Replacing): Promise<VmResult> {
  const { context, old, creation, replacement: { start } } = work;
  if (context.stop.signal.aborted) throw new Cancelled(`Not started: ${context.stop.signal.reason}`);
  expectGoing(work);
  work.hasStarted = true;
  if (old !== null) await removeOld(work, old.id);
  await removeZvols(work);
  expectGoing(work);
  const cancellable = { ...creation, caller: context.cancellable };
  await createSteps(cancellable);
  for (const { step, zvol } of toMark(work)) {
    expectGoing(work);
    await runStep(cancellable, markStep(work, step, zvol));
  }
  expectGoing(work);
  if (start && work.replacement.steps.includes("start")) await startCreated(cancellable);
  return { outcome: "replaced", vmId: vmIdOf(creation.created), message: describeReplaced(work.replacement) };
}

function expectGoing({ context: { signal } }: Replacing): void {
  if (signal.aborted) throw new Cancelled();
}

function describeReplaced({ zvols, keeps }: Replacement): string {
  const names = (disks: readonly string[]) => disks.join(", ");
  const kept = names(keeps.map(({ zvol }) => zvol));
  const removed = names(zvols.map(({ name }) => name));
  return `Replaced${removed === "" ? "" : `; removed with it: ${removed}`}${
    kept === "" ? "" : `; kept: ${kept}`
  }`;
}

/** Checks the old VM, turns it off and removes it, without its zvols. */
async function removeOld(work: Replacing, id: number): Promise<void> {
  const { replacement } = work;
  const { state } = await runStep(work, verifyStep(work, id));
  expectGoing(work);
  if (state === "RUNNING") {
    await runStep(work, stopStep(work, id));
    work.wasStopped = true;
  } else if (replacement.steps.includes("stop")) skipStep(work, { step: "stop", detail: state });
  await runStep(work, deleteVmStep(work, { id, step: "remove", force: state === "ERROR" }));
  work.isGone = true;
}

/** Checks that the VM and its zvols are what was shown. */
function verifyStep(work: Replacing, id: number): Step<Vm> {
  const { caller, vm, replacement } = work;
  return {
    step: "verify",
    method: "vm.query",
    call: async () => {
      const found = await expectVm(caller, { id, name: vm.name, uuid: vm.vmUuid });
      const zvols = [
        ...replacement.zvols,
        ...replacement.keeps.map((kept) => ({ ...kept, name: kept.zvol })),
      ];
      const datasets = await fetchDatasets(caller, zvols.map(({ name }) => name));
      const change = describeChange(work, found) ??
        (datasets.known ? describeChangedZvol(replacement, datasets.value) : null);
      if (change !== null) {
        throw new TrueNASError(
          `${change} since the plan was shown. Nothing was changed; look at the plan again`,
        );
      }
      await expectAsShown(caller, replacement.zvols, vm.name);
      return found;
    },
    verify: null,
    detail: ({ state }) => state,
  };
}

/** What has changed about the VM, besides what this replacement did before it was interrupted; null for nothing. */
function describeChange({ vm, replacement, context }: Replacing, found: Vm): string | null {
  const { zvols, keeps, devices } = replacement;
  if (found.state !== vm.state && !isOwnEffect(context, found)) {
    return `${vm.name} is ${found.state.toLowerCase()}, which has changed`;
  }
  if (!isMarked(found.description)) return `${vm.name} has lost this program's mark`;
  const attached = keeps.filter(({ step }) => !vm.missing.includes(step)).map(({ zvol }) => zvol);
  const shown = [...zvols.map(({ name }) => name), ...attached].toSorted();
  const disks = found.disks.map(({ zvol, path }) => zvol ?? path).toSorted();
  if (JSON.stringify(shown) !== JSON.stringify(disks)) return `The disks of ${vm.name} have changed`;
  const macs = devices.flatMap((device) => device.dtype === "NIC" ? device.mac : []);
  const isOther = vm.differences.every(({ field }) => !field.startsWith("nic")) &&
    found.nics.some(({ mac }) => mac !== null && !macs.includes(mac));
  return isOther ? `The NICs of ${vm.name} have changed` : null;
}

/** An interrupted replacement may have stopped the VM, and a NAS that restarts stops VMs and starts some of them again. */
function isOwnEffect({ resumed, outages }: ReplacementContext, { state }: Vm): boolean {
  return state === "STOPPED" ? resumed || outages.hasRestarted : state === "RUNNING" && outages.hasRestarted;
}

function describeChangedZvol(
  { zvols, keeps }: Replacement,
  datasets: readonly Dataset[],
): string | null {
  const isSame = (name: string, mark: ZvolMark | null, sizeBytes: number | null) => {
    const found = datasets.find((dataset) => dataset.name === name);
    return found !== undefined && found.mark?.vm === mark?.vm &&
      (sizeBytes === null || found.volsizeBytes === sizeBytes);
  };
  const other = zvols.find(({ name, mark, sizeBytes }) => !isSame(name, mark, sizeBytes))?.name ??
    keeps.find(({ zvol, mark }) => !isSame(zvol, mark, null))?.zvol;
  return other === undefined ? null : `The zvol ${other} has changed`;
}

/** Longest shutdown that TrueNAS allows (shutdown_timeout), plus a margin. */
const SHUTDOWN_MS = 330_000;

/** Shuts the guest down, so that what it writes to its kept disks is complete; TrueNAS powers off one that does not respond. */
function stopStep(work: Replacing, id: number): Step<string> {
  const { caller, writer, settle, log, vmName } = work;
  const verify = async () => {
    const state = (await fetchVm(caller, id))?.state;
    return state === undefined || isOn(state) ? null : state;
  };
  return {
    step: "stop",
    method: "vm.stop",
    call: async () => {
      const job = await writer().call("vm.stop", [id, { force: false, force_after_timeout: true }]);
      await followJob(caller, "vm.stop", job, {
        pollMs: settle.pollMs,
        timeoutMs: SHUTDOWN_MS,
        onProgress: (percent) => log.append({ type: "progress", vm: vmName, step: "stop", percent }),
      });
      const state = await verify();
      if (state === null) throw new TrueNASError(`${vmName} did not shut down`, { method: "vm.stop" });
      return state;
    },
    verify,
    passes: (error) => isTransient(error) || work.context.outages.hasRestarted,
    detail: (state) => state,
  };
}

/** Powers the old VM off when the NAS started it by itself after a restart; its removal can then be repeated. */
async function isOffAgain({ caller, context: { outages }, old }: Replacing): Promise<boolean> {
  if (!outages.hasRestarted || old === null) return false;
  try {
    if (isOn((await fetchVm(caller, old.id))?.state)) await caller.call("vm.poweroff", [old.id]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
  }
  return true;
}

/** Removes the zvols that differ, one by one, each only if it still names the old VM. */
async function removeZvols(work: Replacing): Promise<void> {
  const { replacement: { zvols } } = work;
  if (zvols.length === 0) return;
  for (const zvol of zvols) await expectOwn(work, zvol);
  await expectAsShown(work.caller, zvols, "it");
  await removeSnapshots(work, zvols);
  for (const zvol of zvols) {
    const removal = zvolsStep(work, { step: `remove-${zvol.step}`, zvols: [zvol] });
    await runStep(work, { ...removal, precondition: () => expectOwn(work, zvol) });
  }
}

/** The zvol may have been taken by another VM, or replaced by another zvol, since it was shown. */
async function expectOwn({ caller, old, vmName }: Replacing, { name, mark }: ReplacedZvol): Promise<void> {
  const users = await fetchDiskUsers(caller, [name]);
  const other = users.find(({ id }) => id !== old?.id);
  if (other !== undefined) throw new TrueNASError(`${other.name} now uses ${name}. It was not removed`);
  const found = await fetchDatasets(caller, [name]);
  if (!found.known) {
    if (mark === null) return;
    throw new TrueNASError(`${name} could not be checked because ${found.because}. It was not removed`);
  }
  const [dataset] = found.value;
  if (dataset === undefined || dataset.mark?.vm === mark?.vm) return;
  throw new TrueNASError(`${name} is no longer marked as a disk of ${vmName}. It was not removed`);
}

/** The zvols that have to name the new VM, by step. */
function toMark({ replacement: { steps, devices } }: Replacing) {
  return devices.filter((device) => device.dtype === "DISK")
    .filter(({ step }) => steps.includes(`mark-${step}`));
}

/** A kept zvol names its VM and operation like one that was created for it, so that it is destroyed only with this VM. */
function markStep({ caller, context, creation }: Replacing, step: string, zvol: string): Step<string> {
  const uuid = creation.created.uuid ?? creation.vm.vmUuid ?? "";
  const properties = ownerProperties(uuid, context.log.id);
  return {
    step: `mark-${step}`,
    method: "pool.dataset.update",
    makes: zvol,
    precondition: async () => {
      const users = await fetchDiskUsers(caller, [zvol]);
      const isOurs = users.length > 0 && users.every(({ id }) => id === vmIdOf(creation.created));
      if (!isOurs) throw new TrueNASError(`${zvol} is not a disk of this VM alone. It was not marked`);
    },
    call: async () => {
      await context.cancellable.call("pool.dataset.update", [zvol, { user_properties_update: properties }]);
      return zvol;
    },
    verify: async () => {
      const [dataset] = expectKnown(await fetchDatasets(caller, [zvol]));
      return dataset?.mark?.vm === uuid && dataset.mark.operation === context.log.id ? zvol : null;
    },
    detail: (name) => name,
  };
}

async function endFailed(work: Replacing, failure: VmFailure): Promise<VmResult> {
  const { context, vm, hasStarted } = work;
  const cancelled = context.signal.aborted || failure.cancelled;
  const why = failure.message;
  if (vm.onFailure === "stop" && !cancelled) context.stop.abort(`${vm.name} failed and on_failure is stop`);
  if (!hasStarted) return { outcome: "cancelled", message: `${why}. Nothing was changed` };
  try {
    if (await isRemoved(work)) return await describeUnfinished(work, { why, cancelled });
    const state = await startOldAgain(work);
    const id = work.old === null ? {} : { vmId: work.old.id };
    return {
      outcome: cancelled ? "cancelled" : "failed",
      message: `${why}. The VM was not replaced and nothing was removed${state}`,
      ...id,
    };
  } catch (error) {
    const state = `The NAS could not be read to see what is left (${reasonOf(error)})`;
    const kept = describeKept(work.replacement);
    return { outcome: "left-behind", message: `${why}. ${state}${kept}. Resume to go on` };
  }
}

async function isRemoved({ caller, old, isGone }: Replacing): Promise<boolean> {
  return isGone || old === null || await fetchVm(caller, old.id) === null;
}

/** A VM that was only stopped runs again, because nothing else was done to it. */
async function startOldAgain(work: Replacing): Promise<string> {
  const { old, wasStopped, vm, caller, context } = work;
  if (old === null || !wasStopped) return "";
  const { memoryMib = vm.memoryMib } = await fetchVm(caller, old.id) ?? {};
  const isRunning = async () => (await fetchVm(caller, old.id))?.state === "RUNNING" || null;
  try {
    await runStep(work, {
      step: "undo-stop",
      method: "vm.start",
      call: async () => {
        await startVm({ ...work, memory: context.memory }, {
          id: old.id,
          memoryMib,
          overcommit: vm.overcommit,
        });
      },
      verify: async () => await isRunning() === null ? null : undefined,
      detail: () => "RUNNING",
    });
    return "; it was started again";
  } catch (error) {
    return `; it is stopped, because it could not be started again: ${reasonOf(error)}`;
  }
}

/** The old VM is gone; what there is stays, and resuming goes on from there. */
async function describeUnfinished(
  work: Replacing,
  { why, cancelled }: { readonly why: string; readonly cancelled: boolean },
): Promise<VmResult> {
  const { caller, creation: { created }, replacement } = work;
  const row = await findVm(caller, created);
  const state = row === null ? "the new one was not created" : `the new one is incomplete (id ${row.id})`;
  return {
    outcome: cancelled ? "cancelled-kept" : "left-behind",
    message: `${why}. The old VM was removed, and ${state}${describeKept(replacement)}. ` +
      "Resume this operation to finish the replacement",
    ...(row === null ? {} : { vmId: row.id }),
  };
}

function describeKept({ keeps }: Replacement): string {
  return keeps.length === 0 ? "" : `. Kept: ${keeps.map(({ zvol }) => zvol).join(", ")}`;
}
