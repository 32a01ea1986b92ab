/**
 * Protects the servers and tools that read our exports: each format is given to its real consumer from Debian's
 * packages, also with hostile names, MACs and addresses. The consumer must read exactly what the VMs have.
 */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import type { Exported } from "../../lib/exports/exported.ts";
import { EXPORT_FORMATS } from "../../lib/exports/formats.ts";
import type { ExportName } from "../../lib/exports/names.ts";
import { nodeOfPlanned, nodeOfVm } from "../../lib/exports/nodes.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { expectAccepted } from "../support/consumers.ts";
import { withFolder } from "../support/folder.ts";
import { planCreation } from "../../lib/plan/creation.ts";
import { FOREIGN, input, withTypes, WORKER } from "../unit/plan/plan_samples.ts";

let lastId = 0;

function vm(
  name: string,
  ...nics: readonly (readonly [mac: string | null, ip?: string, attach?: string])[]
): Vm {
  return {
    ...FOREIGN,
    id: ++lastId,
    name,
    nics: nics.map(([mac, ip, attach = "br0"]) => ({
      deviceId: ++lastId,
      attach,
      mac,
      ip: ip === undefined ? null : { address: ip, readAt: 0 },
    })),
  };
}

function write(format: ExportName, vms: readonly Vm[]): Exported & { readonly text: string } {
  const exported = EXPORT_FORMATS[format].write(vms.map((it) => nodeOfVm(it)));
  return { ...exported, text: exported.files[0]?.text ?? "" };
}

/** What a consumer found in a file. */
type Read = (file: string, text: string) => Promise<string>;

const READERS = {
  dnsmasq: async (file, text) => (await expectAccepted("dnsmasq", ["--test", "-C", file], text)).stderr,
  isc: async (file, text) => {
    await Deno.writeTextFile(`${file}.leases`, "");
    return (await expectAccepted("dhcpd", ["-t", "-cf", file, "-lf", `${file}.leases`], text)).stderr;
  },
  kea: async (file, text) => (await expectAccepted("kea-dhcp4", ["-t", file], text)).stdout,
  ansible: async (file, text) => {
    const { stdout, stderr } = await expectAccepted("ansible-inventory", ["-i", file, "--list"], text);
    assert.equal(stderr, "", "Ansible warns of nothing");
    return stdout;
  },
} as const satisfies Partial<Record<ExportName, Read>>;

/** Gives a format to its consumer. */
async function read(format: keyof typeof READERS, text: string): Promise<string> {
  let said = "";
  await withFolder(async (folder) => {
    const file = `${folder}/${EXPORT_FORMATS[format].file}`;
    await Deno.writeTextFile(file, text);
    said = await READERS[format](file, text);
  });
  return said;
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const IP = /^\d+\.\d+\.\d+\.\d+$/;

/** Names that each broke a file once, or would. */
const ODD: readonly Vm[] = [
  vm("worker01", ["52:54:00:12:34:56", "10.0.0.5"], ["52:54:00:12:34:57"]),
  vm("Worker01", ["52:54:00:12:34:58"]),
  vm("_vm", ["52:54:00:12:34:59"]),
  vm("vm_", ["52:54:00:12:34:5a"]),
  vm("a".repeat(64), ["52:54:00:12:34:5b"]),
  vm("a".repeat(60), ["52:54:00:12:34:5c"], ["52:54:00:12:34:5d"]),
  vm("ignore", ["52:54:00:12:34:5e"]),
  vm("12h", ["52:54:00:12:34:5f"]),
  vm("123", ["52:54:00:12:34:60"]),
  vm("no", ["52:54:00:12:34:61"]),
  vm("subnet", ["52:54:00:12:34:62"]),
  vm("all01", ["52:54:00:12:34:63"]),
  vm("localhost", ["52:54:00:12:34:64"]),
  vm("worker01_nic1", ["52:54:00:12:34:65"]),
  vm("twin01", ["52:54:00:12:34:56"]),
  vm("random01", [null]),
  vm("x\nconf-script=/bin/sh", ["52:54:00:12:34:66"]),
  vm("{{ lookup('pipe', 'id') }}", ["52:54:00:12:34:67"]),
  vm("last01", ["52:54:00:12:34:68", "10.0.0.9\nconf-script=/bin/sh"]),
];

const LEFT_OUT_OF_DHCP = [
  "Worker01",
  "_vm",
  "vm_",
  "a".repeat(64),
  // Only its second card: the name of that is too long.
  "a".repeat(60),
  "worker01_nic1",
  "twin01",
  "random01",
  "x\nconf-script=/bin/sh",
  "{{ lookup('pipe', 'id') }}",
];

for (const format of ["dnsmasq", "isc", "kea"] as const) {
  Deno.test(`${format} accepts the export of any VMs, with a comment for each VM that is left out (fault 23)`, async () => {
    const { text, leftOut } = write(format, ODD);
    await read(format, text);
    const own = format === "dnsmasq" ? ["ignore", "12h", "123"] : [];
    assert.deepEqual(new Set(leftOut.map(({ name }) => name)), new Set([...LEFT_OUT_OF_DHCP, ...own]));
    for (const name of ["Worker01", "_vm", "twin01", "x?conf-script??bin?sh"]) {
      assert.match(text, new RegExp(`"?${name.replaceAll("?", "\\?")}\\\\?" was left out: `), name);
    }
    assert.match(text, /52:54:00:12:34:68/, "the VM after all the odd ones is there");
    assert.doesNotMatch(text, /10\.0\.0\.9/, "what is no address is none");
  });
}

Deno.test("ansible-inventory reads MACs as text and every name as a host (fault 23)", async () => {
  const { text, leftOut } = write("ansible", ODD);
  const { _meta: { hostvars }, ...groups } = JSON.parse(await read("ansible", text));
  assert.deepEqual(hostvars.worker01, { ansible_host: "10.0.0.5", mac: "52:54:00:12:34:56" });
  assert.deepEqual(groups.worker.hosts, ["worker01"]);
  assert.ok(groups.ungrouped.hosts.includes("all01"), "a type cannot be the group of all");
  const names = Object.keys(hostvars);
  assert.ok(names.includes("123") && names.includes("no") && names.includes("_vm"));
  const hosts = Object.values<{ hosts?: string[] }>(groups).flatMap(({ hosts = [] }) => hosts);
  assert.deepEqual(new Set(hosts).size, ODD.length - leftOut.length, "every other VM is a host");
  assert.deepEqual(leftOut.map(({ name }) => name), [
    "localhost",
    "x\nconf-script=/bin/sh",
    "{{ lookup('pipe', 'id') }}",
  ]);
});

Deno.test("every consumer reads the static addresses of VMs that are only planned", async () => {
  const worker = {
    ...WORKER,
    network: { lan: "br0" },
    addresses: { lan: { range: "10.0.0.21-29/24", gateway: "10.0.0.1" } },
  };
  const { vms } = planCreation(input({ configuration: withTypes({ worker }) }));
  const nodes = vms.map((planned) => nodeOfPlanned(planned));
  const texts = new Map(
    await Promise.all((["dnsmasq", "isc", "kea", "ansible"] as const).map(async (format) => {
      const text = EXPORT_FORMATS[format].write(nodes).files[0]?.text ?? "";
      return [
        format,
        format === "ansible" ? await read(format, text) : (await read(format, text), text),
      ] as const;
    })),
  );
  assert.match(texts.get("dnsmasq") ?? "", /^dhcp-host=[0-9a-f:]{17},10\.0\.0\.22,worker02$/m);
  assert.match(texts.get("isc") ?? "", /fixed-address 10\.0\.0\.22;/);
  assert.equal(JSON.parse(texts.get("kea") ?? "").Dhcp4.reservations[1]["ip-address"], "10.0.0.22");
  assert.equal(JSON.parse(texts.get("ansible") ?? "")._meta.hostvars.worker02.ansible_host, "10.0.0.22");
});

const hostileText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom(
    "\nconf-script=/bin/sh\n",
    '\r\nfilename "evil";',
    "\u2028host x {}",
    "{{ lookup('pipe', 'id') }}",
    "!!python/object/apply:os.system [id]",
    "*alias",
    "&anchor",
    '<?include "/etc/passwd"?>',
    "} option routers 6.6.6.6; host y {",
    '", "hooks-libraries": [',
    "# ",
    "a: b",
    "- c",
    "x[1:3]",
    "x:22",
    "=1+1",
    ";=1+1",
    "x;=1+1",
    " @SUM(1)",
    "\t-1",
    "＝1＋1",
    "；＝1",
    "x\n=1",
  ),
);
const mac = fc.oneof(
  fc.uint8Array({ minLength: 5, maxLength: 5 }).map((bytes) =>
    ["02", ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))].join(":")
  ),
  fc.tuple(fc.constant("02:00:00:00:00:01"), hostileText).map(([start, rest]) => start + rest),
  fc.constantFrom(null, "02-00-00-00-00-02", "FF:FF:FF:FF:FF:FF", "01:00:5e:00:00:01", ""),
);
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.constant("10.0.0.7"), hostileText).map(([start, rest]) => start + rest),
  fc.constantFrom("0.0.0.0", "127.0.0.1", "255.255.255.255", "010.0.0.1", "1.2.3", "224.0.0.1"),
);
const hostileVm = fc.record({
  name: fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9_]{1,70}$/),
    fc.tuple(fc.stringMatching(/^[a-z]{0,4}$/), hostileText).map(([start, rest]) => start + rest),
  ),
  nics: fc.array(fc.tuple(mac, address, hostileText), { maxLength: 3 }),
}).map(({ name, nics }) => vm(name, ...nics));
const hostileVms = fc.array(hostileVm, { minLength: 1, maxLength: 30 });

/** What may stand in a file at all, line by line. */
const LINES = {
  dnsmasq: /^(?:# ["\w.?,;: ()-]+|dhcp-host=[0-9a-f:]{17}(?:,[\d.]{7,15})?,[a-z0-9-]{1,63}|)$/,
  isc:
    /^(?:# ["\w.?,;: ()-]+|host [a-z0-9-]{1,63} \{| {2}hardware ethernet [0-9a-f:]{17};| {2}fixed-address [\d.]{7,15};| {2}# fixed-address \.\.\.;| {2}option host-name "[a-z0-9-]{1,63}";|\}|)$/,
} as const;

/** Holds what a consumer read against what it may find. */
const EXPECT = {
  dnsmasq: (_said: string, text: string) => {
    for (const line of text.split("\n")) assert.match(line, LINES.dnsmasq);
  },
  isc: (_said: string, text: string) => {
    for (const line of text.split("\n")) assert.match(line, LINES.isc);
  },
  kea: (_said: string, text: string) => {
    const { Dhcp4, ...others } = JSON.parse(text);
    assert.deepEqual(others, {});
    const { reservations, "user-context": _said_of, ...settings } = Dhcp4;
    assert.deepEqual(settings, {
      "reservations-global": true,
      "reservations-in-subnet": true,
      "host-reservation-identifiers": ["hw-address"],
    });
    for (const { hostname, "hw-address": hw, "ip-address": ip = "1.1.1.1", ...rest } of reservations) {
      assert.deepEqual(rest, {});
      assert.match(hostname, /^[a-z0-9-]{1,63}$/);
      assert.match(hw, MAC);
      assert.match(ip, IP);
    }
  },
  ansible: (said: string) => {
    for (const [name, vars] of Object.entries(JSON.parse(said)._meta.hostvars ?? {})) {
      assert.match(name, /^\w{1,150}$/);
      const { mac: hw = "02:00:00:00:00:00", ansible_host: ip = "1.1.1.1", ...rest } = vars as Record<
        string,
        string
      >;
      assert.deepEqual(rest, {});
      assert.match(hw, MAC);
      assert.match(ip, IP);
    }
  },
} as const;

/** Ansible takes more than half a second for each file. */
const RUNS = { dnsmasq: 30, isc: 30, kea: 15, ansible: 4 } as const;

for (const format of ["dnsmasq", "isc", "kea", "ansible"] as const) {
  Deno.test(`hostile names, MACs and addresses inject nothing into the file for ${format} (fault 7)`, () =>
    fc.assert(
      fc.asyncProperty(hostileVms, async (vms) => {
        const { text } = write(format, vms);
        EXPECT[format](await read(format, text), text);
      }),
      { numRuns: RUNS[format] },
    ));
}

const CSV_READER = `
import csv, json, sys
rows = list(csv.reader(open(sys.argv[1], newline="", encoding="utf-8"), strict=True))
print(json.dumps(rows))
`;

Deno.test("a CSV reader finds one row per NIC and no cell that a spreadsheet calculates (fault 18)", () =>
  fc.assert(
    fc.asyncProperty(hostileVms, async (vms) => {
      const { text } = write("csv", vms);
      await withFolder(async (folder) => {
        const file = `${folder}/nodes.csv`;
        await Deno.writeTextFile(file, text);
        const { stdout } = await expectAccepted("python3", ["-c", CSV_READER, file], text);
        const rows = JSON.parse(stdout) as string[][];
        assert.equal(rows.length, 1 + vms.flatMap(({ nics }) => nics).length);
        for (const row of rows) assert.equal(row.length, 6);
        for (const cell of rows.flat()) assert.doesNotMatch(cell, CALCULATED);
        for (const row of rows.slice(1)) {
          assert.match(row[4] ?? "", /^([0-9a-f]{2}(:[0-9a-f]{2}){5})?$/);
          assert.match(row[5] ?? "", /^([\d.]{7,15})?$/);
        }
      });
    }),
    { numRuns: 8 },
  ));

/** A cell that a spreadsheet calculates, as a whole or from a semicolon, a tab or a line break on. */
const CALCULATED = /(?:^|[;\t\r\n])\s*[=+\-@＝＋－＠]/;
