/** Does one thing with one VM (start, stop, …), after looking at it again, and sees that it had its effect. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import { VM_ACTIONS, type VmActionName } from "../../inventory/vm_actions.ts";
import { followJob } from "../../truenas/jobs.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { fetchVm } from "../../truenas/looks.ts";
import { expectImages, startWithImages } from "./images.ts";
import type { FreeMemory } from "../memory.ts";
import type { UndoContext } from "./roll_back.ts";
import { describeError, pollUntil, runStep, StepFailure } from "./run_step.ts";

/** What is done, and to which VM as it was shown. */
export interface ActionRequest {
  /** What is done. */
  readonly action: VmActionName;
  /** The NAS's id. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** The state that was shown; another one by then refuses the action. */
  readonly state: string;
  /** Starts although the NAS's free memory does not suffice. */
  readonly overcommit: boolean;
}

/** The longest that TrueNAS lets a guest take for its shutdown (shutdown_timeout), and its start after it. */
const JOB_MS = 360_000;
/** TrueNAS's errno when memory does not suffice. */
const ENOMEM = 12;

/** What acting works with. */
export interface ActionContext extends UndoContext {
  readonly memory: FreeMemory;
  readonly signal: AbortSignal;
}

/** Does it. It never throws: the log tells what became of it. */
export async function actOnVm(context: ActionContext, request: ActionRequest): Promise<void> {
  const { log } = context;
  const { id, name } = request;
  if (context.signal.aborted) {
    log.append({ type: "step", vm: name, step: request.action, status: "skipped" });
    log.append({ type: "vm", vm: name, outcome: "cancelled", vmId: id, message: "Nothing was done to it" });
    return;
  }
  try {
    const state = await perform(context, request);
    log.append({ type: "vm", vm: name, outcome: "done", vmId: id, message: `It is ${state.toLowerCase()}` });
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
      throw new TrueNASError(`${method} was answered, but ${name} is ${now.toLowerCase()}`, { method });
    },
    // A restart ends in the state that it began in: looking cannot tell.
    verify: request.state === to ? null : look,
    detail: (state) => state,
  }, settle);
}

/** Somebody else may have acted since the page was shown. */
async function expectAsShown({ caller }: UndoContext, { id, name, state }: ActionRequest): Promise<Vm> {
  const found = await fetchVm(caller, id);
  if (found === null) throw new TrueNASError(`${name} is not on the NAS any more; nothing was done`);
  if (found.name !== name) {
    throw new TrueNASError(`${name} is called ${found.name} now; nothing was done: look at it and try again`);
  }
  if (found.state === state) return found;
  throw new TrueNASError(
    `${name} is ${found.state.toLowerCase()} by now, and was shown ${state.toLowerCase()}; nothing was done`,
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
