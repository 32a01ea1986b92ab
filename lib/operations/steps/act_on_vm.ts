/** Performs one action (start, stop, …) on one VM: checks its state first, and verifies the effect. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { VM_ACTIONS, type VmActionName } from "../../inventory/vm_actions.ts";
import { followJob } from "../../truenas/jobs.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import { expectImages, startWithImages } from "./images.ts";
import type { MemoryReservation } from "../memory_reservation.ts";
import type { UndoContext } from "./roll_back.ts";
import { describeError, pollUntil, runStep, StepFailure } from "./run_step.ts";

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
/** TrueNAS's errno for insufficient memory. */
const ENOMEM = 12;

/** What the action needs. */
export interface ActionContext extends UndoContext {
  readonly memory: MemoryReservation;
  readonly signal: AbortSignal;
}

/** Performs the action. Never throws; the log contains the result. */
export async function actOnVm(context: ActionContext, request: ActionRequest): Promise<void> {
  const { log } = context;
  const { id, name } = request;
  if (context.signal.aborted) {
    log.append({ type: "step", vm: name, step: request.action, status: "skipped" });
    log.append({
      type: "vm",
      vm: name,
      outcome: "cancelled",
      vmId: id,
      message: "Cancelled; the VM was not changed",
    });
    return;
  }
  try {
    const state = await perform(context, request);
    log.append({ type: "vm", vm: name, outcome: "done", vmId: id, message: `Now ${state.toLowerCase()}` });
  } catch (error) {
    const { message } = error instanceof StepFailure ? error.logged : describeError(error);
    const short = error instanceof StepFailure && isOutOfMemory(error.cause);
    const outcome = short ? "out-of-memory" : "failed";
    log.append({ type: "vm", vm: name, outcome, vmId: id, message });
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof TrueNASCallError && error.refusal.errno === ENOMEM;
}

async function perform(context: ActionContext, request: ActionRequest): Promise<string> {
  const { caller, log, settle } = context;
  const { action, id, name } = request;
  const { method, to } = VM_ACTIONS[action];
  const look = async () => {
    const found = await fetchVm(caller, id);
    const isDone = action !== "detach" || found?.cdroms.length === 0;
    return found?.state === to && isDone ? found.state : null;
  };
  return await runStep(log, {
    vm: name,
    step: action,
    method,
    run: async () => {
      const { memoryMib } = await expectAsShown(context, request);
      await call(context, request, memoryMib);
      const seen = await pollUntil(look, settle);
      if (seen !== null) return seen;
      const now = (await fetchVm(caller, id))?.state ?? "gone";
      throw new TrueNASError(
        `TrueNAS reported success for ${method}, but ${name} is ${now.toLowerCase()}; check the VM in TrueNAS`,
        { method },
      );
    },
    // A restart ends in its initial state, so reading the state proves nothing.
    verify: request.state === to ? null : look,
    detail: (state) => state,
  }, settle);
}

/** The VM may have changed since the page was shown. */
async function expectAsShown({ caller }: UndoContext, { id, name, state }: ActionRequest): Promise<Vm> {
  const found = await fetchVm(caller, id);
  if (found === null) throw new TrueNASError(`${name} no longer exists. Nothing was changed`);
  if (found.name !== name) {
    throw new TrueNASError(
      `${name} was renamed to ${found.name}. Nothing was changed; check the VM and try again`,
    );
  }
  if (found.state === state) return found;
  throw new TrueNASError(
    `${name} is now ${found.state.toLowerCase()}, but the page showed ${state.toLowerCase()}. Nothing was changed; check the VM and try again`,
  );
}

async function call(
  { caller, settle, log, memory }: ActionContext,
  request: ActionRequest,
  memoryMib: number,
): Promise<void> {
  const { action, id, name, overcommit } = request;
  const follow = (method: "vm.stop" | "vm.restart", job: number) =>
    followJob(caller, method, job, {
      pollMs: settle.pollMs,
      timeoutMs: JOB_MS,
      onProgress: (percent) => log.append({ type: "progress", vm: name, step: action, percent }),
    });
  switch (action) {
    case "start":
      return await startWithImages(caller, { id, name }, async () => {
        if (overcommit) await caller.call("vm.start", [id, { overcommit: true }]);
        else await memory.start(memoryMib, () => caller.call("vm.start", [id]));
      });
    case "stop":
      return await follow(
        "vm.stop",
        await caller.call("vm.stop", [id, { force: false, force_after_timeout: true }]),
      );
    case "detach": {
      const found = await fetchVm(caller, id);
      for (const { deviceId } of found?.cdroms ?? []) {
        await caller.call("vm.device.delete", [deviceId, { zvol: false, raw_file: false, force: false }]);
      }
      return;
    }
    case "restart":
      await expectImages(caller, { id, name });
      return await follow("vm.restart", await caller.call("vm.restart", [id]));
    case "suspend":
    case "resume":
    case "reset":
    case "poweroff":
      await caller.call(VM_ACTIONS[action].method, [id]);
  }
}
