/** The columns of the list: which there are, which are shown, and their heads. */
import { paths, type SortKey, type VmQuery } from "../../paths.ts";
import { Icon } from "../icons.tsx";

interface Column {
  readonly label: string;
  readonly sort: SortKey | null;
  readonly class: string;
}

/** The columns that a person can choose, in the order of the table. */
export const COLUMNS = {
  state: { label: "State", sort: "state", class: "c-state" },
  vcpus: { label: "vCPUs", sort: "vcpus", class: "c-cpu num" },
  memory: { label: "Memory", sort: "memory", class: "c-mem" },
  disks: { label: "Disks, used of size", sort: "disks", class: "c-disks" },
  networks: { label: "Network", sort: "networks", class: "c-net" },
  display: { label: "Display port", sort: "display", class: "c-display num" },
  autostart: { label: "Autostart", sort: "autostart", class: "c-autostart" },
  by: { label: "Created by", sort: null, class: "c-by" },
} as const satisfies Record<string, Column>;

/** A column that a person can choose. */
export type ColumnKey = keyof typeof COLUMNS;

/** All of them. */
const COLUMN_KEYS: readonly ColumnKey[] = Object.keys(COLUMNS) as ColumnKey[];

const USUAL: readonly ColumnKey[] = ["state", "vcpus", "memory", "disks", "networks"];

/** The columns that a query asks for, in the order of the table; the usual ones if it names none. */
export function columnsOf({ cols }: Pick<VmQuery, "cols">): readonly ColumnKey[] {
  const asked = cols.split(",");
  const known = COLUMN_KEYS.filter((key) => asked.includes(key));
  return known.length === 0 ? USUAL : known;
}

/** How many columns the table has, with the tick, the name and the actions. */
export function columnCount(columns: readonly ColumnKey[]): number {
  return columns.length + 3;
}

/** Props of the head. */
export interface ListHeadProps {
  readonly query: VmQuery;
  readonly columns: readonly ColumnKey[];
  /** How many rows there are; null if every matching VM has one. */
  readonly shown: number | null;
}

/** The head of the table. */
export function ListHead({ query, columns, shown }: ListHeadProps) {
  return (
    <thead>
      <tr>
        <th class="c-select" scope="col">
          <input
            type="checkbox"
            id="select-all"
            class="scripted"
            aria-label={shown === null ? "Select all VMs in the list" : `Select the ${shown} VMs shown`}
          />
        </th>
        <Head label="Name" sort="name" class="c-name" query={query} />
        {columns.map((key) => <Head {...COLUMNS[key]} query={query} />)}
        <th scope="col" class="c-more">
          <span class="visually-hidden">Actions</span>
        </th>
      </tr>
    </thead>
  );
}

function Head({ label, sort, class: kind, query }: Column & { readonly query: VmQuery }) {
  if (sort === null) return <th scope="col" class={kind}>{label}</th>;
  const ascending = query.sort === sort || (sort === "name" && query.sort === "");
  const descending = query.sort === `-${sort}`;
  const direction = ascending ? "ascending" : descending ? "descending" : undefined;
  return (
    <th scope="col" class={kind} aria-sort={direction}>
      <a href={paths.home({ ...query, sort: ascending ? `-${sort}` : sort })}>
        {label}
        {direction === undefined ? null : <Icon name="chevron" />}
      </a>
    </th>
  );
}

/** Chooses the columns: a form of ticks that works without a script. */
export function ColumnMenu({ query }: { query: VmQuery }) {
  const shown = columnsOf(query);
  const kept = Object.entries(query).filter(([name, value]) => name !== "cols" && value !== "");
  return (
    <details class="menu columns-menu" name="menu" id="list-columns">
      <summary class="btn plain" aria-label="Choose columns">
        Columns
        <Icon name="chevron" class="caret" />
      </summary>
      <form class="panel" method="get" action={paths.home()} id="columns-form">
        {kept.map(([name, value]) => <input type="hidden" name={name} value={value} />)}
        {COLUMN_KEYS.map((key) => (
          <label class="item">
            <input type="checkbox" name="cols" value={key} checked={shown.includes(key)} />
            {COLUMNS[key].label}
          </label>
        ))}
        <hr />
        <button type="submit" class="item">
          <Icon name="check" />
          Show these columns
        </button>
        <a class="item" href={paths.home({ ...query, cols: "" })}>
          <Icon name="undo" />
          Usual columns
        </a>
      </form>
    </details>
  );
}
