/** The operations that create or remove VMs: what each announces, and its work on one VM. */
import type { OrphanPlan, OrphanZvol } from "../plan/orphans.ts";
import { inRemovalOrder } from "../plan/removal.ts";
import type { RollBackVm } from "../plan/roll_back.ts";
import type { CreationPlan, DestructionPlan, DestructionVm, PlannedVm } from "../plan/types.ts";
import type { Vm } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import { recoveryOf } from "./recovery.ts";
import { replacedVms } from "./record/history.ts";
import type { OperationSpec, WorkContext } from "./runner.ts";
import { createVm, type CreationContext, startAgain } from "./steps/create_vm.ts";
import { destroyVm, destructionSteps } from "./steps/destroy_vm.ts";
import type { RefusedPorts } from "./steps/refused_ports.ts";
import { replaceVm } from "./steps/replace_vm.ts";
import { removeZvol, zvolRemovalSteps } from "./steps/remove_zvol.ts";
import { undoVm } from "./steps/undo_vm.ts";
import { describeVm, describeVmToDestroy, reportUntouched } from "./summary.ts";
import type { AnnouncedVm, OperationRequest, OperationView, OperationVmView } from "./types.ts";

/** A creation, besides its plan. */
export interface Creation extends Pick<CreationContext, "templates" | "displayPassword"> {
  readonly request: OperationRequest;
  /** Whether an earlier run began to replace VMs; default false. */
  readonly resumed?: boolean;
  readonly refusedPorts: RefusedPorts;
}

/** Creates the VMs of a plan; those that need nothing are only reported. */
export function creation(
  plan: CreationPlan,
  { request, templates, displayPassword, refusedPorts, resumed = false }: Creation,
): OperationSpec<PlannedVm> {
  const isReplaced = (vm: PlannedVm) => replaces(request, vm);
  const isActive = (vm: PlannedVm) => hasSteps(vm) || isReplaced(vm);
  const [active, untouched] = [plan.vms.filter(isActive), plan.vms.filter((vm) => !isActive(vm))];
  const stepsOf = (vm: PlannedVm) => isReplaced(vm) ? vm.replacement?.steps ?? [] : vm.steps;
  return {
    kind: "create",
    title: `Create ${formatCount(active.length, "VM")}`,
    vms: plan.vms.map((vm) => ({ name: vm.name, steps: stepsOf(vm), summary: describeVm(vm) })),
    request,
    items: active,
    group: ({ type, parallel }) => ({ name: type, concurrency: parallel ?? Infinity }),
    work: (context) => {
      for (const vm of untouched) reportUntouched(context.log, vm);
      const shared = {
        ...context,
        templates,
        displayPassword,
        stop: new AbortController(),
        zvols: { mayCreate: true },
        ports: { refused: refusedPorts, allocator: refusedPorts.allocatorFor(plan.vms) },
      };
      return {
        workOn: (vm) => isReplaced(vm) ? replaceVm({ ...shared, resumed }, vm) : createVm(shared, vm),
        afterwards: async () => {
          if (context.outages.hasRestarted) await Promise.all(active.map((vm) => startAgain(shared, vm)));
        },
      };
    },
  };
}

/** Whether a person selected the VM to be replaced, and it can be. */
function replaces(request: OperationRequest, { name, action, replacement }: PlannedVm): boolean {
  if (request.kind !== "create" || action !== "replace" || replacement === null) return false;
  return request.replaced?.some((vm) => vm.name === name) === true;
}

function hasSteps({ steps }: PlannedVm): boolean {
  return steps.length > 0;
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
    ...removals(vms.map(removalOfVm), { shutdown, resumed, read }),
  };
}

/** Removes what an operation created, or may have created, for the VMs that can be rolled back. */
export function undoing(
  view: OperationView,
  shown: readonly RollBackVm[] = [],
): OperationSpec<OperationVmView> {
  const { removable } = recoveryOf(view);
  return {
    kind: "undo",
    title: `Roll back: ${view.title}`,
    vms: removable.map(({ name, summary }) => ({ name, steps: ["verify"], summary })),
    items: removable,
    work: (context) => ({
      workOn: (vm) =>
        undoVm(context, vm, {
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
