/** The groups of the list: the configuration's types, then the other VMs by who created them. Pure. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import { CREATED_ELSEWHERE, CREATED_HERE } from "../../templates/parts/list/vm_group.tsx";

/** The group that a VM belongs to: its type if the configuration has it, or who created it. */
export function groupOf({ name, description }: Vm, types: readonly string[]): string {
  const type = typeOf(name);
  if (type !== null && types.includes(type)) return type;
  return isMarked(description) ? CREATED_HERE : CREATED_ELSEWHERE;
}

/** Items by group, in the order of the list; groups without items are left out. */
export function inGroups<T>(
  items: readonly T[],
  vmOf: (item: T) => Vm,
  types: readonly string[],
): readonly { readonly group: string; readonly items: readonly T[] }[] {
  const groups = new Map<string, T[]>(
    [...types, CREATED_HERE, CREATED_ELSEWHERE].map((group) => [group, []]),
  );
  for (const item of items) groups.get(groupOf(vmOf(item), types))?.push(item);
  return [...groups].flatMap(([group, own]) => own.length === 0 ? [] : [{ group, items: own }]);
}
