/**
 * Removes what an earlier operation made of a VM, by the evidence in the journal: the uuid that the VM was given, the
 * devices that were added, and zvols whose properties name the operation. A VM that somebody has started since is
 * left alone.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import { TrueNASError } from "../../errors/errors.ts";
import { vmQuery, type VmRow } from "../../truenas/methods.ts";
import { rollBack, type UndoContext } from "./roll_back.ts";
import { runStep } from "./run_step.ts";
import type { RollBackVm } from "../../plan/roll_back.ts";
import type { OperationVmView } from "../types.ts";
import type { CreatedResources } from "./created_resources.ts";

/** Undoes what the operation of this id made of one VM. It never throws: the log tells what was removed and what is left. */
export async function undoVm(
  context: UndoContext,
  vm: OperationVmView,
  { operation, shown }: {
    readonly operation: string;
    /** What a person was shown of it; null when they were shown nothing, and no snapshot goes. */
    readonly shown: RollBackVm | null;
  },
): Promise<void> {
  const made = madeOf(vm, operation);
  if (shown !== null && shown.blocked.length > 0) {
    const message = `Nothing was done to it: ${shown.blocked.join("; ")}`;
    context.log.append({ type: "step", vm: vm.name, step: "look", status: "skipped" });
    context.log.append({ type: "vm", vm: vm.name, outcome: "left-behind", message });
    return;
  }
  try {
    await verifyFirst(context, vm, made);
  } catch (error) {
    const message = `Nothing was done to it: ${reasonOf(error)}`;
    context.log.append({ type: "vm", vm: vm.name, outcome: "left-behind", message });
    return;
  }
  const why = vm.outcome === "created" ? "It was to be rolled back" : "It was unfinished";
  await rollBack(context, { vm: vm.name, made, why, cancelled: false, shown: shown?.zvols ?? [] });
}

/** The zvols that were made for a VM, or may have been. */
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
      if (state === undefined || state === "STOPPED" || made.started) return state ?? "there is no such VM";
      throw new TrueNASError(`${vm.name} is ${state}: somebody has started it since`);
    },
    verify: null,
    detail: (state) => state,
  }, settle);
}
