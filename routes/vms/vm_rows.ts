/** Which of the matching VMs have a row in the list: the first ones, unless all are asked for. Pure. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isByName } from "../../templates/parts/list/vm_list.tsx";
import { ALL_ROWS, type VmQuery } from "../../templates/paths.ts";
import { inGroups } from "./vm_groups.ts";

/** With more rows, browsers take longer than 100 ms to answer a key or a click. */
export const MAX_ROWS = 200;

/** A group with a VM that has a row. */
interface GroupRows {
  readonly group: string;
  /** All of its matching VMs. */
  readonly vms: readonly Vm[];
  /** Those that have a row. */
  readonly shown: readonly Vm[];
}

/** The VMs that have a row. */
export interface Rows {
  readonly shown: readonly Vm[];
  /** The same in groups; null where the order goes through all of them. */
  readonly groups: readonly GroupRows[] | null;
}

/** Chooses the rows for the matching VMs, which are sorted as the query says. */
export function rowsOf(matching: readonly Vm[], query: VmQuery, types: readonly string[]): Rows {
  const most = query.rows === ALL_ROWS ? matching.length : MAX_ROWS;
  if (!isByName(query)) return { shown: matching.slice(0, most), groups: null };
  const groups: GroupRows[] = [];
  let left = most;
  for (const { group, items } of inGroups(matching, (vm) => vm, types)) {
    const shown = items.slice(0, left);
    left -= shown.length;
    if (shown.length > 0) groups.push({ group, vms: items, shown });
  }
  const ids = new Set(groups.flatMap(({ shown }) => shown.map(({ id }) => id)));
  return { shown: matching.filter(({ id }) => ids.has(id)), groups };
}
