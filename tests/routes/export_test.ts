/**
 * Protects the exports as scripts and people fetch them: the list's filters, each format, and requests for unknown
 * ones.
 */
import assert from "node:assert/strict";
import { EXPORT_FORMATS } from "../../lib/exports/formats.ts";
import { EXPORT_NAMES } from "../../lib/exports/names.ts";
import { until } from "../support/deadline.ts";
import { text, withDashboard } from "../support/pages/http.ts";

Deno.test("GET /export shows the listed VMs in each format, and downloads them", () =>
  withDashboard(
    { simulator: { version: "27.0", foreignVms: 2 } },
    async ({ url, manager, configuration }) => {
      const { configuration: config } = configuration();
      const before = await text(fetch(`${url}/export?planned=yes&type=worker&format=csv`));
      await manager.createVmType(config, "worker", 5920);
      const { live } = manager.inventory;
      await until(
        "all NICs are known",
        () => live.snapshot.vms?.filter(({ nics }) => nics.length === 2).length === 3,
        (look) => live.onChange(look),
      );
      const after = await text(fetch(`${url}/export?type=worker&format=csv`));
      assert.equal(after, before, "the MACs before creation are those after it");
      assert.equal(after.trim().split("\r\n").length, 1 + 3 * 2);
      for (const format of EXPORT_NAMES) {
        const response = await fetch(`${url}/export?type=worker&format=${format}&download=1`);
        const disposition = response.headers.get("content-disposition");
        assert.equal(disposition, `attachment; filename="${EXPORT_FORMATS[format].file}"`);
        assert.match(await response.text(), /worker03/);
      }
      const page = await text(fetch(`${url}/export?type=worker`));
      assert.match(page, /data-copy="text-talos"/);
      const folds = [
        ...page.matchAll(/<details class="fold inline"><summary>.*?<b>([^<]+)<\/b><span>([^<]+)</g),
      ];
      assert.deepEqual(folds.length, EXPORT_NAMES.length, "each is one line until it is opened");
      assert.deepEqual(folds.at(0)?.slice(1), ["Show the text", "7 lines"]);
      assert.deepEqual(folds.at(-1)?.slice(1), ["Show the files", "3 files"]);
      assert.match(page, /<h3 id="file-talos-2">worker03\.yaml<\/h3>/);
      assert.match(page, /mac\(link\.permanent_addr\) == \\&quot;02:/);
      const unknown = await fetch(`${url}/export?format=xml`);
      assert.equal(unknown.status, 422);
      assert.match(
        await unknown.text(),
        /Unknown format "xml". Choose one of: csv, json, dnsmasq, isc, kea, ansible, talos/,
      );
    },
  ));

Deno.test("GET /export offers Talos patches for the chosen version as one archive (fault 22)", () =>
  withDashboard({}, async ({ url }) => {
    const asked = `${url}/export?planned=yes&type=worker`;
    const page = await text(fetch(`${asked}&talos=1.13`));
    assert.match(page, /<strong aria-current="true">1\.13<\/strong>/);
    assert.match(page, /href="\/export\?[^"]*planned=yes[^"]*talos=1\.12#export-talos"/);
    assert.match(page, /Download 3 files as an archive/);
    assert.match(page, /disk: &quot;\/dev\/vda&quot;/);
    const link = /href="([^"]*format=talos[^"]*)"/.exec(page)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const archive = await fetch(url + link);
    assert.equal(archive.headers.get("content-type"), "application/x-tar");
    const bytes = new Uint8Array(await archive.arrayBuffer());
    assert.equal(new TextDecoder().decode(bytes.subarray(257, 262)), "ustar");
    assert.match(new TextDecoder().decode(bytes), /# worker02, for Talos 1\.13\n/);
    const unknown = await fetch(`${asked}&format=talos&talos=1.10`);
    assert.equal(unknown.status, 422);
    assert.match(await unknown.text(), /Unsupported Talos version "1\.10"\. Choose one of: 1\.11, /);
  }));

Deno.test("GET /export names the VMs that a format leaves out, with the file of the others (fault 23)", () =>
  withDashboard({ simulator: { foreignVms: 2 } }, async ({ url, simulator, manager }) => {
    const [vm] = simulator.store.vms.values();
    assert.ok(vm);
    vm.config.name = "_odd";
    await manager.inventory.live.refreshNow(vm.id);
    const page = await text(fetch(`${url}/export`));
    const notice =
      /<section class="card export" aria-labelledby="export-dnsmasq">.*?<\/section>/s.exec(page)?.[0] ?? "";
    assert.match(notice, /<div class="notice warn".*&quot;_odd&quot; was left out: a host name has/);
    assert.match(await text(fetch(`${url}/export?format=dnsmasq`)), /^# "_odd" was left out: .*\ndhcp-host=/);
  }));

Deno.test("a guest can report addresses of its own NICs only, and nothing but addresses (fault 7)", () =>
  withDashboard({ simulator: { version: "27.0", foreignVms: 2 } }, async ({ url, simulator, manager }) => {
    const cards = [...simulator.store.devices.values()].filter(({ attributes }) =>
      attributes.dtype === "NIC"
    );
    const [one, other] = cards.map(({ vm, attributes }) => ({ vm, mac: String(attributes.mac) }));
    assert.ok(one && other && one.vm !== other.vm, "two VMs with a card each");
    for (const vm of simulator.store.vms.values()) Object.assign(vm, { state: "RUNNING", agent: true });
    const told = (mac: string, ...addresses: readonly string[]) => ({
      name: "eth0",
      hardware_address: mac,
      ip_addresses: addresses.map((ip_address) => ({ ip_address, prefix: 24, ip_address_type: "IPV4" })),
    });
    const evil = "10.0.0.6\nconf-script=/bin/sh";
    const says = (vm: number, ...interfaces: readonly ReturnType<typeof told>[]) =>
      simulator.addFault({
        method: "vm.get_guest_network_interfaces",
        matches: ([id]) => id === vm,
        action: "answer",
        result: interfaces,
        times: Infinity,
      });
    says(one.vm, told(one.mac, evil, "10.0.0.7"), told(other.mac, "10.0.0.66"));
    says(other.vm, told(one.mac, "10.0.0.67"), told(other.mac.toUpperCase(), evil));
    for (const { id } of simulator.store.vms.values()) await manager.inventory.live.refreshNow(id);
    const file = await text(fetch(`${url}/export?format=dnsmasq`));
    assert.doesNotMatch(file, /conf-script|10\.0\.0\.6/);
    assert.match(file, new RegExp(`^dhcp-host=${one.mac},10\\.0\\.0\\.7,[a-z]`, "m"));
    assert.match(file, new RegExp(`^dhcp-host=${other.mac},[a-z]`, "m"));
  }));

for (
  const [why, fault] of [
    ["refuses the list", { method: "vm.query", action: "fail", times: Infinity }],
    ["answers what is no list", { method: "vm.query", action: "answer", result: [null], times: Infinity }],
  ] as const
) {
  Deno.test(`while the NAS ${why}, no export is empty and no VM is reported as missing`, () =>
    withDashboard({ simulator: { foreignVms: 2 }, untilConnected: false }, async ({ url, simulator }) => {
      simulator.addFault(fault);
      const formats = EXPORT_NAMES.map((format) => `/export?format=${format}&download=1`);
      for (
        const path of [...formats, "/export", "/vms/1", "/vms/1/serial", "/vms/1/destroy", "/vms/1/console"]
      ) {
        for (const accept of ["text/html", "application/json"]) {
          const response = await fetch(url + path, { headers: { accept }, redirect: "manual" });
          assert.ok([502, 503].includes(response.status), `${path} ${response.status}`);
          assert.equal(response.headers.get("content-disposition"), null);
          assert.doesNotMatch(await response.text(), /There is no such/);
        }
      }
    }));
}
