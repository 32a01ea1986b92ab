/** Props for the pages and streams of VMs, from the current inventory. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import { reasonAgainst, VM_ACTION_NAMES } from "../../lib/inventory/vm_actions.ts";
import type { Dashboard } from "../server/dashboard.ts";
import { matches, sorted } from "./vm_query.ts";
import { type Stale, type VmListProps } from "../../templates/parts/vm_list.tsx";
import type { VmNowProps } from "../../templates/parts/vm_now.tsx";
import type { VmQuery } from "../../templates/paths.ts";
import type { VmRowProps } from "../../templates/parts/vm_row.tsx";

/** The age of the inventory while the NAS is not connected; otherwise null. */
export function staleness({ manager, now }: Dashboard): Stale | null {
  const { readAt } = manager.inventory.live.snapshot;
  return manager.connection.state.kind === "live" || readAt === null ? null : { since: readAt, now: now() };
}

/** Props of the list. */
export function listProps(dashboard: Dashboard, query: VmQuery, mayChange: boolean): VmListProps {
  const { manager } = dashboard;
  const { vms, error } = manager.inventory.live.snapshot;
  const all = vms ?? [];
  const state = manager.connection.state;
  const problem = state.kind === "reconnecting" || state.kind === "otp" ? state.error : error;
  return {
    mayChange,
    vms: vms === null
      ? null
      : sorted(all.filter((vm) => matches(vm, query)), query.sort).map((vm) =>
        rowOf(dashboard, vm, mayChange)
      ),
    total: all.length,
    query,
    states: [...new Set(all.map((vm) => vm.state))].sort(),
    types: [...new Set(all.map(({ name }) => typeOf(name)).filter((type) => type !== null))].sort(),
    problem: problem === null ? null : {
      message: problem.message,
      remedy: "remedy" in problem ? String(problem.remedy) : "Reload the page in a moment.",
    },
    stale: staleness(dashboard),
  };
}

/** Props of one row. */
export function rowOf({ manager }: Dashboard, vm: Vm, mayChange: boolean): VmRowProps {
  return { vm, busy: manager.operations.store.busy(vm.name), mayChange };
}

/** A VM's page shows its latest operations; the rest are on the operations page. */
const MAX_OPERATIONS = 10;

/** One VM's facts, available actions and latest operations. */
export function vmNow({ manager }: Dashboard, vm: Vm, mayChange: boolean): VmNowProps {
  const operations = manager.operations.store.list().filter(({ vms }) =>
    vms.some(({ name }) => name === vm.name)
  );
  const busy = manager.operations.store.busy(vm.name);
  const facts = { busy: busy?.doing ?? null, canReset: manager.connection.canReset };
  return {
    vm,
    busy,
    mayChange,
    actions: VM_ACTION_NAMES.map((name) => ({ name, because: reasonAgainst(name, vm, facts) })),
    operations: operations.slice(0, MAX_OPERATIONS),
  };
}
