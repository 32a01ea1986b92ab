/** What the list and a VM's page show of operations: the one above the list, and toasts of actions that have ended. */
import { isVmAction } from "../../lib/inventory/vm_actions.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import { type ActionToast, StripPatch, ToastEndPatch } from "../../templates/parts/list/patches.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";

/** Messages about operations. */
export interface OperationMessages {
  readonly take: () => readonly Uint8Array<ArrayBuffer>[];
  readonly end: readonly (() => void)[];
}

/** Follows the operation that the page shows above its list, and the ends of actions on one VM. */
export function watchOperations(
  dashboard: Dashboard,
  shown: string,
  ring: () => void,
): OperationMessages {
  let strip = dashboard.manager.operations.store.get(shown)?.view ?? null;
  const ended: ActionToast[] = [];
  const forget = dashboard.manager.operations.store.onEvent((view, { type }) => {
    const toast = type === "finished" ? toastOf(dashboard, view) : null;
    if (toast !== null) ended.push(toast);
    if (view.id === shown) strip = view;
    if (toast !== null || view.id === shown) ring();
  });
  const take = () => {
    const messages = ended.splice(0).map((toast) => frame(String(<ToastEndPatch {...toast} />)));
    if (strip !== null) messages.push(frame(String(<StripPatch view={strip} />)));
    strip = null;
    return messages;
  };
  return { take, end: [forget] };
}

/** The toast of an operation that is an action on one VM; null for every other. */
function toastOf({ manager }: Dashboard, view: OperationView): ActionToast | null {
  const [vm] = view.vms;
  const action = vm?.steps[0]?.step ?? "";
  if (view.kind !== "act" || view.vms.length !== 1 || vm === undefined || !isVmAction(action)) return null;
  const known = manager.inventory.live.snapshot.vms?.find(({ name }) => name === vm.name);
  const id = vm.vmId ?? known?.id;
  return id === undefined ? null : { view, action, vm: { id, name: vm.name } };
}
