/** Protects what clusters are fed with: every format holds what it was given and nothing else, whatever stands in it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, parseAllDocuments } from "../../lib/yaml.ts";
import { EXPORT_FORMATS } from "../../lib/exports/formats.ts";
import { type ClusterNode, nodeOfPlanned, nodeOfVm } from "../../lib/exports/nodes.ts";
import { planCreation } from "../../lib/plan/creation.ts";
import { input, made } from "./plan_samples.ts";

const NODES: readonly ClusterNode[] = [
  {
    name: "worker01",
    type: "worker",
    nics: [
      { mac: "02:00:00:00:00:01", attach: "br0", ip: "10.0.0.11" },
      { mac: "02:00:00:00:00:02", attach: "br1", ip: null },
    ],
    installDisk: "/dev/vda",
  },
  { name: "gpu_01", type: "gpu_", nics: [{ mac: null, attach: null, ip: null }], installDisk: null },
];

Deno.test("each format tells names, MACs and addresses", async () => {
  const { csv, json, dnsmasq, isc, ansible, talos } = EXPORT_FORMATS;
  assert.equal(
    csv.write(NODES),
    "name,type,nic,network,mac,ip\r\nworker01,worker,0,br0,02:00:00:00:00:01,10.0.0.11\r\n" +
      "worker01,worker,1,br1,02:00:00:00:00:02,\r\ngpu_01,gpu_,0,,,\r\n",
  );
  assert.deepEqual(JSON.parse(json.write(NODES)).nodes, NODES);
  assert.equal(
    dnsmasq.write(NODES),
    "dhcp-host=02:00:00:00:00:01,10.0.0.11,worker01\ndhcp-host=02:00:00:00:00:02,worker01-nic1\n",
  );
  assert.match(
    isc.write(NODES),
    /^host worker01 \{\n {2}hardware ethernet 02:00:00:00:00:01;\n {2}fixed-address 10\.0\.0\.11;/,
  );
  assert.deepEqual(parse(await ansible.write(NODES)).all.children.worker, {
    hosts: { worker01: { ansible_host: "10.0.0.11", mac: "02:00:00:00:00:01" } },
  });
  const [first, second] = parseAllDocuments(await talos.write(NODES)).map((document) => document.toJS());
  assert.deepEqual(first.machine, {
    install: { disk: "/dev/vda" },
    network: {
      hostname: "worker01",
      interfaces: [
        { deviceSelector: { hardwareAddr: "02:00:00:00:00:01" }, dhcp: true },
        { deviceSelector: { hardwareAddr: "02:00:00:00:00:02" } },
      ],
    },
  });
  assert.deepEqual(second.machine, { network: { hostname: "gpu-01" } });
});

Deno.test("a planned VM is exported as it will be: the same node before and after", () => {
  const { vms } = planCreation(input());
  const before = vms.map((vm) => nodeOfPlanned(vm));
  const after = vms.map((vm, index) => nodeOfVm(made(vm, index + 1)));
  assert.deepEqual(after, before);
  assert.equal(before[0]?.nics.length, 2);
});

Deno.test("no value breaks out of its place", async () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('"', "a,b", "=1+1", "x\ny", "a: b", "- c", "#d", "{e", "'"),
  );
  const node = fc.record({
    name: fc.stringMatching(/^[A-Za-z0-9_]{1,20}$/),
    type: fc.option(fc.stringMatching(/^[A-Za-z_]{1,10}$/)),
    nics: fc.array(
      fc.record({ mac: fc.constant("02:00:00:00:00:01"), attach: text, ip: fc.constant(null) }),
      {
        maxLength: 3,
      },
    ),
    installDisk: fc.constant("/dev/vda"),
  });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(node, { selector: ({ name }) => name.toLowerCase() }), async (nodes) => {
      const nics = nodes.flatMap((it) => it.nics);
      assert.deepEqual(
        JSON.parse(EXPORT_FORMATS.json.write(nodes)),
        JSON.parse(JSON.stringify({ nodes })),
      );
      const hosts = Object.values(
        parse(await EXPORT_FORMATS.ansible.write(nodes)).all.children as Record<string, { hosts: object }>,
      );
      assert.equal(hosts.flatMap((group) => Object.keys(group.hosts)).length, nodes.length);
      if (nodes.length > 0) {
        assert.equal(parseAllDocuments(await EXPORT_FORMATS.talos.write(nodes)).length, nodes.length);
      }
      assert.equal(EXPORT_FORMATS.dnsmasq.write(nodes).split("\n").length - 1, nics.length);
      const cells = csvCells(EXPORT_FORMATS.csv.write(nodes));
      assert.equal(cells.length, 6 * (nics.length + 1));
      for (const cell of cells) assert.doesNotMatch(cell, /^[=+@\t\r-]/, "no formula");
    }),
  );
});

/** RFC 4180: a cell in quotes may hold anything, with its own quotes doubled. */
function csvCells(csv: string): string[] {
  return [...csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?:,|\r\n)/g)].map(([, quoted, bare]) =>
    quoted?.replaceAll('""', '"') ?? bare ?? ""
  );
}
