/** One reading of the load of the NAS itself, from an event of `reporting.realtime`. Pure. */
import type { HostMemory, HostSample } from "../inventory/inventory.ts";
import { z } from "../zod.ts";

const amount = z.number().nonnegative();

const usage = z.object({ usage: amount }).passthrough();

/** A part in an unknown shape is left out, instead of all of them. */
function part<T extends z.ZodType>(shape: T) {
  return shape.nullish().catch(null);
}

/** The fields of both shapes: the one of 25.04 and later, and the one of 24.x. */
const loadFields = z.object({
  cpu: part(z.object({ cpu: part(usage), average: part(usage) }).passthrough()),
  memory: part(
    z.object({
      arc_size: amount,
      physical_memory_total: amount,
      physical_memory_available: amount,
    }).passthrough(),
  ),
  virtual_memory: part(z.object({ total: amount, available: amount }).passthrough()),
  zfs: part(z.object({ arc_size: amount }).passthrough()),
  disks: part(z.object({ read_bytes: amount, write_bytes: amount }).passthrough()),
  interfaces: part(
    z.record(
      z.string(),
      part(z.object({ received_bytes_rate: amount, sent_bytes_rate: amount }).passthrough()),
    ),
  ),
}).passthrough();

/** The reading in an event's fields; null where they have none, as while the NAS's own statistics are down. */
export function hostSampleOf(
  fields: Readonly<Record<string, unknown>> | null,
  at: number,
): HostSample | null {
  const parsed = loadFields.safeParse(fields);
  if (!parsed.success) return null;
  const { cpu, memory, virtual_memory: virtual, zfs, disks, interfaces } = parsed.data;
  const percent = (cpu?.cpu ?? cpu?.average)?.usage;
  const sample = {
    at,
    cpuPercent: percent === undefined ? null : Math.min(100, percent),
    memory: memory != null
      ? memoryOf(memory.physical_memory_total, memory.physical_memory_available, memory.arc_size)
      : virtual != null
      ? memoryOf(virtual.total, virtual.available, zfs?.arc_size ?? 0)
      : null,
    network: interfaces == null ? null : networkOf(interfaces),
    disks: disks == null ? null : { readBytes: disks.read_bytes, writtenBytes: disks.write_bytes },
  };
  const { cpuPercent, network } = sample;
  const isEmpty = cpuPercent === null && sample.memory === null && network === null && sample.disks === null;
  return isEmpty ? null : sample;
}

/** Linux does not count ZFS's cache as available. */
function memoryOf(totalBytes: number, availableBytes: number, cacheBytes: number): HostMemory {
  return { totalBytes, cacheBytes, usedBytes: Math.max(0, totalBytes - availableBytes - cacheBytes) };
}

/** TrueNAS names bridges, bonds and VLANs so. What passes through them is counted at their network cards already. */
const OVER_OTHERS = /^(br|bond|vlan)\d/;

type Rates = { readonly received_bytes_rate: number; readonly sent_bytes_rate: number } | null | undefined;

function networkOf(interfaces: Readonly<Record<string, Rates>>): HostSample["network"] {
  const cards = Object.entries(interfaces).flatMap(([name, rates]) =>
    OVER_OTHERS.test(name) || rates == null ? [] : [rates]
  );
  if (cards.length === 0) return null;
  return {
    receivedBytes: cards.reduce((sum, it) => sum + it.received_bytes_rate, 0),
    sentBytes: cards.reduce((sum, it) => sum + it.sent_bytes_rate, 0),
  };
}
