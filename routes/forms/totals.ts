/** What the VMs of a form take in all. */
import { gibOf, mibOf } from "../../lib/inputs.ts";
import type { Capacity } from "../../lib/inventory/inventory.ts";
import { vmName } from "../../lib/inventory/names.ts";
import type { CreateFormType } from "../../templates/parts/type_form/form.ts";
import type { Totals } from "../../templates/parts/type_form/totals.tsx";
import { MOST_VMS } from "./typed_types.ts";

/**
 * What the VMs of some types take in all, without those that exist already; null where a field has no number.
 */
export function totalsOfTypes(
  types: readonly CreateFormType[],
  capacity: Capacity | null,
  existing: ReadonlySet<string> = new Set(),
): Totals {
  const whole = (typed: string): number | null => /^\d{1,9}$/.test(typed) ? Number(typed) : null;
  const sumOf = (each: (type: CreateFormType) => number | null) =>
    types.reduce<number | null>((sum, type) => {
      const count = missingOf(type, whole(type.count), existing);
      const value = each(type);
      return sum === null || count === null || value === null ? null : sum + count * value;
    }, 0);
  const positive = (value: number | string | undefined) =>
    typeof value === "number" && value > 0 ? value : null;
  return {
    count: sumOf(() => 1),
    vcpus: sumOf(({ cpu }) => whole(cpu)),
    memoryMib: sumOf(({ memory }) => positive(mibOf(memory))),
    diskGib: sumOf(({ disks }) =>
      disks.map(({ sizeGib }) => positive(gibOf(sizeGib))).reduce<number | null>(
        (sum, size) => sum === null || size === null ? null : sum + size,
        0,
      )
    ),
    capacity,
  };
}

/** How many of a type's VMs do not exist yet. */
function missingOf(
  { name }: CreateFormType,
  count: number | null,
  existing: ReadonlySet<string>,
): number | null {
  if (count === null || count > MOST_VMS) return count;
  return Array.from({ length: count }, (_, n) => vmName(name, n + 1)).filter((vm) => !existing.has(vm))
    .length;
}
