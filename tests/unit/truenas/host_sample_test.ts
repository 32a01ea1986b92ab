/** Protects that the load of the NAS is read as its release sends it; what an event lacks is unknown, and never zero. */
import assert from "node:assert/strict";
import { hostSampleOf } from "../../../lib/truenas/host_sample.ts";

const AT = 1_790_000_000_000;
const GIB = 1024 ** 3;

const CARD = { link_state: "LINK_STATE_UP", speed: 1_000, received_bytes_rate: 2_000, sent_bytes_rate: 500 };
const DISKS = { read_bytes: 4_096, write_bytes: 8_192.5, read_ops: 1, write_ops: 2, busy: 0.4 };

/** As 24.10 sends it. */
const EVENT_24_10 = {
  cpu: {
    "0": { usage: 30, user: 20, system: 10, idle: 70, iowait: 0 },
    "1": { usage: 10, user: 5, system: 5, idle: 90, iowait: 0 },
    average: { usage: 20, user: 12.5, system: 7.5, idle: 80, iowait: 0 },
    temperature_celsius: {},
  },
  memory: { classes: { apps: 4 * GIB, arc: 6 * GIB, unused: 5 * GIB }, extra: {} },
  virtual_memory: { total: 16 * GIB, available: 6 * GIB, percent: 62.5, used: 10 * GIB, free: 5 * GIB },
  disks: DISKS,
  interfaces: { eno1: CARD },
  zfs: { arc_max_size: 8 * GIB, arc_size: 6 * GIB, cache_hit_ratio: 0.9 },
  failed_to_connect: false,
};

/** As 25.10 and later send it. */
const EVENT_25_10 = {
  cpu: { cpu: { usage: 12.5, temp: 41 }, cpu0: { usage: 20, temp: 42 }, cpu1: { usage: 5, temp: null } },
  memory: {
    arc_size: 6 * GIB,
    arc_free_memory: 5 * GIB,
    arc_available_memory: 5 * GIB,
    physical_memory_total: 16 * GIB,
    physical_memory_available: 6 * GIB,
  },
  disks: DISKS,
  interfaces: {
    eno1: CARD,
    enp3s0: { ...CARD, received_bytes_rate: 1, sent_bytes_rate: 2 },
    br0: CARD,
    bond0: CARD,
    vlan20: CARD,
  },
  zfs: { demand_accesses_per_second: 10 },
  pools: { tank: { available: 1, used: 2, total: 3 } },
};

const MEMORY = { totalBytes: 16 * GIB, cacheBytes: 6 * GIB, usedBytes: 4 * GIB };

Deno.test("an event of 24.10 gives the average of its cores, and its memory apart from the cache", () => {
  assert.deepEqual(hostSampleOf(EVENT_24_10, AT), {
    at: AT,
    cpuPercent: 20,
    memory: MEMORY,
    network: { receivedBytes: 2_000, sentBytes: 500 },
    disks: { readBytes: 4_096, writtenBytes: 8_192.5 },
  });
});

Deno.test("an event of 25.10 gives the same; bridges, bonds and VLANs are not counted again", () => {
  assert.deepEqual(hostSampleOf(EVENT_25_10, AT), {
    at: AT,
    cpuPercent: 12.5,
    memory: MEMORY,
    network: { receivedBytes: 2_001, sentBytes: 502 },
    disks: { readBytes: 4_096, writtenBytes: 8_192.5 },
  });
});

Deno.test("parts that are missing or odd are unknown, and the others are kept", () => {
  const odd = { ...EVENT_25_10, cpu: { cpu: { usage: "much" } }, interfaces: { br0: CARD }, disks: null };
  assert.deepEqual(hostSampleOf(odd, AT), {
    at: AT,
    cpuPercent: null,
    memory: MEMORY,
    network: null,
    disks: null,
  });
});

for (const fields of [null, {}, { failed_to_connect: true }, { cpu: 3, memory: [] }]) {
  Deno.test(`there is no reading in ${JSON.stringify(fields)}`, () => {
    assert.equal(hostSampleOf(fields, AT), null);
  });
}
