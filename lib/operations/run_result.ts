/** What became of a run of the library. */
import type { OperationView, VmOutcome } from "./types.ts";

/** What became of one VM. */
export interface VmResult {
  /** The VM's name. */
  readonly name: string;
  /** What became of it. */
  readonly outcome: VmOutcome;
  /** The NAS's id, where it has one. */
  readonly vmId: number | null;
  /** What happened, in a sentence; null when there is nothing to say. */
  readonly message: string | null;
}

/** What became of a run: every VM by name. */
export interface RunResult {
  /** `done` when every VM is as wanted, `partly-done` when some are, `failed` when none is. */
  readonly status: OperationView["status"];
  /** Every VM, in the order of the plan. */
  readonly vms: readonly VmResult[];
  /** Every step of it. */
  readonly operation: OperationView;
}

/** Read off an operation that has ended. */
export function toResult(view: OperationView): RunResult {
  const vms = view.vms.map(({ name, outcome, vmId, message }) => ({
    name,
    outcome: outcome ?? "failed",
    vmId,
    message,
  }));
  return { status: view.status, vms, operation: view };
}
