/** Shuts a VM down for its checkpoint or rollback, and starts it again. */
import { TrueNASError } from "../../errors/errors.ts";
import { isRefusedWith, isTransient } from "../../errors/refusals.ts";
import type { Vm } from "../../inventory/inventory.ts";
import type { KeptMemory } from "../../operations/limits/memory_reservation.ts";
import { expectVm, type VmContext } from "../../operations/steps/run_vm.ts";
import type { Step, StepContext } from "../../operations/steps/run_step.ts";
import { expectEffect, expectImages, startVm } from "../../operations/steps/vm_steps.ts";
import { wasShutDown } from "../../operations/steps/created_resources.ts";
import type { OperationVmView } from "../../operations/types.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import { followJob } from "../../truenas/jobs.ts";
import type { PlannedCheckpointVm } from "../plan/plans.ts";

/** What the steps of a VM need. */
export type CheckpointContext = VmContext & StepContext;

/** What shutting a VM down needs, whose memory is kept for it. */
export type StopContext = CheckpointContext & { readonly memory: KeptMemory };

/** Longest shutdown that TrueNAS allows (shutdown_timeout), and the power-off after it. */
const STOP_MS = 330_000;

/** Shuts a running VM down, and powers it off if it does not respond; not one that could not start again. */
export function stopStep(context: StopContext, vm: PlannedCheckpointVm): Step<string> {
  const { id, name, uuid } = vm;
  return {
    step: "stop",
    method: "vm.stop",
    evidence: () => ({ vmId: id, ...(uuid === null ? {} : { ofUuid: uuid }) }),
    precondition: async () => {
      const { state } = await expectVm(context.caller, vm);
      if (state === "STOPPED") return;
      if (state !== "RUNNING") {
        throw new TrueNASError(
          `${name} is ${state.toLowerCase()}; resume it or power it off first. It was not changed`,
        );
      }
      await expectImages(context, id);
      context.memory.begin({ memoryMib: vm.memoryMib, moreMib: 0 });
    },
    call: async () => {
      const state = await stateIf(context, id, "STOPPED") ?? await shutDown(context, id, "stop");
      context.memory.freed();
      return state;
    },
    verify: () => stateIf(context, id, "STOPPED"),
    passes: (error) => isTransient(error) || context.outages.hasRestarted,
    detail: (state) => state,
  };
}

/** Starts a VM that was shut down; `step` is `start`, or `undo-stop` after a failure. */
export function startStep(
  context: CheckpointContext,
  { id, memoryMib }: PlannedCheckpointVm,
  step: "start" | "undo-stop" | "start-again",
): Step<string> {
  const verify = () => stateIf(context, id, "RUNNING");
  return {
    step,
    method: "vm.start",
    call: async () => {
      const state = await verify();
      if (state !== null) return state;
      await startVm(context, { id, memoryMib, overcommit: false });
      return await expectEffect(context, { id, method: "vm.start", verify });
    },
    verify,
    passes: (error) => isRefusedWith(error, "ENOMEM") || isTransient(error) || context.outages.hasRestarted,
    detail: (state) => state,
  };
}

/**
 * Whether a VM is off because it was to be shut down, and has not been started again. A refused shutdown may have taken
 * effect all the same, so the NAS is asked.
 */
export async function isLeftOff(
  { caller }: Pick<CheckpointContext, "caller">,
  { id, stops }: { readonly id: number; readonly stops: boolean },
  steps: OperationVmView["steps"],
): Promise<boolean> {
  const wasTried = steps.some(({ step, status, startedAt }) =>
    step === "stop" && startedAt !== null && status !== "skipped"
  );
  if (!stops || !wasTried) return false;
  if (wasShutDown(steps)) return true;
  return !wasStartedAgain(steps) && (await fetchVm(caller, id))?.state === "STOPPED";
}

/** Whether a VM that was shut down runs again. */
export function wasStartedAgain(steps: OperationVmView["steps"]): boolean {
  return steps.some(({ step, status }) => (step === "start" || step === "undo-stop") && status === "done");
}

/**
 * Reads the VM again: TrueNAS rolls back the disks of a running VM too, which would destroy them. One that ran, was
 * shut down for this, and was started by a restarted NAS is shut down again; one that was off belongs to whoever started it.
 *
 * @throws {TrueNASError} when it is not stopped.
 */
export async function expectStopped(
  context: CheckpointContext,
  vm: PlannedCheckpointVm & { readonly stops: boolean },
  step: string,
): Promise<Vm> {
  const found = await expectVm(context.caller, vm);
  if (found.state === "STOPPED") return found;
  if (found.state === "RUNNING" && vm.stops && context.outages.hasRestarted) {
    await shutDown(context, vm.id, step);
    return await expectVm(context.caller, vm);
  }
  const why = step === "snapshot"
    ? "it was to be shut down before its snapshots are taken"
    : "only the disks of a stopped VM can be rolled back";
  throw new TrueNASError(`${vm.name} is ${found.state.toLowerCase()}, and ${why}`);
}

async function shutDown(context: CheckpointContext, id: number, step: string): Promise<string> {
  const { caller, log, settle, vmName: vm } = context;
  const job = await caller.call("vm.stop", [id, { force: false, force_after_timeout: true }]);
  await followJob(caller, "vm.stop", job, {
    pollMs: settle.pollMs,
    timeoutMs: STOP_MS,
    onProgress: (percent) => log.append({ type: "progress", vm, step, percent }),
  });
  return await expectEffect(context, {
    id,
    method: "vm.stop",
    verify: () => stateIf(context, id, "STOPPED"),
  });
}

async function stateIf({ caller }: CheckpointContext, id: number, wanted: string): Promise<string | null> {
  const state = (await fetchVm(caller, id))?.state;
  return state === wanted ? state : null;
}
