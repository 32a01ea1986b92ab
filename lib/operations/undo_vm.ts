/**
 * Removes what an interrupted creation left of a VM, by the evidence in the journal: the uuid that the VM was given,
 * and zvols that were absent before. A VM that somebody has started since is left alone.
 */
import { TrueNASError } from "../errors.ts";
import type { VmRow } from "../truenas/methods.ts";
import type { Made } from "./create_vm.ts";
import { rollBack, type UndoContext } from "./roll_back.ts";
import { runStep } from "./steps.ts";
import type { OperationVmView } from "./types.ts";

/** Undoes one of them. It never throws: the log tells what was removed and what is left. */
export async function undoVm(context: UndoContext, vm: OperationVmView): Promise<void> {
  const made = madeOf(vm);
  try {
    await lookFirst(context, vm, made);
  } catch (error) {
    const message = `Nothing was done to it: ${error instanceof Error ? error.message : String(error)}`;
    context.log.append({ type: "vm", vm: vm.name, outcome: "left-behind", message });
    return;
  }
  await rollBack(context, { vm: vm.name, made, why: "It was unfinished", cancelled: false });
}

function madeOf({ steps }: OperationVmView): Made {
  const uuid = steps.map(({ evidence }) => evidence?.uuid).find((found) => found !== undefined) ?? null;
  const zvols = steps.flatMap(({ evidence }) => evidence?.zvol === undefined ? [] : [evidence.zvol]);
  return { uuid, vmId: null, deviceIds: [], zvols, doneSteps: [] };
}

async function lookFirst(
  { caller, log, settle }: UndoContext,
  vm: OperationVmView,
  made: Made,
): Promise<void> {
  const wasStarting = vm.steps.some(({ step, status }) => step === "start" && status === "failed");
  await runStep(log, {
    vm: vm.name,
    step: "look",
    method: "vm.query",
    run: async () => {
      const rows: readonly VmRow[] = made.uuid === null
        ? []
        : await caller.call("vm.query", [[["uuid", "=", made.uuid]]]);
      const state = rows[0]?.status.state;
      if (state === undefined || state === "STOPPED" || wasStarting) return state ?? "there is no such VM";
      throw new TrueNASError(`${vm.name} is ${state}: somebody has started it since`);
    },
    look: () => Promise.resolve(null),
    detail: (state) => state,
  }, settle);
}
