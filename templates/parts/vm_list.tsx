/** The list of VMs: its table, its groups, and what is shown when it is empty. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { formatCount, formatDuration, formatMib } from "../../lib/units.ts";
import { compareNames, typeOf } from "../../lib/inventory/names.ts";
import { VM_ACTION_NAMES, VM_ACTIONS } from "../../lib/inventory/vm_actions.ts";
import { paths, type SortKey, type VmQuery } from "../paths.ts";
import { Time } from "./common.tsx";
import { VmRowOnce, type VmRowProps } from "./vm_row.tsx";

/** Props of the list. */
export interface VmListProps {
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
  /** The matching VMs, in order; null until the NAS has been read. */
  readonly vms: readonly VmRowProps[] | null;
  /** The number of VMs without the filter. */
  readonly total: number;
  readonly query: VmQuery;
  readonly states: readonly string[];
  readonly types: readonly string[];
  /** Why the VMs could not be read, or null. */
  readonly problem: { readonly message: string; readonly remedy: string } | null;
  /** The age of the list while the NAS is not connected; otherwise null. */
  readonly stale: Stale | null;
}

/** When outdated data was read, and the present time, both in milliseconds since 1970 (UTC). */
export interface Stale {
  readonly since: number;
  readonly now: number;
}

interface Column {
  readonly label: string;
  readonly sort: SortKey | null;
  readonly numeric?: boolean;
}

const COLUMNS: readonly Column[] = [
  { label: "Name", sort: "name" },
  { label: "State", sort: "state" },
  { label: "vCPUs", sort: "vcpus", numeric: true },
  { label: "Memory", sort: "memory", numeric: true },
  { label: "Disks", sort: "disks", numeric: true },
  { label: "Networks", sort: "networks" },
  { label: "Display", sort: "display", numeric: true },
  { label: "Autostart", sort: "autostart" },
  { label: "Actions", sort: null },
];

/** The table, or why it is empty. Live updates replace it by its id. */
export function VmList(props: VmListProps) {
  return (
    <section id="vm-list" aria-labelledby="vm-list-caption">
      {props.vms === null || props.vms.length === 0
        ? <EmptyList {...props} />
        : <VmTable {...props} vms={props.vms} />}
    </section>
  );
}

/** The age of the list while the NAS is not connected. Live updates replace it by its id. */
export function VmListAge({ stale }: Pick<VmListProps, "stale">) {
  return (
    <span id="vm-list-age" class="warn tone" data-stale={stale === null ? undefined : "true"}>
      {stale === null ? "" : (
        <>
          , as of <Time at={stale.since} />, {formatDuration(stale.now - stale.since)} ago
        </>
      )}
    </span>
  );
}

function VmTable(
  { vms, total, query, stale, mayChange }: VmListProps & { readonly vms: readonly VmRowProps[] },
) {
  const shown = vms.length === total
    ? formatCount(total, "VM")
    : `${vms.length} of ${formatCount(total, "VM")}`;
  return (
    <form method="get" action={paths.act()} class="list">
      <table class={isByName(query) ? "rows vms" : "rows vms flat"}>
        <caption id="vm-list-caption">
          {shown}
          <VmListAge stale={stale} />
        </caption>
        <thead>
          <tr>
            <th scope="col">
              <input
                type="checkbox"
                id="select-all"
                class="scripted"
                aria-label="Select all VMs in the list"
              />
            </th>
            {COLUMNS.map((column) => <ColumnHead {...column} query={query} />)}
          </tr>
        </thead>
        {isByName(query)
          ? groupsOf(vms).map(({ type, rows }) => (
            <tbody>
              <VmGroup type={type} vms={rows.map(({ vm }) => vm)} />
              {rows.map((row) => <VmRowOnce {...row} />)}
            </tbody>
          ))
          : <tbody>{vms.map((row) => <VmRowOnce {...row} />)}</tbody>}
      </table>
      {mayChange ? <BulkActions /> : null}
    </form>
  );
}

function BulkActions() {
  return (
    <div class="bulk" role="group" aria-label="Actions for selected VMs">
      <span class="what">
        <b class="ticked"></b> selected
      </span>
      {VM_ACTION_NAMES.map((name) => (
        <button
          type="submit"
          name="action"
          value={name}
          class={VM_ACTIONS[name].abrupt ? "btn danger" : "btn"}
        >
          {VM_ACTIONS[name].verb}…
        </button>
      ))}
      <button type="submit" name="selection" value="yes" class="btn danger" formaction={paths.destroy()}>
        Destroy…
      </button>
    </div>
  );
}

/** Only a list sorted by name is grouped. */
export function isByName({ sort }: VmQuery): boolean {
  return sort === "" || sort === "name";
}

/** Groups the VMs by type, in order of name; VMs without a number come last. */
function groupsOf(rows: readonly VmRowProps[]): { readonly type: string; readonly rows: VmRowProps[] }[] {
  const groups = new Map<string, VmRowProps[]>();
  for (const row of rows) {
    const type = typeOf(row.vm.name) ?? "";
    const group = groups.get(type);
    if (group === undefined) groups.set(type, [row]);
    else group.push(row);
  }
  return [...groups].sort(([a], [b]) => a === "" ? 1 : b === "" ? -1 : compareNames(a, b)).map(
    ([type, rows]) => ({ type, rows }),
  );
}

/** The id of a group's heading. */
export function groupId(type: string): string {
  return `group-${type === "" ? "-" : type.replaceAll(/[^A-Za-z0-9_]/g, "-")}`;
}

/** The heading of a group, with its totals. */
export function VmGroup({ type, vms }: { type: string; vms: readonly Vm[] }) {
  const running = vms.filter(({ state }) => state === "RUNNING").length;
  const vcpus = vms.reduce((sum, vm) => sum + vm.vcpus, 0);
  const memory = vms.reduce((sum, vm) => sum + vm.memoryMib, 0);
  return (
    <tr class="group" id={groupId(type)} data-group={type}>
      <th scope="rowgroup" colspan={COLUMNS.length + 1}>
        {type === "" ? "Other VMs" : type}
        <span class="where">
          {formatCount(vms.length, "VM")}, {running} running, {formatCount(vcpus, "vCPU")},{" "}
          {formatMib(memory)}
        </span>
      </th>
    </tr>
  );
}

function ColumnHead({ label, sort, numeric, query }: Column & { readonly query: VmQuery }) {
  if (sort === null) return <th scope="col" class={numeric ? "num" : undefined}>{label}</th>;
  const ascending = query.sort === sort || (sort === "name" && query.sort === "");
  const descending = query.sort === `-${sort}`;
  const direction = ascending ? "ascending" : descending ? "descending" : undefined;
  return (
    <th scope="col" class={numeric ? "num" : undefined} aria-sort={direction}>
      <a href={paths.home({ ...query, sort: ascending ? `-${sort}` : sort })}>
        {label}
        {direction === undefined ? null : <span aria-hidden="true">{ascending ? " ↑" : " ↓"}</span>}
      </a>
    </th>
  );
}

function EmptyList({ vms, total, problem, mayChange }: VmListProps) {
  if (vms === null) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">{problem === null ? "Waiting for the NAS" : "The VMs could not be read"}</h2>
        <p>{problem?.message ?? "VMs appear here as soon as the NAS answers."}</p>
        {problem === null ? null : <p>{problem.remedy}</p>}
        <p>
          <a class="btn" href={paths.home()}>Reload</a>
        </p>
      </div>
    );
  }
  if (total > 0) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">No VMs match</h2>
        <p>
          The NAS has {formatCount(total, "VM")}. <a href={paths.home()}>Show all</a>
        </p>
      </div>
    );
  }
  return (
    <div class="empty">
      <h2 id="vm-list-caption">No VMs yet</h2>
      {mayChange
        ? (
          <>
            <p>
              Create a group of VMs from the configuration. You review the plan before anything is created.
            </p>
            <p>
              <a class="btn primary" href={paths.create()}>Create VMs</a>
            </p>
          </>
        )
        : null}
    </div>
  );
}
