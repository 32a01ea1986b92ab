/** What is done with a VM that exists, for a selection of what a plan says could be done. Pure. */
import type { Problem } from "../errors/errors.ts";
import { shortened } from "./description.ts";
import type { PlannedChange, Reconciling } from "./changes.ts";
import type { CreationPlan, Difference, PlannedVm } from "./types.ts";

/** A step that changes something. */
export interface ChangeStep {
  /** `change`, `change-nic0`. */
  readonly step: string;
  readonly change: PlannedChange;
  /** What it changes, in words: `memory 2 GiB → 4 GiB`. */
  readonly what: readonly string[];
}

/** How a VM is changed. */
export interface VmReconciling {
  /** Before anything that a later step can undo. */
  readonly changes: readonly ChangeStep[];
  /** After the devices that are added, because a disk cannot be made smaller again. */
  readonly growing: readonly ChangeStep[];
  /** Changes that TrueNAS takes from a stopped VM only. */
  readonly skipped: readonly ChangeStep[];
  /** Whether the VM is shut down before and started after them. */
  readonly restarts: boolean;
  /** Whether it is started at the end. */
  readonly starts: boolean;
  /** Whether an earlier try has shut it down already. */
  readonly wasOn: boolean;
  /** Whether some of it takes effect at its next start. */
  readonly waits: boolean;
}

/** Whether a person selected that this VM is changed. */
export function isChanged({ name, action }: PlannedVm, { change }: Reconciling): boolean {
  return action === "change" && change.includes(name);
}

/** Whether an earlier try of the operation has shut this VM down and not started it again. */
function wasLeftOff({ name, action, state }: PlannedVm, { wereRunning = [] }: Reconciling): boolean {
  const isOurs = action === "keep" || action === "complete" || action === "change";
  return state === "STOPPED" && wereRunning.includes(name) && isOurs;
}

/** Whether something is done to this VM as it exists. */
export function isReconciled(vm: PlannedVm, reconciling: Reconciling): boolean {
  return isChanged(vm, reconciling) || wasLeftOff(vm, reconciling);
}

/** What is wrong with a selection: each VM that the plan cannot change or replace. */
export function selectionProblems(
  { vms }: CreationPlan,
  { change, replace }: Reconciling,
): readonly Problem[] {
  const problems = (names: readonly string[], wanted: PlannedVm["action"]) =>
    names.flatMap((name): Problem[] => {
      const vm = vms.find((it) => it.name === name);
      if (vm?.action === wanted) return [];
      const why = vm === undefined ? "which is not in the plan" : describeOther(vm);
      return [{
        field: name,
        message: `${name} was selected to ${wanted}, ${why}. Nothing was sent; plan again`,
      }];
    });
  return [...problems(change, "change"), ...problems(replace, "replace")];
}

/** What a plan does with a VM instead. */
function describeOther({ action, reasons }: PlannedVm): string {
  return action === "blocked"
    ? `which is blocked (${reasons.join("; ")})`
    : `which the plan says to ${action}`;
}

/** How a VM that was selected is changed. */
export function reconcilingOf(vm: PlannedVm, reconciling: Reconciling): VmReconciling {
  const { running } = reconciling;
  const steps = changeStepsOf(vm.differences);
  const isStopped = vm.state === "STOPPED";
  const needsStop = vm.missing.length > 0 ||
    vm.differences.some((difference) => difference.change !== null && difference.needsStop);
  const wasOn = wasLeftOff(vm, reconciling);
  const restarts = !isStopped && running === "restart" && needsStop;
  const isLate = ({ change }: ChangeStep) =>
    change.kind === "grow" || (change.kind === "reservation" && !change.sparse);
  const isPossible = ({ change }: ChangeStep) => change.kind !== "remove-device" || isStopped || restarts;
  const possible = steps.filter(isPossible);
  return {
    changes: possible.filter((step) => !isLate(step)),
    growing: possible.filter(isLate),
    skipped: steps.filter((step) => !isPossible(step)),
    restarts,
    starts: restarts || vm.steps.includes("start") || wasOn,
    wasOn,
    waits: !isStopped && !restarts && needsStop,
  };
}

/** The names of all steps of a VM that is changed, in order. */
export function changeStepNames(vm: PlannedVm, reconciling: Reconciling): readonly string[] {
  const { changes, growing, restarts, starts } = reconcilingOf(vm, reconciling);
  return [
    ...(restarts ? ["stop"] : []),
    ...changes.map(({ step }) => step),
    ...vm.missing,
    ...growing.map(({ step }) => step),
    ...(vm.steps.includes("seed") ? ["seed"] : []),
    ...(starts ? ["start"] : []),
  ];
}

/** The steps that change zvols of these disks. */
export function resizeStepsOf(
  { differences }: Pick<PlannedVm, "differences">,
  zvols: readonly string[],
): readonly ChangeStep[] {
  return changeStepsOf(differences).filter(({ change }) => "zvol" in change && zvols.includes(change.zvol));
}

/** One step for each call: all settings of the VM, all attributes of a device, the boot order, a zvol's size. */
function changeStepsOf(differences: readonly Difference[]): readonly ChangeStep[] {
  const steps = new Map<string, ChangeStep>();
  for (const { change, field, found, wanted } of differences) {
    if (change === null) continue;
    const step = stepOf(change);
    const known = steps.get(step);
    const text = `${field} ${shortened(found)} → ${shortened(wanted)}`;
    steps.set(step, {
      step,
      change: known === undefined ? change : merged(known.change, change),
      what: [...known?.what ?? [], text],
    });
  }
  return withoutTwins([...steps.values()]);
}

function stepOf(change: PlannedChange): string {
  switch (change.kind) {
    case "settings":
      return "change";
    case "device":
      return change.dtype === "DISK" ? `change-${change.device}-settings` : `change-${change.device}`;
    case "remove-device":
      return `remove-${change.device}`;
    case "order":
      return "change-order";
    case "grow":
      return `change-${change.device}`;
    case "reservation":
      return `change-${change.device}-space`;
  }
}

function merged(known: PlannedChange, change: PlannedChange): PlannedChange {
  if (known.kind !== change.kind || !("set" in known) || !("set" in change)) return change;
  return { ...known, set: { ...known.set, ...change.set }, was: { ...known.was, ...change.was } };
}

/**
 * From 26 on TrueNAS refuses a MAC address that another NIC of the VM has, so NICs get theirs once they are free. Two that
 * exchange theirs need a third one for a moment.
 */
function withoutTwins(steps: readonly ChangeStep[]): readonly ChangeStep[] {
  const ordered: ChangeStep[] = [];
  const waiting = [...steps];
  while (waiting.length > 0) {
    const held = new Set(waiting.map(({ change }) => macsOf(change).was));
    const at = waiting.findIndex(({ change }) => {
      const { set, was } = macsOf(change);
      return set === undefined || set === was || !held.has(set);
    });
    const [next] = waiting.splice(Math.max(at, 0), 1);
    if (next === undefined) break;
    if (at >= 0) ordered.push(next);
    else waiting.push(...setAside(next, ordered));
  }
  return ordered;
}

function macsOf(change: PlannedChange) {
  return change.kind === "device" ? { set: change.set.mac, was: change.was.mac } : {};
}

/** Gives a NIC another address first; what remains to be done comes later. */
function setAside(step: ChangeStep, ordered: ChangeStep[]): ChangeStep[] {
  const { change } = step;
  if (change.kind !== "device") return [];
  const mac = String(change.was.mac).replace(/^../, (first) => first === "02" ? "06" : "02");
  const aside = { ...change, set: { mac }, was: { mac: change.was.mac ?? null } };
  ordered.push({ step: `${step.step}-aside`, change: aside, what: [`MAC address ${mac} for a moment`] });
  return [{ ...step, change: { ...change, was: { ...change.was, mac } } }];
}
