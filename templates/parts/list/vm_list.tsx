/** The list of VMs: its table in groups, and what is shown when it is empty. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { formatNumber } from "../../../lib/units.ts";
import { ALL_ROWS, paths, type VmQuery } from "../../paths.ts";
import { Icon } from "../icons.tsx";
import { columnCount, ListHead } from "./columns.tsx";
import { type ChipCounts, shownOf, type Stale } from "./filter.tsx";
import { type GroupReady, VmGroup } from "./vm_group.tsx";
import { type ListRowProps, type RowLook, VmRowOnce } from "./vm_row.tsx";

/** A group of the list. */
export interface ListGroup {
  readonly group: string;
  /** All of its matching VMs, also those without a row. */
  readonly vms: readonly Vm[];
  /** Which of them answer; null when nobody waited for any. */
  readonly ready: GroupReady | null;
  readonly rows: readonly ListRowProps[];
}

/** Props of the list. */
export interface VmListProps {
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
  /** The rows, in order: of all matching VMs, or of the first ones; null until the NAS has been read. */
  readonly rows: readonly ListRowProps[] | null;
  /** All matching VMs, sorted. */
  readonly matching: readonly Vm[];
  /** The rows in groups; null where the order goes through all of them. */
  readonly groups: readonly ListGroup[] | null;
  readonly look: RowLook;
  readonly counts: ChipCounts;
  /** The number of VMs without the filter. */
  readonly total: number;
  readonly query: VmQuery;
  /** The name of the NAS. */
  readonly host: string;
  /** Why the VMs could not be read, or null. */
  readonly problem: { readonly message: string; readonly remedy: string } | null;
  /** The age of the list while the NAS is not connected; otherwise null. */
  readonly stale: Stale | null;
}

/**
 * The table, or why it is empty. Live updates replace it by its id. Its form stands around it, not in it: a form with
 * fields named id answers to `form.id` with them, and a morph that cannot tell what it is would move every row.
 */
export function VmList(props: VmListProps) {
  return (
    <section id="vm-list" aria-labelledby="vm-list-caption">
      {props.rows === null || props.rows.length === 0
        ? <EmptyList {...props} />
        : <VmTable {...props} rows={props.rows} />}
    </section>
  );
}

function VmTable(
  { rows, matching, groups, total, query, mayChange, look }: VmListProps & {
    readonly rows: readonly ListRowProps[];
  },
) {
  const isCut = rows.length < matching.length;
  const columns = columnCount(look.columns);
  return (
    <table class={look.hasMenu ? "table vms" : "table vms long"}>
      <caption id="vm-list-caption" class="visually-hidden">{shownOf(matching.length, total)}</caption>
      <ListHead query={query} columns={look.columns} shown={isCut ? rows.length : null} />
      {groups === null
        ? <tbody>{rows.map((row) => <VmRowOnce {...row} />)}</tbody>
        : groups.map(({ group, vms, ready, rows }) => (
          <tbody>
            <VmGroup group={group} vms={vms} ready={ready} mayChange={mayChange} columns={columns} />
            {rows.map((row) => <VmRowOnce {...row} />)}
          </tbody>
        ))}
      {isCut ? <Rest rows={rows} groups={groups} matching={matching.length} {...{ query, columns }} /> : null}
    </table>
  );
}

interface RestProps extends Pick<VmListProps, "query" | "groups"> {
  readonly rows: readonly ListRowProps[];
  readonly matching: number;
  readonly columns: number;
}

/** Where the rows stop: how many there are, and a link that goes on below the last one. */
function Rest({ rows, groups, matching, query, columns }: RestProps) {
  const last = (groups?.at(-1)?.rows ?? rows).at(-1);
  const all = paths.home({ ...query, rows: ALL_ROWS });
  return (
    <tfoot class="rest">
      <tr>
        <td colspan={columns}>
          {`${formatNumber(rows.length)} of ${formatNumber(matching)} VMs shown`}
          <a href={last === undefined ? all : `${all}#vm-${last.vm.id}`}>
            Show all {formatNumber(matching)}
          </a>
        </td>
      </tr>
    </tfoot>
  );
}

/** Only a list sorted by name is grouped. */
export function isByName({ sort }: VmQuery): boolean {
  return sort === "" || sort === "name";
}

function EmptyList({ rows, total, problem, mayChange, query, host }: VmListProps) {
  if (rows === null) return <Unread problem={problem} host={host} />;
  if (total > 0) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">No VMs match</h2>
        <p>
          The NAS has {shownOf(total, total)}. Change the filter, or show all of them.
        </p>
        <div class="actions">
          <a class="btn" href={paths.home({ sort: query.sort, cols: query.cols, rows: query.rows })}>
            Clear filters
          </a>
        </div>
      </div>
    );
  }
  return (
    <div class="empty">
      <GhostVms />
      <h2 id="vm-list-caption">No VMs yet</h2>
      <p>
        {mayChange
          ? `Say what you want, for example 3 control planes and 5 workers. You see the whole plan before anything is created on ${host}.`
          : `${host} has no VMs. Administrators can create some here.`}
      </p>
      {mayChange
        ? (
          <div class="actions">
            <a class="btn primary lg" href={paths.create()}>
              <Icon name="plus" />
              Create VMs
            </a>
          </div>
        )
        : null}
    </div>
  );
}

/** How many rows the shape of a list has while the NAS is being read. */
const BONES = [1, 2, 3, 4];

function Unread({ problem, host }: Pick<VmListProps, "problem" | "host">) {
  return (
    <div class="unread">
      <h2 id="vm-list-caption">{problem === null ? `Waiting for ${host}` : "The VMs could not be read"}</h2>
      <p>{problem?.message ?? "VMs appear here as soon as the NAS answers."}</p>
      {problem === null ? null : <p>{problem.remedy}</p>}
      <p>
        <a class="btn" href={paths.home()}>Reload</a>
      </p>
      <div class="bones" aria-hidden="true">
        {BONES.map(() => (
          <div class="row">
            <span class="bone dot"></span>
            <span class="bone w2"></span>
          </div>
        ))}
      </div>
    </div>
  );
}

/** VMs that are not there yet, above the NAS that would have them. */
function GhostVms() {
  return (
    <svg class="art" viewBox="0 0 260 150" aria-hidden="true">
      <path class="a-line" d="M46 58v22h168V58M130 58v40" />
      {[14, 98, 182].map((x) => (
        <>
          <rect class="a-ghost" x={x} y="10" width="64" height="48" rx="8" />
          <path class="a-plus" d={`M${x + 32} 28v12M${x + 26} 34h12`} />
        </>
      ))}
      <rect class="a-case" x="56" y="98" width="148" height="40" rx="8" />
      <circle class="a-lamp" cx="74" cy="118" r="4" />
      <path class="a-slot" d="M94 110v16M106 110v16M118 110v16M130 110v16M150 118h34" />
    </svg>
  );
}
