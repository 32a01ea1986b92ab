/** Protects ports and boot orders: each is allocated once, and the NAS never has to choose. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { assignOrders, DISPLAY_PORTS, displayPortsOf, portAllocator } from "../../../lib/plan/allocation.ts";
import { FOREIGN } from "./plan_samples.ts";

Deno.test("assignOrders() keeps the order of the templates and gives each device a unique order", () => {
  const orders = assignOrders([{ step: "disk0", rank: 1001 }, { step: "disk1", rank: 1001 }, {
    step: "disk2",
    rank: 1001,
  }, { step: "cdrom", rank: 1002 }]);
  assert.deepEqual([...orders], [["disk0", 1001], ["disk1", 1002], ["disk2", 1003], ["cdrom", 1004]]);
  assert.deepEqual([...assignOrders([{ step: "disk0", rank: 1001 }, { step: "cdrom", rank: 1000 }])], [[
    "cdrom",
    1000,
  ], ["disk0", 1001]]);
});

Deno.test("portAllocator() allocates pairs until none is left", () => {
  const ports = portAllocator([]);
  assert.deepEqual(ports.next(5910), { port: 5910, webPort: 7910 });
  assert.deepEqual(ports.next(5910), { port: 5911, webPort: 7911 });
  assert.deepEqual(ports.next(6000), { port: 6001, webPort: 8001 });
  assert.equal(ports.next(65_000), null);
});

Deno.test("portAllocator() skips every port in use, and allocates none twice", () => {
  const port = fc.option(fc.integer({ min: 5_895, max: 5_960 }));
  const webPort = fc.option(fc.integer({ min: 7_895, max: 7_960 }));
  const starts = fc.array(fc.integer({ min: 5_800, max: 5_960 }), { maxLength: 40 });
  fc.assert(fc.property(fc.array(fc.record({ port, webPort })), starts, (displays, starts) => {
    const vm = {
      ...FOREIGN,
      displays: displays.map((ports) => ({ deviceId: 1, type: "VNC", bind: "::", ...ports })),
    };
    const allocator = portAllocator(displayPortsOf([vm]));
    const given = starts.flatMap((start) => {
      const pair = allocator.next(start);
      assert.ok(pair !== null && pair.port >= start && pair.port >= DISPLAY_PORTS.lowest);
      return [pair.port, pair.webPort];
    });
    const taken = displays.flatMap((ports) => [ports.port, ports.webPort]);
    assert.equal(new Set(given).size, given.length, "none is given twice");
    assert.ok(given.every((it) => !taken.includes(it)), "none is somebody's already");
    assert.ok(!given.includes(6_000), "TrueNAS keeps 6000 for itself");
  }));
});

Deno.test("portAllocator() stops at 65535, including the web port", () => {
  assert.deepEqual(portAllocator([]).next(63_535), { port: 63_535, webPort: 65_535 });
  assert.equal(portAllocator([]).next(63_536), null);
  assert.equal(portAllocator([]).next(65_536), null);
});

Deno.test("orders from assignOrders() are unique, never lower than in the template, and in template order", () => {
  const ranks = fc.array(fc.integer({ min: -5, max: 1_010 }), { maxLength: 20 });
  fc.assert(fc.property(ranks, (ranks) => {
    const devices = ranks.map((rank, n) => ({ step: `s${n}`, rank }));
    const orders = assignOrders(devices);
    const values = devices.map(({ step }) => orders.get(step) ?? NaN);
    assert.equal(new Set(values).size, ranks.length);
    for (const [n, { rank }] of devices.entries()) {
      assert.ok((values[n] ?? NaN) >= rank);
      for (const [m, other] of devices.entries()) {
        if (rank < other.rank || rank === other.rank && n < m) {
          assert.ok((values[n] ?? NaN) < (values[m] ?? NaN));
        }
      }
    }
  }));
});
