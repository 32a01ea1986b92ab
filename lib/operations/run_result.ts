/** The result of an operation, for users of the library. */
import type { OperationView, OperationVmView, VmOutcome } from "./types.ts";

/** The result for one VM. */
export interface VmResult extends Pick<OperationVmView, "name" | "vmId" | "message"> {
  /** What happened to it. */
  readonly outcome: VmOutcome;
}

/** The result of an operation. */
export interface RunResult {
  /** `done` when every VM is as requested, `partly-done` when some are, `failed` when none is, `cancelled`. */
  readonly status: OperationView["status"];
  /** Every VM, in the order of the plan. */
  readonly vms: readonly VmResult[];
  /** The operation with all its steps. */
  readonly operation: OperationView;
}

/** The result of a finished operation. */
export function toResult(operation: OperationView): RunResult {
  const vms = operation.vms.map(({ name, outcome, vmId, message }) => ({
    name,
    outcome: outcome ?? "failed",
    vmId,
    message,
  }));
  return { status: operation.status, vms, operation };
}
