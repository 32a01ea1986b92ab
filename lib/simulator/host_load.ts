/**
 * What reporting.realtime says of the simulated host, in the shape of each release. The load follows the VMs: each running
 * one works in waves of its own.
 */
import type { Nas } from "./nas.ts";
import {
  CORES,
  poolFreeBytes,
  type Store,
  type StoredVm,
  totalMemoryBytes,
  untakenMemoryBytes,
} from "./store.ts";

type Fields = Readonly<Record<string, unknown>>;

const MIB = 1024 ** 2;

/** The fields of an event at this time; null where the release sends none while its statistics are down. */
export function measuredLoad({ store, profile }: Pick<Nas, "store" | "profile">, now: number): Fields | null {
  const { realtime } = profile;
  if (!store.measuresLoad) return realtime === "with-pools" ? null : { failed_to_connect: true };
  const load = loadOf(store, now);
  const memory = memoryOf(store, now);
  const common = { disks: diskFields(load), interfaces: interfaceFields(store, load) };
  if (realtime === "legacy") return { ...common, ...legacyFields(load, memory), failed_to_connect: false };
  return {
    ...common,
    cpu: cpuFields(load),
    memory: {
      arc_size: memory.arc,
      arc_free_memory: memory.free,
      arc_available_memory: memory.available,
      physical_memory_total: memory.total,
      physical_memory_available: memory.available,
    },
    zfs: zfsFields(load),
    ...(realtime === "with-pools" ? { pools: poolFields(store) } : {}),
  };
}

interface Load {
  /** Busy share of each core, from 0 to 1. */
  readonly cores: readonly number[];
  /** Bytes per second. */
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
}

function loadOf(store: Store, now: number): Load {
  const seconds = now / 1_000;
  const running = [...store.vms.values()].filter(({ state }) => state === "RUNNING");
  const works = running.map((vm) => ({ work: workOf(vm, seconds), vcpus: vcpusOf(vm) }));
  const busyCores = works.reduce((sum, { work, vcpus }) => sum + work * vcpus, 0);
  const share = Math.min(0.96, 0.02 + busyCores / CORES);
  const work = works.reduce((sum, it) => sum + it.work, 0);
  const [burst, calm] = [wave(seconds, 23, 0.4), wave(seconds, 61, 1.7)];
  return {
    cores: Array.from({ length: CORES }, (_, n) => clamp(share * (0.6 + 0.8 * wave(seconds, 7 + n, n)))),
    received: 40_000 + work * (0.8 + burst) * 1.1 * MIB,
    sent: 25_000 + work * (0.6 + calm) * 0.7 * MIB,
    read: work * burst * calm * 14 * MIB,
    written: 0.2 * MIB + work * (0.3 + burst) * 5 * MIB,
  };
}

/** How hard a VM works, from 0 to 1, in waves that differ from VM to VM. */
function workOf({ id }: StoredVm, seconds: number): number {
  return 0.05 + 0.3 * wave(seconds, 37 + 5 * (id % 7), id) * wave(seconds, 11 + (id % 5), 2 * id);
}

function vcpusOf({ config }: StoredVm): number {
  const count = (key: string) => typeof config[key] === "number" ? config[key] : 1;
  return count("vcpus") * count("cores") * count("threads");
}

/** From 0 to 1 and back in this time. */
function wave(seconds: number, periodSeconds: number, phase: number): number {
  return (1 + Math.sin(2 * Math.PI * seconds / periodSeconds + phase)) / 2;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

interface Memory {
  readonly total: number;
  readonly arc: number;
  readonly available: number;
  readonly free: number;
}

/** The cache takes most of what is free, and what VMs may use is 0.9 of what is available and what the cache can give. */
function memoryOf(store: Store, now: number): Memory {
  const total = totalMemoryBytes(store);
  const forVms = Math.max(0, untakenMemoryBytes(store));
  const least = total / 32;
  const given = forVms * (0.6 + 0.05 * wave(now / 1_000, 45, 0));
  const available = Math.floor((forVms - given) / 0.9);
  return { total, arc: Math.floor(least + given), available, free: Math.floor(available * 0.8) };
}

function cpuFields({ cores }: Load): Fields {
  const core = (share: number) => ({ usage: round(100 * share), temp: null });
  return {
    cpu: core(average(cores)),
    ...Object.fromEntries(cores.map((share, n) => [`cpu${n}`, core(share)])),
  };
}

function diskFields({ read, written }: Load): Fields {
  return {
    read_bytes: round(read),
    write_bytes: round(written),
    read_ops: round(read / 65_536),
    write_ops: round(written / 32_768),
    busy: round(Math.min(100, (read + written) / (3 * MIB))),
  };
}

/** Bridges carry what the VMs send, which leaves through the first card. */
function interfaceFields({ bridges, interfaces }: Store, { received, sent }: Load): Fields {
  const rates = (share: number) => ({
    link_state: "LINK_STATE_UP",
    speed: 10_000,
    received_bytes_rate: round(received * share),
    sent_bytes_rate: round(sent * share),
  });
  const shares = (names: readonly string[]) => names.map((name, n) => [name, rates(n === 0 ? 0.9 : 0.1)]);
  return Object.fromEntries([...shares(interfaces), ...shares(bridges)]);
}

function poolFields(store: Store): Fields {
  const available = poolFreeBytes(store);
  return { [store.pool]: { available, used: store.poolBytes - available, total: store.poolBytes } };
}

/** Rates and percentages of the cache; none of them are used. */
function zfsFields({ read }: Load): Fields {
  const rate = Math.round(read / 16_384);
  const kinds = ["demand_data", "demand_metadata"];
  return {
    demand_accesses_per_second: rate,
    ...Object.fromEntries(kinds.flatMap((kind) => [
      [`${kind}_accesses_per_second`, rate],
      [`${kind}_hits_per_second`, rate],
      [`${kind}_io_hits_per_second`, 0],
      [`${kind}_misses_per_second`, 0],
      [`${kind}_hit_percentage`, 100],
      [`${kind}_io_hit_percentage`, 0],
      [`${kind}_miss_percentage`, 0],
    ])),
    l2arc_hits_per_second: 0,
    l2arc_misses_per_second: 0,
    total_l2arc_accesses_per_second: 0,
    l2arc_access_hit_percentage: 0,
    l2arc_miss_percentage: 0,
    bytes_read_per_second_from_the_l2arc: 0,
    bytes_written_per_second_to_the_l2arc: 0,
  };
}

/** What differs in 24.x. */
function legacyFields({ cores }: Load, { total, arc, available, free }: Memory): Fields {
  const core = (share: number) => ({
    user: round(70 * share),
    nice: 0,
    system: round(30 * share),
    idle: round(100 - 100 * share),
    iowait: 0,
    irq: 0,
    softirq: 0,
    steal: 0,
    guest: 0,
    guest_nice: 0,
    usage: round(100 * share),
  });
  const apps = Math.max(0, total - available - arc);
  return {
    cpu: {
      ...Object.fromEntries(cores.map((share, n) => [String(n), core(share)])),
      average: core(average(cores)),
      temperature_celsius: {},
    },
    memory: {
      classes: {
        apps,
        arc,
        buffers: 0,
        cache: Math.max(0, available - free),
        page_tables: 0,
        slab_cache: 0,
        unused: free,
      },
      extra: {},
    },
    virtual_memory: {
      total,
      available,
      percent: round(100 * (total - available) / total),
      used: total - available,
      free,
    },
    zfs: { arc_max_size: total, arc_size: arc, cache_hit_ratio: 0 },
  };
}

function average(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
