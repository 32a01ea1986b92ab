/** The list of VMs as it goes to everybody who has it open: each list, row and group is made once, until it changes. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import { GroupPatch, VmListPatch, VmPatch } from "../../templates/parts/patches.tsx";
import { VmRowOnce } from "../../templates/parts/vm_list.tsx";
import type { VmQuery, VmRowProps } from "../../templates/props.ts";
import { LiveCapacity } from "./capacity.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";
import { listProps } from "../vms/vm_props.ts";

/** Who watches the list. */
export interface ListWatcher {
  readonly query: VmQuery;
  readonly mayChange: boolean;
}

/** A row as it was sent, and what it told of. */
export interface Shown {
  readonly html: string;
  readonly row: VmRowProps;
}

/** The list as everybody is sent it who looks for the same. */
export interface SharedList {
  readonly message: Uint8Array<ArrayBuffer>;
  readonly shown: ReadonlyMap<number, Shown>;
  /** Lines of groups, by type. */
  readonly groups: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Makes lists and rows once for all who are sent them, until something changes. */
export class SharedLists {
  /** What stands above the list. */
  readonly capacity: LiveCapacity;
  readonly #dashboard: Dashboard;
  readonly #vmListeners = new Set<(vm: Vm) => void>();
  readonly #rows = new WeakMap<object, Uint8Array<ArrayBuffer>>();
  readonly #lists = new Map<string, SharedList>();

  readonly #run = crypto.randomUUID().slice(0, 8);
  #changes = 0;

  /** Follows what a list tells of. */
  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
    this.capacity = new LiveCapacity(dashboard);
    const forget = () => {
      this.#changes++;
      this.#lists.clear();
    };
    const changed = (vm: Vm | undefined) => {
      if (vm !== undefined) { for (const listener of this.#vmListeners) listener(vm); }
    };
    const { inventory: { live }, operations } = dashboard.manager;
    live.onChange((change) => {
      forget();
      if (change.type === "changed") changed(change.vm);
    });
    operations.store.onEvent((_view, event) => {
      forget();
      if (event.type !== "step" && event.type !== "vm") return;
      changed(live.snapshot.vms?.find(({ name }) => name === event.vm));
    });
    dashboard.manager.connection.onState(forget);
  }

  /** Of what lists tell: two lists of one version are the same, in this run of the program. */
  get version(): string {
    return `${this.#run}-${this.#changes}`;
  }

  /** VMs that changed on the NAS, or to which something is being done here. */
  onVm(listener: (vm: Vm) => void): () => void {
    this.#vmListeners.add(listener);
    return () => this.#vmListeners.delete(listener);
  }

  /** The list as this watcher sees it. */
  list({ query, mayChange }: ListWatcher): SharedList {
    const key = JSON.stringify([query, mayChange]);
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const list = listProps(this.#dashboard, query, mayChange);
    const rows = (list.vms ?? []).map((row) => [row.vm.id, { html: String(VmRowOnce(row)), row }] as const);
    const message = frame(String(<VmListPatch list={list} />));
    const made = { message, shown: new Map(rows), groups: new Map() };
    // Of lists with an age the next one is another, and odd queries must not pile up.
    if (list.stale === null && this.#lists.size < MAX_LISTS) this.#lists.set(key, made);
    return made;
  }

  /** The message of one row. */
  row(row: VmRowProps): Uint8Array<ArrayBuffer> {
    const rendered = VmRowOnce(row);
    const known = this.#rows.get(rendered);
    if (known !== undefined) return known;
    const made = frame(String(<VmPatch {...row} />));
    this.#rows.set(rendered, made);
    return made;
  }

  /** The message of a group's line. */
  group(watcher: ListWatcher, type: string): Uint8Array<ArrayBuffer> {
    const { groups, shown } = this.list(watcher);
    const vms = [...shown.values()].map(({ row }) => row.vm).filter(({ name }) =>
      (typeOf(name) ?? "") === type
    );
    const known = groups.get(type) ?? frame(String(<GroupPatch type={type} vms={vms} />));
    groups.set(type, known);
    return known;
  }
}

/** Queries that are looked for at the same time. */
const MAX_LISTS = 100;
