/** The memory and storage the NAS has left for more VMs. */
import { formatBytes } from "../../lib/units.ts";

/** What the NAS has left, as far as it can be read. */
export interface Capacity {
  /** Bytes of memory that VMs may still be started with; null when not known. */
  readonly memoryBytes: number | null;
  /** The dataset for zvols, and bytes that are left in it. */
  readonly storage: { readonly name: string; readonly bytes: number } | null;
}

/** The line; empty while the capacity is unknown. */
export function CapacityLine({ capacity }: { capacity: Capacity | null }) {
  const { memoryBytes = null, storage = null } = capacity ?? {};
  const parts = [
    ...(memoryBytes === null ? [] : [`${formatBytes(memoryBytes)} of memory free`]),
    ...(storage === null ? [] : [`${formatBytes(storage.bytes)} free in ${storage.name}`]),
  ];
  return <p class="help" id="capacity">{parts.join(" · ")}</p>;
}
