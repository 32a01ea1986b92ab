/** What the NAS has, for the pictures above the list: its own figures, and what its VMs take of them. */
import type { Capacity, HostMemory, Vm } from "../../lib/inventory/inventory.ts";
import { MIB } from "../../lib/units.ts";
import type { CapacityView, MemoryCapacity, PoolCapacity } from "../../templates/parts/capacity.tsx";
import { groupName } from "../../templates/parts/list/vm_group.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { inGroups } from "./vm_groups.ts";
import { configuredTypes } from "./vm_props.ts";
import { sizeNow } from "../../templates/parts/vm/size.ts";

/** The capacity as the list shows it. */
export function capacityView(dashboard: Dashboard, reading: Capacity): CapacityView {
  const vms = dashboard.manager.inventory.live.snapshot.vms ?? [];
  const memory = memoryOf(reading, vms, configuredTypes(dashboard));
  const host = hostMemory(dashboard);
  const totalBytes = memory?.totalBytes ?? host?.totalBytes ?? null;
  return {
    memory: memory === null ? null : { ...memory, totalBytes, cacheBytes: host?.cacheBytes ?? null },
    pool: poolOf(reading, vms),
  };
}

/** A cache grows and shrinks slowly. */
const CACHE_MS = 120_000;

/** The memory of the NAS as it came with its load; null where that is not known. */
function hostMemory({ manager, now }: Dashboard): HostMemory | null {
  const sample = manager.inventory.load.samples.at(-1);
  return sample === undefined || now() - sample.at > CACHE_MS ? null : sample.memory;
}

/** VMs in these states hold their memory. */
const HOLDING: readonly string[] = ["RUNNING", "SUSPENDED"];

function memoryOf(
  { memoryBytes, totalMemoryBytes }: Capacity,
  vms: readonly Vm[],
  types: readonly string[],
): Omit<MemoryCapacity, "cacheBytes"> | null {
  if (memoryBytes === null) return null;
  const running = inGroups(vms.filter(({ state }) => HOLDING.includes(state)), (vm) => vm, types);
  return {
    totalBytes: totalMemoryBytes,
    freeBytes: Math.max(0, memoryBytes),
    running: running.map(({ group, items }) => ({ name: groupName(group), bytes: bytesOf(items) })),
  };
}

function bytesOf(vms: readonly Vm[]): number {
  return vms.reduce((sum, vm) => sum + sizeNow(vm).memoryMib, 0) * MIB;
}

function poolOf({ storage, pool }: Capacity, vms: readonly Vm[]): PoolCapacity | null {
  if (storage === null) return null;
  const name = storage.name.split("/")[0] ?? storage.name;
  // By name, because VMs may share a zvol.
  const taken = new Map<string, number>();
  for (const { zvol, takenBytes } of vms.flatMap(({ disks }) => disks)) {
    if (zvol?.startsWith(`${name}/`) && takenBytes != null) taken.set(zvol, takenBytes);
  }
  return {
    name,
    dataset: storage.name,
    freeBytes: storage.bytes,
    takenBytes: pool?.takenBytes ?? null,
    disksBytes: taken.size === 0 ? null : [...taken.values()].reduce((sum, it) => sum + it, 0),
  };
}
