/** Checks the VM that is replaced, shuts it down, and removes it with the zvols that differ. */
import { TrueNASCallError, TrueNASError } from "../../../errors/errors.ts";
import { isTransient } from "../../../errors/refusals.ts";
import { removeSeedStep } from "../../../first_boot/iso/remove_seed.ts";
import type { Dataset, Vm } from "../../../inventory/inventory.ts";
import { isMarked, type ZvolMark } from "../../../inventory/marks.ts";
import type { ReplacedZvol, Replacement } from "../../../plan/types.ts";
import { fetchDatasets, fetchDiskUsers, fetchVm } from "../../../truenas/batched_reads.ts";
import { followJob } from "../../../truenas/jobs.ts";
import { pollUntil, runStep, skipStep, type Step, StepFailure } from "../run_step.ts";
import { expectVm } from "../run_vm.ts";
import { changeStep } from "../reconcile/change_step.ts";
import { deleteVmStep, expectEffect, isOn } from "../vm_steps.ts";
import { expectAsShown, removeSnapshots, zvolsStep } from "../zvol_removal.ts";
import { expectGoing, type ReplacementContext, type Replacing } from "./replacing.ts";

/** Checks the old VM, turns it off and removes it, without its zvols. */
export async function removeOld(work: Replacing, id: number): Promise<void> {
  const { replacement, vm, memory } = work;
  const { state, memoryMib } = await runStep(work, verifyStep(work, id));
  expectGoing(work);
  if (state === "RUNNING") {
    if (!vm.overcommit) {
      memory.begin({ memoryMib: Math.max(vm.memoryMib, memoryMib), moreMib: vm.memoryMib - memoryMib });
    }
    await runStep(work, stopStep(work, id));
    memory.freed();
    work.wasStopped = true;
  } else if (replacement.steps.includes("stop")) skipStep(work, { step: "stop", detail: state });
  await resizeKept(work, id);
  const removal = deleteVmStep(work, { id, step: "remove", force: state === "ERROR" });
  await runStep(work, {
    ...removal,
    call: async (calls) => {
      await removal.call(calls);
      const verify = async () => await fetchVm(work.caller, id) === null || null;
      await expectEffect(work, { id, method: "vm.delete", verify });
    },
  });
  work.isGone = true;
}

/** The new VM gets a seed of its own; one that cannot be removed is an orphan, and no reason to stay without a VM. */
export async function removeOldSeed(work: Replacing): Promise<void> {
  const { replacement: { seed } } = work;
  if (seed === undefined) return;
  await runStep(work, removeSeedStep(work, seed)).catch((error) => {
    if (!(error instanceof StepFailure)) throw error;
  });
}

/** Kept disks get their size before anything is removed, because TrueNAS may refuse it. */
async function resizeKept(work: Replacing, id: number): Promise<void> {
  const { context, vm, replacement: { resizes } } = work;
  const existing = { id, name: vm.name, uuid: vm.vmUuid };
  const { displayPassword, deviceUpdate } = context;
  for (const resize of resizes) {
    expectGoing(work);
    const step = changeStep({ ...work, existing, displayPassword, deviceUpdate }, resize, new Map());
    // A rollback of the replacement has nothing to restore, because a disk is never made smaller.
    const { evidence: _none, ...others } = step;
    await runStep(work, others);
  }
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
export async function isOffAgain({ caller, context: { outages }, old }: Replacing): Promise<boolean> {
  if (!outages.hasRestarted || old === null) return false;
  try {
    if (isOn((await fetchVm(caller, old.id))?.state)) await caller.call("vm.poweroff", [old.id]);
  } catch (error) {
    if (!(error instanceof TrueNASCallError)) throw error;
  }
  return true;
}

/** Removes the zvols that differ, one by one, each only if it still names the old VM. */
export async function removeZvols(work: Replacing): Promise<void> {
  const { replacement: { zvols } } = work;
  if (zvols.length === 0) return;
  for (const zvol of zvols) await expectOwn(work, zvol);
  await expectAsShown(work.caller, zvols, "it");
  await removeSnapshots(work, zvols);
  for (const zvol of zvols) {
    const removal = zvolsStep(work, { step: `remove-${zvol.step}`, zvols: [zvol] });
    await runStep(work, {
      ...removal,
      precondition: () => expectOwn(work, zvol),
      call: async (calls) => {
        await removal.call(calls);
        await expectZvolGone(work, zvol.name);
      },
    });
  }
}

/** The zvol may have been taken by another VM, or replaced by another zvol, since it was shown. */
async function expectOwn({ caller, vmName }: Replacing, { name, mark }: ReplacedZvol): Promise<void> {
  const [user] = await fetchDiskUsers(caller, [name]);
  if (user !== undefined) throw new TrueNASError(`${user.name} uses ${name}. It was not removed`);
  const found = await fetchDatasets(caller, [name]);
  if (!found.known) {
    if (mark === null) return;
    throw new TrueNASError(`${name} could not be checked because ${found.because}. It was not removed`);
  }
  const [dataset] = found.value;
  if (dataset === undefined || dataset.mark?.vm === mark?.vm) return;
  throw new TrueNASError(`${name} is no longer marked as a disk of ${vmName}. It was not removed`);
}

/** From 26 on TrueNAS can report success for a zvol that it did not remove. */
async function expectZvolGone({ caller, settle }: Replacing, name: string): Promise<void> {
  const isGone = async () => {
    const found = await fetchDatasets(caller, [name]);
    return !found.known || found.value.length === 0 || null;
  };
  if (await pollUntil(isGone, settle) !== null) return;
  throw new TrueNASError(`TrueNAS reported success for pool.dataset.delete, but ${name} still exists`, {
    method: "pool.dataset.delete",
  });
}
