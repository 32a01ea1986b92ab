/**
 * Rolls one VM back to a checkpoint: stops it, removes the later snapshots that were confirmed one by one, rolls each zvol
 * back, proves it by reading, and starts it again.
 */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { NotSent } from "../../operations/limits/call_limiter.ts";
import type { KeptMemory } from "../../operations/limits/memory_reservation.ts";
import { Cancelled, pause, runStep, type Step, StepFailure } from "../../operations/steps/run_step.ts";
import {
  expectVm,
  runVm,
  type VmContext,
  type VmFailure,
  type VmResult,
} from "../../operations/steps/run_vm.ts";
import { type RemovalContext, removalContext } from "../../operations/steps/zvol_removal.ts";
import { fetchDiskUsers, fetchOwnedSnapshots } from "../../truenas/batched_reads.ts";
import { readWritten } from "../../truenas/read_snapshots.ts";
import { formatBytes, formatCount } from "../../units.ts";
import { markOf } from "../checkpoint.ts";
import type { VmToRollBack, ZvolToRollBack } from "../plan/plans.ts";
import { type CheckpointContext, expectStopped, isLeftOff, startStep, stopStep } from "./power.ts";
import { removeSnapshot } from "./remove_snapshot.ts";

/** ZFS may count some of its own metadata as written since a snapshot. */
const METADATA_BYTES = 131_072;

/** The steps, in order; of one whose disks were rolled back by an earlier run, only the start is left. */
export function rollbackSteps(
  { stops, zvols }: VmToRollBack,
  isRolledBack: boolean,
): readonly string[] {
  if (isRolledBack) return stops ? ["start"] : [];
  return [
    "verify",
    ...(stops ? ["stop"] : []),
    ...(zvols.some(({ newer }) => newer.length > 0) ? ["discard"] : []),
    "rollback",
    "check",
    ...(stops ? ["start"] : []),
  ];
}

interface Work extends CheckpointContext, RemovalContext {
  readonly memory: KeptMemory;
  readonly vm: VmToRollBack;
  /** Zvols whose rollback was requested. */
  readonly asked: Set<string>;
}

/** Rolls it back. Never throws; the log contains the result. */
export async function rollBackVm(
  context: VmContext,
  vm: VmToRollBack,
  { checkpoint, isRolledBack }: { readonly checkpoint: string; readonly isRolledBack: boolean },
): Promise<void> {
  const memory = context.memory.keep();
  const named = { ...context, vmName: vm.name };
  const work: Work = {
    ...named,
    ...removalContext(named, context.cancellable),
    memory,
    vm,
    asked: new Set(),
  };
  await runVm(work, {
    id: vm.id,
    run: async () => {
      if (context.signal.aborted) throw new Cancelled("Cancelled; nothing was changed");
      if (isRolledBack) {
        if (vm.stops) {
          await runStep(work, {
            ...startStep(work, vm, "start"),
            precondition: () => sameVm(work),
          });
        }
        return { outcome: "done", message: `As in ${checkpoint} since an earlier run` };
      }
      await runStep(work, verifyStep(work));
      if (vm.stops) await runStep(work, stopStep(work, vm));
      if (vm.zvols.some(({ newer }) => newer.length > 0)) await runStep(work, discardStep(work));
      await runStep(work, rollbackStep(work));
      const proof = await runStep(work, checkStep(work));
      if (vm.stops) await runStep(work, startStep(work, vm, "start"));
      return { outcome: "done", message: `As in ${checkpoint}: ${proof}` };
    },
    onFailure: (failure) => afterFailure(work, failure),
  }).finally(memory.end);
}

async function sameVm({ caller, vm }: Work): Promise<void> {
  await expectVm(caller, vm);
}

/** It is still as it was shown: the VM with these disks, the checkpoint's snapshots, and no later ones but those. */
function verifyStep(work: Work): Step<string> {
  const { caller, vm } = work;
  return {
    step: "verify",
    method: "zfs.resource.snapshot.query",
    call: async () => {
      const { state } = await expectVm(caller, vm);
      const names = vm.zvols.map(({ zvol }) => zvol);
      const other = (await fetchDiskUsers(caller, names)).find(({ id }) => id !== vm.id);
      if (other !== undefined) {
        throw new TrueNASError(`${other.name} now uses a disk of ${vm.name}. Neither was changed`);
      }
      for (const zvol of vm.zvols) await expectAsShown(work, zvol);
      return state;
    },
    verify: null,
    detail: (state) => state,
  };
}

async function expectAsShown(
  { caller }: Work,
  { name, zvol, createtxg, newer }: ZvolToRollBack,
): Promise<void> {
  const found = await fetchOwnedSnapshots(caller, [zvol]);
  const target = found.find((it) => it.name === name);
  if (target === undefined) {
    throw new TrueNASError(`The snapshot ${name} no longer exists. Nothing was changed`);
  }
  if (target.createtxg !== createtxg || markOf(target) === null) {
    throw new TrueNASError(
      `${name} is no longer the checkpoint's snapshot. Nothing was changed; open the page again`,
    );
  }
  const more = found.find((it) =>
    it.createtxg > createtxg &&
    !newer.some((shown) => shown.name === it.name && shown.createtxg === it.createtxg)
  );
  if (more === undefined) return;
  throw new TrueNASError(
    `The snapshot ${more.name} was taken after the list was shown. Nothing was changed; open the page again`,
  );
}

/** One by one and never recursively, because a recursive rollback also removes what appears meanwhile. */
function discardStep(work: Work): Step<number> {
  const { caller, writer, progress, vm } = work;
  const newer = vm.zvols.flatMap((zvol) => zvol.newer);
  return {
    step: "discard",
    method: "pool.snapshot.delete",
    makes: newer.map(({ name }) => name).join(", "),
    call: async (calls) => {
      let removed = 0;
      for (const snapshot of newer) {
        if (!await removeSnapshot({ caller, writer, calls, allows: () => true }, snapshot)) continue;
        progress.removed = true;
        removed++;
      }
      return removed;
    },
    verify: null,
    detail: (removed) => formatCount(removed, "snapshot"),
  };
}

function rollbackStep(work: Work): Step<void> {
  const { writer, progress, settle, vm, asked } = work;
  const method = "pool.snapshot.rollback";
  return {
    step: "rollback",
    method,
    makes: vm.zvols.map(({ name }) => name).join(", "),
    call: async (calls) => {
      for (const [n, zvol] of vm.zvols.entries()) {
        if (n > 0) await calls.next(method);
        let isSettled = false;
        const send = async () => {
          await expectStopped(work, vm, "rollback");
          await expectAsShown(work, { ...zvol, newer: [] });
          const isFirst = !asked.has(zvol.zvol);
          asked.add(zvol.zvol);
          try {
            await writer().call(method, [zvol.name]);
          } catch (error) {
            if (error instanceof NotSent && isFirst) asked.delete(zvol.zvol);
            throw error;
          }
          return true;
        };
        // Up to 25.10 a call goes on without its connection; a late rollback would undo what the guest writes after its start.
        const verify = async () => {
          if (!isSettled) await pause(settle.settleMs);
          isSettled = true;
          // What was written before may be as little as ZFS's own metadata, so only nothing at all proves it.
          return await isProven(work, zvol, 0) || null;
        };
        await calls.send(send, verify);
        progress.removed = true;
      }
    },
    verify: null,
    detail: () => formatCount(vm.zvols.length, "disk"),
  };
}

function checkStep(work: Work): Step<string> {
  const { caller, vm } = work;
  return {
    step: "check",
    method: "pool.dataset.query",
    call: async () => {
      await expectStopped(work, vm, "check");
      const names = vm.zvols.map(({ zvol }) => zvol);
      const written = await readWritten(caller, names);
      for (const zvol of vm.zvols) {
        await expectAsShown(work, { ...zvol, newer: [] });
        const bytes = written.get(zvol.zvol) ?? null;
        if (bytes === null || bytes <= METADATA_BYTES) continue;
        throw new TrueNASError(
          `${zvol.zvol} is not as in the checkpoint: ${formatBytes(bytes)} were written since`,
        );
      }
      return names.some((name) => (written.get(name) ?? null) === null)
        ? "no later snapshot is left; the NAS does not say what was written since"
        : "no later snapshot is left, and nothing was written since";
    },
    verify: null,
    detail: (proof) => proof,
  };
}

/** Whether a zvol is as in its snapshot, up to some bytes. */
async function isProven(
  { caller }: Work,
  { zvol, name }: ZvolToRollBack,
  toleratedBytes: number,
): Promise<boolean> {
  const newest = (await fetchOwnedSnapshots(caller, [zvol])).at(-1);
  const written = (await readWritten(caller, [zvol])).get(zvol) ?? null;
  return newest?.name === name && written !== null && written <= toleratedBytes;
}

/** Without a rollback the VM is started again; otherwise it stays off, because its disks may be of different times. */
async function afterFailure(work: Work, { message, cancelled, cause }: VmFailure): Promise<VmResult> {
  const { vm, log } = work;
  const steps = log.view.vms.find(({ name }) => name === vm.name)?.steps ?? [];
  const touched = await touchedOf(work, cause);
  if (touched.length > 0) {
    const isChecked = steps.some(({ step, status }) => step === "check" && status === "done");
    const state = isChecked
      ? "Its disks were rolled back"
      : `These disks were rolled back, or may have been: ${
        touched.join(", ")
      }. It stays off; resume this operation to finish`;
    return { outcome: "failed", message: `${message}. ${state}` };
  }
  const outcome = cancelled ? "cancelled" as const : "failed" as const;
  try {
    if (!await isLeftOff(work, vm, steps)) return { outcome, message };
    await runStep(work, startStep(work, vm, "undo-stop"));
    return { outcome, message: `${message}. No disk was rolled back, and it was started again` };
  } catch (error) {
    if (!(error instanceof StepFailure || error instanceof TrueNASError)) throw error;
    const state = `No disk was rolled back; starting it again failed: ${error.message}`;
    return { outcome, message: `${message}. ${state}` };
  }
}

/** The zvols that were or may have been rolled back; a refused call has left its zvol as it was where the NAS shows so. */
async function touchedOf(work: Work, cause: unknown): Promise<readonly string[]> {
  const asked = work.vm.zvols.filter(({ zvol }) => work.asked.has(zvol));
  if (!(cause instanceof TrueNASCallError)) return asked.map(({ zvol }) => zvol);
  try {
    const proven = await Promise.all(asked.map((zvol) => isProven(work, zvol, METADATA_BYTES)));
    return asked.filter((_, index) => proven[index]).map(({ zvol }) => zvol);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    return asked.map(({ zvol }) => zvol);
  }
}
