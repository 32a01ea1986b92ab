/** What an operation has created for a VM, for rollback. */
import type { PlannedDevice } from "../../plan/types.ts";
import type { OperationVmView } from "../types.ts";

/** A zvol that may have been created: requested, absent before, and not refused. */
export interface CreatedZvol {
  /** Whether it has our properties, which identify it. */
  readonly marked: boolean;
  /** Whether the NAS confirmed its creation. */
  readonly answered: boolean;
  /** Whether it is an image's, which loses our mark and belongs to no VM once it is whole. */
  readonly isImage?: boolean;
}

/** What an operation has created for one VM so far. */
export interface CreatedResources {
  /** The operation's id. */
  readonly operation: string;
  /** The uuid requested for the VM; null when the VM already existed. */
  readonly uuid: string | null;
  /** Id on the NAS, once known. */
  vmId: number | null;
  /** Devices added to a VM that already existed. */
  readonly devices: Set<PlannedDevice>;
  /** By name. */
  readonly zvols: Map<string, CreatedZvol>;
  /** Zvols of a VM that was replaced, which the new VM uses; they are never removed. */
  readonly kept: ReadonlySet<string>;
  /** Whether starting the VM was requested. */
  started: boolean;
  /** Finished steps, to be marked as rolled back. */
  readonly doneSteps: string[];
}

/** What an earlier operation created or may have created for a VM, according to the journal. */
export function journalledResources(
  { steps }: Pick<OperationVmView, "steps">,
  operation: string,
  kept: readonly string[] = [],
): CreatedResources {
  const evidence = steps.flatMap((step) => step.evidence === null ? [] : [step.evidence]);
  return {
    operation,
    uuid: evidence.find(({ uuid }) => uuid !== undefined)?.uuid ?? null,
    vmId: evidence.find(({ vmId }) => vmId !== undefined)?.vmId ?? null,
    devices: new Set(evidence.flatMap(({ device }) => device ?? [])),
    zvols: new Map(steps.flatMap(({ evidence, status }) => {
      if (evidence?.zvol === undefined) return [];
      const answered = evidence.answered === true || status === "done";
      const image = evidence.image === true ? { isImage: true } : {};
      return [[evidence.zvol, { marked: evidence.unmarked !== true, answered, ...image }]];
    })),
    kept: new Set(kept),
    // A VM that was shut down for its changes ran before, so that is no start of a new one; one that was replaced is gone.
    started: (hasStarted(steps, "start") || hasStarted(steps, "ready")) &&
      (!hasStarted(steps, "stop") || hasStarted(steps, "remove")),
    doneSteps: [],
  };
}

/** Whether a step was run, whatever became of it. */
export function hasStarted(steps: OperationVmView["steps"], name: string): boolean {
  return steps.some(({ step, startedAt }) => step === name && startedAt !== null);
}

/** Whether a running VM was shut down for its changes and not started again. */
export function wasShutDown(steps: OperationVmView["steps"]): boolean {
  const isBack = steps.some(({ step, status }) =>
    (step === "start" || step === "undo-stop") && status === "done"
  );
  const isOff = steps.some(({ step, status, error }) =>
    step === "stop" &&
    (status === "done" || status === "running" || (status === "failed" && error?.outcome === "unknown"))
  );
  return isOff && !isBack;
}

/** The zvols that were or may have been created for a VM. */
export function journalledZvols({ steps }: OperationVmView): readonly string[] {
  return [...new Set(steps.flatMap(({ evidence }) => evidence?.zvol ?? []))];
}
