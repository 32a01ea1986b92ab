/** Props for the pages and streams of VMs, from the current inventory. */
import { ConfigurationError } from "../../lib/errors/errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { deriveMac } from "../../lib/inventory/names.ts";
import { brieflyAgainst, reasonAgainst, VM_ACTION_NAMES } from "../../lib/inventory/vm_actions.ts";
import { givenAddresses } from "../../lib/operations/record/given_addresses.ts";
import { unfinishedVms } from "../../lib/operations/record/undecided.ts";
import type { VmQuery } from "../../templates/paths.ts";
import { columnsOf } from "../../templates/parts/list/columns.tsx";
import type { ChipCounts, ListFilterProps, Stale } from "../../templates/parts/list/filter.tsx";
import type { GroupReady } from "../../templates/parts/list/vm_group.tsx";
import type { VmMenuProps } from "../../templates/parts/list/vm_menu.tsx";
import type { VmListProps } from "../../templates/parts/list/vm_list.tsx";
import type { VmNowProps } from "../../templates/parts/vm/now.ts";
import type { ListRowProps, RowLook, VmRowProps } from "../../templates/parts/list/vm_row.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { countDifferences, isOnlyExtra } from "../../templates/parts/vm/type_match.tsx";
import { type TypeMatcher, typeMatcher } from "./type_match.ts";
import { isTroubled, matches, type NeedsLook, sorted, type Unfinished } from "./vm_query.ts";
import { rowsOf } from "./vm_rows.ts";

/** The age of the inventory while the NAS is not connected; otherwise null. */
export function staleness({ manager, now }: Dashboard): Stale | null {
  const { readAt } = manager.inventory.live.snapshot;
  return manager.connection.state.kind === "live" || readAt === null ? null : { since: readAt, now: now() };
}

/** From this number of VMs on, a row has a link to its menu in place of the menu: 1.3 kB in place of 4 kB. */
const MENUS_BELOW = 50;

/** Props of the list. */
export function listProps(dashboard: Dashboard, query: VmQuery, mayChange: boolean): VmListProps {
  const { manager } = dashboard;
  const { vms, error } = manager.inventory.live.snapshot;
  const all = vms ?? [];
  const state = manager.connection.state;
  const problem = state.kind === "reconnecting" || state.kind === "otp" ? state.error : error;
  const unfinished = unfinishedOf(dashboard);
  const matchOf = typeMatcher(dashboard);
  const needsLook = needsLookOf(dashboard, unfinished, matchOf);
  const matching = sorted(all.filter((vm) => matches(vm, query, needsLook)), query.sort);
  const look = lookOf(dashboard, query, { all, matching: matching.length });
  const { shown, groups } = rowsOf(matching, query, configuredTypes(dashboard));
  const rows = new Map(
    shown.map((vm) => [vm.id, rowOf(dashboard, vm, { mayChange, look, unfinished, matchOf })]),
  );
  return {
    mayChange,
    rows: vms === null ? null : [...rows.values()],
    matching,
    groups: groups?.map(({ group, vms, shown }) => ({
      group,
      vms,
      ready: readyIn(dashboard, vms),
      rows: shown.flatMap(({ id }) => rows.get(id) ?? []),
    })) ?? null,
    look,
    counts: chipCounts(all, query, needsLook),
    total: all.length,
    query,
    host: dashboard.host,
    problem: problem === null ? null : {
      message: problem.message,
      remedy: "remedy" in problem ? String(problem.remedy) : "Reload the page in a moment.",
    },
    stale: staleness(dashboard),
  };
}

/** Which of these VMs answer; null when nobody waited for any of them. */
export function readyIn({ manager }: Dashboard, vms: readonly Vm[]): GroupReady | null {
  const known = vms.map(({ id, ...vm }) => ({ id, state: manager.readiness.of(vm)?.state }));
  if (known.every(({ state }) => state === undefined)) return null;
  return {
    count: known.filter(({ state }) => state === "ready").length,
    lost: known.filter(({ state }) => state === "lost").map(({ id }) => id),
  };
}

/** Props of the filter above a list. */
export function filterOf({ query, counts, matching, total }: VmListProps): ListFilterProps {
  return { query, counts, matching: matching.length, total };
}

/** VMs that an operation left unfinished. */
export function unfinishedOf({ manager }: Dashboard): Unfinished {
  return unfinishedVms(manager.operations.store.list());
}

/** What needs a look has a mark in the list: it is in trouble, or differs from its type. */
export function needsLookOf(
  dashboard: Dashboard,
  unfinished: Unfinished = unfinishedOf(dashboard),
  matchOf: TypeMatcher = typeMatcher(dashboard),
): NeedsLook {
  const { manager } = dashboard;
  const { store } = manager.operations;
  return (vm) => {
    if (isTroubled(vm, unfinished) || manager.readiness.of(vm)?.state === "lost") return true;
    const match = matchOf(vm, store.busy(vm.name));
    return countDifferences(match) > 0 && !isOnlyExtra(match);
  };
}

/** The names of the configuration's types; none while it cannot be read, which the pages that need it report. */
export function configuredTypes({ configuration }: Dashboard): readonly string[] {
  try {
    return Object.keys(configuration().configuration.types);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return [];
  }
}

const looks = new Map<string, RowLook>();

/** Few, because it is kept for each choice of columns and each size of the largest VM. */
const MAX_LOOKS = 100;

/** How the rows of a list look; the same object for the same look, so that rendered rows are found again. */
function lookOf(
  { manager }: Dashboard,
  query: VmQuery,
  { all, matching }: { readonly all: readonly Vm[]; readonly matching: number },
): RowLook {
  const look: RowLook = {
    columns: columnsOf(query),
    scaleMib: all.reduce((most, { memoryMib }) => Math.max(most, memoryMib), 0),
    hasMenu: matching < MENUS_BELOW,
    canReset: manager.connection.canReset,
  };
  const key = JSON.stringify(look);
  const known = looks.get(key);
  if (known !== undefined) return known;
  if (looks.size >= MAX_LOOKS) looks.clear();
  looks.set(key, look);
  return look;
}

/** How many VMs each chip would show, with the other filters as they are. */
function chipCounts(all: readonly Vm[], query: VmQuery, needsLook: NeedsLook): ChipCounts {
  const found = all.filter((vm) => matches(vm, { ...query, state: "", ours: "" }, needsLook));
  const byState = found.filter((vm) =>
    query.ours === "" || isMarked(vm.description) === (query.ours === "yes")
  );
  const byOwner = found.filter((vm) => matches(vm, { ...query, q: "", ours: "", type: "" }, needsLook));
  const here = byOwner.filter(({ description }) => isMarked(description)).length;
  return {
    all: found.length,
    needsLook: byState.filter(needsLook).length,
    running: byState.filter(({ state }) => state === "RUNNING").length,
    stopped: byState.filter(({ state }) => state === "STOPPED").length,
    here,
    elsewhere: byOwner.length - here,
  };
}

/** What a row is made of beside its VM. */
export interface RowContext {
  readonly mayChange: boolean;
  readonly look: RowLook;
  readonly unfinished: Unfinished;
  readonly matchOf: TypeMatcher;
}

/** Props of one row of the list. */
export function rowOf(
  dashboard: Dashboard,
  vm: Vm,
  { mayChange, look, unfinished, matchOf }: RowContext,
): ListRowProps {
  const left = vm.uuid === null ? null : unfinished.get(vm.uuid) ?? null;
  const row = vmOf(dashboard, vm, mayChange);
  const match = matchOf(vm, row.busy);
  return { ...row, look, unfinished: left, differs: countDifferences(match), isExtra: isOnlyExtra(match) };
}

/** A VM and what is being done to it. */
export function vmOf({ manager }: Dashboard, vm: Vm, mayChange: boolean): VmRowProps {
  return {
    vm,
    busy: manager.operations.store.busy(vm.name),
    ready: manager.readiness.of(vm),
    mayChange,
  };
}

/** Everything that can be done with one VM. */
export function menuOf({ manager }: Dashboard, vm: Vm, mayChange: boolean): VmMenuProps {
  const busy = manager.operations.store.busy(vm.name)?.doing ?? null;
  return { vm, facts: { busy, canReset: manager.connection.canReset }, mayChange };
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
    ready: manager.readiness.of(vm),
    mayChange,
    actions: VM_ACTION_NAMES.map((name) => ({
      name,
      because: reasonAgainst(name, vm, facts),
      briefly: brieflyAgainst(name, vm, facts),
    })),
    operations: operations.slice(0, MAX_HISTORY),
    derivedMacs: derivedMacs(dashboard, vm),
    given: givenTo(dashboard, vm),
    typeMatch: typeMatcher(dashboard)(vm, busy),
    neighbours: neighboursOf(dashboard, vm),
    pool: manager.inventory.knownPool(),
    nasPage: manager.consoles.nasPage(),
    now: now(),
    staleSince: staleness(dashboard)?.since ?? null,
  };
}

/** Its static addresses, as far as the journal has them. */
function givenTo({ manager }: Dashboard, { name, description }: Vm): readonly string[] {
  if (!isMarked(description)) return [];
  const given = givenAddresses(manager.operations.store.list(), new Set([name])).get(name) ?? [];
  return given.flatMap((ip) => ip?.address ?? []);
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
