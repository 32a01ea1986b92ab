/** The operations that create or remove VMs: what each announces, and its work on one VM. */
import type { OrphanPlan, OrphanZvol } from "../plan/orphans.ts";
import { NOTHING_CHANGED, type Reconciling } from "../plan/changes.ts";
import { changeStepNames, isReconciled, reconcilingOf } from "../plan/reconciling.ts";
import { inRemovalOrder } from "../plan/removal.ts";
import type { RollBackVm } from "../plan/roll_back.ts";
import type { CreationPlan, DestructionPlan, DestructionVm, PlannedVm } from "../plan/types.ts";
import type { Acquirer } from "../images/acquiring/acquirer.ts";
import type { HeaderChecks } from "../images/acquiring/header_checks.ts";
import { ImageLibrary } from "../images/image_library.ts";
import type { SeedMeans } from "../first_boot/steps/seed_step.ts";
import type { Vm } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import { recoveryOf } from "./recovery.ts";
import { replacedVms } from "./record/history.ts";
import type { OperationSpec, WorkContext } from "./runner.ts";
import { createVm, startAgain } from "./steps/create_vm.ts";
import { destroyVm, destructionSteps } from "./steps/destroy_vm.ts";
import { changeExisting, type ReconcileContext } from "./steps/reconcile/change_existing.ts";
import type { Guests } from "./steps/ready_step.ts";
import type { RefusedPorts } from "./steps/refused_ports.ts";
import { replaceVm } from "./steps/replacing/replace_vm.ts";
import { removeZvol, zvolRemovalSteps } from "./steps/remove_zvol.ts";
import { type UndoContext, undoVm } from "./steps/undo_vm.ts";
import { describeVm, describeVmToDestroy, reportUntouched } from "./summary.ts";
import { claimOfCreation, claimOfDestruction, claimOfLeft } from "./turns/claim_of.ts";
import type { AnnouncedVm, OperationRequest, OperationView, OperationVmView } from "./types.ts";

type CreateRequest = Extract<OperationRequest, { kind: "create" }>;

/** A creation, besides its plan. */
export interface Creation extends Pick<ReconcileContext, "templates" | "displayPassword" | "deviceUpdate"> {
  readonly request: CreateRequest;
  /** Whether an earlier run began to replace VMs; default false. */
  readonly resumed?: boolean;
  readonly refusedPorts: RefusedPorts;
  readonly acquirer: Acquirer;
  readonly headers: HeaderChecks;
  readonly seeds: SeedMeans;
  readonly guests: () => Guests;
}

/** Creates the VMs of a plan, and changes those that were selected; the others are only reported. */
export function creation(
  plan: CreationPlan,
  {
    request,
    templates,
    displayPassword,
    deviceUpdate,
    refusedPorts,
    acquirer,
    headers,
    seeds,
    guests,
    resumed = false,
  }: Creation,
): OperationSpec<PlannedVm> {
  const { reconcile: reconciling = NOTHING_CHANGED } = request;
  const isReplaced = (vm: PlannedVm) => replaces(request, vm);
  const stepsOf = (vm: PlannedVm) => {
    if (isReplaced(vm)) return vm.replacement?.steps ?? [];
    return isReconciled(vm, reconciling) ? changeStepNames(vm, reconciling) : vm.steps;
  };
  const isActive = (vm: PlannedVm) => stepsOf(vm).length > 0;
  const [active, untouched] = [plan.vms.filter(isActive), plan.vms.filter((vm) => !isActive(vm))];
  return {
    kind: "create",
    title: titleOf(active, request),
    vms: plan.vms.map((vm) => ({ name: vm.name, steps: stepsOf(vm), summary: describeVm(vm) })),
    request,
    claim: claimOfCreation(plan, active),
    items: active,
    group: (vm) => limitOf(vm, reconciling),
    work: (context) => {
      for (const vm of untouched) reportUntouched(context.log, vm);
      const shared = {
        ...context,
        templates,
        displayPassword,
        stop: new AbortController(),
        seeds,
        zvols: { mayCreate: true },
        images: new ImageLibrary({ ...context, acquirer, headers }),
        ports: {
          refused: refusedPorts,
          allocator: context.claim.allocator(refusedPorts.allocatorFor(plan.vms)),
        },
        reconciling,
        deviceUpdate,
        halted: new Map<string, string>(),
        guests,
        release: () => {},
      };
      return {
        workOn: (vm, release) => {
          const own = { ...shared, release };
          if (isReplaced(vm)) return replaceVm({ ...own, resumed }, vm);
          return isReconciled(vm, reconciling) ? changeExisting(own, vm) : createVm(own, vm);
        },
        afterwards: async () => {
          if (context.outages.hasRestarted) await Promise.all(active.map((vm) => startAgain(shared, vm)));
        },
      };
    },
  };
}

/** Whether a person selected the VM to be replaced, and it can be. */
function replaces(request: CreateRequest, { name, action, replacement }: PlannedVm): boolean {
  if (action !== "replace" || replacement === null) return false;
  return request.replaced?.some((vm) => vm.name === name) === true;
}

/** `Create 3 VMs, change 1, replace 1`. */
function titleOf(active: readonly PlannedVm[], request: CreateRequest): string {
  const { reconcile = NOTHING_CHANGED } = request;
  const replaced = active.filter((vm) => replaces(request, vm)).length;
  const changed = active.filter((vm) => isReconciled(vm, reconcile)).length;
  const created = active.length - replaced - changed;
  const parts = [["Create", created], ["change", changed], ["replace", replaced]] as const;
  const text = parts.filter(([, count]) => count > 0)
    .map(([verb, count], n) => `${verb} ${n === 0 ? formatCount(count, "VM") : count}`).join(", ");
  return text === "" ? "Create 0 VMs" : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** VMs that are restarted are restarted a few at a time, so that the others of their type keep running. */
function limitOf(
  vm: PlannedVm,
  reconciling: Reconciling,
): { readonly name: string; readonly concurrency: number } {
  const { type, parallel } = vm;
  if (isReconciled(vm, reconciling) && reconcilingOf(vm, reconciling).restarts) {
    return { name: `restarts of ${type}`, concurrency: reconciling.atATime };
  }
  return { name: type, concurrency: parallel ?? Infinity };
}

/** Context of a destruction, besides its plan. */
export interface Destruction {
  /** Whether an earlier run started destroying these VMs; default false. */
  readonly resumed?: boolean;
  /** The VMs from which the plan was made, if they were read just now: those that start at once are not read again. */
  readonly read?: readonly Vm[];
}

/** Destroys the VMs of a plan. */
export function destruction(
  { vms, keepDisks, shutdown }: Pick<DestructionPlan, "vms" | "keepDisks" | "shutdown">,
  { resumed = false, read = [] }: Destruction = {},
): OperationSpec<Removal> {
  const zvols = new Set(vms.flatMap((vm) => vm.zvols.map(({ name }) => name))).size;
  return {
    kind: "destroy",
    title: `Destroy ${formatCount(vms.length, "VM")} and ${formatCount(zvols, "disk")}`,
    vms: vms.map((vm) => announced(vm, shutdown)),
    request: { kind: "destroy", vms, keepDisks, shutdown },
    claim: claimOfDestruction(vms),
    ...removals(vms.map(removalOfVm), { shutdown, resumed, read }),
  };
}

/** Removes what an operation created, or may have created, and restores what it changed, for the VMs that can be rolled back. */
export function undoing(
  view: OperationView,
  shown: readonly RollBackVm[],
  restoring: Pick<UndoContext, "displayPassword" | "deviceUpdate">,
): OperationSpec<OperationVmView> {
  const { removable } = recoveryOf(view);
  return {
    kind: "undo",
    title: `Roll back: ${view.title}`,
    vms: removable.map(({ name, summary }) => ({ name, steps: ["verify"], summary })),
    items: removable,
    claim: claimOfLeft(view),
    work: (context) => ({
      workOn: (vm) =>
        undoVm({ ...context, ...restoring }, vm, {
          operation: view.id,
          replaced: replacedVms(view).find(({ confirmed }) => confirmed.name === vm.name)?.confirmed ?? null,
          shown: shown.find(({ name }) => name === vm.name) ?? null,
        }),
    }),
  };
}

/** Removes orphans: VMs before zvols, but clones before the zvols they were cloned from. */
export function cleaning({ vms, zvols }: OrphanPlan): OperationSpec<Removal> {
  const unused = zvols.known ? zvols.value : [];
  return {
    kind: "clean",
    title: `Remove ${formatCount(vms.length, "unfinished VM")} and ${
      formatCount(unused.length, "unused disk")
    }`,
    // What a creation has made and not attached yet looks like an orphan, too.
    claim: { ...claimOfDestruction(vms), alone: true },
    vms: [
      ...vms.map((vm) => announced(vm, false)),
      ...unused.map((zvol) => ({
        name: zvol.name,
        steps: zvolRemovalSteps(zvol),
        summary: "a disk that no VM uses",
      })),
    ],
    ...removals([
      ...vms.map(removalOfVm),
      ...unused.map((zvol) => ({ key: zvol.name, after: zvol.after, zvol })),
    ]),
  };
}

function announced(vm: DestructionVm, shutdown: boolean): AnnouncedVm {
  return { name: vm.name, steps: destructionSteps(shutdown, vm), summary: describeVmToDestroy(vm) };
}

/** A VM to destroy, or a zvol that no VM uses, and the keys of the removals that must finish first. */
type Removal =
  & { readonly key: string; readonly after: readonly string[] }
  & ({ readonly vm: DestructionVm } | { readonly zvol: OrphanZvol });

function removalOfVm(vm: DestructionVm): Removal {
  return { key: String(vm.id), after: vm.after.map(String), vm };
}

function removals(
  unordered: readonly Removal[],
  { shutdown, resumed, read }: { shutdown: boolean } & Required<Destruction> = {
    shutdown: false,
    resumed: false,
    read: [],
  },
): Pick<OperationSpec<Removal>, "items" | "work"> {
  const items = inRemovalOrder(unordered);
  const work = ({ parallel, ...context }: WorkContext) => {
    const atOnce = new Set(items.slice(0, parallel).map(({ key }) => key));
    const recent = new Map(read.map((vm) => [String(vm.id), vm]));
    const started = new Map<string, Promise<void>>();
    const workOn = (item: Removal) => {
      const { key } = item;
      const after = Promise.allSettled(item.after.map((other) => started.get(other)));
      const vm = { shutdown, resumed, after, recent: atOnce.has(key) ? recent.get(key) ?? null : null };
      const removal = "zvol" in item
        ? removeZvol({ ...context, after }, item.zvol)
        : destroyVm({ ...context, ...vm }, item.vm);
      started.set(key, removal);
      return removal;
    };
    return { workOn };
  };
  return { items, work };
}
