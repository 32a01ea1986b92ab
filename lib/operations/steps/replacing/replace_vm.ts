/**
 * Replaces a VM: removes it with the zvols that differ, and creates it anew with the others. Once the old VM is gone there is
 * no way back, so a replacement that fails later is left as it is, to be resumed; zvols that are kept are never removed.
 */
import { isTransient } from "../../../errors/refusals.ts";
import { reasonOf } from "../../../errors/system_errors.ts";
import type { PlannedVm, Replacement } from "../../../plan/types.ts";
import { fetchVm } from "../../../truenas/batched_reads.ts";
import { NotReady } from "../../../first_boot/readiness/wait_for_ready.ts";
import { awaitReady, createSteps, creationOf, notReady, startCreated } from "../create_vm.ts";
import { vmIdOf } from "../device_step.ts";
import { Cancelled, runStep } from "../run_step.ts";
import { findVm, runVm, type VmFailure, type VmResult } from "../run_vm.ts";
import { startVm } from "../vm_steps.ts";
import { removalContext } from "../zvol_removal.ts";
import { expectGoing, type ReplacementContext, type Replacing } from "./replacing.ts";
import { isOffAgain, removeOld, removeOldSeed, removeZvols } from "./remove_old.ts";
import { markStep, toMark } from "./mark_kept.ts";

/** Replaces one VM, or finishes its replacement. Never throws; the log contains the result. */
export async function replaceVm(context: ReplacementContext, vm: PlannedVm): Promise<void> {
  const { replacement } = vm;
  if (replacement === null) throw new TypeError(`The plan does not say how to replace ${vm.name}`);
  const isThere = replacement.steps.includes("remove");
  const old = isThere && vm.vmId !== null ? { id: vm.vmId, uuid: vm.vmUuid } : null;
  const memory = context.memory.keep();
  const creation = creationOf({ ...context, memory }, {
    ...vm,
    ...(isThere ? { vmId: null, vmUuid: null } : {}),
    devices: replacement.devices,
    description: replacement.description,
    autostart: replacement.autostart,
    start: replacement.start,
    steps: replacement.steps.filter((step) =>
      step === "vm" || step === "seed" || isDevice(replacement, step)
    ),
  }, replacement.keeps.map(({ zvol }) => zvol));
  const passes = async (error: unknown) => isTransient(error) || await isOffAgain(work);
  const removal = removalContext({ ...context, vmName: vm.name }, context.cancellable, passes);
  const work: Replacing = {
    ...removal,
    context,
    vm,
    replacement,
    memory,
    creation,
    old,
    hasStarted: false,
    wasStopped: false,
    isGone: old === null,
  };
  await runVm(work, {
    run: () => replace(work),
    onFailure: (failure) => endFailed(work, failure),
  }).finally(memory.end);
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
  await removeOldSeed(work);
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
  if (work.replacement.steps.includes("ready")) {
    expectGoing(work);
    await awaitReady(cancellable);
  }
  return { outcome: "replaced", vmId: vmIdOf(creation.created), message: describeReplaced(work.replacement) };
}

function describeReplaced({ zvols, keeps }: Replacement): string {
  const names = (disks: readonly string[]) => disks.join(", ");
  const kept = names(keeps.map(({ zvol }) => zvol));
  const removed = names(zvols.map(({ name }) => name));
  return `Replaced${removed === "" ? "" : `; removed with it: ${removed}`}${
    kept === "" ? "" : `; kept: ${kept}`
  }`;
}

async function endFailed(work: Replacing, failure: VmFailure): Promise<VmResult> {
  const { context, vm, hasStarted } = work;
  const cancelled = context.signal.aborted || failure.cancelled;
  const why = failure.message;
  // What was replaced is gone, so there is nothing to go back to.
  if (failure.cause instanceof NotReady) {
    if (vm.ready?.otherwise === "stop") {
      context.stop.abort(`${vm.name} did not answer and its type says to stop then`);
    }
    return notReady(why, vmIdOf(work.creation.created));
  }
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
  const { old, wasStopped, vm, caller } = work;
  if (old === null || !wasStopped) return "";
  const { memoryMib = vm.memoryMib } = await fetchVm(caller, old.id) ?? {};
  const isRunning = async () => (await fetchVm(caller, old.id))?.state === "RUNNING" || null;
  try {
    await runStep(work, {
      step: "undo-stop",
      method: "vm.start",
      call: async () => {
        await startVm(work, {
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
