/** How operations, VMs and steps show their state: as a shape and a word. */
import { isVmAction, VM_ACTIONS } from "../../../lib/inventory/vm_actions.ts";
import { State, type Tone } from "../common.tsx";
import type {
  OperationKind,
  OperationStatus,
  OperationVmView,
  Resolution,
  StepStatus,
} from "../../../lib/operations/types.ts";

/** The states of an operation. */
export const STATUSES = {
  running: { tone: "busy", word: "Running" },
  waiting: { tone: "warn", word: "Waiting for the NAS" },
  done: { tone: "good", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  "partly-done": { tone: "warn", word: "Partly done" },
  cancelled: { tone: "warn", word: "Cancelled" },
  interrupted: { tone: "warn", word: "Interrupted" },
} as const satisfies Record<OperationStatus, { tone: Tone; word: string }>;

/** An operation's status as shape and word. */
export function OperationState({ status }: { status: OperationStatus }) {
  return <State {...STATUSES[status]} />;
}

/** The states of a step. */
export const STEP_STATUSES = {
  pending: { tone: "quiet", word: "Waiting" },
  running: { tone: "busy", word: "Running" },
  done: { tone: "good", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  skipped: { tone: "quiet", word: "Skipped" },
  "rolled-back": { tone: "warn", word: "Rolled back" },
} as const satisfies Record<StepStatus, { tone: Tone; word: string }>;

const STEPS: Readonly<Record<string, string>> = {
  vm: "VM",
  display: "Display",
  cdrom: "Install image",
  start: "Start",
  stop: "Shut down",
  zvol: "Disk",
  verify: "Check",
  check: "Final check",
  shutdown: "Shut down",
  poweroff: "Power off",
  delete: "Delete",
  disks: "Disks",
  zvols: "Disks",
};

/** The name of a step for people: `disk1` is the second disk. */
export function stepLabel(step: string): string {
  const own = step.replace(/^undo-/, "");
  const [, sort, number] = /^(disk|nic)(\d+)$/.exec(own) ?? [];
  if (sort !== undefined) return `${sort === "disk" ? "Disk" : "NIC"} ${Number(number) + 1}`;
  const words = own.replaceAll("-", " ");
  return STEPS[own] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** The outcomes of a VM. */
export const OUTCOMES = {
  created: { tone: "good", word: "Created" },
  kept: { tone: "quiet", word: "Kept" },
  changed: { tone: "good", word: "Changed" },
  replaced: { tone: "good", word: "Replaced" },
  "rolled-back": { tone: "warn", word: "Rolled back" },
  "left-behind": { tone: "bad", word: "Left behind" },
  destroyed: { tone: "good", word: "Destroyed" },
  "already-gone": { tone: "quiet", word: "Already gone" },
  failed: { tone: "bad", word: "Failed" },
  cancelled: { tone: "warn", word: "Cancelled" },
  "cancelled-kept": { tone: "warn", word: "Cancelled, kept" },
  interrupted: { tone: "warn", word: "Interrupted" },
  done: { tone: "good", word: "Done" },
  "out-of-memory": { tone: "bad", word: "Not enough memory" },
} as const satisfies Record<NonNullable<OperationVmView["outcome"]>, { tone: Tone; word: string }>;

/** The decisions about operations that did not succeed. */
export const RESOLUTIONS = {
  resumed: "This operation was resumed",
  "rolled-back": "This operation was rolled back",
  left: "The result was kept as it is",
} as const satisfies Record<Resolution["how"], string>;

/** A rollback that found nothing to remove counts as success. */
const NOTHING_LEFT = { tone: "quiet", word: "Nothing left" } as const;

/** The outcome of a VM in an operation of this kind. */
export function outcomeOf(kind: OperationKind, outcome: NonNullable<OperationVmView["outcome"]>) {
  return kind === "undo" && outcome === "failed" ? NOTHING_LEFT : OUTCOMES[outcome];
}

/** What an operation of each kind does to a VM, as done. */
const VERBS = {
  create: "created",
  destroy: "destroyed",
  undo: "removed",
  clean: "removed",
  act: "done",
  change: "changed",
} as const satisfies Record<OperationKind, string>;

/** What an operation does to its VMs, as done: `created`, or by the action `started`. */
export function verbOf(kind: OperationKind, vm: Pick<OperationVmView, "steps"> | undefined): string {
  const action = vm?.steps[0]?.step ?? "";
  return kind === "act" && isVmAction(action) ? VM_ACTIONS[action].done : VERBS[kind];
}

/** Why a VM is not what the operation was for: `worker02 was not created. tank/vms is full …`. */
export function describeTrouble(kind: OperationKind, vm: OperationVmView): string {
  const { name, outcome, message } = vm;
  const what = outcome === "interrupted" ? "interrupted" : `not ${verbOf(kind, vm)}`;
  return `${name} was ${what}. ${message ?? ""}`.trim();
}
