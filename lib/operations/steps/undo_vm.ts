/**
 * Undoes what an earlier operation created for a VM, based on the journal: the VM's uuid, the added devices, and zvols
 * whose properties name the operation. A VM that was started since is left alone.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import { vmQuery, type VmRow } from "../../truenas/methods.ts";
import { rollBack, type UndoContext } from "./roll_back.ts";
import { runStep } from "./run_step.ts";
import type { RollBackVm } from "../../plan/roll_back.ts";
import type { OperationVmView } from "../types.ts";
import type { CreatedResources } from "./created_resources.ts";

/** Undoes what the operation with this id created for one VM. Never throws; the log contains the result. */
export async function undoVm(
  context: UndoContext,
  vm: OperationVmView,
  { operation, shown }: {
    readonly operation: string;
    /** What the user saw before confirming; null: nothing, so no snapshot is removed. */
    readonly shown: RollBackVm | null;
  },
): Promise<void> {
  const made = madeOf(vm, operation);
  if (shown !== null && shown.blocked.length > 0) {
    const message = `Not rolled back: ${shown.blocked.join("; ")}`;
    context.log.append({ type: "step", vm: vm.name, step: "look", status: "skipped" });
    context.log.append({ type: "vm", vm: vm.name, outcome: "left-behind", message });
    return;
  }
  try {
    await verifyFirst(context, vm, made);
  } catch (error) {
    const message = `Not rolled back: ${reasonOf(error)}`;
    context.log.append({ type: "vm", vm: vm.name, outcome: "left-behind", message });
    return;
  }
  const why = vm.outcome === "created" ? "Rolled back on request" : "Its creation was incomplete";
  await rollBack(context, { vm: vm.name, made, why, cancelled: false, shown: shown?.zvols ?? [] });
}

/** The zvols that were or may have been created for a VM. */
export function zvolsMadeFor({ steps }: OperationVmView): readonly string[] {
  return [...new Set(steps.flatMap(({ evidence }) => evidence?.zvol ?? []))];
}

function madeOf({ steps }: OperationVmView, operation: string): CreatedResources {
  const evidence = steps.flatMap((step) => step.evidence === null ? [] : [step.evidence]);
  return {
    operation,
    uuid: evidence.find(({ uuid }) => uuid !== undefined)?.uuid ?? null,
    vmId: evidence.find(({ vmId }) => vmId !== undefined)?.vmId ?? null,
    devices: evidence.flatMap(({ device }) => device === undefined ? [] : [device]),
    zvols: steps.flatMap(({ evidence, status }) =>
      evidence?.zvol === undefined ? [] : [{
        name: evidence.zvol,
        marked: evidence.unmarked !== true,
        answered: evidence.answered === true || status === "done",
      }]
    ),
    started: wasStarted(steps),
    doneSteps: [],
  };
}

function wasStarted(steps: OperationVmView["steps"]): boolean {
  return steps.some(({ step, startedAt }) => step === "start" && startedAt !== null);
}

async function verifyFirst(
  { caller, log, settle }: UndoContext,
  vm: OperationVmView,
  made: CreatedResources,
): Promise<void> {
  await runStep(log, {
    vm: vm.name,
    step: "look",
    method: "vm.query",
    run: async () => {
      const filter = made.uuid === null ? ["id", "=", made.vmId] as const : ["uuid", "=", made.uuid] as const;
      const rows: readonly VmRow[] = made.uuid === null && made.vmId === null
        ? []
        : await caller.call("vm.query", vmQuery(filter));
      const state = rows[0]?.status.state;
      if (state === undefined || state === "STOPPED" || made.started) return state ?? "the VM does not exist";
      throw new TrueNASError(
        `${vm.name} is ${state.toLowerCase()}; it was started after the operation. Stop it first`,
      );
    },
    verify: null,
    detail: (state) => state,
  }, settle);
}
