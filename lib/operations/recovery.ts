/** What can be done about an operation that did not end as it should. Pure. */
import { formatCount } from "../units.ts";
import { isGood } from "./summary.ts";
import type { OperationView, OperationVmView, VmOutcome } from "./types.ts";

/** The choices that a person has; doing nothing is always one. */
export interface Recovery {
  /** VMs that taking it up again would finish. */
  readonly resumable: readonly OperationVmView[];
  /** VMs of which it made something that rolling it back would remove. */
  readonly removable: readonly OperationVmView[];
  /** What a person types before finished VMs are removed: `roll back 4 vms`; null when only half-made ones are. */
  readonly phrase: string | null;
}

const NOTHING: Recovery = { resumable: [], removable: [], phrase: null };

/** Outcomes after which something of a creation may be on the NAS. */
const LEFT: readonly (VmOutcome | null)[] = ["interrupted", "left-behind", "cancelled-kept", "created"];

/** What can be done about an operation. */
export function recoveryOf(view: OperationView): Recovery {
  const { kind, status, vms, request, resolution } = view;
  if (status === "running" || status === "done" || resolution !== null) return NOTHING;
  if (kind !== "create" && kind !== "destroy") return NOTHING;
  const removable = kind === "create" ? vms.filter(hasLeft) : [];
  const finished = removable.some(({ outcome }) => outcome === "created");
  return {
    resumable: request === null ? [] : vms.filter(({ outcome }) => !isGood(kind, outcome)),
    removable,
    phrase: finished ? `roll back ${formatCount(removable.length, "vm")}` : null,
  };
}

function hasLeft({ outcome, steps }: OperationVmView): boolean {
  return LEFT.includes(outcome) && steps.some(({ evidence }) => evidence !== null);
}

/** Whether a person still has to decide something about it. */
export function needsDecision(view: OperationView): boolean {
  const { resumable, removable } = recoveryOf(view);
  return view.status === "interrupted" && resumable.length + removable.length > 0;
}

/**
 * Milliseconds until every call whose outcome is not known has had its time: up to 25.10 a call goes on at the NAS
 * after its connection is gone, and what it makes may appear only then.
 */
export function remainingSettleMs(view: OperationView, now: number, settleMs: number): number {
  const open = view.vms.flatMap(({ steps }) => steps).filter(({ error }) => error?.outcome === "unknown");
  return Math.max(0, ...open.map(({ startedAt }) => (startedAt ?? 0) + settleMs - now));
}
