/** Updates of the list of VMs, rendered once for everyone who has it open. */
import type { Configuration } from "../../lib/configuration/configuration.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { ChipsPatch, GroupPatch, VmListPatch, VmPatch } from "../../templates/parts/list/patches.tsx";
import { LiveCapacity } from "./capacity.tsx";
import { LiveHostLoad } from "./host_load.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";
import { configuredTypes, filterOf, listProps, readyIn } from "../vms/vm_props.ts";
import { configurationNow } from "../vms/type_match.ts";
import type { VmListProps } from "../../templates/parts/list/vm_list.tsx";
import { columnCount } from "../../templates/parts/list/columns.tsx";
import type { VmQuery } from "../../templates/paths.ts";
import { type ListRowProps, type RowLook, VmRowOnce } from "../../templates/parts/list/vm_row.tsx";

/** A page that shows the list. */
export interface ListWatcher {
  readonly query: VmQuery;
  readonly mayChange: boolean;
}

/** A row as it was sent. */
export interface Shown {
  readonly html: string;
  readonly row: ListRowProps;
}

/** The list for one filter, shared by everyone who uses it. */
export interface SharedList {
  /** The whole list; rendered when it is first sent. */
  readonly message: () => Uint8Array<ArrayBuffer>;
  /** The chips with their counts. */
  readonly chips: string;
  /** The rows, by the VM's ID. */
  readonly shown: ReadonlyMap<number, Shown>;
  /** Where the rows stand; the same as long as they may stay there. */
  readonly order: string;
  /** The names of all matching VMs, also of those without a row, by their IDs. */
  readonly matching: ReadonlyMap<number, string>;
  /** All matching VMs of the groups that have a row, by group. */
  readonly members: ReadonlyMap<string, readonly Vm[]>;
  readonly look: RowLook;
  readonly types: readonly string[];
  /** Messages of group headings, by type. */
  readonly groups: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Renders lists and rows once for all their viewers, until something changes. */
export class SharedLists {
  /** The line above the list. */
  readonly capacity: LiveCapacity;
  /** The charts below it. */
  readonly load: LiveHostLoad;
  readonly #dashboard: Dashboard;
  readonly #vmListeners = new Set<(vm: Vm) => void>();
  readonly #configurationListeners = new Set<() => void>();
  readonly #rows = new WeakMap<object, Uint8Array<ArrayBuffer>>();
  readonly #lists = new Map<string, SharedList>();

  readonly #run = crypto.randomUUID().slice(0, 8);
  #changes = 0;
  #configuration: Configuration | null | undefined;

  /** Subscribes to everything a list shows. */
  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
    this.capacity = new LiveCapacity(dashboard);
    this.load = new LiveHostLoad(dashboard);
    const invalidate = () => {
      this.#changes++;
      this.#lists.clear();
    };
    const changed = (vm: Vm | undefined) => {
      if (vm !== undefined) { for (const listener of this.#vmListeners) listener(vm); }
    };
    const { inventory: { live }, operations } = dashboard.manager;
    live.onChange((change) => {
      invalidate();
      if (change.type === "changed") changed(change.vm);
    });
    operations.store.onEvent((_view, event) => {
      invalidate();
      if (event.type !== "step" && event.type !== "vm") return;
      changed(live.snapshot.vms?.find(({ name }) => name === event.vm));
    });
    dashboard.manager.readiness.onChange((vm) => {
      invalidate();
      changed(vm);
    });
    dashboard.manager.connection.onState(invalidate);
  }

  /** Renders the lists again if the configuration has changed, because their rows tell what differs from it. */
  noticeConfiguration(): void {
    const now = configurationNow(this.#dashboard);
    const before = this.#configuration;
    this.#configuration = now;
    if (before === undefined || before === now) return;
    this.#changes++;
    this.#lists.clear();
    for (const listener of this.#configurationListeners) listener();
  }

  /** Calls `listener` when the lists differ because the configuration has changed, until the returned function is called. */
  onConfiguration(listener: () => void): () => void {
    this.#configurationListeners.add(listener);
    return () => this.#configurationListeners.delete(listener);
  }

  /** Lists with equal versions are equal, within this run of the program. */
  get version(): string {
    return `${this.#run}-${this.#changes}`;
  }

  /** Calls `listener` when a VM or its operation changes, until the returned function is called. */
  onVm(listener: (vm: Vm) => void): () => void {
    this.#vmListeners.add(listener);
    return () => this.#vmListeners.delete(listener);
  }

  /** The list for this page. */
  list({ query, mayChange }: ListWatcher): SharedList {
    const key = JSON.stringify([query, mayChange]);
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const list = listProps(this.#dashboard, query, mayChange);
    const rows = (list.rows ?? []).map((row) => [row.vm.id, { html: String(VmRowOnce(row)), row }] as const);
    let message: Uint8Array<ArrayBuffer> | null = null;
    const made: SharedList = {
      message: () => message ??= frame(String(<VmListPatch list={list} />)),
      chips: String(<ChipsPatch filter={filterOf(list)} selectable={list} />),
      shown: new Map(rows),
      order: orderOf(list),
      matching: new Map(list.matching.map(({ id, name }) => [id, name])),
      members: new Map((list.groups ?? []).map(({ group, vms }) => [group, vms])),
      look: list.look,
      types: configuredTypes(this.#dashboard),
      groups: new Map(),
    };
    // A list that shows its age is soon outdated, and unusual queries must not accumulate.
    if (list.stale === null && this.#lists.size < MAX_LISTS) this.#lists.set(key, made);
    return made;
  }

  /** The message of one row. */
  row(row: ListRowProps): Uint8Array<ArrayBuffer> {
    const rendered = VmRowOnce(row);
    const known = this.#rows.get(rendered);
    if (known !== undefined) return known;
    const made = frame(String(<VmPatch {...row} />));
    this.#rows.set(rendered, made);
    return made;
  }

  /** The message of a group's heading; null where the list has no row of the group. */
  group(watcher: ListWatcher, group: string): Uint8Array<ArrayBuffer> | null {
    const { groups, members, look } = this.list(watcher);
    const known = groups.get(group);
    if (known !== undefined) return known;
    const vms = members.get(group);
    if (vms === undefined) return null;
    const { mayChange } = watcher;
    const ready = readyIn(this.#dashboard, vms);
    const heading = { group, vms, ready, mayChange, columns: columnCount(look.columns) };
    const made = frame(String(<GroupPatch {...heading} />));
    groups.set(group, made);
    return made;
  }
}

/** Rows sorted by name stand in their groups; others stay where they are while their values change. */
function orderOf({ groups, rows }: VmListProps): string {
  const ids = (of: readonly ListRowProps[]) => of.map(({ vm }) => vm.id);
  if (groups === null) return ids(rows ?? []).toSorted((a, b) => a - b).join(" ");
  return groups.map(({ group, rows }) => [group, ...ids(rows)].join(" ")).join("\n");
}

/** How many lists are cached at once. */
const MAX_LISTS = 100;
