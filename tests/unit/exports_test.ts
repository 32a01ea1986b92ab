/**
 * Protects readers of exports: values are parsed before any format uses them, and each format contains what it was
 * given.
 */
import assert from "node:assert/strict";
import { csv } from "../../lib/exports/csv.ts";
import { sentenceOf } from "../../lib/exports/exported.ts";
import { EXPORT_FORMATS } from "../../lib/exports/formats.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../../lib/exports/nodes.ts";
import { parseIpv4 } from "../../lib/configuration/environment/ip_addresses.ts";
import { parseHostName, parseInterfaceName, parseMac } from "../../lib/exports/values.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { planCreation } from "../../lib/plan/creation.ts";
import { FOREIGN, input, made, TEMPLATES } from "./plan/plan_samples.ts";

const VMS: readonly Vm[] = [
  {
    ...FOREIGN,
    name: "worker01",
    nics: [
      { deviceId: 1, mac: "02:00:00:00:00:01", attach: "br0", ip: { address: "10.0.0.11", readAt: 0 } },
      { deviceId: 2, mac: "02:00:00:00:00:02", attach: "br1", ip: null },
    ],
  },
  { ...FOREIGN, name: "gpu_01", nics: [{ deviceId: 3, mac: null, attach: null, ip: null }] },
];
const NODES: readonly ClusterNode[] = VMS.map((vm) => nodeOfVm(vm));

Deno.test("parseMac() accepts unicast MACs only", () => {
  assert.equal(parseMac("02-00-00-00-00-AB"), "02:00:00:00:00:ab");
  for (const odd of [null, "", "02:00:00:00:00", "01:00:00:00:00:00", "02:00:00:00:00:01\n", "x"]) {
    assert.equal(parseMac(odd), null, String(odd));
  }
});

Deno.test("parseIpv4() accepts host addresses only", () => {
  assert.equal(parseIpv4("10.0.0.255"), "10.0.0.255");
  const odd = [
    "10.0.0.1\n",
    "010.0.0.1",
    "10.0.0.256",
    "0.0.0.0",
    "127.0.0.1",
    "169.254.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "fe80::1",
    "",
    null,
  ];
  for (const text of odd) assert.equal(parseIpv4(text), null, String(text));
});

Deno.test("parseHostName() turns a VM's name into a host label or null", () => {
  assert.equal(parseHostName("Worker_01"), "worker-01");
  assert.equal(parseHostName("a".repeat(63)), "a".repeat(63));
  for (const odd of ["_vm", "vm_", "a".repeat(64), "", "a.b", "a b", "ä", "vm\n"]) {
    assert.equal(parseHostName(odd), null, odd);
  }
});

Deno.test("parseInterfaceName() accepts names of bridges and interfaces only", () => {
  for (const name of ["br0", "enp3s0.20", "bond0:1"]) assert.equal(parseInterfaceName(name), name);
  for (const odd of [null, "", "=1", "br0\n", "a b", "a".repeat(64)]) {
    assert.equal(parseInterfaceName(odd), null);
  }
});

Deno.test("CSV and JSON contain every NIC of every VM", () => {
  assert.equal(
    EXPORT_FORMATS.csv.write(NODES).files[0]?.text,
    "name,type,nic,network,mac,ip\r\nworker01,worker,0,br0,02:00:00:00:00:01,10.0.0.11\r\n" +
      "worker01,worker,1,br1,02:00:00:00:00:02,\r\ngpu_01,gpu_,0,,,\r\n",
  );
  assert.deepEqual(JSON.parse(EXPORT_FORMATS.json.write(NODES).files[0]?.text ?? ""), {
    nodes: [
      {
        name: "worker01",
        type: "worker",
        nics: [
          { mac: "02:00:00:00:00:01", attach: "br0", ip: "10.0.0.11" },
          { mac: "02:00:00:00:00:02", attach: "br1", ip: null },
        ],
        installDisk: null,
      },
      { name: "gpu_01", type: "gpu_", nics: [{ mac: null, attach: null, ip: null }], installDisk: null },
    ],
  });
});

Deno.test("DHCP reservations use the VM's name for its first NIC, and derived names for others", () => {
  assert.equal(
    EXPORT_FORMATS.dnsmasq.write(NODES).files[0]?.text,
    '# "gpu_01" was left out: it has no NIC with a fixed MAC address\n' +
      "dhcp-host=02:00:00:00:00:01,10.0.0.11,worker01\ndhcp-host=02:00:00:00:00:02,worker01-nic1\n",
  );
  assert.match(
    EXPORT_FORMATS.isc.write(NODES).files[0]?.text ?? "",
    /^host worker01 \{\n {2}hardware ethernet 02:00:00:00:00:01;\n {2}fixed-address 10\.0\.0\.11;/m,
  );
});

Deno.test("an address that several guests claim is not exported (fault 7)", () => {
  const twins = VMS.map((vm, index) => ({
    ...vm,
    nics: [{
      deviceId: 1,
      mac: `02:00:00:00:00:0${index}`,
      attach: null,
      ip: { address: "10.0.0.11", readAt: 0 },
    }],
  })).map((vm) => nodeOfVm(vm));
  for (const format of ["dnsmasq", "isc", "kea", "ansible"] as const) {
    const { files, leftOut } = EXPORT_FORMATS[format].write(twins);
    assert.deepEqual(
      leftOut.map(({ because }) => because),
      Array(2).fill("several VMs have the address 10.0.0.11"),
    );
    assert.doesNotMatch(files[0]?.text ?? "", /02:00:00/);
  }
});

Deno.test("a VM that is left out is reported in one line, whatever its name", () => {
  const told = sentenceOf({ name: `x\nconf-script={{${"y".repeat(2_000)}`, because: "so it is" });
  assert.match(told, /^"x\?conf-script\?\?\?y+\.\.\." was left out: so it is$/);
  assert.ok(told.length < 200);
});

Deno.test("no cell of a CSV file is a formula, with any separator and script (fault 18)", () => {
  const rows = [["=1", ";=1", " ;=1", "＝1", "＋1", "－1", "＠x", "\t=1", "-1", "@x"], [
    "a;=1",
    "a\n=1",
    "a;b",
    "a=1",
  ]];
  assert.equal(
    csv(rows),
    `'=1,"';'=1","' ;'=1",'＝1,'＋1,'－1,'＠x,'\t'=1,'-1,'@x\r\n"a;'=1","a\n'=1","a;b",a=1\r\n`,
  );
});

Deno.test("a planned VM is exported exactly as after its creation", () => {
  const { vms } = planCreation(input());
  const before = vms.map((vm) => nodeOfPlanned(vm));
  const after = vms.map((vm, index) => nodeOfVm(made(vm, index + 1)));
  assert.deepEqual(after, before);
  assert.equal(before[0]?.nics.length, 2);
});

Deno.test("a planned VM is installed on the disk that its template's bus gives (fault 23)", () => {
  for (const [diskBus, disk] of [["AHCI", "/dev/sda"], ["VIRTIO", "/dev/vda"]] as const) {
    const { vms } = planCreation(input({ templates: () => ({ ...TEMPLATES, diskBus }) }));
    assert.deepEqual(new Set(vms.map((vm) => nodeOfPlanned(vm).installDisk)), new Set([disk]));
  }
});
