/** A VM's size in words, where a change of it waits for the next start. Pure. */
import type { Vm, VmSize } from "../../../lib/inventory/inventory.ts";
import { formatCount, formatMib } from "../../../lib/units.ts";

/** What a VM runs with, or its settings where nothing else is known. */
export function sizeNow({ runsWith, vcpus, memoryMib }: Vm): VmSize {
  return runsWith ?? { vcpus, memoryMib };
}

/** `3 GiB at its next start`: what waits; null when nothing does. */
export function waitingSize({ runsWith, vcpus, memoryMib }: Vm): string | null {
  if (runsWith === undefined) return null;
  if (runsWith === null) return "From its next start; it was running when its size was changed";
  const parts = [
    ...(runsWith.vcpus === vcpus ? [] : [formatCount(vcpus, "vCPU")]),
    ...(runsWith.memoryMib === memoryMib ? [] : [formatMib(memoryMib)]),
  ];
  return `${parts.join(", ")} at its next start`;
}
