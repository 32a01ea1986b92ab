/** A replacement in progress. */
import type { PlannedVm, Replacement } from "../../../plan/types.ts";
import type { KeptMemory } from "../../limits/memory_reservation.ts";
import { type Creation, type CreationContext } from "../create_vm.ts";
import { Cancelled } from "../run_step.ts";
import type { ChangeContext } from "../reconcile/effect.ts";
import { type RemovalContext } from "../zvol_removal.ts";

/** What replacing a VM needs. */
export interface ReplacementContext extends CreationContext, Pick<ChangeContext, "deviceUpdate"> {
  /** Whether an earlier run began to replace the VM and may have stopped it. */
  readonly resumed: boolean;
}

/** A replacement in progress. */
export interface Replacing extends RemovalContext {
  readonly context: ReplacementContext;
  readonly vm: PlannedVm;
  readonly replacement: Replacement;
  /** Kept from the old VM's shutdown until the new one runs. */
  readonly memory: KeptMemory;
  /** The new VM. */
  readonly creation: Creation;
  /** The old VM, unless it has been removed before. */
  readonly old: { readonly id: number; readonly uuid: string | null } | null;
  /** Whether anything was done about the old VM. */
  hasStarted: boolean;
  wasStopped: boolean;
  isGone: boolean;
}

/** Throws when a person cancelled. */
export function expectGoing({ context: { signal } }: Replacing): void {
  if (signal.aborted) throw new Cancelled();
}
