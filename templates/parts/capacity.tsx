/** The free memory and storage of the NAS. */
import { formatBytes } from "../../lib/units.ts";

/** The free memory and storage of the NAS, as far as they can be read. */
export interface Capacity {
  /** Bytes available for starting VMs; null while unknown. */
  readonly memoryBytes: number | null;
  /** The dataset for zvols, and its free bytes; null while unknown. */
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
