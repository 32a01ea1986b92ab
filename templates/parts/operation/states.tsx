/** How operations, VMs and steps show their state: as a shape and a word. */
import { isVmAction, VM_ACTIONS } from "../../../lib/inventory/vm_actions.ts";
import { isGood } from "../../../lib/operations/summary.ts";
import { type VmWork, workOn } from "../../../lib/operations/vm_work.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";
import { State, type Tone } from "../common.tsx";
import type {
  OperationKind,
  OperationStatus,
  OperationView,
  OperationVmView,
  Resolution,
  StepError,
  StepStatus,
  Transfer,
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

const STEP_STATUSES = {
  pending: { tone: "quiet", word: "Waiting" },
  running: { tone: "busy", word: "Running" },
  done: { tone: "good", word: "Done" },
  failed: { tone: "bad", word: "Failed" },
  skipped: { tone: "quiet", word: "Skipped" },
  "rolled-back": { tone: "warn", word: "Rolled back" },
} as const satisfies Record<StepStatus, { tone: Tone; word: string }>;

const WAITING = { tone: "warn", word: "Waiting" } as const;

/**
 * A step's state as shape and word. A call whose effect could not be read may have been done, so it is not called failed;
 * and nothing runs while the NAS is away.
 */
export function stepState(
  { status, error }: { readonly status: StepStatus; readonly error?: StepError | null },
  isAway = false,
): { tone: Tone; word: string } {
  if (status === "running" && isAway) return WAITING;
  return status === "failed" && error?.outcome === "unknown"
    ? { tone: "warn", word: "Unknown" }
    : STEP_STATUSES[status];
}

const STEPS: Readonly<Record<string, string>> = {
  vm: "VM",
  display: "Display",
  cdrom: "Install image",
  dataset: "Dataset",
  download: "Download",
  promote: "Promote clone",
  start: "Start",
  ready: "First boot",
  stop: "Shut down",
  zvol: "Disk",
  verify: "Check",
  check: "Final check",
  shutdown: "Shut down",
  poweroff: "Power off",
  delete: "Delete",
  disks: "Disks",
  zvols: "Disks",
  change: "Change settings",
  "change-order": "Change boot order",
  remove: "Remove old VM",
  "remove-cdrom": "Detach install image",
  "remove-seed": "Remove first configuration",
  snapshot: "Snapshots",
  expire: "Remove expired",
  discard: "Discard later snapshots",
  rollback: "Roll back disks",
};

/** The name of a step for people: `disk1` is the second disk. */
export function stepLabel(step: string): string {
  // Earlier versions named the device's id on the NAS, which tells nobody anything.
  const own = step.replace(/^undo-/, "").replace(/^device-\d+$/, "device");
  const known = STEPS[own] ?? deviceLabel(own);
  if (known !== null) return known;
  const [, verb = "", device = "", part = ""] =
    /^(change|remove|mark)-([a-z]+\d*)(?:-([a-z]+))?$/.exec(own) ?? [];
  const label = STEPS[device] ?? deviceLabel(device);
  if (label !== null && label !== undefined) return verbOnDevice(verb, part, label);
  const words = own.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function deviceLabel(step: string): string | null {
  const [, sort, number] = /^(disk|nic)(\d+)$/.exec(step) ?? [];
  return sort === undefined ? null : `${sort === "disk" ? "Disk" : "NIC"} ${Number(number) + 1}`;
}

/** `Grow disk 1`: TrueNAS has several calls for what one device can have changed. */
function verbOnDevice(verb: string, part: string, label: string): string {
  const device = label.startsWith("NIC") ? label : label.charAt(0).toLowerCase() + label.slice(1);
  if (part === "space") return `Reserve space of ${device}`;
  if (part === "aside") return `Set MAC of ${device} aside`;
  if (verb === "mark") return `Take over ${device}`;
  if (verb === "remove") return `Remove ${device}`;
  return `${part === "" && device.startsWith("disk") ? "Grow" : "Change"} ${device}`;
}

/** `40 %`, or `512 MiB of 2 GiB, 40 MiB/s` for a transfer. */
export function describeProgress(percent: number, transfer: Transfer | null = null): string {
  if (transfer === null) return `${Math.round(percent)} %`;
  const { bytes, totalBytes, bytesPerSecond } = transfer;
  const of = totalBytes === null ? "" : ` of ${formatBytes(totalBytes)}`;
  return `${formatBytes(bytes)}${of}, ${formatBytes(bytesPerSecond)}/s`;
}

/** The outcomes of a VM. */
export const OUTCOMES = {
  created: { tone: "good", word: "Created" },
  "not-ready": { tone: "warn", word: "No answer" },
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

/** No VM is destroyed with an image. */
const REMOVED = { tone: "good", word: "Removed" } as const;

/** The outcome of a VM in an operation of this kind. */
export function outcomeOf(kind: OperationKind, outcome: NonNullable<OperationVmView["outcome"]>) {
  if (kind === "remove-image" && outcome === "destroyed") return REMOVED;
  return kind === "undo" && outcome === "failed" ? NOTHING_LEFT : OUTCOMES[outcome];
}

/** Whether the work on a VM ends only when its guest answers. */
function isAwaited({ steps }: Pick<OperationVmView, "steps">): boolean {
  return steps.some(({ step }) => step === "ready");
}

/** What an operation of each kind does to a VM, as done. */
const VERBS = {
  create: "created",
  destroy: "destroyed",
  undo: "removed",
  clean: "removed",
  act: "done",
  change: "changed",
  image: "added",
  "remove-image": "removed",
  checkpoint: "checkpointed",
  rollback: "rolled back",
  "remove-checkpoint": "removed",
} as const satisfies Record<OperationKind, string>;

const NOUNS: Readonly<Partial<Record<OperationKind, string>>> = { image: "image", "remove-image": "dataset" };

/** What an operation of this kind works on. */
export function nounOf(kind: OperationKind): string {
  return NOUNS[kind] ?? "VM";
}

const WORK_VERBS = {
  create: "created",
  change: "changed",
  replace: "replaced",
} as const satisfies Record<VmWork, string>;

/** What an operation does to a VM, as done: `created`, or by the action `started`. */
export function verbOf(
  kind: OperationKind,
  vm: Pick<OperationVmView, "steps" | "outcome"> | undefined,
): string {
  const action = vm?.steps[0]?.step ?? "";
  if (kind === "act" && isVmAction(action)) return VM_ACTIONS[action].done;
  const work = kind === "create" && vm !== undefined ? workOn(vm) : null;
  return work === null ? VERBS[kind] : WORK_VERBS[work];
}

/** The VMs with which something is done, and what: `changed`, or `done` if it is not the same for all. */
export function countedIn(
  { kind, vms }: Pick<OperationView, "kind" | "vms">,
): { readonly vms: readonly OperationVmView[]; readonly verb: string } {
  if (kind !== "create") return { vms, verb: verbOf(kind, vms[0]) };
  const counted = vms.filter((vm) => vm.outcome !== "kept" || workOn(vm) !== null);
  if (counted.length === 0) return { vms, verb: "kept" };
  if (counted.every(isAwaited)) return { vms: counted, verb: "ready" };
  const works = new Set(counted.flatMap((vm) => workOn(vm) ?? []));
  const [work = "create"] = works;
  return { vms: counted, verb: works.size > 1 ? "done" : WORK_VERBS[work] };
}

/** `2 of 3 VMs changed` */
export function countDone(view: Pick<OperationView, "kind" | "vms">): string {
  const { vms, verb } = countedIn(view);
  const good = vms.filter(({ outcome }) => isGood(view.kind, outcome)).length;
  return `${good} of ${formatCount(vms.length, nounOf(view.kind))} ${verb}`;
}

/** Why a VM is not what the operation was for: `worker02 was not created. tank/vms is full …`. */
export function describeTrouble(kind: OperationKind, vm: OperationVmView): string {
  const { name, outcome, message } = vm;
  if (outcome === "not-ready") return withStop(message ?? `${name} was created and does not answer`);
  const what = outcome === "interrupted" ? "interrupted" : `not ${verbOf(kind, vm)}`;
  return `${name} was ${what}. ${message === null ? "" : withStop(inLabels(message))}`.trim();
}

/** The sentence with a stop at its end. */
export function withStop(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** The message of an interrupted VM, `Done: vm (id 7), nic0. Unknown: disk0`, with the steps as people call them. */
export function inLabels(message: string): string {
  return message.replaceAll(
    STEP_LISTS,
    (_all, word: string, steps: string) =>
      `${word}: ${
        steps.replaceAll(STEP_NAME, (_step, before: string, name: string) => `${before}${stepLabel(name)}`)
      }`,
  );
}

const STEP_LISTS = /\b(Done|Unknown): (.+?)(?=\. Unknown: |$)/g;
/** Between commas, and perhaps with a detail in brackets, which may have commas of its own. */
const STEP_NAME = /(^|, )([a-z]+(?:-[a-z0-9]+)*\d*)(?= \(|, |\.?$)/g;
