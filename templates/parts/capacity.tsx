/** The memory and storage the NAS has left for more VMs. */
import { formatBytes } from "../../lib/units.ts";
import type { Capacity } from "../props.ts";

/** The line; empty while the capacity is unknown. */
export function CapacityLine({ capacity }: { capacity: Capacity | null }) {
  const { memoryBytes = null, storage = null } = capacity ?? {};
  const parts = [
    ...(memoryBytes === null ? [] : [`${formatBytes(memoryBytes)} of memory free`]),
    ...(storage === null ? [] : [`${formatBytes(storage.bytes)} free in ${storage.name}`]),
  ];
  return <p class="help" id="capacity">{parts.join(" · ")}</p>;
}
