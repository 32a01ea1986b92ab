/** Folds the events of an operation into the view that pages show. Pure, and independent of how the log is divided. */
import type { AnnouncedVm, OperationEvent, OperationView, OperationVmView, StepView } from "../types.ts";

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
    waiting: null,
    outages: [],
    gaveUp: false,
    message: null,
    vms: [],
    request: null,
    resolution: null,
    lastSeq: 0,
  };
}

/** The view after one more event; an event that it already includes changes nothing. */
export function applyEvent(view: OperationView, event: OperationEvent): OperationView {
  const { seq } = event;
  if (seq <= view.lastSeq) return view;
  const next = { ...view, lastSeq: seq };
  switch (event.type) {
    case "started": {
      const { kind, title, by = null, at: startedAt, request = null, vms } = event;
      return { ...next, kind, title, by, startedAt, request, vms: vms.map(pendingVm) };
    }
    case "step":
      return changeStep(next, event, (step) => ({
        ...step,
        seq,
        status: event.status,
        startedAt: event.status === "running" ? event.at : step.startedAt,
        finishedAt: finishedAt(step, event),
        method: event.method ?? step.method,
        makes: event.makes ?? step.makes,
        evidence: event.evidence === undefined ? step.evidence : event.evidence,
        detail: event.detail ?? step.detail,
        error: event.error ?? step.error,
        ...(event.awaits === undefined ? {} : { awaits: event.awaits }),
      }));
    case "sign":
      return changeStep(next, event, (step) => ({ ...step, seq, signs: [...step.signs ?? [], event.sign] }));
    case "progress":
      return changeStep(next, event, (step) => ({
        ...step,
        seq,
        percent: event.percent,
        transfer: event.transfer ?? step.transfer,
      }));
    case "call": {
      const { method, evidence } = event;
      return changeStep(
        next,
        event,
        (step) => ({ ...step, seq, method, evidence: evidence === undefined ? step.evidence : evidence }),
      );
    }
    case "healed": {
      const { at, tries: healed, message: healing, againInMs } = event;
      const tries = againInMs === undefined ? [] : [{ at, againInMs }];
      return changeStep(
        next,
        event,
        (step) => ({ ...step, seq, healed, healing, failedTries: [...step.failedTries, ...tries] }),
      );
    }
    case "waiting": {
      const { at: since, until, message } = event;
      const outages = [...view.outages, { since, until: null }];
      return { ...next, status: "waiting", waiting: { since, until, message }, outages };
    }
    case "back": {
      const outages = endOutage(view, event.at);
      return { ...next, status: "running", waiting: null, outages, gaveUp: event.gaveUp !== undefined };
    }
    case "vm":
      return changeVm(next, event.vm, (vm) => ({
        ...vm,
        outcome: event.outcome,
        vmId: event.vmId ?? vm.vmId,
        message: event.message ?? vm.message,
      }));
    case "finished":
      return {
        ...next,
        status: event.status,
        finishedAt: event.at,
        waiting: null,
        outages: endOutage(view, event.at),
        message: event.message ?? null,
      };
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

function endOutage({ outages }: OperationView, at: number): OperationView["outages"] {
  return outages.map((outage) => outage.until === null ? { ...outage, until: at } : outage);
}

function pendingVm({ name, summary, steps }: AnnouncedVm): OperationVmView {
  return {
    name,
    summary,
    vmId: null,
    outcome: null,
    message: null,
    steps: steps.map((step) => pendingStep(name, step)),
  };
}

function pendingStep(vm: string, step: string): StepView {
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
    transfer: null,
    detail: null,
    error: null,
    healed: 0,
    healing: null,
    failedTries: [],
  };
}

function changeVm(
  view: OperationView,
  name: string,
  change: (vm: OperationVmView) => OperationVmView,
): OperationView {
  return { ...view, vms: view.vms.map((vm) => vm.name === name ? change(vm) : vm) };
}

/** Steps that were not announced, such as those of a rollback, are added at the end. */
function changeStep(
  view: OperationView,
  { vm: vmName, step: name }: { readonly vm: string; readonly step: string },
  change: (step: StepView) => StepView,
): OperationView {
  return changeVm(view, vmName, (vm) => {
    const isKnown = vm.steps.some(({ step }) => step === name);
    const steps = isKnown ? vm.steps : [...vm.steps, pendingStep(vmName, name)];
    return { ...vm, steps: steps.map((step) => step.step === name ? change(step) : step) };
  });
}

function finishedAt(
  step: StepView,
  { status, at }: Extract<OperationEvent, { type: "step" }>,
): number | null {
  if (status === "running" || status === "pending") return null;
  // A step that is rolled back keeps the time at which it was done, so that its duration is still shown.
  return status === "rolled-back" ? step.finishedAt ?? at : at;
}
