/** Computes which VMs fit in the NAS's free memory and space. Pure. */
import type { PlannedVm } from "./types.ts";

/** TrueNAS refuses a zvol larger than this share of its parent's free space, unless forced. */
const ZVOL_SHARE = 0.8;

/** Whether TrueNAS would refuse a zvol of this size. */
export function isTooLarge(sizeBytes: number, freeBytes: number): boolean {
  return sizeBytes > freeBytes * ZVOL_SHARE;
}

/** The sum of sizes. */
export function totalBytes(items: readonly { readonly sizeBytes: number }[]): number {
  return items.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}

/** The VMs of one type, and those of them that do not fit. */
export interface TypeFit<Part> {
  readonly type: string;
  readonly vms: readonly PlannedVm[];
  /** What is free before these VMs. */
  readonly freeBytes: number;
  /** Each with the first of its parts that does not fit. */
  readonly tooLarge: readonly { readonly vm: PlannedVm; readonly part: Part }[];
}

/**
 * Places VMs in order, type by type. Each reserves its parts from what the VMs before it leave; one that does not fit
 * reserves nothing, so a smaller one after it may still fit.
 */
export function fitByType<Part extends { readonly sizeBytes: number }>(
  vms: readonly PlannedVm[],
  freeBytes: number,
  { partsOf, fits }: {
    readonly partsOf: (vm: PlannedVm) => readonly Part[];
    readonly fits: (part: Part, freeBytes: number) => boolean;
  },
): readonly TypeFit<Part>[] {
  let free = freeBytes;
  const place = (vm: PlannedVm) => {
    let rest = free;
    for (const part of partsOf(vm)) {
      if (!fits(part, rest)) return [{ vm, part }];
      rest -= part.sizeBytes;
    }
    free = rest;
    return [];
  };
  return [...Map.groupBy(vms, ({ type }) => type)].map(([type, group]) => {
    const before = free;
    return { type, vms: group, freeBytes: before, tooLarge: group.flatMap(place) };
  });
}

/** What the VMs of a type need: `4 worker VMs need 8 GiB of memory each`. */
export function describeNeed({ type, vms }: TypeFit<unknown>, what: string): string {
  return vms.length === 1 ? `The ${type} VM needs ${what}` : `${vms.length} ${type} VMs need ${what} each`;
}

/** How many of the VMs fit. */
export function describeFit({ vms, tooLarge }: TypeFit<unknown>): string {
  const count = vms.length - tooLarge.length;
  return count === 0 ? "none fits" : count === 1 ? "1 fits" : `${count} fit`;
}
