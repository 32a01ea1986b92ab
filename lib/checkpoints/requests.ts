/** What operations on checkpoints were asked to do, so that they can be resumed. */
import type { CheckpointPlan, CheckpointRemovalPlan, RollbackPlan } from "./plan/plans.ts";

/** A request of an operation on a checkpoint. */
export type CheckpointOperation =
  | {
    readonly kind: "checkpoint";
    readonly plan: Pick<CheckpointPlan, "name" | "note" | "vms">;
    /** Id of the operation that began it, which its snapshots name; absent in that operation itself. */
    readonly operation?: string;
  }
  | { readonly kind: "rollback"; readonly plan: Pick<RollbackPlan, "checkpoint" | "vms"> }
  | {
    readonly kind: "remove-checkpoint";
    readonly plan: Pick<CheckpointRemovalPlan, "checkpoint" | "vms">;
  };

/** The kinds of these operations. */
export type CheckpointKind = CheckpointOperation["kind"];
