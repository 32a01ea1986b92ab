/** Which VMs a checkpoint is taken of. Pure. */
import type { Vm } from "../inventory/inventory.ts";
import { isMarked } from "../inventory/marks.ts";
import { compareNames, matchesPrefix } from "../inventory/names.ts";

/** VMs that are named one by one, and VM types. */
export interface VmSelection {
  /** Ids on the NAS. */
  readonly ids?: readonly number[];
  /** Whole names. */
  readonly names?: readonly string[];
  /** Their VMs are those created here that are named after them. */
  readonly types?: readonly string[];
}

/** The VMs of a selection in the order of their names, and what matches no VM. */
export function selectVms(
  vms: readonly Vm[],
  { ids = [], names = [], types = [] }: VmSelection,
): { readonly vms: readonly Vm[]; readonly missing: readonly string[] } {
  const isOf = (vm: Vm, type: string) => isMarked(vm.description) && matchesPrefix(vm.name, type);
  const selected = vms.filter((vm) =>
    ids.includes(vm.id) || names.includes(vm.name) || types.some((type) => isOf(vm, type))
  );
  const missing = [
    ...ids.filter((id) => !vms.some((vm) => vm.id === id)).map((id) => `VM ${id}`),
    ...names.filter((name) => !vms.some((vm) => vm.name === name)),
    ...types.filter((type) => !vms.some((vm) => isOf(vm, type))),
  ];
  return { vms: selected.toSorted((a, b) => compareNames(a.name, b.name)), missing };
}
