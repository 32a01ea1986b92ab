/** Performs one action (start, stop, …) on one VM: checks its state first, and verifies the effect. */
import { TrueNASError } from "../../errors/errors.ts";
import { isRefusedWith } from "../../errors/refusals.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { VM_ACTIONS, type VmActionName } from "../../inventory/vm_actions.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import { followJob } from "../../truenas/jobs.ts";
import { Cancelled, runStep, type Step, type StepContext } from "./run_step.ts";
import { expectVm, runVm, type VmContext } from "./run_vm.ts";
import { expectEffect, expectImages, startVm, type VmToStart } from "./vm_steps.ts";

/** The action, and the VM as it was shown. */
export interface ActionRequest {
  /** The action. */
  readonly action: VmActionName;
  /** Id on the NAS. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** The state that was shown; if it has changed, the action is refused. */
  readonly state: string;
  /** Starts even if the NAS is short of memory. */
  readonly overcommit: boolean;
}

/** Longest shutdown that TrueNAS allows (shutdown_timeout), plus the start of a restart. */
const JOB_MS = 360_000;

type ActionContext = VmContext & StepContext;

/** Performs the action. Never throws; the log contains the result. */
export async function actOnVm(context: VmContext, request: ActionRequest): Promise<void> {
  const work = { ...context, vmName: request.name };
  await runVm(work, {
    id: request.id,
    run: async () => {
      if (context.signal.aborted) throw new Cancelled("Cancelled; the VM was not changed");
      const state = await runStep(work, actionStep(work, request));
      return { outcome: "done", message: `Now ${state.toLowerCase()}` };
    },
    onFailure: ({ message, cancelled, cause }) => ({
      outcome: cancelled ? "cancelled" : isRefusedWith(cause, "ENOMEM") ? "out-of-memory" : "failed",
      message,
    }),
  });
}

function actionStep(context: ActionContext, request: ActionRequest): Step<string> {
  const { caller } = context;
  const { action, id } = request;
  const { method, to } = VM_ACTIONS[action];
  let memoryMib = 0;
  const verify = async () => {
    const found = await fetchVm(caller, id);
    const isDone = action !== "detach" || found?.cdroms.length === 0;
    return found?.state === to && isDone ? found.state : null;
  };
  return {
    step: action,
    method,
    precondition: async () => {
      ({ memoryMib } = await expectState(context, request));
      if (action === "restart") await expectImages(context, id);
    },
    call: async () => {
      await act(context, { ...request, memoryMib });
      return await expectEffect(context, { id, method, verify });
    },
    // A restart ends in its initial state, so reading the state proves nothing.
    verify: request.state === to ? null : verify,
    detail: (state) => state,
  };
}

/** The VM may have changed since the page was shown. */
async function expectState({ caller }: StepContext, request: ActionRequest): Promise<Vm> {
  const { name, state } = request;
  const found = await expectVm(caller, request);
  if (found.state === state) return found;
  throw new TrueNASError(
    `${name} is now ${found.state.toLowerCase()}, but the page showed ${state.toLowerCase()}. Nothing was changed; check the VM and try again`,
  );
}

async function act(context: ActionContext, request: ActionRequest & VmToStart): Promise<void> {
  const { caller, settle, log } = context;
  const { action, id, name } = request;
  const follow = (method: "vm.stop" | "vm.restart", job: number) =>
    followJob(caller, method, job, {
      pollMs: settle.pollMs,
      timeoutMs: JOB_MS,
      onProgress: (percent) => log.append({ type: "progress", vm: name, step: action, percent }),
    });
  switch (action) {
    case "start":
      return await startVm(context, { ...request, cancel: context.signal });
    case "stop":
      return await follow(
        "vm.stop",
        await caller.call("vm.stop", [id, { force: false, force_after_timeout: true }]),
      );
    case "detach":
      for (const { deviceId } of (await fetchVm(caller, id))?.cdroms ?? []) {
        await caller.call("vm.device.delete", [deviceId, { zvol: false, raw_file: false, force: false }]);
      }
      return;
    case "restart":
      return await follow("vm.restart", await caller.call("vm.restart", [id]));
    case "suspend":
    case "resume":
    case "reset":
    case "poweroff":
      await caller.call(VM_ACTIONS[action].method, [id]);
  }
}
