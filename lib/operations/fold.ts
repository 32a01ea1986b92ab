/** From a log of facts to what a page shows. Pure: the same log gives the same view, in whatever portions it is folded. */
import type { OperationEvent, OperationView, OperationVmView, StepView } from "./types.ts";

/** The view before any event. */
export function emptyView(id: string): OperationView {
  return {
    id,
    kind: "create",
    title: "",
    by: null,
    status: "running",
    startedAt: 0,
    finishedAt: null,
    message: null,
    vms: [],
    request: null,
    resolution: null,
    lastSeq: 0,
  };
}

/** The view after one more event. An event that was folded in already changes nothing, so a repeat is harmless. */
export function applyEvent(view: OperationView, event: OperationEvent): OperationView {
  if (event.seq <= view.lastSeq) return view;
  const next = { ...view, lastSeq: event.seq };
  switch (event.type) {
    case "started":
      return {
        ...next,
        kind: event.kind,
        title: event.title,
        by: event.by ?? null,
        startedAt: event.at,
        request: event.request ?? null,
        vms: event.vms.map(announced),
      };
    case "step":
      return updateVm(next, event.vm, (vm) => ({ ...vm, steps: updateSteps(vm.steps, event) }));
    case "progress":
      return updateVm(next, event.vm, (vm) => ({
        ...vm,
        steps: vm.steps.map((step) =>
          step.step === event.step ? { ...step, seq: event.seq, percent: event.percent } : step
        ),
      }));
    case "call":
      return updateVm(next, event.vm, (vm) => ({
        ...vm,
        steps: vm.steps.map((step) => step.step === event.step ? updateCall(step, event) : step),
      }));
    case "vm":
      return updateVm(next, event.vm, (vm) => ({
        ...vm,
        outcome: event.outcome,
        vmId: event.vmId ?? vm.vmId,
        message: event.message ?? vm.message,
      }));
    case "finished":
      return { ...next, status: event.status, finishedAt: event.at, message: event.message ?? null };
    case "resolved": {
      const { how, operation } = event;
      return { ...next, resolution: operation === undefined ? { how } : { how, operation } };
    }
  }
}

/** The view of a whole log. */
export function foldOperation(id: string, events: readonly OperationEvent[]): OperationView {
  return events.reduce(applyEvent, emptyView(id));
}

function announced(vm: { name: string; steps: readonly string[]; summary: string }): OperationVmView {
  const { name, summary } = vm;
  return {
    name,
    summary,
    vmId: null,
    outcome: null,
    message: null,
    steps: vm.steps.map((step) => pending(name, step)),
  };
}

function pending(vm: string, step: string): StepView {
  return {
    seq: 0,
    vm,
    step,
    status: "pending",
    startedAt: null,
    finishedAt: null,
    method: null,
    makes: null,
    evidence: null,
    percent: null,
    detail: null,
    error: null,
  };
}

function updateVm(
  view: OperationView,
  name: string,
  change: (vm: OperationVmView) => OperationVmView,
): OperationView {
  return { ...view, vms: view.vms.map((vm) => vm.name === name ? change(vm) : vm) };
}

type StepEvent = Extract<OperationEvent, { type: "step" }>;

/** A step that was not announced (a rollback's own) joins at the end. */
function updateSteps(steps: readonly StepView[], event: StepEvent): readonly StepView[] {
  if (steps.some(({ step }) => step === event.step)) {
    return steps.map((step) => step.step === event.step ? updateStep(step, event) : step);
  }
  return [...steps, updateStep(pending(event.vm, event.step), event)];
}

function updateStep(step: StepView, event: StepEvent): StepView {
  return {
    ...step,
    seq: event.seq,
    status: event.status,
    startedAt: event.status === "running" ? event.at : step.startedAt,
    finishedAt: finishedAt(step, event),
    method: event.method ?? step.method,
    makes: event.makes ?? step.makes,
    evidence: event.evidence === undefined ? step.evidence : event.evidence,
    detail: event.detail ?? step.detail,
    error: event.error ?? step.error,
  };
}

function updateCall(
  step: StepView,
  { seq, method, evidence }: Extract<OperationEvent, { type: "call" }>,
): StepView {
  return { ...step, seq, method, evidence: evidence === undefined ? step.evidence : evidence };
}

function finishedAt(step: StepView, event: StepEvent): number | null {
  if (event.status === "running" || event.status === "pending") return null;
  // A step that is rolled back keeps the time at which it was done: what it took stays to be seen.
  return event.status === "rolled-back" ? step.finishedAt ?? event.at : event.at;
}
