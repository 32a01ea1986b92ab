/** What operations reveal about the VMs on the NAS. Pure. */
import type { OngoingReplacement, PlannedMacs } from "../../plan/creation_input.ts";
import type { JournalEvidence } from "../../plan/destruction.ts";
import type { OrphanFacts } from "../../plan/orphans.ts";
import { recoveryOf } from "../recovery.ts";
import {
  isActive,
  type OperationRequest,
  type OperationView,
  type OperationVmView,
  type StepView,
  type VmOutcome,
} from "../types.ts";

/** The uuids and zvols that operations created, as evidence that a VM was created here. */
export function evidenceOf(views: readonly OperationView[]): JournalEvidence {
  const evidence = stepsOf(views).flatMap((step) => step.evidence ?? []);
  return {
    uuids: new Set(evidence.flatMap(({ uuid }) => uuid ?? [])),
    zvols: new Set(evidence.flatMap(({ zvol }) => zvol ?? [])),
  };
}

/** The MACs last planned for a VM of this name, from views with the newest first; null when there are none. */
export function plannedMacsOf(views: readonly OperationView[], name: string): PlannedMacs | null {
  for (const { request } of views) {
    const macs = request?.kind === "create" ? request.macs?.[name] : undefined;
    if (macs !== undefined) return macs;
  }
  return null;
}

/** A creation's request, with its types and configuration. */
export type CreateRequest = Extract<OperationRequest, { readonly kind: "create" }>;

/** The latest creation that made each VM, by its name, from views with the newest first. */
export function creationsOf(views: readonly OperationView[]): ReadonlyMap<string, CreateRequest> {
  const creations = new Map<string, CreateRequest>();
  for (const { request, vms } of views) {
    if (request?.kind !== "create") continue;
    for (const { name, outcome } of vms) {
      if ((outcome === "created" || outcome === "not-ready") && !creations.has(name)) {
        creations.set(name, request);
      }
    }
  }
  return creations;
}

/** Whether a creation planned a VM by its own name, as the form for one VM does, and not as one of a type. */
export function isSingle({ types }: CreateRequest, vm: string): boolean {
  return types.find(({ type, name }) => vm.startsWith(name ?? type))?.name !== undefined;
}

/** Names of the VMs that were created one by one. */
export function singleVms(views: readonly OperationView[]): ReadonlySet<string> {
  return new Set([...creationsOf(views)].flatMap(([name, request]) => isSingle(request, name) ? [name] : []));
}

/** The uuids of VMs that a creation left incomplete, as long as nobody has decided about them, and of incomplete clones. */
export function unfinishedVms(views: readonly OperationView[]): ReadonlySet<string> {
  const vms = views.flatMap((view) => recoveryOf(view).removable).filter(({ outcome }) =>
    outcome !== "created" && outcome !== "not-ready"
  );
  const clones = stepsOf(views).filter(({ step, status }) => step === "clone" && status === "failed");
  return new Set([...vms.flatMap(uuidsOf), ...clones.flatMap(({ evidence }) => evidence?.uuid ?? [])]);
}

/**
 * The uuids of VMs that operations created and none has started since, from views with the newest first. Only the NAS can
 * tell whether anyone else has started them.
 */
export function neverStarted(views: readonly OperationView[]): ReadonlySet<string> {
  const created = new Map<string, OperationVmView>();
  for (const view of views.toReversed()) {
    const { kind, vms } = view;
    for (const vm of vms) {
      if (wasStarted(kind, vm)) forgetVm(created, vm);
      else if (kind === "create" && !staysOff(view, vm)) {
        for (const uuid of uuidsOf(vm)) created.set(uuid, vm);
      }
    }
  }
  return new Set(created.keys());
}

/** A replacement that was confirmed and has not been finished. */
export interface UnfinishedReplacement extends OngoingReplacement {
  /** Id of the latest operation that worked on it. */
  readonly operation: string;
  /** Whether the operation can still be resumed. */
  readonly isOpen: boolean;
  /** Whether the old VM was removed, or may have been. */
  readonly isRemoved: boolean;
}

/** The replacements that are not finished, from views with the newest first. */
export function unfinishedReplacements(views: readonly OperationView[]): readonly UnfinishedReplacement[] {
  const latest = new Map<string, UnfinishedReplacement & { readonly outcome: VmOutcome | null }>();
  for (const view of views) {
    for (const { confirmed, vm } of replacedVms(view)) {
      const key = confirmed.vmUuid ?? confirmed.name;
      const { id: operation, resolution } = view;
      const { outcome } = vm;
      const own = {
        confirmed,
        operation,
        isOpen: resolution === null,
        isRemoved: false,
        outcome,
        successors: [],
      };
      const newer = latest.get(key) ?? own;
      const isRemoved = newer.isRemoved || mayHaveRemoved(vm);
      latest.set(key, { ...newer, isRemoved, successors: [...newer.successors, ...uuidsOf(vm)] });
    }
  }
  return [...latest.values()].filter(({ outcome }) => outcome !== "replaced" && outcome !== "not-ready");
}

/** A VM that was not replaced although it was to be is reported only if nothing was removed. */
function mayHaveRemoved({ outcome, steps }: OperationVmView): boolean {
  const { status = "pending" } = steps.find(({ step }) => step === "remove") ?? {};
  if (status === "done") return true;
  const isCertain = outcome === "failed" || outcome === "cancelled";
  return !isCertain && status !== "pending" && status !== "skipped";
}

/** The VMs that an operation was asked to replace, and what became of them. */
export function replacedVms({ request, vms }: OperationView) {
  const replaced = request?.kind === "create" ? request.replaced ?? [] : [];
  return replaced.flatMap((confirmed) => {
    const vm = vms.find(({ name }) => name === confirmed.name);
    return vm === undefined ? [] : [{ confirmed, vm }];
  });
}

/** Ids of running operations, and the uuids of VMs that they create or destroy. */
export function runningFacts(views: readonly OperationView[]): OrphanFacts["running"] {
  const running = views.filter(isActive);
  const created = stepsOf(running).flatMap(({ evidence }) => evidence?.uuid ?? []);
  const toDestroy = running.flatMap(({ request }) => request?.kind === "destroy" ? request.vms : []);
  return {
    operations: new Set(running.map(({ id }) => id)),
    uuids: new Set([...created, ...toDestroy.flatMap(({ uuid }) => uuid ?? [])]),
  };
}

/** Whether the VM replaces one that somebody had stopped. */
function staysOff(view: OperationView, { name }: OperationVmView): boolean {
  return replacedVms(view).some(({ vm, confirmed }) =>
    vm.name === name && confirmed.replacement?.start === false
  );
}

function stepsOf(views: readonly OperationView[]): readonly StepView[] {
  return views.flatMap(({ vms }) => vms.flatMap(({ steps }) => steps));
}

function uuidsOf({ steps }: OperationVmView): readonly string[] {
  return steps.flatMap(({ evidence }) => evidence?.uuid ?? []);
}

/** Whether an operation started the VM, or performed an action that only a started VM allows. */
function wasStarted(kind: OperationView["kind"], { steps }: OperationVmView): boolean {
  if (kind === "act") return steps.some(({ step, startedAt }) => step !== "detach" && startedAt !== null);
  return steps.some(({ step, status }) =>
    step === "start" && (status === "done" || status === "rolled-back")
  );
}

/** An operation knows a VM's id only when it has finished, so the same name is enough to assume the same VM. */
function forgetVm(created: Map<string, OperationVmView>, { name, vmId }: OperationVmView): void {
  for (const [uuid, vm] of created) {
    if (vm.name === name || (vmId !== null && vm.vmId === vmId)) created.delete(uuid);
  }
}
