/** Props for the pages and streams of VMs, from the current inventory. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { deriveMac, typeOf } from "../../lib/inventory/names.ts";
import { brieflyAgainst, reasonAgainst, VM_ACTION_NAMES } from "../../lib/inventory/vm_actions.ts";
import type { Dashboard } from "../server/dashboard.ts";
import { matches, sorted } from "./vm_query.ts";
import { type Stale, type VmListProps } from "../../templates/parts/vm_list.tsx";
import type { VmNowProps } from "../../templates/parts/vm/now.ts";
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

/** The history shows this many operations and lines of the audit log; their own pages have the rest. */
const MAX_HISTORY = 100;

/** One VM's facts, available actions and operations. */
export function vmNow(dashboard: Dashboard, vm: Vm, mayChange: boolean): VmNowProps {
  const { manager, now } = dashboard;
  const operations = manager.operations.store.list().filter(({ vms }) =>
    vms.some(({ name, vmId }) => name === vm.name || vmId === vm.id)
  );
  const busy = manager.operations.store.busy(vm.name);
  const facts = { busy: busy?.doing ?? null, canReset: manager.connection.canReset };
  return {
    vm,
    busy,
    mayChange,
    actions: VM_ACTION_NAMES.map((name) => ({
      name,
      because: reasonAgainst(name, vm, facts),
      briefly: brieflyAgainst(name, vm, facts),
    })),
    operations: operations.slice(0, MAX_HISTORY),
    derivedMacs: derivedMacs(dashboard, vm),
    neighbours: neighboursOf(dashboard, vm),
    nasPage: manager.consoles.nasPage(),
    now: now(),
  };
}

/** The MACs that a VM of this name gets on this NAS. */
function derivedMacs({ manager, host }: Dashboard, vm: Vm): ReadonlySet<string> {
  const { state } = manager.connection;
  const nasId = (state.kind === "live" ? state.nas.id : null) ?? host;
  return new Set(vm.nics.map((_, n) => deriveMac({ nasId, vm: vm.name, nic: `nic${n}` })));
}

/** How many other VMs are attached to the same bridges and interfaces. */
function neighboursOf({ manager }: Dashboard, vm: Vm): ReadonlyMap<string, number> {
  const others = (manager.inventory.live.snapshot.vms ?? []).filter(({ id }) => id !== vm.id);
  const names = vm.nics.flatMap(({ attach }) => attach ?? []);
  return new Map(
    names.map((name) => [
      name,
      others.filter(({ nics }) => nics.some(({ attach }) => attach === name)).length,
    ]),
  );
}

/** The VM's lines of the audit log, newest first. */
export function vmAudit({ manager }: Dashboard, vm: Vm) {
  const entries = manager.audit.list().filter(({ vms }) => vms.includes(vm.name));
  return { entries: entries.slice(0, MAX_HISTORY), total: entries.length };
}
