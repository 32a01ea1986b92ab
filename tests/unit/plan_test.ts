/**
 * Protects the plan: it is a pure function whose names, ports, MACs, zvols and orders never clash, that keeps what is
 * there, and that tells before the first write what the NAS would refuse.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Configuration } from "../../lib/config.ts";
import type { Dataset, Inventory, Vm } from "../../lib/inventory.ts";
import { deriveMac, firstDisplayPort, isVmName, matchesPrefix, vmName, zvolOfPath } from "../../lib/names.ts";
import { assignOrders, portAllocator } from "../../lib/plan/allocation.ts";
import { type CreationInput, planCreation } from "../../lib/plan/creation.ts";
import { planDestruction } from "../../lib/plan/destruction.ts";
import { markedDescription } from "../../lib/plan/marks.ts";
import type { CreationPlan, PlannedVm } from "../../lib/plan/types.ts";
import { rulesFor } from "../../lib/truenas/versions.ts";
import { formatBytes, formatCount, formatDuration, formatMib, GIB } from "../../lib/units.ts";

const TEMPLATES = {
  bind: "0.0.0.0",
  sockets: 1,
  orders: { DISPLAY: 1004, CDROM: 1003, NIC: 1005, DISK: 1001 },
};

const CONFIG: Configuration = {
  storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" },
  worker: {
    count: 2,
    memory: 2048,
    cpu: 4,
    threads: 2,
    disk: { root: 20, data: 50 },
    network: { lan: "br0", storage: "br1" },
  },
};

function dataset(name: string, fields: Partial<Dataset> = {}): Dataset {
  return {
    name,
    type: "FILESYSTEM",
    availableBytes: 1000 * GIB,
    volsizeBytes: null,
    sparse: null,
    locked: false,
    ...fields,
  };
}

function inventory(fields: Partial<Inventory> = {}): Inventory {
  return {
    nas: { host: "nas.lan", release: "25.10.7", apiVersion: "current", simulated: false },
    vms: [],
    datasets: { known: true, value: [dataset("tank/vms")] },
    nicChoices: { known: true, value: ["br0", "br1"] },
    bindChoices: { known: true, value: ["0.0.0.0"] },
    files: { known: true, value: new Map([["/mnt/tank/iso/debian.iso", true]]) },
    availableMemoryBytes: { known: true, value: 32 * GIB },
    maximumVcpus: { known: true, value: 255 },
    ...fields,
  };
}

function input(fields: Partial<CreationInput> = {}): CreationInput {
  return {
    configuration: CONFIG,
    types: [{ type: "worker", startPort: 5920 }],
    templates: TEMPLATES,
    inventory: inventory(),
    rules: rulesFor("25.10.7"),
    ...fields,
  };
}

/** The VM that a plan makes, as the NAS would then have it. */
function made(planned: PlannedVm, id: number): Vm {
  const of = <D extends PlannedVm["devices"][number]["dtype"]>(dtype: D) =>
    planned.devices.filter((device): device is Extract<PlannedVm["devices"][number], { dtype: D }> =>
      device.dtype === dtype
    );
  return {
    id,
    name: planned.name,
    state: "RUNNING",
    description: markedDescription(""),
    vcpus: planned.vcpus,
    sockets: 1,
    cores: planned.cores,
    threads: planned.threads,
    memoryMib: planned.memoryMib,
    autostart: true,
    uuid: `uuid-${id}`,
    disks: of("DISK").map(({ zvol, sizeBytes, order }) => ({
      deviceId: 1,
      path: `/dev/zvol/${zvol}`,
      zvol,
      sizeBytes,
      sparse: false,
      order,
    })),
    nics: of("NIC").map(({ attach, mac }) => ({ deviceId: 2, attach, mac })),
    displays: of("DISPLAY").map(({ port, webPort, bind }) => ({
      deviceId: 3,
      type: "SPICE",
      bind,
      port,
      webPort,
    })),
    cdroms: of("CDROM").map(({ path, order }) => ({ deviceId: 4, path, order })),
  };
}

function zvolsOf({ vms }: CreationPlan): string[] {
  return vms.flatMap(({ devices }) =>
    devices.flatMap((device) => device.dtype === "DISK" ? [device.zvol] : [])
  );
}

Deno.test("planCreation() plans every VM with its devices and steps", () => {
  const plan = planCreation(input());
  assert.deepEqual(plan.findings, []);
  assert.deepEqual(
    plan.vms.map(({ name, action, vcpus, cores, threads }) => [name, action, vcpus, cores, threads]),
    [
      ["worker01", "create", 4, 2, 2],
      ["worker02", "create", 4, 2, 2],
    ],
  );
  assert.deepEqual(plan.vms[0]?.steps, ["vm", "display", "cdrom", "nic0", "nic1", "disk0", "disk1", "start"]);
  assert.deepEqual(zvolsOf(plan), [
    "tank/vms/worker01-disk0",
    "tank/vms/worker01-disk1",
    "tank/vms/worker02-disk0",
    "tank/vms/worker02-disk1",
  ]);
  assert.deepEqual(plan.totals, { vms: 2, vcpus: 8, memoryMib: 4096, zvols: 4, zvolBytes: 140 * GIB });
});

Deno.test("applying a plan and planning again yields all keep; a higher count and a gap make only what lacks", () => {
  const first = planCreation(input());
  const vms = first.vms.map((vm, index) => made(vm, index + 1));
  const again = planCreation(input({ inventory: inventory({ vms }) }));
  assert.deepEqual(again.vms.map(({ action, steps }) => [action, steps]), [["keep", []], ["keep", []]]);
  assert.equal(again.totals.vms, 0);
  const [one, two] = vms;
  assert.ok(one && two);
  const gap = planCreation(input({ inventory: inventory({ vms: [two] }) }));
  assert.deepEqual(gap.vms.map(({ name, action }) => [name, action]), [["worker01", "create"], [
    "worker02",
    "keep",
  ]]);
  const { worker } = CONFIG;
  assert.ok(worker && "count" in worker);
  const more = planCreation(
    input({ configuration: { ...CONFIG, worker: { ...worker, count: 4 } }, inventory: inventory({ vms }) }),
  );
  assert.deepEqual(more.vms.map(({ action }) => action), ["keep", "keep", "create", "create"]);
  assert.deepEqual(more.vms[2]?.devices[0], {
    step: "display",
    order: 1004,
    dtype: "DISPLAY",
    port: 5922,
    webPort: 7922,
    bind: "0.0.0.0",
  });
});

Deno.test("a VM that differs is left alone and says in what; one that lacks devices is completed only if it is ours", () => {
  const [planned] = planCreation(input()).vms;
  assert.ok(planned);
  const whole = made(planned, 1);
  const actionOf = (vm: Vm) => {
    const [found] = planCreation(input({ inventory: inventory({ vms: [vm] }) })).vms;
    assert.ok(found);
    return found;
  };
  assert.deepEqual(actionOf({ ...whole, memoryMib: 4096 }).differences, [{
    field: "memory",
    wanted: "2 GiB",
    found: "4 GiB",
  }]);
  const lacking = { ...whole, state: "STOPPED", disks: whole.disks.slice(0, 1) };
  assert.deepEqual([actionOf(lacking).action, actionOf(lacking).steps], ["complete", ["disk1", "start"]]);
  assert.equal(actionOf({ ...lacking, description: "mine" }).action, "blocked");
  assert.match(actionOf({ ...lacking, state: "RUNNING" }).reasons.join(), /stop it first/);
  assert.equal(
    actionOf({ ...whole, cdroms: [] }).action,
    "keep",
    "an installed VM without its disc is whole",
  );
});

const UNKNOWN = { known: false, because: "the account may not" } as const;

const FINDINGS: readonly (readonly [
  what: string,
  given: Partial<CreationInput>,
  field: string,
  severity: string,
  message: RegExp,
])[] = [
  [
    "no dataset",
    { inventory: inventory({ datasets: { known: true, value: [] } }) },
    "storage.pool_path",
    "error",
    /no dataset tank\/vms/,
  ],
  [
    "a zvol as parent",
    {
      inventory: inventory({ datasets: { known: true, value: [dataset("tank/vms", { type: "VOLUME" })] } }),
    },
    "storage.pool_path",
    "error",
    /is a zvol/,
  ],
  [
    "a locked dataset",
    { inventory: inventory({ datasets: { known: true, value: [dataset("tank/vms", { locked: true })] } }) },
    "storage.pool_path",
    "error",
    /is locked/,
  ],
  [
    "datasets unread",
    { inventory: inventory({ datasets: UNKNOWN }) },
    "storage.pool_path",
    "warning",
    /not checked, because the account may not/,
  ],
  [
    "a full pool",
    {
      inventory: inventory({
        datasets: { known: true, value: [dataset("tank/vms", { availableBytes: 100 * GIB })] },
      }),
    },
    "worker.disk.data",
    "error",
    /50 GiB do not fit in tank\/vms: 10 GiB are left/,
  ],
  [
    "a zvol there",
    {
      inventory: inventory({
        datasets: { known: true, value: [dataset("tank/vms"), dataset("tank/vms/worker02-disk1")] },
      }),
    },
    "worker.disk.data",
    "error",
    /exists already/,
  ],
  [
    "no ISO",
    {
      inventory: inventory({
        files: { known: true, value: new Map([["/mnt/tank/iso/debian.iso", false]]) },
      }),
    },
    "storage.cdrom_path",
    "error",
    /no file/,
  ],
  [
    "ISO unread",
    { inventory: inventory({ files: UNKNOWN }) },
    "storage.cdrom_path",
    "warning",
    /not checked/,
  ],
  [
    "no bridge",
    { inventory: inventory({ nicChoices: { known: true, value: ["br0"] } }) },
    "worker.network.storage",
    "error",
    /no bridge or interface br1 on the NAS; it has br0/,
  ],
  [
    "bridges unread",
    { inventory: inventory({ nicChoices: UNKNOWN }) },
    "network",
    "warning",
    /not checked/,
  ],
  [
    "no address",
    { inventory: inventory({ bindChoices: { known: true, value: ["::"] } }) },
    "display",
    "error",
    /no address 0\.0\.0\.0/,
  ],
  ["binds unread", { inventory: inventory({ bindChoices: UNKNOWN }) }, "display", "warning", /not checked/],
  [
    "little memory",
    { inventory: inventory({ availableMemoryBytes: { known: true, value: 3 * GIB } }) },
    "worker.memory",
    "error",
    /1 GiB of the NAS's 3 GiB/,
  ],
  [
    "memory unread",
    { inventory: inventory({ availableMemoryBytes: UNKNOWN }) },
    "memory",
    "warning",
    /not checked/,
  ],
  [
    "few vCPUs",
    { inventory: inventory({ maximumVcpus: { known: true, value: 2 } }) },
    "worker.cpu",
    "error",
    /more than the 2/,
  ],
  ["no port", { types: [{ type: "worker", startPort: 65_536 }] }, "display", "error", /No display port/],
  [
    "ISO in the root",
    { configuration: { ...CONFIG, storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/a.iso" } } },
    "storage.cdrom_path",
    "error",
    /pool's root/,
  ],
];

Deno.test("preflight finds what the NAS would refuse, at its VM and field", () => {
  for (const [what, given, field, severity, message] of FINDINGS) {
    const { findings } = planCreation(input(given));
    const found = findings.find((finding) => finding.field === field && finding.severity === severity);
    assert.ok(found, `${what}: ${JSON.stringify(findings)}`);
    assert.match(found.message, message);
  }
});

Deno.test("a VM with an error is blocked; the others go on", () => {
  const given = inventory({
    datasets: { known: true, value: [dataset("tank/vms"), dataset("tank/vms/worker01-disk0")] },
  });
  const plan = planCreation(
    input({ inventory: given, places: new Map([["worker.disk.root", { line: 12, column: 5 }]]) }),
  );
  assert.deepEqual(plan.vms.map(({ action }) => action), ["blocked", "create"]);
  assert.equal(plan.findings[0]?.line, 12);
  assert.equal(plan.totals.vms, 1);
});

Deno.test("a MAC that another VM has is found", () => {
  const [planned] = planCreation(input()).vms;
  assert.ok(planned);
  const thief = { ...made(planned, 9), name: "thief", displays: [], disks: [] };
  const { findings } = planCreation(input({ inventory: inventory({ vms: [thief] }) }));
  assert.match(findings[0]?.message ?? "", /is thief's already/);
});

Deno.test("the fingerprint names the plan: the same for the same, another for any other", () => {
  assert.equal(planCreation(input()).fingerprint, planCreation(input()).fingerprint);
  const other = inventory({ nicChoices: UNKNOWN });
  assert.notEqual(planCreation(input()).fingerprint, planCreation(input({ inventory: other })).fingerprint);
});

Deno.test("names, ports, MACs, zvols and orders never clash, whatever is there and asked for", () => {
  const foreign = fc.uniqueArray(fc.integer({ min: 5900, max: 6010 }), { maxLength: 60 });
  const shape = fc.record({
    count: fc.integer({ min: 0, max: 20 }),
    disks: fc.integer({ min: 0, max: 4 }),
    nics: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(fc.property(foreign, shape, shape, (ports, a, b) => {
    const section = ({ count, disks, nics }: typeof a) => ({
      count,
      memory: 20,
      cpu: 1,
      disk: Object.fromEntries(Array.from({ length: disks }, (_, n) => [`d${n}`, 1])),
      network: Object.fromEntries(Array.from({ length: nics }, (_, n) => [`n${n}`, "br0"])),
    });
    const vms = ports.map((port, id) => ({
      ...FOREIGN,
      id,
      name: `other${id}`,
      displays: [{ deviceId: 1, type: "SPICE", bind: "::", port, webPort: null }],
    }));
    const configuration = {
      storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" },
      a: section(a),
      b: section(b),
    };
    const types = [{ type: "a", startPort: 5910 }, { type: "b", startPort: 5920 }];
    const plan = planCreation(input({ configuration, types, inventory: inventory({ vms }) }));
    const devices = plan.vms.flatMap((vm) => vm.devices);
    const used = devices.flatMap((device) =>
      device.dtype === "DISPLAY" ? [device.port, device.webPort ?? -1] : []
    );
    assert.equal(new Set(used).size, used.length, "no two displays share a port");
    assert.ok(used.every((port) => !ports.includes(port)), "nobody else's port is taken");
    assert.ok(!used.includes(6000));
    assert.equal(new Set(plan.vms.map(({ name }) => name)).size, a.count + b.count);
    const macs = devices.flatMap((device) => device.dtype === "NIC" ? [device.mac] : []);
    assert.equal(new Set(macs).size, macs.length);
    assert.equal(new Set(zvolsOf(plan)).size, zvolsOf(plan).length);
    for (const vm of plan.vms) {
      assert.equal(new Set(vm.devices.map(({ order }) => order)).size, vm.devices.length);
    }
  }));
});

const FOREIGN: Vm = {
  id: 0,
  name: "foreign",
  state: "STOPPED",
  description: "",
  vcpus: 1,
  sockets: 1,
  cores: 1,
  threads: 1,
  memoryMib: 512,
  autostart: false,
  uuid: null,
  disks: [],
  nics: [],
  displays: [],
  cdroms: [],
};

Deno.test("assignOrders() keeps the templates' order and gives each device its own", () => {
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

Deno.test("portAllocator() gives pairs until there is none", () => {
  const ports = portAllocator([]);
  assert.deepEqual(ports.next(5910), { port: 5910, webPort: 7910 });
  assert.deepEqual(ports.next(5910), { port: 5911, webPort: 7911 });
  assert.deepEqual(ports.next(6000), { port: 6001, webPort: 8001 });
  assert.equal(ports.next(65_000), null);
});

Deno.test("planDestruction() takes a prefix and a number, and leaves what others use", () => {
  const disk = (zvol: string | null, path = `/dev/zvol/${zvol}`) => ({
    deviceId: 1,
    path,
    zvol,
    sizeBytes: GIB,
    sparse: false,
    order: 1,
  });
  const vms: Vm[] = [
    {
      ...FOREIGN,
      id: 1,
      name: "worker10",
      disks: [disk("tank/a"), disk("tank/shared"), disk(null, "/mnt/tank/raw.img")],
    },
    { ...FOREIGN, id: 2, name: "worker2", disks: [disk("tank/b")] },
    { ...FOREIGN, id: 3, name: "workerold", disks: [disk("tank/shared")] },
    { ...FOREIGN, id: 4, name: "workers" },
  ];
  const plan = planDestruction(vms, ["worker"]);
  assert.deepEqual(plan.vms.map(({ name }) => name), ["worker2", "worker10"]);
  assert.deepEqual(plan.vms[1]?.zvols, [{ name: "tank/a", sizeBytes: GIB }]);
  assert.deepEqual(plan.vms[1]?.keeps.map(({ because }) => because), [
    "workerold uses it too",
    "it is not a zvol",
  ]);
  assert.deepEqual([plan.phrase, plan.totals], ["destroy 2 vms", { vms: 2, zvols: 2, zvolBytes: 2 * GIB }]);
  const [first] = vms;
  assert.ok(first);
  assert.notEqual(
    planDestruction([{ ...first, state: "RUNNING" }], ["worker"]).fingerprint,
    planDestruction([first], ["worker"]).fingerprint,
  );
});

Deno.test("matchesPrefix() never takes a name that is not the prefix and digits", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (name, prefix) => {
    assert.equal(
      matchesPrefix(name, prefix),
      prefix !== "" && name.startsWith(prefix) && /^[0-9]+$/.test(name.slice(prefix.length)),
    );
  }));
  fc.assert(fc.property(fc.stringMatching(/^[a-z_]{1,9}$/), fc.integer({ min: 1, max: 99 }), (type, n) => {
    assert.ok(matchesPrefix(vmName(type, n), type));
    assert.ok(isVmName(vmName(type, n)));
  }));
});

Deno.test("deriveMac() is stable, unicast, locally administered, and another for any other NIC", () => {
  const seed = { nasId: "nas", vm: "worker01", nic: "lan" };
  assert.equal(deriveMac(seed), deriveMac({ ...seed }));
  assert.match(deriveMac(seed), /^02(:[0-9a-f]{2}){5}$/);
  for (const other of [{ nasId: "b" }, { vm: "worker02" }, { nic: "wan" }]) {
    assert.notEqual(deriveMac(seed), deriveMac({ ...seed, ...other }));
  }
});

Deno.test("displays start at 5910, 5920, and further types in tens", () => {
  const types = ["gpu", "controlplane", "worker", "db"];
  assert.deepEqual(types.map((type) => firstDisplayPort(type, types)), [5930, 5910, 5920, 5940]);
});

Deno.test("units read as people write them", () => {
  assert.deepEqual([0, 1023, 1536, 20 * GIB].map(formatBytes), ["0 B", "1023 B", "1.5 KiB", "20 GiB"]);
  assert.deepEqual([512, 4096].map(formatMib), ["512 MiB", "4 GiB"]);
  assert.deepEqual([41, 400, 12_000, 102_000, 7_500_000].map(formatDuration), [
    "41 ms",
    "0.4 s",
    "12 s",
    "1 min 42 s",
    "2 h 5 min",
  ]);
  assert.deepEqual([formatCount(1, "VM"), formatCount(3, "VM"), formatCount(0, "entry", "entries")], [
    "1 VM",
    "3 VMs",
    "0 entries",
  ]);
  assert.equal(zvolOfPath("/dev/zvol/tank/a+b"), "tank/a b");
  assert.equal(zvolOfPath("/mnt/tank/x"), null);
});
