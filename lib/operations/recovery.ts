/** What can be done about an operation that did not succeed. Pure. */
import { formatCount } from "../units.ts";
import { isGood } from "./summary.ts";
import { hasStarted, wasShutDown } from "./steps/created_resources.ts";
import {
  isActive,
  type OperationKind,
  type OperationView,
  type OperationVmView,
  type VmOutcome,
} from "./types.ts";

/** The user's choices; leaving everything as it is is always possible. */
export interface Recovery {
  /** VMs that resuming would complete. */
  readonly resumable: OperationView["vms"];
  /** VMs of which a rollback would remove or restore something. */
  readonly removable: OperationView["vms"];
  /** What the user types to have finished VMs removed: `roll back 4 vms`; null when only incomplete ones are. */
  readonly phrase: string | null;
}

const NOTHING: Recovery = { resumable: [], removable: [], phrase: null };

/** Outcomes after which parts of a VM may exist. */
const LEFT: readonly (VmOutcome | null)[] = [
  "interrupted",
  "left-behind",
  "cancelled-kept",
  "created",
  "not-ready",
  "changed",
];

/** The kinds that can go on later, and after which outcomes each has left something that can be undone. */
const UNDOABLE: Readonly<Partial<Record<OperationKind, readonly (VmOutcome | null)[]>>> = {
  create: LEFT,
  image: LEFT,
  destroy: [],
  checkpoint: ["done", "interrupted", "left-behind"],
  rollback: [],
  "remove-checkpoint": [],
};

/** What can be done about an operation. */
export function recoveryOf(view: OperationView): Recovery {
  const { kind, status, vms, request, resolution } = view;
  if (isActive(view) || status === "done" || resolution !== null) return NOTHING;
  const left = UNDOABLE[kind];
  if (left === undefined) return NOTHING;
  const removable = vms.filter(({ outcome, steps }) =>
    left.includes(outcome) && steps.some(({ evidence }) => evidence !== null)
  );
  const includesFinished = removable.some(({ outcome }) => isFinished(outcome));
  return {
    resumable: request === null
      ? []
      : vms.filter((vm) => !isGood(kind, vm.outcome) && (kind !== "rollback" || isBegun(vm))),
    removable,
    phrase: includesFinished ? `roll back ${formatCount(removable.length, "vm")}` : null,
  };
}

/** Whether a VM is as it was to be, or only does not answer: it may hold data. */
function isFinished(outcome: VmOutcome | null): boolean {
  return outcome === "created" || outcome === "not-ready" || outcome === "changed";
}

/**
 * Whether a rollback has left a VM off, or its disks of different times. One that has changed nothing would lose, by a click
 * some day, what its guest has written meanwhile; it is rolled back anew, with its phrase.
 */
function isBegun({ steps }: OperationVmView): boolean {
  const isUntouched = steps.some(({ step, status }) => step === "undo-stop" && status === "done");
  return !isUntouched && (hasStarted(steps, "rollback") || wasShutDown(steps));
}

/** Whether the operation was interrupted and the user has yet to decide about it. */
export function needsDecision(view: OperationView): boolean {
  const { resumable, removable } = recoveryOf(view);
  return view.status === "interrupted" && resumable.length + removable.length > 0;
}

/**
 * Milliseconds until the effects of all calls with an unknown outcome can be seen: up to 25.10, TrueNAS continues a call after
 * its connection has closed.
 */
export function remainingSettleMs(view: OperationView, now: number, settleMs: number): number {
  const unknown = view.vms.flatMap(({ steps }) => steps).filter(({ error }) => error?.outcome === "unknown");
  return Math.max(0, ...unknown.map(({ startedAt }) => (startedAt ?? 0) + settleMs - now));
}
