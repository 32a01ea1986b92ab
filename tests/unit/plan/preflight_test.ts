/** Protects the checks before the first write: what the NAS would refuse is reported with its VM, field and line. */
import assert from "node:assert/strict";
import { planCreation } from "../../../lib/plan/creation.ts";
import { describeTotals } from "../../../lib/plan/description.ts";
import { rulesFor } from "../../../lib/truenas/versions.ts";
import { GIB } from "../../../lib/units.ts";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import {
  CONFIG,
  dataset,
  FOREIGN,
  input,
  inventory,
  made,
  TEMPLATES,
  UNKNOWN,
  withTypes,
  WORKER,
} from "./plan_samples.ts";
import type { CreationInput } from "../../../lib/plan/creation_input.ts";

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
    /The dataset tank\/vms does not exist/,
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
    /not checked because the account may not/,
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
    /2 worker VMs need 70 GiB of space each, but tank\/vms has 100 GiB left .*: 1 fits/,
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
    /already exists/,
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
    /The file .* does not exist/,
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
    /no bridge or interface br1; choose from br0/,
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
    /0\.0\.0\.0 is not an address of the NAS/,
  ],
  ["binds unread", { inventory: inventory({ bindChoices: UNKNOWN }) }, "display", "warning", /not checked/],
  [
    "little memory",
    { inventory: inventory({ availableMemoryBytes: { known: true, value: 3 * GIB } }) },
    "worker.memory",
    "error",
    /^2 worker VMs need 2 GiB of memory each, and 3 GiB are free on the NAS: 1 fits\. /,
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
    /limit of 2/,
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

Deno.test("preflight reports what the NAS would refuse, with the VM and field", () => {
  for (const [what, given, field, severity, message] of FINDINGS) {
    const { findings } = planCreation(input(given));
    const found = findings.find((finding) => finding.field === field && finding.severity === severity);
    assert.ok(found, `${what}: ${JSON.stringify(findings)}`);
    assert.match(found.message, message);
  }
});

Deno.test("preflight reports a MAC that another VM uses", () => {
  const [planned] = planCreation(input()).vms;
  assert.ok(planned);
  const thief = { ...made(planned, 9), name: "thief", displays: [], disks: [] };
  const { findings } = planCreation(input({ inventory: inventory({ vms: [thief] }) }));
  assert.match(findings[0]?.message ?? "", /already belongs to thief/);
});

Deno.test("premise: a plan without the cause has no finding", () => {
  assert.deepEqual(planCreation(input()).findings, []);
});

Deno.test("preflight accepts a plan that just fits", () => {
  // Two VMs: 2 GiB of memory each, and 20 + 50 GiB of disk each, the last one within 80 % of what is left.
  const roomFor = (memoryGib: number, spaceGib: number) =>
    planCreation(input({
      inventory: inventory({
        availableMemoryBytes: { known: true, value: memoryGib * GIB },
        datasets: { known: true, value: [dataset("tank/vms", { availableBytes: spaceGib * GIB })] },
      }),
    })).findings.map(({ vms, field }) => [vms[0], field]);
  assert.deepEqual(roomFor(4, 152.5), []);
  assert.deepEqual(roomFor(3.9, 152.5), [["worker02", "worker.memory"]]);
  assert.deepEqual(roomFor(4, 152.4), [["worker02", "worker.disk.data"]]);
});

Deno.test("preflight blocks a VM that does not fit and accepts a smaller one after it", () => {
  const configuration = withTypes({ big: { ...WORKER, count: 1, memory: 8_192 } });
  const types = [{ type: "big", startPort: 5930 }, { type: "worker", startPort: 5920 }];
  const little = inventory({ availableMemoryBytes: { known: true, value: 4 * GIB } });
  const plan = planCreation(input({ configuration, types, inventory: little }));
  assert.deepEqual(plan.vms.map(({ name, action }) => [name, action]), [
    ["big01", "blocked"],
    ["worker01", "create"],
    ["worker02", "create"],
  ]);
});

Deno.test("preflight does not check a dataset, bridge or ISO that no VM needs", () => {
  const bare = withTypes({ worker: { ...WORKER, disk: {}, network: {} } });
  const nothing = inventory({ datasets: UNKNOWN, nicChoices: UNKNOWN });
  const before = planCreation(input({ inventory: nothing })).findings.map(({ field }) => field);
  assert.deepEqual(before, ["storage.pool_path", "network"], "the premise");
  assert.deepEqual(planCreation(input({ configuration: bare, inventory: nothing })).findings, []);
});

Deno.test("preflight checks only the missing parts of a VM that is completed", () => {
  const vms = planCreation(input()).vms.map((vm, index) => ({
    ...made(vm, index + 1),
    state: "STOPPED",
    nics: [],
  }));
  const gone = new Map([["/mnt/tank/iso/debian.iso", false]]);
  const plan = planCreation(input({ inventory: inventory({ vms, files: { known: true, value: gone } }) }));
  assert.deepEqual(plan.vms.map(({ steps }) => steps), Array(2).fill(["nic0", "nic1"]));
  assert.deepEqual(
    plan.findings.map(({ severity, field }) => [severity, field]),
    [["warning", "cdrom"]],
    "the ISO that is gone is not needed any more, but keeps both from starting",
  );
});

Deno.test("preflight accepts the pool's root dataset on releases that allow it", () => {
  const storage = { pool_path: "tank/vms", cdrom_path: "/mnt/tank/a.iso" };
  const fieldsOn = (release: string) =>
    planCreation(input({ configuration: { ...CONFIG, storage }, rules: rulesFor(release) })).findings
      .map(({ field }) => field);
  assert.deepEqual(fieldsOn("25.10.0"), []);
  assert.deepEqual(fieldsOn("25.10.1"), ["storage.cdrom_path"]);
});

Deno.test("preflight rejects names and vCPU counts that TrueNAS rejects", () => {
  const named = withTypes({ "gpu-node": { ...WORKER, count: 1, cpu: 256, threads: 1 } });
  const { findings } = planCreation(input({
    configuration: named,
    types: [{ type: "gpu-node", startPort: 5930 }],
    inventory: inventory({ maximumVcpus: UNKNOWN }),
  }));
  assert.deepEqual(findings.map(({ vms, field }) => [vms[0], field]), [
    ["gpu-node01", "gpu-node"],
    ["gpu-node01", "gpu-node.cpu"],
  ]);
  assert.match(findings[0]?.message ?? "", /does not accept the name "gpu-node01"; use letters/);
  assert.match(findings[1]?.message ?? "", /256 vCPUs exceed TrueNAS's limit of 255/);
});

Deno.test("a finding about config.yaml names the line of the value", () => {
  const full = inventory({ availableMemoryBytes: { known: true, value: 0 } });
  const places = new Map([["worker.memory", { line: 11, column: 11 }]]);
  const linesOf = (given: Partial<CreationInput>) =>
    planCreation(input({ inventory: full, ...given })).findings.map(({ line }) => line);
  assert.deepEqual(linesOf({ places }), [11]);
  assert.deepEqual(linesOf({}), [undefined]);
});

Deno.test("preflight warns of VMs that would not autostart after a reboot, counting those that autostart already", () => {
  const idle = { ...FOREIGN, name: "idle", memoryMib: 30 * 1024, autostart: true };
  const messages = (vms: readonly Vm[], start = true) => {
    const configuration = withTypes({ worker: { ...WORKER, autostart: start } });
    return planCreation(input({ configuration, inventory: inventory({ vms }) })).findings.map(({ message }) =>
      message
    );
  };
  assert.deepEqual(messages([idle]), [
    "After a reboot of the NAS, VMs with 34 GiB of memory would start but only 32 GiB would be free; some VMs would stay off. Turn autostart off for some",
  ]);
  assert.deepEqual(messages([idle], false), []);
  assert.deepEqual(messages([{ ...idle, state: "RUNNING" }]), [], "its memory is not free now, but is there");
  assert.deepEqual(messages([{ ...idle, autostart: false }]), []);
});

Deno.test("preflight warns of names that Kubernetes rejects", () => {
  const configuration = withTypes({ Big_node: { ...WORKER, count: 2 } });
  const { findings, vms } = planCreation(
    input({ configuration, types: [{ type: "Big_node", startPort: 5930 }] }),
  );
  assert.deepEqual(findings.map(({ severity, field }) => [severity, field]), [["warning", "Big_node"]]);
  assert.match(findings[0]?.message ?? "", /A Kubernetes node cannot be named Big_node01/);
  assert.deepEqual(vms.map(({ action }) => action), ["create", "create"], "it is only a warning");
  const seed = { kind: "cloud-init" } as const;
  const seeds = {
    host: "192.0.2.5",
    simulated: false,
    types: new Map([["my_node", { known: true, texts: { files: new Map(), keys: [] } } as const]]),
  };
  const named = planCreation(input({
    configuration: withTypes({ my_node: { ...WORKER, count: 1, seed } }),
    types: [{ type: "my_node", startPort: 5930 }],
    seeds,
  }));
  assert.equal(named.vms[0]?.seed?.hostname, "my-node01");
  assert.ok(
    !named.findings.some(({ message }) => message.includes("Kubernetes")),
    "its guest is called my-node01",
  );
});

/** What is found when the templates, the image or the password are others. */
function foundWith(
  template: Partial<typeof TEMPLATES>,
  { iso = "debian.iso", release = "25.10.7", passwordChars = 6 } = {},
): [string, string][] {
  const path = `/mnt/tank/iso/${iso}`;
  const { findings } = planCreation(input({
    configuration: { ...CONFIG, storage: { pool_path: "tank/vms", cdrom_path: path } },
    templates: () => ({ ...TEMPLATES, ...template }),
    inventory: inventory({ files: { known: true, value: new Map([[path, true]]) } }),
    rules: rulesFor(release),
    passwordChars,
  }));
  return findings.map(({ severity, message }) => [severity, message]);
}

Deno.test("preflight compares secure boot with the name of the image", () => {
  const signed = "metal-amd64-secureboot.iso";
  assert.deepEqual(foundWith({ secureBoot: true }, { iso: signed }), []);
  assert.deepEqual(foundWith({ secureBoot: true }, { iso: "debian.iso" }), []);
  assert.match(
    String(foundWith({}, { iso: signed })),
    /^warning,.*built for secure boot, which worker does not use/,
  );
  assert.match(
    String(foundWith({ secureBoot: true }, { iso: "talos.iso" })),
    /^warning,worker uses secure boot, but talos\.iso does not seem to support it/,
  );
});

Deno.test("preflight warns of a CD-ROM that boots before the disk", () => {
  const orders = { ...TEMPLATES.orders, CDROM: 1000 };
  assert.match(String(foundWith({ orders })), /^warning,The CD-ROM of worker boots before its disk/);
});

Deno.test("preflight checks displays against the release and its password rules", () => {
  const vnc = { displayType: "VNC", web: false };
  assert.deepEqual(foundWith(vnc, { passwordChars: 8 }), []);
  const refused = (template: Partial<typeof TEMPLATES>, options = {}) => {
    const found = foundWith(template, options);
    assert.deepEqual(found.map(([severity]) => severity), ["error"]);
    return found[0]?.[1] ?? "";
  };
  assert.match(refused(vnc, { passwordChars: 9 }), /at most 8 characters and VNC_PASSWORD has 9/);
  assert.match(refused({ ...vnc, web: true }), /no web client for VNC/);
  assert.match(
    refused(vnc, { release: "25.04.2" }),
    /TrueNAS 25\.04 does not support VNC displays; choose SPICE/,
  );
  assert.match(refused({}, { passwordChars: 0 }), /requires a display password/);
});

Deno.test("preflight reports a MAC that two NICs of the plan share", () => {
  const mac = "02:00:00:00:00:01";
  const configuration = withTypes({ worker: { ...WORKER, macs: { lan: [mac, mac] } } });
  const { findings } = planCreation(input({ configuration }));
  assert.deepEqual(findings.map(({ vms, message }) => [vms[0], message]), [
    ["worker01", `The MAC address ${mac} already belongs to worker02; choose another one`],
    ["worker02", `The MAC address ${mac} already belongs to worker01; choose another one`],
  ]);
});

Deno.test("preflight accepts sparse zvols larger than the free space, with a warning", () => {
  const configuration = withTypes({ worker: { ...WORKER, sparse: true } });
  const little = inventory({
    datasets: { known: true, value: [dataset("tank/vms", { availableBytes: 30 * GIB })] },
  });
  const { findings, vms } = planCreation(input({ configuration, inventory: little }));
  assert.deepEqual(findings.map(({ severity }) => severity), ["warning"]);
  assert.match(
    findings[0]?.message ?? "",
    /zvols total 140 GiB, but tank\/vms has 30 GiB left; writes to sparse zvols fail/,
  );
  const disks = vms[0]?.devices.filter((device) => device.dtype === "DISK") ?? [];
  assert.deepEqual(disks.map(({ sparse, force }) => [sparse, force]), [[true, false], [true, true]]);
});

Deno.test("each cause gives one finding that names exactly the VMs affected (fault 33)", () => {
  const bare = { ...WORKER, count: 1, memory: 512, disk: {} };
  const configuration = withTypes({ worker: { ...WORKER, count: 12 }, bare });
  const types = [{ type: "worker", startPort: 5920 }, { type: "bare", startPort: 5940 }];
  const given = (changes: Parameters<typeof inventory>[0]) =>
    planCreation(input({ configuration, types, inventory: inventory(changes) }));
  const memory = given({ availableMemoryBytes: { known: true, value: 15 * GIB } });
  assert.deepEqual(memory.findings.map(({ field, vms }) => [field, vms.length]), [
    ["worker.memory", 5],
  ]);
  assert.match(
    memory.findings[0]?.message ?? "",
    /^12 worker VMs need 2 GiB of memory each, .*: 7 fit\./,
  );
  const blocked = ({ vms }: typeof memory) =>
    vms.filter(({ action }) => action === "blocked").map(({ name }) => name);
  assert.deepEqual(blocked(memory), ["worker08", "worker09", "worker10", "worker11", "worker12"]);
  const missing = given({ datasets: { known: true, value: [] } });
  assert.deepEqual(missing.findings.map(({ field, vms }) => [field, vms.length]), [[
    "storage.pool_path",
    12,
  ]]);
  assert.ok(!blocked(missing).includes("bare01"), "a VM without disks needs no dataset");
  assert.deepEqual(blocked(missing).length, 12);
});

Deno.test('a plan in which every VM is blocked says why instead of "nothing to do" (fault 33)', () => {
  const planned = planCreation(input());
  const differing = planned.vms.map((vm, index) => ({ ...made(vm, index + 1), memoryMib: 1 }));
  const totals = (vms: readonly Vm[]) =>
    describeTotals(planCreation(input({ inventory: inventory({ vms }) })));
  assert.equal(totals(differing), "nothing to create: 2 VMs can be changed");
  assert.equal(
    totals(planned.vms.map((vm, index) => made(vm, index + 1))),
    "nothing to do, every VM matches the configuration",
  );
  const none = planCreation(input({ inventory: inventory({ datasets: { known: true, value: [] } }) }));
  assert.equal(describeTotals(none), "nothing can be created: 2 VMs blocked");
});
